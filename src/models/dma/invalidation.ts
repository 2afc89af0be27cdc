/** The machine `invalidation` on a VT-d unit, with requesters that do what they are told. */
import { invalidation } from '../../../spec/dma/invalidation.ts'
import {
  CONTEXT_NAMES,
  DIRECTORY_NAMES,
  ELSEWHERE,
  ENTRY_NAMES,
  firstDirectory,
  firstEntry,
  REFUSED,
  SPAN_MASKS,
  type Span,
} from '../../../spec/dma/invalidation-tables.ts'
import type { Description, DeviceDescription, Gpa, Target, TargetEvent } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { DESCRIPTOR, GRANULARITY } from '../../layout/vtd.ts'
import { Guest } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'
import { VtdUnit } from '../guest/vtd.ts'
import {
  type ContextScope,
  contextInvalidation,
  type Drains,
  deviceTlbInvalidation,
  type IotlbScope,
  iotlbInvalidation,
  waitDescriptor,
} from '../guest/vtd-entries.ts'
import { storeDwords } from '../guest/vtd-registers.ts'
import { type DmaSource, sourcesOf } from './dma-source.ts'
import { arenaOf, DOMAIN_IDS, type Found, InvalidationTables, largesOf } from './invalidation-tables.ts'

/** Pages of rings, from their start: a queue of one page or two, and a page of status words. */
const STATUS_PAGE = 2
/** A word that nobody looks at, and those of two waits. */
const IDLE_STATUS = 0x40
const STATUS_STEP = 0x10
const PAGE_BYTES = 4096
/** Turns that a target may take before what it was asked for is done. */
const TURNS_MAX = 20
/** A function mask that leaves all of the function number out of the comparison. */
const NO_FUNCTIONS = 3
/** Descriptors that a lap leaves free. */
const LAP_REST = 4

/** Descriptors that mean nothing. */
const MALFORMED = {
  type: [0xf, 0, 0, 0],
  granularity: [DESCRIPTOR.IOTLB, 0, 0, 0],
  reserved: [DESCRIPTOR.WAIT | DESCRIPTOR.WRITE_STATUS | (1 << 20), 0, 0, 0],
} as const
const DRAINS = {
  none: {},
  reads: { reads: true },
  writes: { writes: true },
  both: { reads: true, writes: true },
} as const satisfies Readonly<Record<string, Drains>>
const DONE = {
  [GRANULARITY.NONE]: 'nothing',
  [GRANULARITY.GLOBAL]: 'everything',
  [GRANULARITY.DOMAIN]: 'domain',
  [GRANULARITY.PAGES]: 'narrow',
} as const

/** Arguments of all actions at once. */
interface Performed {
  readonly table: number
  readonly way: number
  readonly page: number
  readonly block: number
  readonly requester: number
  readonly root: number
  readonly domain: number
  readonly device: number
  readonly entry: (typeof ENTRY_NAMES)[number]
  readonly directory: (typeof DIRECTORY_NAMES)[number]
  readonly context: (typeof CONTEXT_NAMES)[number]
  readonly span: Span | 'everything'
  readonly drain: keyof typeof DRAINS
  readonly defect: keyof typeof MALFORMED
  readonly access: 'read' | 'write'
  readonly inForce: boolean
  readonly aside: boolean
  readonly hint: boolean
  readonly fence: boolean
  readonly long: boolean
}
interface PendingWait {
  readonly at: Gpa
  readonly value: number
}
interface Flight {
  readonly page: number
  readonly access: 'read' | 'write'
  readonly tag: number
}

class InvalidationSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #sources: readonly DmaSource[]
  readonly #slow: DmaSource | undefined
  readonly #tables: InvalidationTables
  /** The unit with a queue of one page, and with one of two. */
  readonly #units: readonly [VtdUnit, VtdUnit]
  readonly #watchesMemory: boolean
  readonly #status: Gpa
  #isLong = true
  #isQueued = true
  #root = 0
  #written = 0
  #values = 0
  #waits: PendingWait[] = []
  #signal = false
  /** Where the malformed descriptor is, from the start of the queue; undefined: there is none. */
  #malformed: number | undefined
  #stopped = false
  #flights: (Flight | undefined)[] = []

  constructor(target: Target, machine: Machine, sink: Sink, sources: readonly DmaSource[]) {
    const description = target.describe()
    const device = unitOf(description)!
    this.device = device.id
    this.#guest = new Guest(target)
    this.#machine = machine
    this.#sink = sink
    this.#sources = sources
    this.#slow = sources.find(({ delayed }) => delayed)
    this.#watchesMemory = description.observes.dma === 'exact'
    if (device.transport.kind !== 'chip' || device.transport.base === undefined)
      throw new ModelError(`${device.id}: expected a unit with the base of its registers`)
    const arena = arenaOf(description.memory)!
    const { base } = device.transport
    this.#units = [new VtdUnit(this.#guest, base, arena.start), new VtdUnit(this.#guest, base, arena.start, 1)]
    const { levels, large2M, cachingMode, queue, maskMax } = this.#units[0].capabilities
    const depth = levels.find((count) => count <= 4)
    if (depth === undefined || !queue || !large2M || maskMax === undefined)
      throw new ModelError(
        `${device.id}: expected tables of 3 or 4 levels, pages of 2 MiB, a queue and invalidation by page`,
      )
    if (cachingMode !== (machine.scope.caching === 1))
      throw new ModelError(`${device.id}: its capabilities have caching mode ${cachingMode}, its facts have not`)
    this.#tables = new InvalidationTables(this.#guest, arena, sources, depth)
    this.#status = this.#tables.rings + STATUS_PAGE * PAGE_BYTES
  }

  get #unit(): VtdUnit {
    return this.#units[this.#isLong ? 1 : 0]
  }

  start(): void {
    this.#guest.target.reset('system')
    this.#isLong = true
    this.#isQueued = true
    this.#root = this.#written = this.#values = 0
    this.#waits = []
    this.#signal = false
    this.#malformed = undefined
    this.#stopped = false
    this.#flights = []
    this.#guest.target.store(this.#status, new Uint8Array(PAGE_BYTES))
    this.#tables.start()
    const { roots = 1, tables = 1, blocks = 1, ways = 1, pages = 1, entries = 2, directories = 2 } = this.#machine.scope
    for (let root = 0; root < roots; root++)
      for (const [one, source] of this.#sources.entries()) this.#tables.setContext(root, source, 1 + ((one + root) % 2))
    for (let table = 0; table < tables; table++) {
      for (let block = 0; block < blocks; block++)
        this.#tables.setDirectory(table, block, firstDirectory(table, block, directories))
      for (let way = 0; way < ways; way++)
        for (let page = 0; page < pages; page++) this.#tables.setEntry(table, way, page, firstEntry(way, page, entries))
    }
    const unit = this.#unit
    unit.setRoot(this.#tables.rootAt(0))
    unit.useRoot()
    unit.queue.start()
    unit.queue.push(contextInvalidation('global'))
    unit.queue.push(iotlbInvalidation('global'))
    unit.queue.push(waitDescriptor({ status: { at: this.#status + IDLE_STATUS, value: 1 } }))
    unit.queue.ring()
    this.#drainQueue()
    unit.translate(true)
    this.#guest.target.events()
  }

  /** Until the unit has worked off its queue, or will not. */
  #drainQueue(): void {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const { head, tail } = this.#unit.queue.places()
      if (head === tail || this.#guest.target.settle(0) === 'busy') return
    }
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or device`)
    perform(args as unknown as Performed)
  }

  readonly #performers: Readonly<Record<string, (args: Performed) => void>> = {
    'driver.setEntry': ({ table, way, page, entry }) =>
      this.#tables.setEntry(table, way, page, ENTRY_NAMES.indexOf(entry)),
    'driver.setDirectory': ({ table, block, directory }) =>
      this.#tables.setDirectory(table, block, DIRECTORY_NAMES.indexOf(directory)),
    'driver.setContext': ({ requester, context, inForce }) =>
      this.#tables.setContext(
        inForce ? this.#root : this.#written,
        this.#sources[requester]!,
        CONTEXT_NAMES.indexOf(context),
      ),
    'driver.setRoot': ({ root }) => {
      this.#written = root
      this.#unit.setRoot(this.#tables.rootAt(root))
    },
    'driver.useRoot': () => {
      this.#root = this.#written
      this.#unit.useRoot()
    },
    'driver.flushContexts': () => this.#flushContexts('global'),
    'driver.flushContextsOf': ({ domain }) => this.#flushContexts({ domain: DOMAIN_IDS[domain]! }),
    'driver.flushContextOf': ({ requester, domain, aside }) => {
      const { requester: own } = this.#sources[requester]!
      const named = aside ? { requester: own ^ 1, functions: NO_FUNCTIONS } : { requester: own }
      this.#flushContexts({ domain: DOMAIN_IDS[domain]!, ...named })
    },
    'driver.flush': ({ drain }) => this.#flush('global', drain),
    'driver.flushDomain': ({ domain, drain }) => this.#flush({ domain: DOMAIN_IDS[domain]! }, drain),
    'driver.flushPages': ({ domain, page, span, hint, drain }) => {
      const mask = SPAN_MASKS[span as Span]
      const number = this.#tables.numberOf(page)
      this.#flush({ domain: DOMAIN_IDS[domain]!, page: number - (number % 2 ** mask), mask, hint }, drain)
    },
    'driver.flushDevice': ({ device, page, span }) => {
      const { requester } = this.#sources.filter(({ ats }) => ats)[device]!
      const mask = span === 'everything' ? undefined : SPAN_MASKS[span]
      const number = this.#tables.numberOf(page)
      this.#queue(
        mask === undefined
          ? [DESCRIPTOR.DEVICE_TLB, requester, 0xffff_f001, 0x7fff_ffff]
          : deviceTlbInvalidation(requester, number - (number % 2 ** mask), mask),
      )
    },
    'driver.wait': ({ fence }) => this.#wait(true, false, fence),
    'driver.waitForInterrupt': ({ fence }) => this.#wait(false, true, fence),
    'driver.waitForBoth': ({ fence }) => this.#wait(true, true, fence),
    'driver.fence': () => this.#queue(waitDescriptor({ fence: true })),
    'driver.queueMalformed': ({ defect }) => {
      this.#malformed = this.#unit.queue.places().tail
      this.#queue(MALFORMED[defect])
    },
    'driver.repair': () => {
      storeDwords(this.#guest, this.#tables.rings + this.#malformed!, this.#idleWait())
      this.#malformed = undefined
      this.#stopped = false
      this.#unit.clearQueueError()
      // Whether it goes on by itself is open: told of the tail again, it has to.
      this.#unit.queue.ring()
    },
    'driver.useRegisters': () => {
      this.#isQueued = false
      this.#unit.queue.stop()
    },
    'driver.useQueue': ({ long }) => {
      this.#isQueued = true
      this.#isLong = long
      this.#unit.queue.start()
    },
    'driver.lap': () => {
      const descriptors = (PAGE_BYTES * (this.#isLong ? 2 : 1)) / DESCRIPTOR.bytes - LAP_REST
      for (let count = 0; count < descriptors; count++) this.#unit.queue.push(this.#idleWait())
      this.#unit.queue.ring()
      this.#drainQueue()
      this.#answerQueue()
    },
    'driver.readQueue': () => this.#answerQueue(),
    'device.access': ({ requester, page, access }) => this.#access(requester, page, access),
    'device.sweep': ({ access }) => {
      const { pages = 1 } = this.#machine.scope
      for (const [requester, { delayed }] of this.#sources.entries())
        for (let page = 0; page < pages && !delayed; page++) this.#access(requester, page, access)
    },
    'device.begin': ({ page, access }) => this.#begin(page, access),
  }

  #flushContexts(scope: ContextScope): void {
    if (this.#isQueued) this.#queue(contextInvalidation(scope))
    else this.#finish(this.#unit.invalidateContexts(scope), () => this.#unit.contextsDone())
  }
  #flush(scope: IotlbScope, drain: keyof typeof DRAINS): void {
    const drains = DRAINS[drain]
    if (this.#isQueued) this.#queue(iotlbInvalidation(scope, drains))
    else this.#finish(this.#unit.invalidateTranslations(scope, drains), () => this.#unit.translationsDone())
  }
  /** A register that is not done at once is looked at until it is. */
  #finish(first: number | undefined, look: () => number | undefined): void {
    let done = first
    for (let turn = 0; done === undefined && turn < TURNS_MAX; turn++) {
      this.#guest.target.settle(0)
      done = look()
    }
    if (done === undefined) return
    this.collect()
    this.#tell('iommu.finish', { done: DONE[done as keyof typeof DONE] })
  }
  #wait(isWritten: boolean, interrupt: boolean, fence: boolean): void {
    const wait = { at: this.#status + STATUS_STEP * (this.#values % 2), value: 0xc000_0000 + ++this.#values }
    if (isWritten) this.#waits.push(wait)
    if (interrupt) this.#signal = true
    this.#queue(waitDescriptor({ interrupt, fence, ...(isWritten ? { status: wait } : {}) }))
  }
  #queue(descriptor: readonly number[]): void {
    this.#unit.queue.push(descriptor)
    this.#unit.queue.ring()
  }
  #idleWait(): readonly number[] {
    return waitDescriptor({ status: { at: this.#status + IDLE_STATUS, value: 2 } })
  }

  /** A source that cannot do the one does the other. */
  #can(source: DmaSource, access: 'read' | 'write'): 'read' | 'write' {
    if (access === 'read') return source.reads ? 'read' : 'write'
    return source.writes ? 'write' : 'read'
  }

  #access(requester: number, page: number, wanted: 'read' | 'write'): void {
    const source = this.#sources[requester]!
    const access = this.#can(source, wanted)
    const iova = this.#tables.iovaOf(page, access)
    const { target } = this.#guest
    if (access === 'read') {
      const { moved, data } = target.dma!(source.requester, { access, iova, bytes: 4 })
      const found = moved === 0 || data === undefined ? 'nothing' : this.#tables.findRead(page, dwordOf(data))
      this.#answer(requester, page, access, found)
      return
    }
    const tag = this.#tables.newTag()
    const { moved } = target.dma!(source.requester, { access, iova, bytes: 4, data: bytesOf(tag) })
    const found = this.#tables.findWritten(page, tag)
    this.#answer(requester, page, access, found === 'nothing' && (moved ?? 0) > 0 ? 'elsewhere' : found)
  }
  #answer(requester: number, page: number, access: 'read' | 'write', found: Found): void {
    this.#tell('iommu.answer', { requester, page, access, as: outcomeOf(found) })
  }

  /** What is read or written says by its length which of the accesses under way it is. */
  #begin(page: number, wanted: 'read' | 'write'): void {
    const source = this.#slow!
    const access = this.#can(source, wanted)
    const free = this.#flights.indexOf(undefined)
    const index = free < 0 ? this.#flights.length : free
    const tag = this.#tables.newTag()
    this.#flights[index] = { page, access, tag }
    const bytes = 4 * (index + 1)
    const data = new Uint8Array(bytes)
    data.set(bytesOf(tag))
    const asked = { access, iova: this.#tables.iovaOf(page, access), bytes }
    this.#guest.target.dma!(source.requester, access === 'read' ? asked : { ...asked, data })
  }
  #arrive(index: number, found: Found): void {
    if (this.#flights[index] === undefined) return
    this.#flights[index] = undefined
    this.#tell('iommu.arrive', { flight: index, as: outcomeOf(found) })
  }

  collect(at?: 'rest' | 'end'): void {
    for (const event of this.#guest.target.events()) this.#take(event)
    if (at !== undefined && !this.#watchesMemory) this.#lookForFlights()
    this.#lookForStatus()
    if (this.#signal && this.#unit.completed()) this.#takeSignal()
    if (this.#malformed !== undefined && !this.#stopped && this.#unit.faultStatus().queueError) {
      this.#stopped = true
      this.#tell('iommu.stop')
    }
  }

  #take(event: TargetEvent): void {
    const slow = this.#slow?.id
    if (event.kind === 'dma' && event.device === slow) {
      const index = event.data.length / 4 - 1
      const flight = this.#flights[index]
      if (flight !== undefined) this.#arrive(index, this.#tables.frameAt(flight.page, event.gpa) ?? 'elsewhere')
    } else if (event.kind === 'fault' && event.device === slow) this.#arrive(event.bytes / 4 - 1, 'nothing')
    else if (event.kind === 'dma' && event.access === 'write' && event.device === this.device) {
      const index = this.#waits.findIndex((wait) => wait.at === event.gpa && wait.value === dwordOf(event.data))
      if (index >= 0) this.#takeStatus(index)
    }
  }
  #lookForFlights(): void {
    for (const [index, flight] of this.#flights.entries())
      if (flight?.access === 'write') this.#arrive(index, this.#tables.findWritten(flight.page, flight.tag))
      else if (flight !== undefined) this.#flights[index] = undefined
  }
  #lookForStatus(): void {
    for (let index = 0; index < this.#waits.length; ) {
      const { at, value } = this.#waits[index]!
      if (this.#guest.load32(at) === value) this.#takeStatus(index)
      else index++
    }
  }
  #takeStatus(index: number): void {
    this.#waits.splice(index, 1)
    this.#tell('iommu.complete', { second: index > 0 })
  }
  #takeSignal(): void {
    this.#unit.clearCompleted()
    this.#signal = false
    this.#tell('iommu.signal')
  }

  #answerQueue(): void {
    const { head, tail } = this.#unit.queue.places()
    const { queueError } = this.#unit.faultStatus()
    this.collect()
    if (this.#unit.completed()) this.#takeSignal()
    const at = head === tail ? 'end' : head === this.#malformed ? 'error' : 'elsewhere'
    this.#tell('iommu.answerQueue', { at, error: queueError })
  }

  #tell(name: string, args: Args = {}): void {
    this.#sink(this.#machine.action(name), args)
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf([
      this.#tables.notes(),
      this.#unit.queue.notes(),
      this.#isLong,
      this.#isQueued,
      this.#root,
      this.#written,
      this.#values,
      this.#waits,
      this.#signal,
      this.#malformed,
      this.#stopped,
      this.#flights,
    ])
  }
}

const outcomeOf = (found: Found): number => (found === 'elsewhere' ? ELSEWHERE : found === 'nothing' ? REFUSED : found)
const dwordOf = (data: Uint8Array): number => new DataView(data.buffer, data.byteOffset).getUint32(0, true)
const bytesOf = (word: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, word, true)
  return bytes
}

const unitOf = ({ devices }: Description): DeviceDescription | undefined => devices.find(({ kind }) => kind === 'vt-d')

/** Two plain sources, one whose accesses take their time, one with a TLB, in this order. */
const chosenOf = (target: Description): readonly DmaSource[] => {
  const fitting = sourcesOf(target).filter(
    ({ align, bytesMax, iovaEnd }) => align <= 4 && bytesMax >= 4 && iovaEnd > 0x4040_0000,
  )
  const sees = target.observes.dma === 'exact' && target.observes.fault === 'exact'
  return [
    ...fitting.filter(({ delayed, ats }) => !delayed && !ats).slice(0, 2),
    ...fitting.filter(({ delayed, bytesMax }) => delayed && bytesMax >= 8 && sees).slice(0, 1),
    ...fitting.filter(({ ats, delayed }) => ats && !delayed).slice(0, 1),
  ]
}

export const invalidationModel: Model = {
  machine: invalidation,
  played: ['driver', 'device'],
  notApplicable(target) {
    if (unitOf(target) === undefined) return 'it has no VT-d unit (kind vt-d)'
    if (target.can.dma !== true) return 'no access of a device can be made to arrive at its unit'
    if (chosenOf(target).filter(({ delayed, ats }) => !delayed && !ats).length < 2)
      return 'it has not two sources of DMA of four bytes'
    if (!target.can.resets.includes('system')) return 'its unit cannot be brought back to its initial state'
    return arenaOf(target.memory) === undefined ? 'it has no guest memory for tables and frames' : undefined
  },
  scope(target) {
    const sources = chosenOf(target)
    const arena = arenaOf(target.memory)!
    const delayed = sources.some((source) => source.delayed) ? 1 : 0
    return {
      scope: 'played',
      bounds: {
        requesters: sources.length,
        delayed,
        flights: delayed === 1 ? 2 : 0,
        ats: sources.some(({ ats }) => ats) ? 1 : 0,
        caching: unitOf(target)?.facts?.cachingMode === true ? 1 : 0,
        // Without two large pages to choose from, the last kind of directory entry is left out, too.
        directories: largesOf(arena) < 2 ? 3 + largesOf(arena) : DIRECTORY_NAMES.length,
      },
    }
  },
  unreachableGoals(_target, { scope }) {
    const why: Record<string, string> = {}
    if (scope.delayed === 0) why.aDrainedAccess = 'every access is over when it is made'
    if (scope.ats === 0) why.aFlushedDevice = 'no source has a TLB of its own'
    return why
  },
  open: (target, machine, sink) => new InvalidationSession(target, machine, sink, chosenOf(target.describe())),
}
