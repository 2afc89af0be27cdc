/** The translation machine on a VT-d unit: its tables in memory, accesses of any requester as inputs. */
import { translation } from '../../../spec/dma/translation.ts'
import {
  type ContextEntry,
  contentOf,
  contextEntriesOf,
  DATA_FRAMES,
  ELSEWHERE,
  FIRST_FRAME,
  FRAMES,
  indexAt,
  NOTHING,
  NOWHERE,
  type PagingEntry,
  PLAIN,
  pagesOf,
  pagingEntriesOf,
  ROOTS_READABLE,
  type RootEntry,
  rootEntriesOf,
  tableAt,
} from '../../../spec/dma/translation-entries.ts'
import { reasonOf } from '../../../spec/dma/translation-walk.ts'
import type { Description, DeviceDescription, DmaOutcome, Gpa, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { INTERRUPT_WINDOW, TRANSLATION_TYPE } from '../../layout/vtd.ts'
import { Guest } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'
import { VtdUnit } from '../guest/vtd.ts'
import { contextEntry, pagingEntry, rootEntry } from '../guest/vtd-entries.ts'
import { type Dwords, storeDwords } from '../guest/vtd-registers.ts'
import { type DmaSource, sourcesOf } from './dma-source.ts'
import { ACCESS_BYTES, PLACES, TranslationMemory } from './translation-memory.ts'

const PAGE_BYTES = 4096
const BLOCK_PAGES = 512
const BLOCK_BYTES = BLOCK_PAGES * PAGE_BYTES
const ARENA_BLOCKS = 3
/** Pages of the arena: the root tables, and the context tables by bus. */
const AREA = { roots: 2, contexts: 6 } as const
/** Memory ends below this: what the machine takes for no memory must be none. */
const MEMORY_END_MAX = 2 ** 30
/** A domain id stands for one table: those of other entries, which lead elsewhere or at another depth, are others, 6.2.1. */
const FIRST_DOMAIN_ID = 16
/** What the unit is to send about faults. */
const MESSAGE = { address: INTERRUPT_WINDOW.start, data: 0x4041 } as const
const A_PASID = 7
const RESERVED_LOW = 1 << 4
const RESERVED_HIGH = 1 << 24
/** In the third dword of a context entry, and in the upper half of an address. */
const RESERVED_THIRD = 1 << 24
const RESERVED_ADDRESS = 1 << 19
/** Bit 51 of an entry: of an address that no machine of this kind has. */
const BEYOND = 1 << 19
const SETTLE_MS = 1000
/** A source without a limit of its own. */
const ANY_ADDRESS = 2 ** 53

/** How the sources of a target are the devices of the machine: on two buses in turn, where there are two. */
const devicesOf = (target: Description): { readonly sources: readonly DmaSource[]; readonly buses: number } => {
  const usable = sourcesOf(target).filter(
    ({ reads, writes, align, bytesMax, delayed, ats, window, iovaEnd }) =>
      reads &&
      writes &&
      align <= 4 &&
      bytesMax >= ACCESS_BYTES &&
      !delayed &&
      !ats &&
      window === undefined &&
      iovaEnd >= ANY_ADDRESS,
  )
  const [first] = usable
  if (first === undefined) return { sources: [], buses: 1 }
  const near = usable.filter(({ requester }) => requester >> 8 === first.requester >> 8)
  const far = usable.find(
    ({ requester }) =>
      requester >> 8 !== first.requester >> 8 && near.every((each) => (each.requester & 0xff) !== (requester & 0xff)),
  )
  if (far === undefined) return { sources: near.slice(0, 3), buses: 1 }
  return { sources: [near[0]!, far, ...near.slice(1, 2)], buses: 2 }
}

class TranslationSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #unit: VtdUnit
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #memory: TranslationMemory
  readonly #sources: readonly DmaSource[]
  readonly #buses: number
  /** First byte of the arena. */
  readonly #start: Gpa
  readonly #pages: readonly number[]
  readonly #roots: readonly RootEntry[]
  readonly #contexts: readonly ContextEntry[]
  readonly #entries: readonly PagingEntry[]
  /** Root tables by number: the one in force, and the one whose address was written. */
  #root = 0
  #written = 0
  /** Something changed since everything was invalidated. */
  #isStale = true
  /** Entries by their address: as they were at first, and those that are others now. */
  readonly #first = new Map<Gpa, Dwords>()
  readonly #changed = new Set<Gpa>()
  #isStarting = false
  /** The record that is read next, where it is known. */
  #record: number | undefined

  constructor(target: Target, unit: DeviceDescription, machine: Machine, sink: Sink) {
    const description = target.describe()
    const { pages = 0, roots = 0, contexts = 0, entries = 0, domains = 0, devices = 0 } = machine.scope
    this.device = unit.id
    this.#guest = new Guest(target)
    this.#machine = machine
    this.#sink = sink
    this.#start = arenaOf(description)!
    const found = devicesOf(description)
    this.#sources = found.sources.slice(0, devices)
    this.#buses = found.buses
    this.#pages = pagesOf(pages, this.#start / PAGE_BYTES)
    this.#roots = rootEntriesOf(Math.max(roots, 2))
    this.#contexts = contextEntriesOf(Math.max(contexts, 2), domains)
    this.#entries = pagingEntriesOf(Math.max(entries, 2))
    if (unit.transport.kind !== 'chip' || unit.transport.base === undefined)
      throw new ModelError(`${unit.id}: expected a unit with the base of its registers`)
    this.#unit = new VtdUnit(this.#guest, unit.transport.base, this.#start)
    this.#check(unit.id)
    this.#memory = new TranslationMemory(
      target,
      FRAMES.map((page, frame) => ({ gpa: this.#gpaOf(page), isTable: frame >= DATA_FRAMES })),
    )
  }

  /** Whether the unit is what its description says. */
  #check(id: string): void {
    const { levels, records, large2M, large1G, passThrough, deviceTlb, protectedLow } = this.#unit.capabilities
    const { scope } = this.#machine
    const expect = (fact: string, said: number | undefined, found: number): void => {
      if (said !== found)
        throw new ModelError(`${id}: expected ${fact} ${found}, as its registers say, found ${said} in its description`)
    }
    expect('levels', scope.levels, Math.max(...levels.filter((count) => count < 5)))
    expect('narrow', scope.narrow, levels.includes(3) && levels.includes(4) ? 1 : 0)
    expect('records', scope.records, Math.min(records, RECORDS_MAX))
    expect('largePages', scope.large, large1G ? 2 : large2M ? 1 : 0)
    expect('passThrough', scope.passes, passThrough ? 1 : 0)
    expect('deviceTlb', scope.deviceTlb, deviceTlb ? 1 : 0)
    expect('protectedRegions', scope.protection, protectedLow ? 1 : 0)
  }

  start(): void {
    const { target } = this.#guest
    const unit = this.#unit
    const { roots = 0, devices = 0, levels = 0, domains = 0 } = this.#machine.scope
    target.reset('system')
    this.#memory.start()
    this.#root = this.#written = 0
    this.#record = undefined
    this.#isStale = true
    this.#isStarting = true
    this.#changed.clear()
    const isInTable = roots > 1 ? ROOTS_READABLE : 1
    for (let table = 0; table < isInTable; table++)
      for (let bus = 0; bus < this.#buses; bus++) this.#writeRoot(table, bus, PLAIN)
    for (let bus = 0; bus < this.#buses; bus++)
      for (let each = 0; each < devices; each++) this.#writeContext(bus, each, PLAIN + ((bus + (each >> 1)) % domains))
    for (let domain = 0; domain < domains; domain++)
      for (let level = 1; level <= levels; level++)
        for (const index of new Set(this.#pages.map((page) => indexAt(page, level))))
          this.#writeAt(domain, level, index, PLAIN)
    this.#isStarting = false
    unit.setRoot(this.#rootAt(0))
    unit.useRoot()
    unit.setFaultMessage(MESSAGE.address, MESSAGE.data)
    unit.maskFaultMessage(false)
    unit.translate(true)
    target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or device`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.map': ({ domain, page, level, entry }) =>
      this.#writeEntry(domain as number, level as number, this.#pages[page as number]!, entry as number),
    'driver.mapFar': ({ domain, page, level, entry }) =>
      this.#writeEntry(domain as number, level as number, this.#pages[page as number]!, entry as number),
    'driver.restore': () => this.#restore(),
    'driver.attach': ({ device, entry }) =>
      this.#writeContext(this.#busOf(device as number), device as number, entry as number),
    'driver.attachElsewhere': ({ device, entry }) =>
      this.#writeContext(this.#busOf(device as number, true), device as number, entry as number),
    'driver.setBus': ({ bus, entry, inForce }) =>
      this.#writeRoot(inForce ? this.#root : this.#written, bus as number, entry as number),
    'driver.setRoot': ({ table }) => {
      this.#written = table as number
      this.#unit.setRoot(this.#rootAt(this.#written))
    },
    'driver.useRoot': () => {
      this.#root = this.#written
      this.#unit.useRoot()
      this.#isStale = true
    },
    'driver.enable': () => this.#enable(true),
    'driver.disable': () => this.#enable(false),
    'driver.protect': ({ block }) => this.#protect(block as number),
    'device.write': ({ device, page, form }) => this.#write(device as number, page as number, form as string),
    'device.read': ({ device, page, form }) => this.#read(device as number, page as number, form as string),
    'device.reach': ({ device, page, form, write }) =>
      write
        ? this.#write(device as number, page as number, form as string)
        : this.#read(device as number, page as number, form as string),
    'driver.takeFault': () => this.#takeFault(),
    'driver.clearOverflow': () => this.#unit.clearOverflow(),
    'driver.mask': ({ masked }) => this.#unit.maskFaultMessage(masked as boolean),
  }

  collect(): void {
    for (const event of this.#guest.target.events())
      if (
        event.kind === 'msi' &&
        event.device === this.device &&
        event.address === MESSAGE.address &&
        event.data === MESSAGE.data
      )
        this.#tell('iommu.interrupt')
  }

  move(target: Target): void {
    this.#guest.target = target
    this.#memory.target = target
  }

  remembers(): string {
    return notesOf([this.#root, this.#written, this.#isStale, this.#changed, this.#record, this.#memory.notes()])
  }

  // Tables.

  #enable(on: boolean): void {
    this.#unit.translate(on)
    this.#isStale = true
  }

  #protect(block: number): void {
    const base = this.#start + block * BLOCK_BYTES
    this.#unit.protect(false)
    if (block === 0) return
    this.#unit.setProtected(base, base + BLOCK_BYTES - 1)
    this.#unit.protect(true)
  }

  #gpaOf(page: number): Gpa {
    return this.#start + page * PAGE_BYTES
  }
  #rootAt(table: number): Gpa {
    return this.#gpaOf(table < ROOTS_READABLE ? AREA.roots + table : NOWHERE)
  }
  #busOf(device: number, foreign = false): number {
    return (device + (foreign ? 1 : 0)) % this.#buses
  }
  #busNumber(bus: number): number {
    return this.#sources[bus]!.requester >> 8
  }

  #writeRoot(table: number, bus: number, number: number): void {
    const { present, to, flaw } = this.#roots[number]!
    const whose = to === 'other' ? (bus + 1) % this.#buses : bus
    const [low = 0, high = 0] = rootEntry(this.#gpaOf(to === 'nowhere' ? NOWHERE : AREA.contexts + whose))
    this.#store(this.#rootAt(table) + 16 * this.#busNumber(bus), [
      (present ? low : low & ~1) | (flaw === 'low' ? RESERVED_LOW : 0),
      high | (flaw === 'beyond' ? RESERVED_ADDRESS : 0),
      0,
      flaw === 'high' ? RESERVED_HIGH : 0,
    ])
  }

  #writeContext(bus: number, device: number, number: number): void {
    const entry = this.#contexts[number]!
    const { levels = 0 } = this.#machine.scope
    const depth = entry.width === 'narrow' ? 3 : levels
    const [low = 0, high = 0, third = 0] = contextEntry({
      present: entry.present,
      silent: entry.silent,
      type: { tables: TRANSLATION_TYPE.UNTRANSLATED, translated: 1, pass: 2, reserved: 3 }[entry.type],
      width: entry.width === 'unknown' ? 0 : depth - 2,
      domain: FIRST_DOMAIN_ID + number,
      table: this.#gpaOf(entry.astray ? NOWHERE : tableAt(entry.domain, depth)),
    })
    this.#store(this.#gpaOf(AREA.contexts + bus) + 16 * (this.#sources[device]!.requester & 0xff), [
      low | (entry.flaw === 'low' ? RESERVED_LOW : 0),
      high | (entry.flaw === 'beyond' ? RESERVED_ADDRESS : 0),
      third | (entry.flaw === 'third' ? RESERVED_THIRD : 0),
      entry.flaw === 'high' ? RESERVED_HIGH : 0,
    ])
  }

  #writeEntry(domain: number, level: number, page: number, number: number): void {
    this.#writeAt(domain, level, indexAt(page, level), number)
  }
  #writeAt(domain: number, level: number, index: number, number: number): void {
    const arena = this.#start / PAGE_BYTES
    const { read, write, large, reserved, address } = contentOf(this.#entries[number]!, {
      domain,
      level,
      index,
      arena,
    })
    const [low = 0, high = 0] = pagingEntry({ read, write, large, address: this.#gpaOf(address) })
    this.#store(this.#gpaOf(tableAt(domain, level)) + 8 * index, [low, high | (reserved ? BEYOND : 0)])
  }
  #store(gpa: Gpa, dwords: Dwords): void {
    storeDwords(this.#guest, gpa, dwords)
    this.#isStale = true
    if (this.#isStarting) this.#first.set(gpa, dwords)
    else this.#changed.add(gpa)
  }
  #restore(): void {
    for (const gpa of this.#changed) storeDwords(this.#guest, gpa, this.#first.get(gpa)!)
    this.#changed.clear()
    this.#isStale = true
  }

  /** Nothing that was cached before is used from here on. */
  #refresh(): void {
    if (!this.#isStale) return
    this.#isStale = false
    this.#unit.invalidateContexts('global')
    this.#unit.invalidateTranslations('global')
    this.#guest.target.settle(SETTLE_MS)
  }

  // Accesses.

  #write(device: number, page: number, form: string): void {
    const tags = [this.#memory.newTag(), this.#memory.newTag()]
    const data = new Uint8Array(ACCESS_BYTES)
    const view = new DataView(data.buffer)
    for (const [i, tag] of tags.entries()) view.setUint32(4 * i, tag, true)
    const { moved } = this.#access('write', device, page, form, data)
    const place = PLACES[form === 'over' ? 'over' : 'inside']
    const first = this.#foundOfWrite(place.first, tags, moved, 0)
    const second = this.#foundOfWrite(place.second, tags.slice(1), moved, 4)
    this.#answer(first, second, page, moved)
  }

  /** What a write reached with these dwords of it, of which the first is at byte `from` of the access. */
  #foundOfWrite(dwords: readonly number[], tags: readonly number[], moved: number | undefined, from: number): number {
    if (dwords.length === 0) return NOTHING
    const found = dwords.map((dword, i) => {
      const changes = this.#memory.changed(dword)
      const [only] = changes
      if (only === undefined) return moved !== undefined && moved > from + 4 * i ? ELSEWHERE : NOTHING
      return changes.length === 1 && only.word === tags[i] ? FIRST_FRAME + only.frame : ELSEWHERE
    })
    return found.every((each) => each === found[0]) ? found[0]! : ELSEWHERE
  }

  #read(device: number, page: number, form: string): void {
    const { moved, data } = this.#access('read', device, page, form)
    const place = PLACES[form === 'over' ? 'over' : 'inside']
    const words = [0, 0]
    if (data !== undefined && data.length >= ACCESS_BYTES) {
      const view = new DataView(data.buffer, data.byteOffset, ACCESS_BYTES)
      for (const i of words.keys()) words[i] = view.getUint32(4 * i, true)
    }
    const reached = (dwords: readonly number[], from: number): number => {
      if (dwords.length === 0 || (moved !== undefined && moved <= from)) return NOTHING
      const frame = this.#memory.frameOf(dwords, words.slice(from / 4))
      if (frame === undefined) return moved === undefined ? NOTHING : ELSEWHERE
      return FIRST_FRAME + frame
    }
    const [first, second] = [reached(place.first, 0), reached(place.second, 4)]
    if (moved === undefined)
      for (const each of new Set([first, second])) if (each >= FIRST_FRAME) this.#memory.rename(each - FIRST_FRAME)
    this.#answer(first, second, page, moved)
  }

  #access(access: 'read' | 'write', device: number, page: number, form: string, data?: Uint8Array): DmaOutcome {
    this.#refresh()
    const { offset } = PLACES[form === 'over' ? 'over' : 'inside']
    return this.#guest.target.dma!(this.#sources[device]!.requester, {
      access,
      iova: BigInt(this.#pages[page]!) * BigInt(PAGE_BYTES) + BigInt(offset),
      bytes: ACCESS_BYTES,
      ...(data === undefined ? {} : { data }),
      ...(form === 'pasid' ? { pasid: A_PASID } : {}),
      ...(form === 'claimed' ? { translated: true } : {}),
    })
  }

  #answer(first: number, second: number, page: number, moved: number | undefined): void {
    const agrees = moved === undefined || (first < FIRST_FRAME && second < FIRST_FRAME) || moved > 0
    const gpaOf = (reached: number): string =>
      reached === NOTHING
        ? 'nothing'
        : reached === ELSEWHERE
          ? 'something else'
          : `0x${this.#gpaOf(FRAMES[reached - FIRST_FRAME]!).toString(16)}`
    const seconds = second === NOTHING ? '' : `, then ${gpaOf(second)}`
    const iova = `IOVA 0x${(BigInt(this.#pages[page]!) * BigInt(PAGE_BYTES)).toString(16)}`
    this.#tell('iommu.answer', { first, second, agrees }, `${iova} reached ${gpaOf(first)}${seconds}`)
  }

  // Faults.

  #takeFault(): void {
    const { pending, overflow, index } = this.#unit.faultStatus()
    const at = this.#record ?? (pending ? index : undefined)
    const fault = at === undefined ? undefined : this.#unit.fault(at)
    if (fault === undefined) this.#record = undefined
    else {
      this.#unit.freeFault(at!)
      this.#record = (at! + 1) % this.#unit.capabilities.records
    }
    const indexIn = (list: readonly number[], value: number | undefined): number | undefined => {
      const found = value === undefined ? -1 : list.indexOf(value)
      return found < 0 ? undefined : found
    }
    this.#tell(
      'iommu.answerFault',
      {
        found: fault !== undefined,
        pending,
        overflow,
        reason: fault && reasonOf(fault.reason),
        device: indexIn(
          this.#sources.map(({ requester }) => requester),
          fault?.requester,
        ),
        page: indexIn(this.#pages, fault?.page),
        write: fault?.access === 'write',
        pasid: fault?.pasid !== undefined,
      },
      fault &&
        `reason 0x${fault.reason.toString(16)}, requester 0x${fault.requester.toString(16)}, page 0x${fault.page.toString(16)}, ${fault.access}`,
    )
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

/** The machine follows so many records at most. */
const RECORDS_MAX = 8

const unitOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind }) => kind === 'vt-d')

/** Three blocks of 2 MiB, apart from what is special below the first MiB of a PC where there is room. */
const arenaOf = (target: Description): Gpa | undefined => {
  const starts = target.memory.flatMap(({ start, end }) => {
    const first = Math.max(BLOCK_BYTES, Math.ceil(start / BLOCK_BYTES) * BLOCK_BYTES)
    return end - first >= ARENA_BLOCKS * BLOCK_BYTES && first + ARENA_BLOCKS * BLOCK_BYTES <= MEMORY_END_MAX
      ? [first]
      : []
  })
  return starts[0]
}

const numberOf = (fact: string | number | boolean | undefined, otherwise: number): number =>
  typeof fact === 'number' ? fact : typeof fact === 'boolean' ? Number(fact) : otherwise

/** What a unit says of itself; left out, it is what the reference has. */
const boundsOf = (target: Description): Readonly<Record<string, number>> => {
  const unit = unitOf(target)
  const facts = unit?.facts ?? {}
  const { sources, buses } = devicesOf(target)
  const levels = numberOf(facts.levels, 4)
  const claims = sources.length > 0 && sources.every((each) => each.claims)
  const named = sources.length > 0 && sources.every((each) => each.pasid)
  return {
    arena: (arenaOf(target) ?? BLOCK_BYTES) / PAGE_BYTES,
    buses,
    devices: Math.max(sources.length, 1),
    levels,
    narrow: numberOf(facts.narrow, levels === 4 ? 1 : 0),
    records: Math.min(numberOf(facts.records, 4), RECORDS_MAX),
    large: numberOf(facts.largePages, 2),
    passes: numberOf(facts.passThrough, 1),
    deviceTlb: numberOf(facts.deviceTlb, 1),
    protection: numberOf(facts.protectedRegions, 1),
    forms: claims ? (named ? 4 : 3) : 2,
    messages: facts.faultMessages === false || target.observes.msi === 'none' ? 0 : 1,
  }
}

export const translationModel: Model = {
  machine: translation,
  played: ['driver', 'device'],
  notApplicable(target) {
    if (unitOf(target) === undefined) return 'it has no unit of its kind (vt-d)'
    if (target.can.dma !== true) return 'no access of a requester can be made to arrive at its unit'
    if (devicesOf(target).sources.length === 0) return 'it has no source of DMA that reads and writes at once'
    if (!target.can.resets.includes('system')) return 'its unit cannot be brought back to its initial state'
    return arenaOf(target) === undefined ? 'it has no 6 MiB of memory for tables and frames' : undefined
  },
  scope: (target) => ({ scope: 'played', bounds: boundsOf(target) }),
  unreachableGoals(_target, { scope }) {
    const { passes, deviceTlb, forms = 0, protection, messages } = scope
    const why: Record<string, string> = {}
    if (passes === 0) why.aPassedAccess = 'the unit has no pass-through type'
    if (deviceTlb === 0 || forms < 3) why.aClaimedAddress = 'no source can say that an address is translated'
    if (forms < 4) why.aNamedAddressSpace = 'no source names a process address space'
    if (protection === 0) why.aProtectedFrame = 'the unit has no protected regions'
    if (messages === 0) why.aMessageHeldBack = 'what the unit sends about faults is not seen'
    return why
  },
  open: (target, machine, sink) => new TranslationSession(target, unitOf(target.describe())!, machine, sink),
}
