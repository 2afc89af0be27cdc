/** The isolation machine on a bare IOMMU of any kind: its devices are requesters that do what they are told. */
import { isolation } from '../../../spec/dma/isolation.ts'
import type { Description, Gpa, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { notesOf } from '../guest/notes.ts'
import { type DmaSource, sourcesOf } from './dma-source.ts'
import { Frames, type Place } from './frames.ts'
import { type DmaUnit, FlushStalled, PAGE_BYTES, type Rights, type UnitKind, unitOf } from './unit.ts'
import { unitKinds } from './unit-kinds.ts'

/** Pages are neighbours, half of them on either side of a border of 2 MiB; behind the interrupt window, which cuts the address space in two. */
const BORDER = 0xff00_0000
/** An access is of one dword. Offsets go through a page by steps that meet its first and its last dword. */
const ACCESS_BYTES = 4
const OFFSET_STEP = 0x2bc
/** Tables and rings begin where the frames end. */
const FRAMES_MAX = 16

/** Arguments of all actions at once. */
type Performed = Readonly<Record<string, number>> & { readonly right: Rights; readonly write: boolean }

class IsolationSession implements Session {
  readonly device: string
  readonly #target: { at: Target }
  readonly #unit: DmaUnit
  readonly #frames: Frames
  readonly #sources: readonly DmaSource[]
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #elsewhere: number
  readonly #firstPage: number
  #accesses = 0

  constructor(target: Target, machine: Machine, sink: Sink) {
    const description = target.describe()
    const { domains = 1, devices = 1, pages = 1, frames = 1 } = machine.scope
    const { device, unit } = unitOf(description, unitKinds)!
    const start = arenaOf(description, unit)!
    this.device = device.id
    this.#target = { at: target }
    this.#sources = usable(description).slice(0, devices)
    if (this.#sources.length < devices)
      throw new ModelError(`expected ${devices} sources of DMA, found ${this.#sources.length}`)
    const arena = start + FRAMES_MAX * PAGE_BYTES
    this.#unit = unit.open({ target, device, domains, sources: this.#sources, arena })
    this.#frames = new Frames(target, start, frames)
    this.#machine = machine
    this.#sink = sink
    this.#elsewhere = frames
    this.#firstPage = BORDER - (pages >> 1) * PAGE_BYTES
  }

  start(): void {
    this.#target.at.reset('system')
    this.#frames.start()
    this.#unit.start()
    this.#target.at.events()
    this.#accesses = 0
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of hypervisor or device`)
    try {
      perform(args as Performed)
    } catch (error) {
      if (!(error instanceof FlushStalled)) throw error
      this.#tell('iommu.stall')
    }
  }

  readonly #performers: Readonly<Record<string, (args: Performed) => void>> = {
    'hypervisor.give': ({ frame }) => this.#frames.renew(frame!),
    'hypervisor.clear': ({ frame }) => this.#frames.renew(frame!),
    'hypervisor.map': ({ domain, page, frame, right }) =>
      this.#unit.map(domain!, this.#iova(page!), this.#frames.gpaOf(frame!), right),
    'hypervisor.unmap': ({ domain, page, last }) => this.#unit.unmap(domain!, this.#iova(page!), last! - page! + 1),
    'hypervisor.protect': ({ domain, page, right }) => this.#unit.protect(domain!, this.#iova(page!), right),
    'hypervisor.flushPages': ({ domain, page, last }) =>
      this.#unit.flushPages(domain!, this.#iova(page!), last! - page! + 1),
    'hypervisor.flushDomain': ({ domain }) => this.#unit.flushDomain(domain!),
    'hypervisor.flushAll': () => this.#unit.flushAll(),
    'hypervisor.flushDevice': ({ device }) => this.#unit.flushDevice(this.#sources[device!]!),
    'hypervisor.attach': ({ device, domain }) => this.#unit.attach(this.#sources[device!]!, domain!),
    'hypervisor.detach': ({ device }) => this.#unit.detach(this.#sources[device!]!),
    'hypervisor.move': ({ device, domain }) => {
      this.#unit.attach(this.#sources[device!]!, domain!)
      this.#unit.flushDevice(this.#sources[device!]!)
    },
    // A bare source keeps nothing.
    'hypervisor.resetDevice': () => {},
    'device.read': ({ device, page }) => this.#read(device!, this.#iova(page!)),
    'device.write': ({ device, page }) => this.#write(device!, this.#iova(page!)),
    'device.probe': ({ device, page, write }) =>
      write ? this.#write(device!, this.#iova(page!)) : this.#read(device!, this.#iova(page!)),
    'device.claim': ({ device, frame, write }) =>
      write
        ? this.#write(device!, this.#frames.gpaOf(frame!), true)
        : this.#read(device!, this.#frames.gpaOf(frame!), true),
  }

  collect(at?: 'rest' | 'end'): void {
    if (at === 'end' && !this.#frames.areSound()) this.#tell('iommu.stray')
    // What moved was found in memory; the bus has nothing to add.
    this.#target.at.events()
  }

  move(target: Target): void {
    this.#target.at = target
    this.#frames.move(target)
    this.#unit.move(target)
  }

  remembers(): string {
    return notesOf([this.#accesses, this.#unit.notes(), this.#frames.notes()])
  }

  #iova(page: number): number {
    return this.#firstPage + page * PAGE_BYTES
  }

  /** Where in its page the next access is. */
  #offset(): number {
    this.#accesses++
    return (this.#accesses * OFFSET_STEP) % PAGE_BYTES
  }

  #read(device: number, page: Gpa, translated = false): void {
    const { requester } = this.#sources[device]!
    const offset = this.#offset()
    const iova = BigInt(page + offset)
    const asked = { access: 'read', iova, bytes: ACCESS_BYTES } as const
    const { moved, data } = this.#target.at.dma!(requester, translated ? { ...asked, translated } : asked)
    const isWhole = data !== undefined && moved !== 0
    const word = isWhole ? new DataView(data.buffer, data.byteOffset).getUint32(0, true) : 0
    const place = isWhole ? this.#frames.placeOfRead(offset, word) : 'nowhere'
    this.#answer(moved === ACCESS_BYTES && place === 'nowhere' ? 'elsewhere' : place)
  }

  #write(device: number, page: Gpa, translated = false): void {
    const { requester } = this.#sources[device]!
    const offset = this.#offset()
    const iova = BigInt(page + offset)
    const tag = this.#frames.newTag()
    const data = new Uint8Array(ACCESS_BYTES)
    new DataView(data.buffer).setUint32(0, tag, true)
    const asked = { access: 'write', iova, bytes: ACCESS_BYTES, data } as const
    const { moved } = this.#target.at.dma!(requester, translated ? { ...asked, translated } : asked)
    const place = this.#frames.placeOfWrite(offset, tag)
    this.#answer(moved === ACCESS_BYTES && place === 'nowhere' ? 'elsewhere' : place)
  }

  #answer(place: Place): void {
    const frame = place === 'nowhere' ? undefined : place === 'elsewhere' ? this.#elsewhere : place
    this.#tell('iommu.answer', { frame })
  }

  #tell(name: string, args: Args = {}): void {
    this.#sink(this.#machine.action(name), args)
  }
}

/** Sources that both read and write, and whose accesses are over when the call returns. */
const usable = (target: Description): readonly DmaSource[] =>
  sourcesOf(target).filter(
    ({ reads, writes, delayed, align, iovaEnd }) =>
      reads && writes && !delayed && ACCESS_BYTES % align === 0 && iovaEnd > BORDER + FRAMES_MAX * PAGE_BYTES,
  )

/** The start of a range of memory that has room for frames and tables, apart from what the sources need themselves. */
const arenaOf = (target: Description, { arenaBytes }: UnitKind): Gpa | undefined => {
  const room = FRAMES_MAX * PAGE_BYTES + arenaBytes
  const windows = sourcesOf(target).flatMap(({ window }) => window ?? [])
  for (const { start, end } of target.memory) {
    let at = Math.ceil(start / PAGE_BYTES) * PAGE_BYTES
    for (const { start: from, bytes } of [...windows].sort((a, b) => a.start - b.start)) {
      if (at + room <= from || from + bytes <= at) continue
      at = Math.ceil((from + bytes) / PAGE_BYTES) * PAGE_BYTES
    }
    if (at + room <= end) return at
  }
  return undefined
}

export const isolationModel: Model = {
  machine: isolation,
  played: ['hypervisor', 'device'],
  notApplicable(target) {
    const found = unitOf(target, unitKinds)
    if (found === undefined) return `it has no IOMMU (kind ${unitKinds.map(({ kind }) => kind).join(', ')})`
    if (target.can.dma !== true) return 'no access of a device can be made to arrive at its IOMMU'
    if (usable(target).length < 2) return 'fewer than two of its devices read and write when they are told to'
    if (!target.can.resets.includes('system')) return 'its unit cannot be brought back to its initial state'
    return arenaOf(target, found.unit) === undefined ? 'it has too little memory for tables and frames' : undefined
  },
  scope(target) {
    const sources = usable(target)
    const devices = Math.min(4, sources.length)
    return { scope: 'played', bounds: { devices, claims: sources.slice(0, devices).every((s) => s.claims) ? 1 : 0 } }
  },
  open: (target, machine, sink) => new IsolationSession(target, machine, sink),
}
