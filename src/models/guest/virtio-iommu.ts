/** A guest's driver of virtio-iommu (VIRTIO 1.3, 5.13): the device over its transport, requests, and fault reports. */
import type { DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { AVAIL_NO_INTERRUPT, avail, DESC, DESC_FLAG, used } from '../../layout/split-ring.ts'
import { FEATURE, STATUS } from '../../layout/virtio.ts'
import {
  ATTACH,
  DETACH,
  IOMMU_CONFIG,
  IOMMU_FAULT,
  IOMMU_FEATURE,
  IOMMU_HEAD_BYTES,
  IOMMU_QUEUE,
  IOMMU_TAIL_BYTES,
  IOMMU_TYPE,
  MAP,
  PROBE,
  PROPERTY_HEAD_BYTES,
  RESERVED_MEMORY,
  UNMAP,
} from '../../layout/virtio-iommu.ts'
import { Guest, setWide, type Wide } from './access.ts'
import { openTransport, type VirtioTransport } from './virtio-transport.ts'

const QUEUE_SIZE = 8
const AREA = { descriptors: 0x000, driver: 0x100, device: 0x180, bytes: 0x400 } as const
/** Behind the areas of both queues: a request, and the buffers for reports. */
const READABLE = 2 * AREA.bytes
const WRITABLE = READABLE + 0x100
const REPORTS = WRITABLE + 0x500
const REPORT_STRIDE = 0x40
/** Memory that the driver takes. */
export const VIRTIO_IOMMU_BYTES = 0x1000

/** How long a request or a reset may take, in turns and in milliseconds of each. */
const TURNS_MAX = 200
const TURN_MS = 1
const KNOWN = [
  IOMMU_FEATURE.INPUT_RANGE,
  IOMMU_FEATURE.DOMAIN_RANGE,
  IOMMU_FEATURE.MAP_UNMAP,
  IOMMU_FEATURE.PROBE,
  IOMMU_FEATURE.MMIO,
  IOMMU_FEATURE.BYPASS_CONFIG,
] as const

/** What the device says of itself. */
export interface IommuConfig {
  readonly pageBytes: number
  readonly probeBytes: number
  readonly domainFirst: number
  readonly domainLast: number
  /** The last address that is translated. */
  readonly inputLast: bigint
  readonly bypassConfig: boolean
  readonly probe: boolean
  readonly mmio: boolean
}

/** What came back: how many bytes the device says that it wrote, and the writable part. Undefined: nothing did. */
export interface IommuAnswer {
  readonly length: number
  readonly data: Uint8Array
}

export interface FaultReport {
  readonly reason: number
  readonly flags: number
  readonly endpoint: number
  readonly address: bigint
  /** Reserved bytes, and flags that mean nothing, are zero; the report has its whole length. */
  readonly isPlain: boolean
}

const KNOWN_FLAGS = 0x103

export class VirtioIommuDriver {
  readonly #guest: Guest
  readonly #device: DeviceDescription
  readonly #transport: VirtioTransport
  readonly #arena: Gpa
  /** Features that were accepted last. */
  #accepted = 0n
  #sent = 0
  #reportsSeen = 0

  constructor(target: Target, device: DeviceDescription, arena: Gpa) {
    this.#guest = new Guest(target)
    this.#device = device
    this.#transport = openTransport(target, device, { preferIntx: true })
    this.#arena = arena
  }

  /** After a reset of the machine: registers of the transport are where they were. */
  configure(): void {
    this.#transport.configure()
  }

  /** Resets the device and waits until it has. */
  reset(): void {
    this.#transport.setStatus(0)
    for (let turn = 0; this.#transport.status() !== 0; turn++) {
      if (turn === TURNS_MAX)
        throw new ModelError(`${this.#device.id}: expected a device status of 0 after a reset, found another`)
      this.#guest.target.settle(TURN_MS)
    }
  }

  /** Negotiates, and brings both queues up: all buffers for reports are with the device. */
  start(): void {
    this.reset()
    const transport = this.#transport
    transport.setStatus(STATUS.ACKNOWLEDGE)
    transport.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    const known = KNOWN.reduce((bits, bit) => bits | (1n << BigInt(bit)), 1n << BigInt(FEATURE.VERSION_1))
    this.#accepted = transport.deviceFeatures() & known
    transport.setDriverFeatures(this.#accepted)
    const negotiated = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
    transport.setStatus(negotiated)
    if ((transport.status() & STATUS.FEATURES_OK) === 0)
      throw new ModelError(`${this.#device.id}: expected FEATURES_OK to stand, found it cleared`)
    this.#guest.target.store(this.#arena, new Uint8Array(VIRTIO_IOMMU_BYTES))
    for (const queue of [IOMMU_QUEUE.REQUEST, IOMMU_QUEUE.EVENT]) {
      const base = this.#base(queue)
      this.#guest.store16(base + AREA.driver + avail.flags, AVAIL_NO_INTERRUPT)
      const size = Math.min(QUEUE_SIZE, transport.queueSizeMax(queue))
      transport.setUpQueue(queue, size, base + AREA.descriptors, base + AREA.driver, base + AREA.device)
    }
    transport.setStatus(negotiated | STATUS.DRIVER_OK)
    this.#sent = 0
    this.#reportsSeen = 0
    for (let slot = 0; slot < QUEUE_SIZE; slot++) {
      this.#describe(IOMMU_QUEUE.EVENT, slot, this.#reportAt(slot), IOMMU_FAULT.bytes, DESC_FLAG.WRITE, 0)
      this.#guest.store16(this.#base(IOMMU_QUEUE.EVENT) + AREA.driver + avail.ring(slot), slot)
    }
    this.#guest.store16(this.#base(IOMMU_QUEUE.EVENT) + AREA.driver + avail.idx, QUEUE_SIZE)
    transport.kick(IOMMU_QUEUE.EVENT)
    this.#guest.target.settle(TURN_MS)
  }

  config(): IommuConfig {
    const transport = this.#transport
    const mask = this.#wide(IOMMU_CONFIG.pageSizeMask)
    const ranged = this.#has(IOMMU_FEATURE.DOMAIN_RANGE)
    return {
      pageBytes: Number(mask & -mask),
      probeBytes: this.#has(IOMMU_FEATURE.PROBE) ? transport.readConfig(IOMMU_CONFIG.probeSize, 4) : 0,
      domainFirst: ranged ? transport.readConfig(IOMMU_CONFIG.domainStart, 4) : 0,
      inputLast: this.#has(IOMMU_FEATURE.INPUT_RANGE) ? this.#wide(IOMMU_CONFIG.inputEnd) : 0xffff_ffff_ffff_ffffn,
      domainLast: ranged ? transport.readConfig(IOMMU_CONFIG.domainEnd, 4) : 0xffff_ffff,
      bypassConfig: this.#has(IOMMU_FEATURE.BYPASS_CONFIG),
      probe: this.#has(IOMMU_FEATURE.PROBE),
      mmio: this.#has(IOMMU_FEATURE.MMIO),
    }
  }

  #wide(offset: number): bigint {
    const low = BigInt(this.#transport.readConfig(offset, 4))
    return low | (BigInt(this.#transport.readConfig(offset + 4, 4)) << 32n)
  }
  #has(bit: number): boolean {
    return ((this.#accepted >> BigInt(bit)) & 1n) === 1n
  }

  bypass(): number {
    return this.#transport.readConfig(IOMMU_CONFIG.bypass, 1)
  }
  setBypass(value: number): void {
    this.#transport.writeConfig(IOMMU_CONFIG.bypass, 1, value)
  }

  /** One request, and what became of it; undefined: nothing, for as long as one may wait. */
  request(readable: Uint8Array, writable = IOMMU_TAIL_BYTES): IommuAnswer | undefined {
    const guest = this.#guest
    const base = this.#base(IOMMU_QUEUE.REQUEST)
    guest.target.store(this.#arena + READABLE, readable)
    // Whatever is there afterwards and was not written is all ones.
    guest.target.store(this.#arena + WRITABLE, new Uint8Array(Math.max(writable, 1)).fill(0xff))
    const linked = writable > 0 ? DESC_FLAG.NEXT : 0
    this.#describe(IOMMU_QUEUE.REQUEST, 0, this.#arena + READABLE, readable.length, linked, 1)
    if (writable > 0) this.#describe(IOMMU_QUEUE.REQUEST, 1, this.#arena + WRITABLE, writable, DESC_FLAG.WRITE, 0)
    guest.store16(base + AREA.driver + avail.ring(this.#sent % QUEUE_SIZE), 0)
    const element = base + AREA.device + used.ring(this.#sent % QUEUE_SIZE)
    this.#sent = (this.#sent + 1) & 0xffff
    guest.store16(base + AREA.driver + avail.idx, this.#sent)
    this.#transport.kick(IOMMU_QUEUE.REQUEST)
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      guest.target.settle(TURN_MS)
      if (guest.load16(base + AREA.device + used.idx) === this.#sent)
        return {
          length: guest.load32(element + 4),
          data: guest.target.load(this.#arena + WRITABLE, Math.max(writable, 1)).subarray(0, writable),
        }
    }
    return undefined
  }

  /** Reports that have come since the last call; their buffers are the device's again. */
  reports(): readonly FaultReport[] {
    const guest = this.#guest
    const base = this.#base(IOMMU_QUEUE.EVENT)
    const index = guest.load16(base + AREA.device + used.idx)
    const found: FaultReport[] = []
    for (; this.#reportsSeen !== index; this.#reportsSeen = (this.#reportsSeen + 1) & 0xffff) {
      const element = base + AREA.device + used.ring(this.#reportsSeen % QUEUE_SIZE)
      const slot = guest.load32(element) % QUEUE_SIZE
      found.push(reportOf(guest.target.load(this.#reportAt(slot), IOMMU_FAULT.bytes), guest.load32(element + 4)))
      const at = (this.#reportsSeen + QUEUE_SIZE) & 0xffff
      guest.store16(base + AREA.driver + avail.ring(at % QUEUE_SIZE), slot)
      guest.store16(base + AREA.driver + avail.idx, (at + 1) & 0xffff)
    }
    if (found.length === 0) return found
    this.#transport.kick(IOMMU_QUEUE.EVENT)
    guest.target.settle(TURN_MS)
    return found
  }

  move(target: Target): void {
    this.#guest.target = target
    this.#transport.move(target)
  }

  notes(): readonly unknown[] {
    return [this.#accepted, this.#sent, this.#reportsSeen]
  }

  #base(queue: number): Gpa {
    return this.#arena + queue * AREA.bytes
  }
  #reportAt(slot: number): Gpa {
    return this.#arena + REPORTS + slot * REPORT_STRIDE
  }

  #describe(queue: number, index: number, address: Gpa, length: number, flags: number, next: number): void {
    const bytes = new Uint8Array(DESC.bytes)
    const view = new DataView(bytes.buffer)
    setWide(view, DESC.address, address)
    view.setUint32(DESC.length, length, true)
    view.setUint16(DESC.flags, flags, true)
    view.setUint16(DESC.next, next, true)
    this.#guest.target.store(this.#base(queue) + AREA.descriptors + DESC.bytes * index, bytes)
  }
}

const reportOf = (data: Uint8Array, length: number): FaultReport => {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const flags = view.getUint32(IOMMU_FAULT.flags, true)
  const reserved = data[1]! | data[2]! | data[3]! | view.getUint32(IOMMU_FAULT.endpoint + 4, true)
  return {
    reason: view.getUint8(IOMMU_FAULT.reason),
    flags,
    endpoint: view.getUint32(IOMMU_FAULT.endpoint, true),
    address: view.getBigUint64(IOMMU_FAULT.address, true),
    isPlain: reserved === 0 && (flags & ~KNOWN_FLAGS) === 0 && length === IOMMU_FAULT.bytes,
  }
}

const requestOf = (type: number, bytes: number, fields: readonly (readonly [number, 4 | 8, Wide])[]): Uint8Array => {
  const request = new Uint8Array(bytes)
  const view = new DataView(request.buffer)
  view.setUint8(0, type)
  for (const [at, width, value] of fields)
    if (width === 8) setWide(view, at, value)
    else view.setUint32(at, Number(value), true)
  return request
}

export const attachRequest = (domain: number, endpoint: number, flags = 0, reserved = 0): Uint8Array =>
  requestOf(IOMMU_TYPE.ATTACH, ATTACH.bytes, [
    [ATTACH.domain, 4, domain],
    [ATTACH.endpoint, 4, endpoint],
    [ATTACH.flags, 4, flags],
    [ATTACH.reserved, 4, reserved],
  ])

export const detachRequest = (domain: number, endpoint: number, reserved = 0): Uint8Array =>
  requestOf(IOMMU_TYPE.DETACH, DETACH.bytes, [
    [DETACH.domain, 4, domain],
    [DETACH.endpoint, 4, endpoint],
    [DETACH.reserved, 4, reserved],
  ])

/** `end` is the last address, not the one behind it. */
export const mapRequest = (domain: number, start: Wide, end: Wide, phys: Wide, flags: number): Uint8Array =>
  requestOf(IOMMU_TYPE.MAP, MAP.bytes, [
    [MAP.domain, 4, domain],
    [MAP.virtStart, 8, start],
    [MAP.virtEnd, 8, end],
    [MAP.physStart, 8, phys],
    [MAP.flags, 4, flags],
  ])

export const unmapRequest = (domain: number, start: Wide, end: Wide, reserved = 0): Uint8Array =>
  requestOf(IOMMU_TYPE.UNMAP, UNMAP.bytes, [
    [UNMAP.domain, 4, domain],
    [UNMAP.virtStart, 8, start],
    [UNMAP.virtEnd, 8, end],
    [UNMAP.reserved, 4, reserved],
  ])

export const probeRequest = (endpoint: number): Uint8Array =>
  requestOf(IOMMU_TYPE.PROBE, PROBE.bytes, [[PROBE.endpoint, 4, endpoint]])

/** A head alone, of any type. */
export const bareRequest = (type: number): Uint8Array => requestOf(type, IOMMU_HEAD_BYTES, [])

/** The list of properties that a probe request brought. */
export interface Properties {
  /** Each one ends within the list, and has the length that its type has. */
  readonly linked: boolean
  /** Reserved fields, and what comes after the last property, are zero. */
  readonly tidy: boolean
  /** Regions that cannot be mapped, both ends included. */
  readonly reserved: readonly { readonly start: bigint; readonly end: bigint }[]
}

const PROPERTY_TYPE = 0xfff

export const propertiesOf = (list: Uint8Array): Properties => {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength)
  const reserved: { start: bigint; end: bigint }[] = []
  let tidy = true
  let at = 0
  for (; at + PROPERTY_HEAD_BYTES <= list.length; ) {
    const head = view.getUint16(at, true)
    if ((head & PROPERTY_TYPE) === 0) break
    const length = view.getUint16(at + RESERVED_MEMORY.length, true)
    const end = at + PROPERTY_HEAD_BYTES + length
    if (end > list.length) return { linked: false, tidy, reserved }
    tidy &&= head <= PROPERTY_TYPE
    if ((head & PROPERTY_TYPE) === RESERVED_MEMORY.type) {
      if (end - at < RESERVED_MEMORY.bytes) return { linked: false, tidy, reserved }
      tidy &&= list.subarray(at + RESERVED_MEMORY.subtype + 1, at + RESERVED_MEMORY.start).every((byte) => byte === 0)
      reserved.push({
        start: view.getBigUint64(at + RESERVED_MEMORY.start, true),
        end: view.getBigUint64(at + RESERVED_MEMORY.end, true),
      })
    }
    at = end
  }
  return { linked: true, tidy: tidy && list.subarray(at).every((byte) => byte === 0), reserved }
}
