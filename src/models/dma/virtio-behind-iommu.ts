/** The machine of a virtio device behind an IOMMU, on a virtio-blk behind a unit of any kind. */
import { virtioBehindIommu } from '../../../spec/dma/virtio-behind-iommu.ts'
import type { Description, DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { SECTOR_BYTES } from '../../layout/blk.ts'
import { FEATURE, STATUS } from '../../layout/virtio.ts'
import { Guest } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'
import { isBehindUnit } from '../guest/virtio-device.ts'
import { openTransport, type VirtioTransport } from '../guest/virtio-transport.ts'
import { BehindRings, RING_FRAMES } from './behind-rings.ts'
import { BufferFrames, type Part, type Scan, sectorData } from './buffer-frames.ts'
import type { DmaSource } from './dma-source.ts'
import { type DmaUnit, FlushStalled, PAGE_BYTES, type Rights, unitOf } from './unit.ts'
import { unitKinds } from './unit-kinds.ts'

const KIND = 'virtio-blk'
const HALF_BYTES = SECTOR_BYTES / 2
/** Offsets of buffers go through a page by steps that are no multiple of a power of two. */
const OFFSET_STEP = 0x1a8
const OFFSET_END = PAGE_BYTES - SECTOR_BYTES
/** Sectors that are read, in turn, and the one that is written. */
const SECTORS = 4
const WRITTEN = 5
/** Rings in the second place lie on both sides of a border of 2 MiB, far from all memory. */
const FAR = 0x12_3420_0000 - PAGE_BYTES
const NEGOTIATED = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
/** Milliseconds that a request of the driver's own, and a reset, may take. */
const PATIENCE_MS = 1000

/** Arguments of all actions at once. */
type Performed = Readonly<Record<string, number>> & {
  readonly right: Rights
  readonly platform: boolean
  readonly write: boolean
  readonly edge: boolean
  readonly indirect: boolean
  readonly held: boolean
}

class BehindSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #unit: DmaUnit
  readonly #source: DmaSource
  readonly #transport: VirtioTransport
  readonly #frames: BufferFrames
  readonly #rings: BehindRings
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #elsewhere: number
  readonly #pages: Gpa
  readonly #canHold: boolean
  readonly unavailable: Readonly<Record<string, string>>
  #translated = true
  /** Sectors hold what tells them. */
  #isPrepared = false
  #requests = 0
  #isHeld = false
  /** Pages of the halves of the last request. */
  #askedPages: readonly number[] = []
  /** The request under way, by the places of its halves in frames. */
  #asked: { readonly write: boolean; readonly parts: readonly Part[] } | undefined

  constructor(target: Target, machine: Machine, sink: Sink) {
    const description = target.describe()
    const { frames = 1 } = machine.scope
    const { device, unit } = unitOf(description, unitKinds)!
    const disk = diskOf(description)!
    this.device = disk.id
    this.#guest = new Guest(target)
    this.#source = sourceOf(disk)
    const start = arenaOf(description)
    const rings = start + frames * PAGE_BYTES
    const arena = rings + RING_FRAMES * PAGE_BYTES
    this.#unit = unit.open({ target, device, domains: 1, sources: [this.#source], arena })
    this.#transport = openTransport(target, disk, { preferIntx: true })
    this.#frames = new BufferFrames(target, start, frames)
    // IOVAs that are GPAs of other frames: an address that nothing translates reaches the wrong one.
    this.#pages = start
    this.#rings = new BehindRings(this.#guest, rings, [rings, FAR])
    this.#canHold = ['hold', 'release'].every((each) => (description.can.controls as readonly string[]).includes(each))
    this.#machine = machine
    this.#sink = sink
    this.#elsewhere = frames
    this.unavailable = this.#negotiate(0n)
      ? {}
      : { aRequestByGpa: 'it refuses to work where ACCESS_PLATFORM is not accepted' }
  }

  start(): void {
    const { target } = this.#guest
    this.#release()
    target.reset('system')
    this.#transport.configure()
    this.#frames.start()
    this.#unit.start()
    this.#unit.attach(this.#source, 0)
    this.#unit.flushDevice(this.#source)
    this.#rings.start(this.#unit)
    this.#translated = true
    this.#isPrepared = false
    this.#requests = 0
    this.#isHeld = false
    this.#asked = undefined
    target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of a driver`)
    try {
      perform(args as Performed)
    } catch (error) {
      if (!(error instanceof FlushStalled)) throw error
      this.#tell('iommu.stall')
    }
  }

  readonly #performers: Readonly<Record<string, (args: Performed) => void>> = {
    'driver.start': ({ platform, place }) => this.#start(platform, place!),
    'driver.reset': () => this.#reset(),
    'driver.recover': () => this.#reset(),
    'driver.map': ({ page, frame, right }) => this.#unit.map(0, this.#iova(page!), this.#frames.gpaOf(frame!), right),
    'driver.unmap': ({ page }) => this.#unit.unmap(0, this.#iova(page!), 1),
    'driver.protect': ({ page, right }) => this.#unit.protect(0, this.#iova(page!), right),
    'driver.flush': ({ page }) => this.#unit.flushPages(0, this.#iova(page!), 1),
    'driver.flushAll': () => this.#unit.flushAll(),
    'driver.withdraw': ({ half }) => {
      const page = this.#iova(this.#askedPages[half!]!)
      this.#unit.unmap(0, page, 1)
      this.#unit.flushPages(0, page, 1)
    },
    'driver.reuse': ({ frame }) => this.#frames.renew(frame!),
    'driver.moveRing': ({ page }) => {
      // What is left to do after a request is done in the old frame.
      this.#guest.target.settle(PATIENCE_MS)
      this.#tellAccesses()
      this.#rings.moveRing(this.#unit, page!)
    },
    'driver.detach': () => {
      this.#unit.detach(this.#source)
      this.#unit.flushDevice(this.#source)
    },
    'driver.attach': () => {
      this.#unit.attach(this.#source, 0)
      this.#unit.flushDevice(this.#source)
    },
    'driver.release': () => this.#release(),
    'driver.submit': (args) => this.#submit(args),
    'driver.probe': (args) => this.#submit(args),
  }

  collect(at?: 'rest' | 'end'): void {
    this.#tellAccesses()
    const ended = this.#asked === undefined ? 'not' : this.#rings.ended()
    if (ended !== 'not') {
      const { write, parts } = this.#asked!
      this.#asked = undefined
      const done = ended === 'done'
      const scan = write ? this.#frames.scan(parts) : done ? this.#readBack(parts) : undefined
      this.#tellScan(scan)
      this.#tell('device.finish', { done, whole: scan?.parts.every((part) => part.whole) ?? false })
    } else if (at === 'end') this.#look()
  }

  move(target: Target): void {
    this.#guest.target = target
    this.#unit.move(target)
    this.#transport.move(target)
    this.#frames.move(target)
  }

  remembers(): string {
    return notesOf([
      this.#translated,
      this.#isPrepared,
      this.#requests,
      this.#isHeld,
      this.#askedPages,
      this.#asked,
      this.#unit.notes(),
      this.#frames.notes(),
      this.#rings.notes(),
    ])
  }

  #iova(page: number): number {
    return this.#pages + page * PAGE_BYTES
  }

  /** Accepts what is needed beside these features; whether the device agrees. */
  #negotiate(features: bigint): boolean {
    const transport = this.#transport
    for (const status of [0, STATUS.ACKNOWLEDGE, STATUS.ACKNOWLEDGE | STATUS.DRIVER]) transport.setStatus(status)
    const wanted = (1n << BigInt(FEATURE.VERSION_1)) | (1n << BigInt(FEATURE.RING_INDIRECT_DESC)) | features
    transport.setDriverFeatures(wanted & transport.deviceFeatures())
    transport.setStatus(NEGOTIATED)
    return (transport.status() & STATUS.FEATURES_OK) !== 0
  }

  #start(platform: boolean, place: number): void {
    const transport = this.#transport
    this.#translated = platform
    const accepted = this.#negotiate(platform ? 1n << BigInt(FEATURE.ACCESS_PLATFORM) : 0n)
    if (accepted) {
      this.#rings.setUp(transport, platform ? place : undefined)
      transport.setStatus(NEGOTIATED | STATUS.DRIVER_OK)
    }
    this.#tell('device.answer', { accepted })
  }

  #reset(): void {
    const { target } = this.#guest
    // Some wait with the reset for what is kept back.
    this.#release()
    this.#transport.setStatus(0)
    target.settle(PATIENCE_MS)
    if (this.#transport.status() !== 0)
      throw new ModelError(`${this.device}: expected a device status of 0 within ${PATIENCE_MS} ms of a reset`)
    this.#look()
    this.#asked = undefined
  }

  /** Where data of the request under way are, or of none. */
  #look(): void {
    const parts = this.#asked?.write ? this.#asked.parts : []
    this.#tellScan(this.#frames.scan(parts))
  }

  #release(): void {
    if (this.#isHeld) this.#guest.target.control!(this.device, { do: 'release', order: 'fifo' })
    this.#isHeld = false
  }

  #submit({ write, page, edge, indirect, held }: Performed): void {
    const count = this.#requests++
    if (write && !this.#isPrepared) this.#prepare()
    const offset = edge ? PAGE_BYTES - HALF_BYTES : (count * OFFSET_STEP) % OFFSET_END
    const even = offset - (offset % 4)
    const sector = write ? count % SECTORS : WRITTEN
    const data = sectorData(sector)
    const parts = [
      { offset: even, data: data.subarray(0, HALF_BYTES) },
      { offset: edge ? 0 : even + HALF_BYTES, data: data.subarray(HALF_BYTES) },
    ]
    this.#asked = { write, parts }
    this.#askedPages = [page!, edge ? page! + 1 : page!]
    if (held && this.#canHold) {
      this.#guest.target.control!(this.device, { do: 'hold' })
      this.#isHeld = true
    }
    const address = this.#iova(page!) + even
    this.#rings.submit(this.#transport, { write, sector, address, bytes: SECTOR_BYTES, indirect })
  }

  /** Gives sectors data that tell them. */
  #prepare(): void {
    const data = new Uint8Array(SECTORS * SECTOR_BYTES)
    for (let sector = 0; sector < SECTORS; sector++) data.set(sectorData(sector), sector * SECTOR_BYTES)
    this.#rings.storeOwn(data)
    this.#isPrepared = this.#own(false, 0, data.length)
  }

  /** Which frames a sector came from that was written. */
  #readBack(parts: readonly Part[]): Scan | undefined {
    this.#tellScan(this.#frames.scan([]))
    if (!this.#own(true, WRITTEN, SECTOR_BYTES)) return undefined
    const data = this.#rings.loadOwn()
    return this.#frames.origin(
      parts.map(({ offset }, half) => ({
        offset,
        data: data.subarray(half * HALF_BYTES, (half + 1) * HALF_BYTES),
      })),
    )
  }

  /** A request of the driver's own, in a page of the rings. */
  #own(write: boolean, sector: number, bytes: number): boolean {
    this.#rings.submit(this.#transport, { write, sector, address: this.#rings.ownAddress, bytes, indirect: false })
    this.#guest.target.settle(PATIENCE_MS)
    // Before the rings go elsewhere.
    this.#tellAccesses()
    return this.#rings.ended() === 'done'
  }

  #tellAccesses(): void {
    for (const event of this.#guest.target.events()) {
      if (event.kind !== 'dma' || event.device !== this.device) continue
      const isWrite = event.access === 'write'
      // An access may go over the edge of a frame.
      const last = event.gpa + event.data.length - 1
      const places = [
        event.gpa,
        ...(Math.floor(event.gpa / PAGE_BYTES) === Math.floor(last / PAGE_BYTES) ? [] : [last]),
      ]
      for (const gpa of places) {
        const frame = this.#frames.frameOf(gpa)
        if (frame !== undefined) this.#tell('device.touch', { frame, write: isWrite })
        else if (!this.#rings.isOwn(gpa, isWrite))
          this.#tell('device.stray', {}, `${event.access} at 0x${gpa.toString(16)}`)
      }
    }
  }

  #tellScan(scan: Scan | undefined): void {
    if (scan === undefined) return
    for (const [half, { frames }] of scan.parts.entries())
      for (const frame of frames) this.#tell('device.move', { half, frame })
    if (scan.elsewhere) this.#tell('device.move', { half: 0, frame: this.#elsewhere })
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const diskOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find((device) => device.kind === KIND && isBehindUnit(device) && device.transport.kind === 'pci')

/** The disk as what a unit translates for. */
const sourceOf = ({ id, transport, facts }: DeviceDescription): DmaSource => {
  if (transport.kind !== 'pci') throw new ModelError(`${id}: expected a device on PCI, found one on ${transport.kind}`)
  return {
    id,
    requester: (transport.bus << 8) | (transport.device << 3) | transport.function,
    reads: true,
    writes: true,
    align: 1,
    bytesMax: PAGE_BYTES,
    delayed: false,
    ats: facts?.ats === true,
    claims: false,
    pasid: false,
    iovaEnd: 2 ** 53,
    window: undefined,
  }
}

/** Frames, rings and tables: behind the first page, where some see no memory. */
const arenaOf = ({ memory }: Description): Gpa => Math.max(memory[0]!.start, PAGE_BYTES)

export const virtioBehindIommuModel: Model = {
  machine: virtioBehindIommu,
  played: ['driver'],
  notApplicable(target) {
    if (unitOf(target, unitKinds) === undefined)
      return `it has no IOMMU (kind ${unitKinds.map(({ kind }) => kind).join(', ')})`
    if (diskOf(target) === undefined) return 'it has no virtio-blk on PCI that is behind its IOMMU'
    return target.can.resets.includes('system') ? undefined : 'its unit cannot be brought back to its initial state'
  },
  open: (target, machine, sink) => new BehindSession(target, machine, sink),
}
