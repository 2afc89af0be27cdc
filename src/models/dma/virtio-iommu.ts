/** The machine of virtio-iommu, with bare sources of DMA as its endpoints. */
import { virtioIommu } from '../../../spec/dma/virtio-iommu.ts'
import type { Description, DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  ATTACH_FLAG,
  FAULT_FLAG,
  FAULT_REASON,
  IOMMU_STATUS,
  IOMMU_TAIL_BYTES,
  IOMMU_TYPE,
  MAP_FLAG,
} from '../../layout/virtio-iommu.ts'
import { notesOf } from '../guest/notes.ts'
import { arenaOf } from '../guest/virtio-device.ts'
import {
  attachRequest,
  bareRequest,
  detachRequest,
  type FaultReport,
  mapRequest,
  probeRequest,
  propertiesOf,
  unmapRequest,
  VIRTIO_IOMMU_BYTES,
  VirtioIommuDriver,
} from '../guest/virtio-iommu.ts'
import { type DmaSource, sourcesOf } from './dma-source.ts'
import { Frames, type Place } from './frames.ts'
import { PAGE_BYTES } from './unit.ts'

const KIND = 'virtio-iommu'
/** Pages are neighbours, half of them on either side of a border of 2 MiB. */
const BORDER = 0xff00_0000
/** An access is of one dword. Offsets go through a page by steps that meet its first and its last dword. */
const ACCESS_BYTES = 4
const OFFSET_STEP = 0x2bc
const FRAMES_MAX = 16
/** An endpoint that no source is, a type that no request has, and a flag that nothing means. */
const NO_ENDPOINT = 0x7f7f
const NO_TYPE = 0x77
const NO_FLAG = 0x8000_0000
/** What a request of nobody's business comes back with, and a status that is none. */
const UNWRITTEN = 9

const RIGHTS = {
  both: MAP_FLAG.READ | MAP_FLAG.WRITE,
  read: MAP_FLAG.READ,
  write: MAP_FLAG.WRITE,
  none: 0,
} as const

/** Arguments of all actions at once. */
interface Performed {
  readonly domain: number
  readonly endpoint: number | undefined
  readonly page: number
  readonly last: number
  readonly frame: number
  readonly right?: keyof typeof RIGHTS
  readonly how?: string
  readonly what: string
  readonly on: boolean
  readonly write: boolean
}

class VirtioIommuSession implements Session {
  readonly device: string
  #target: Target
  readonly #driver: VirtioIommuDriver
  readonly #frames: Frames
  readonly #sources: readonly DmaSource[]
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #pages: number
  readonly #frameCount: number
  readonly #firstPage: number
  #setup: { readonly firstDomain: number; readonly probeBytes: number; readonly inputLast: bigint } | undefined
  /** A region that cannot be mapped. */
  #reserved: { readonly start: bigint; readonly end: bigint } | undefined
  #accesses = 0
  #up = true

  constructor(target: Target, machine: Machine, sink: Sink) {
    const description = target.describe()
    const { endpoints = 1, pages = 1, frames = 1 } = machine.scope
    const device = unitOf(description)!
    const { start } = arenaOf(description)
    this.device = device.id
    this.#target = target
    this.#sources = usable(description).slice(0, endpoints)
    this.#driver = new VirtioIommuDriver(target, device, start + FRAMES_MAX * PAGE_BYTES)
    this.#frames = new Frames(target, start, frames)
    this.#machine = machine
    this.#sink = sink
    this.#pages = pages
    this.#frameCount = frames
    this.#firstPage = BORDER - (pages >> 1) * PAGE_BYTES
  }

  start(): void {
    this.#target.reset('system')
    this.#frames.start()
    this.#driver.configure()
    this.#driver.start()
    this.#setup ??= this.#lookAt()
    this.#driver.setBypass(0)
    this.#target.events()
    this.#accesses = 0
    this.#up = true
  }

  /** What stays the same from run to run. */
  #lookAt() {
    const { pageBytes, domainFirst, probeBytes, inputLast, bypassConfig } = this.#driver.config()
    if (pageBytes > PAGE_BYTES)
      throw new ModelError(`${this.device}: expected pages of ${PAGE_BYTES} bytes or less, found ${pageBytes}`)
    if (!bypassConfig && this.#machine.scope.bypassConfig === 1)
      throw new ModelError(`${this.device}: expected BYPASS_CONFIG to be offered, or a fact bypassConfig that is false`)
    if (probeBytes > 0) {
      const answer = this.#driver.request(probeRequest(this.#sources[0]!.requester), probeBytes + IOMMU_TAIL_BYTES)
      if (answer !== undefined) this.#reserved = propertiesOf(answer.data.subarray(0, probeBytes)).reserved[0]
    }
    // 0 may mean something special to a device.
    return { firstDomain: Math.max(domainFirst, 1), probeBytes, inputLast }
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or endpoint`)
    perform(args as unknown as Performed)
  }

  readonly #performers: Readonly<Record<string, (args: Performed) => void>> = {
    'driver.attach': (args) => this.#attach(args),
    'driver.attachToBypass': (args) => this.#attach({ ...args, how: 'bypass' }),
    'driver.attachOddly': (args) => this.#attach(args),
    'driver.detach': (args) => this.#detach(args),
    'driver.detachOddly': (args) => this.#detach(args),
    'driver.map': (args) => this.#map(args),
    'driver.mapOddly': (args) => this.#map(args),
    'driver.unmap': (args) => this.#unmap(args),
    'driver.unmapSeveral': (args) => this.#unmap(args),
    'driver.unmapRest': (args) => this.#unmap(args),
    'driver.unmapOddly': (args) => this.#unmap(args),
    'driver.probe': ({ endpoint, how }) => this.#probe(this.#endpoint(endpoint), how === 'reserved'),
    'driver.askOddly': ({ what }) => this.#ask(bareRequest(what === 'short' ? IOMMU_TYPE.MAP : NO_TYPE)),
    'driver.setBypass': ({ on }) => this.#driver.setBypass(on ? 1 : 0),
    'driver.readBypass': () => this.#tell('iommu.bypass', { value: Math.min(2, this.#driver.bypass()) }),
    'driver.reset': () => {
      this.#driver.reset()
      this.#up = false
    },
    'driver.start': () => {
      this.#driver.start()
      this.#up = true
    },
    'device.access': ({ endpoint, page, write }) => this.#access(endpoint!, this.#iova(page), write),
    'device.accessAgain': ({ endpoint, page, write }) => this.#access(endpoint!, this.#iova(page), write),
    'device.revisit': ({ endpoint, page, write }) => this.#access(endpoint!, this.#iova(page), write),
    'device.stray': ({ endpoint, page, write }) => this.#access(endpoint!, this.#iova(page), write),
    'device.direct': ({ endpoint, frame, write }) => this.#access(endpoint!, this.#frames.gpaOf(frame), write),
  }

  collect(at?: 'rest' | 'end'): void {
    if (this.#up) for (const report of this.#driver.reports()) this.#report(report)
    if (at === 'end' && !this.#frames.areSound()) this.#tell('iommu.stray')
    // What moved was found in memory; the bus has nothing to add.
    this.#target.events()
  }

  move(target: Target): void {
    this.#target = target
    this.#frames.move(target)
    this.#driver.move(target)
  }

  remembers(): string {
    return notesOf([this.#accesses, this.#up, this.#driver.notes(), this.#frames.notes()])
  }

  #domain(domain: number): number {
    return this.#setup!.firstDomain + domain
  }
  #endpoint(endpoint: number | undefined): number {
    return endpoint === undefined ? NO_ENDPOINT : this.#sources[endpoint]!.requester
  }
  #iova(page: number): number {
    return this.#firstPage + page * PAGE_BYTES
  }

  #ask(request: Uint8Array, writable = IOMMU_TAIL_BYTES): void {
    const answer = this.#driver.request(request, writable)
    if (answer === undefined) return
    const status = answer.data[writable - IOMMU_TAIL_BYTES]!
    this.#tell('iommu.answer', { status: answer.length === 0 ? UNWRITTEN : Math.min(status, UNWRITTEN) })
  }

  #attach({ domain, endpoint, how }: Performed): void {
    const flags = how === 'bypass' ? ATTACH_FLAG.BYPASS : how === 'flag' ? NO_FLAG : 0
    this.#ask(attachRequest(this.#domain(domain), this.#endpoint(endpoint), flags, how === 'reserved' ? 1 : 0))
  }
  #detach({ domain, endpoint, how }: Performed): void {
    this.#ask(detachRequest(this.#domain(domain), this.#endpoint(endpoint), how === 'reserved' ? 1 : 0))
  }

  #map({ domain, page, last, frame, how = 'plain', right = 'both' }: Performed): void {
    const flags = RIGHTS[right] | (how === 'mmio' ? MAP_FLAG.MMIO : how === 'flag' ? NO_FLAG : 0)
    const [start, end] = this.#range(page, last, how)
    const phys = this.#frames.gpaOf(frame) + (how === 'physInPage' ? PAGE_BYTES / 2 : 0)
    this.#ask(mapRequest(this.#domain(domain), start, end, phys, flags))
  }

  /** First and last address of a request. */
  #range(page: number, last: number, how: string): readonly [bigint, bigint] {
    const { inputLast } = this.#setup!
    const bytes = BigInt(PAGE_BYTES)
    // Where every address can be translated, the last page of all stands in for the one behind it.
    if (how === 'pastInput') {
      const start = BigInt.asUintN(64, inputLast + 1n) || inputLast + 1n - bytes
      return [start, start + bytes - 1n]
    }
    const start = BigInt(this.#iova(page) + (how === 'startInPage' ? PAGE_BYTES / 2 : 0))
    const end = BigInt(this.#iova(last + 1) - 1 - (how === 'endInPage' ? PAGE_BYTES / 2 : 0))
    if (how !== 'reservedRegion') return [start, end]
    // Where the device told of no such region, addresses that cannot be mapped for another reason.
    return this.#reserved === undefined ? [start + 1n, end] : [this.#reserved.start, this.#reserved.start + bytes - 1n]
  }

  #unmap({ domain, page, last, how = 'plain' }: Performed): void {
    const [start, end] = this.#range(page, last, how)
    this.#ask(unmapRequest(this.#domain(domain), start, end, how === 'reserved' ? 1 : 0))
  }

  #probe(endpoint: number, short: boolean): void {
    const bytes = short ? 0 : this.#setup!.probeBytes
    const answer = this.#driver.request(probeRequest(endpoint), bytes + IOMMU_TAIL_BYTES)
    if (answer === undefined) return
    const status = answer.length === 0 ? UNWRITTEN : Math.min(answer.data[bytes]!, UNWRITTEN)
    if (status === IOMMU_STATUS.OK && !short) {
      const { linked, tidy } = propertiesOf(answer.data.subarray(0, bytes))
      this.#tell('iommu.properties', { linked, tidy })
    }
    this.#tell('iommu.answer', { status })
  }

  #access(endpoint: number, page: Gpa, write: boolean): void {
    const { requester } = this.#sources[endpoint]!
    const offset = (++this.#accesses * OFFSET_STEP) % PAGE_BYTES
    const iova = BigInt(page + offset)
    const place = write ? this.#write(requester, iova, offset) : this.#read(requester, iova, offset)
    const frame = place === 'nowhere' ? undefined : place === 'elsewhere' ? this.#frameCount : place
    this.#tell('iommu.reach', { frame })
    // Buffers for reports come back by the time the next access is made.
    this.#target.settle(1)
  }

  #read(requester: number, iova: bigint, offset: number): Place {
    const { moved, data } = this.#target.dma!(requester, { access: 'read', iova, bytes: ACCESS_BYTES })
    if (data === undefined || moved === 0) return 'nowhere'
    const word = new DataView(data.buffer, data.byteOffset).getUint32(0, true)
    const place = this.#frames.placeOfRead(offset, word)
    return moved === ACCESS_BYTES && place === 'nowhere' ? 'elsewhere' : place
  }

  #write(requester: number, iova: bigint, offset: number): Place {
    const tag = this.#frames.newTag()
    const data = new Uint8Array(ACCESS_BYTES)
    new DataView(data.buffer).setUint32(0, tag, true)
    const { moved } = this.#target.dma!(requester, { access: 'write', iova, bytes: ACCESS_BYTES, data })
    const place = this.#frames.placeOfWrite(offset, tag)
    return moved === ACCESS_BYTES && place === 'nowhere' ? 'elsewhere' : place
  }

  #report({ reason, flags, endpoint: id, address, isPlain }: FaultReport): void {
    const at = this.#sources.findIndex(({ requester }) => requester === id)
    const [reads, writes] = [(flags & FAULT_FLAG.READ) !== 0, (flags & FAULT_FLAG.WRITE) !== 0]
    this.#tell('iommu.report', {
      endpoint: at < 0 ? undefined : at,
      place: (flags & FAULT_FLAG.ADDRESS) === 0 ? undefined : this.#place(Number(address)),
      direction: reads && writes ? 'both' : reads ? 'read' : writes ? 'write' : 'untold',
      reason: REASONS[reason] ?? 'another',
      plain: isPlain,
    })
  }

  /** A page, a frame by its own address, or neither. */
  #place(address: number): number {
    const page = Math.floor((address - this.#firstPage) / PAGE_BYTES)
    if (page >= 0 && page < this.#pages) return page
    const frame = Math.floor((address - this.#frames.gpaOf(0)) / PAGE_BYTES)
    return this.#pages + (frame >= 0 && frame < this.#frameCount ? frame : this.#frameCount)
  }

  #tell(name: string, args: Args = {}): void {
    this.#sink(this.#machine.action(name), args)
  }
}

const REASONS: Readonly<Record<number, string>> = {
  [FAULT_REASON.UNKNOWN]: 'unknown',
  [FAULT_REASON.DOMAIN]: 'domain',
  [FAULT_REASON.MAPPING]: 'mapping',
}

const unitOf = ({ devices }: Description): DeviceDescription | undefined => devices.find(({ kind }) => kind === KIND)

/** Sources that both read and write, whose accesses are over when the call returns, and that need nothing themselves. */
const usable = (target: Description): readonly DmaSource[] =>
  sourcesOf(target).filter(
    ({ reads, writes, delayed, align, iovaEnd, window }) =>
      reads &&
      writes &&
      !delayed &&
      window === undefined &&
      ACCESS_BYTES % align === 0 &&
      iovaEnd > BORDER + FRAMES_MAX * PAGE_BYTES,
  )

export const virtioIommuModel: Model = {
  machine: virtioIommu,
  played: ['driver', 'device'],
  notApplicable(target) {
    if (unitOf(target) === undefined) return 'it has no virtio-iommu'
    if (target.can.dma !== true) return 'no access of an endpoint can be made to arrive at its IOMMU'
    if (usable(target).length < 2) return 'fewer than two of its devices read and write when they are told to'
    if (!target.can.resets.includes('system')) return 'its unit cannot be brought back to its initial state'
    const { start, end } = arenaOf(target)
    return end - start < FRAMES_MAX * PAGE_BYTES + VIRTIO_IOMMU_BYTES ? 'it has too little memory' : undefined
  },
  scope(target) {
    const { bypassConfig, probe } = unitOf(target)?.facts ?? {}
    return {
      scope: 'played',
      bounds: {
        endpoints: Math.min(3, usable(target).length),
        bypassConfig: bypassConfig === false ? 0 : 1,
        probe: probe === false ? 0 : 1,
      },
    }
  },
  open: (target, machine, sink) => new VirtioIommuSession(target, machine, sink),
}
