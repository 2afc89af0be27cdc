/**
 * virtio-iommu, VIRTIO 1.3 section 5.13: domains of mappings that are asked for by requests, and what each endpoint
 * reaches by them. A request takes effect when it is answered; a page that was used is remembered in a cache.
 */
import type { RequesterId, Space } from '../../contract/index.ts'
import { DEVICE_TYPE, FEATURE, STATUS } from '../../layout/virtio.ts'
import {
  ATTACH,
  ATTACH_FLAG,
  DETACH,
  FAULT_FLAG,
  FAULT_REASON,
  IOMMU_CONFIG,
  IOMMU_FAULT,
  IOMMU_FEATURE,
  IOMMU_HEAD_BYTES,
  IOMMU_QUEUE,
  IOMMU_STATUS,
  IOMMU_TAIL_BYTES,
  IOMMU_TYPE,
  MAP,
  PROBE,
  PROPERTY_HEAD_BYTES,
  RESERVED_MEMORY,
  RESERVED_SUBTYPE,
  UNMAP,
} from '../../layout/virtio-iommu.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { accepted } from '../paravirtual/decisions.ts'
import type { DeviceKind } from '../paravirtual/kind.ts'
import { type Engine, honestParts } from '../paravirtual/parts.ts'
import type { Request } from '../paravirtual/state.ts'
import { createVirtioDevice, type EngineDevice } from '../paravirtual/virtio-device.ts'
import { createMmioTransport, MMIO_BYTES, type MmioTransport } from '../paravirtual/virtio-mmio.ts'
import type { Iommu, Piece, TranslationRequest } from './iommu.ts'
import { remember } from './pages.ts'
import { LAST_PAGE, PAGE_OFFSET_MAX, type Place, RESERVED_PAGES, type VirtioIommuParts } from './virtio-iommu-parts.ts'
import { domainBehind, domainOf, freshIommu, type IommuState } from './virtio-iommu-state.ts'

const ID = 'iommu'
const BASE = 0xfe00_0000
const IRQ = 5
const QUEUE_SIZE = 16
const PAGE_BYTES = PAGE_OFFSET_MAX + 1
/** Domains 0 to this one can be named. */
const DOMAIN_MAX = 63
const PROBE_BYTES = 64
const CACHED_MAX = 32
/** `bypass` when the machine starts. */
const BYPASS_AT_START = 1
/** `translated` addresses and others past 2^53 have no place in memory. */
const PAGE_END = 2 ** 41

const OFFERED: readonly number[] = [
  IOMMU_FEATURE.INPUT_RANGE,
  IOMMU_FEATURE.DOMAIN_RANGE,
  IOMMU_FEATURE.MAP_UNMAP,
  IOMMU_FEATURE.PROBE,
  IOMMU_FEATURE.MMIO,
  IOMMU_FEATURE.BYPASS_CONFIG,
  FEATURE.RING_INDIRECT_DESC,
  FEATURE.RING_EVENT_IDX,
  FEATURE.VERSION_1,
]

/** The device-readable part of a request by its type, in bytes. */
const SIZES: Readonly<Record<number, number>> = {
  [IOMMU_TYPE.ATTACH]: ATTACH.bytes,
  [IOMMU_TYPE.DETACH]: DETACH.bytes,
  [IOMMU_TYPE.MAP]: MAP.bytes,
  [IOMMU_TYPE.UNMAP]: UNMAP.bytes,
  [IOMMU_TYPE.PROBE]: PROBE.bytes,
}

export interface VirtioIommuOptions {
  readonly services: BoardServices
  readonly parts: VirtioIommuParts
  /** Endpoints by their ids; they are requester ids. */
  readonly endpoints: readonly RequesterId[]
}

export class VirtioIommu implements BoardPart, Iommu {
  readonly describes: BoardPart['describes'] = [
    { id: ID, kind: 'virtio-iommu', transport: { kind: 'mmio', base: BASE, irq: IRQ }, facts: {} },
  ]
  readonly #parts: VirtioIommuParts
  readonly #endpoints: readonly RequesterId[]
  readonly #device: EngineDevice
  readonly #mmio: MmioTransport
  #state = freshIommu(BYPASS_AT_START)

  constructor({ services, parts, endpoints }: VirtioIommuOptions) {
    this.#parts = parts
    this.#endpoints = endpoints
    const options = {
      queueSize: QUEUE_SIZE,
      queues: 2,
      capacity: 0,
      readOnly: false,
      depth: QUEUE_SIZE,
      resetSteps: 0,
    }
    const engine = honestParts()
    this.#device = createVirtioDevice(ID, services.memory, options, engine, this.#kind())
    this.#mmio = createMmioTransport(ID, BASE, this.#device, (event) => services.emit(event), engine.mmio)
  }

  #kind(): DeviceKind {
    return {
      type: DEVICE_TYPE.IOMMU,
      features: () => {
        const windows = [0, 0]
        for (const bit of OFFERED) windows[bit >>> 5] = (windows[bit >>> 5]! | (1 << (bit & 31))) >>> 0
        return windows
      },
      inputLimit: () => PROBE.bytes,
      isRequest: (_device, request) =>
        request.queue === IOMMU_QUEUE.EVENT ||
        (request.readable >= IOMMU_HEAD_BYTES &&
          request.readable >= (SIZES[request.input[0]!] ?? Number.POSITIVE_INFINITY) &&
          request.writable >= IOMMU_TAIL_BYTES),
      // Without a tail there is nothing to write to.
      refuse: (device, request) => device.parts.backend.finish(device, request),
      keeps: (_device, request) => request.queue === IOMMU_QUEUE.EVENT,
      perform: (device, request) => this.#perform(device, request),
      configByte: (_device, offset) => this.#configByte(offset),
      writeConfigByte: (device, offset, value) => {
        if (offset === IOMMU_CONFIG.bypass && accepted(device, IOMMU_FEATURE.BYPASS_CONFIG) && value <= 1)
          this.#state.bypass = value
      },
      negotiated: () => {},
      afterReset: () => {
        this.#state = this.#parts.afterReset(this.#state)
      },
    }
  }

  #configByte(offset: number): number {
    const field = (start: number, bytes: number, value: number): number | undefined =>
      offset >= start && offset < start + bytes ? Math.floor(value / 2 ** (8 * (offset - start))) & 0xff : undefined
    const { pageSizeMask, inputEnd, domainEnd, probeSize, bypass } = IOMMU_CONFIG
    // Every size from 4 KiB on.
    if (offset >= pageSizeMask && offset < pageSizeMask + 8)
      return offset === pageSizeMask ? 0 : offset === pageSizeMask + 1 ? 0xf0 : 0xff
    return (
      field(inputEnd, 8, (LAST_PAGE + 1) * PAGE_BYTES - 1) ??
      field(domainEnd, 4, DOMAIN_MAX) ??
      field(probeSize, 4, PROBE_BYTES) ??
      field(bypass, 1, this.#state.bypass) ??
      0
    )
  }

  #perform(device: Engine, request: Request): void {
    const { input } = request
    const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
    if (view.getUint8(0) === IOMMU_TYPE.PROBE) {
      request.output = this.#probe(view, request.writable)
      return
    }
    request.output = new Uint8Array(IOMMU_TAIL_BYTES)
    request.output[0] = this.#status(device, view)
  }

  #status(device: Engine, view: DataView): number {
    switch (view.getUint8(0)) {
      case IOMMU_TYPE.ATTACH:
        return this.#attach(view, accepted(device, IOMMU_FEATURE.BYPASS_CONFIG))
      case IOMMU_TYPE.DETACH:
        return this.#detach(view)
      case IOMMU_TYPE.MAP:
        return this.#map(view, accepted(device, IOMMU_FEATURE.MMIO))
      default:
        return this.#unmap(view)
    }
  }

  #attach(view: DataView, bypassConfig: boolean): number {
    const id = view.getUint32(ATTACH.domain, true)
    const endpoint = view.getUint32(ATTACH.endpoint, true)
    const flags = view.getUint32(ATTACH.flags, true)
    const parts = this.#parts
    if (!parts.acceptsReserved(view.getUint32(ATTACH.reserved, true) === 0)) return IOMMU_STATUS.INVAL
    if (!parts.knowsAttachFlags(flags, bypassConfig)) return IOMMU_STATUS.INVAL
    if (!parts.knows(this.#endpoints, endpoint)) return IOMMU_STATUS.NOENT
    if (id > DOMAIN_MAX) return IOMMU_STATUS.RANGE
    const state = this.#state
    const before = domainBehind(state, endpoint)
    const domain = parts.domainFor(state, id, (flags & ATTACH_FLAG.BYPASS) !== 0)
    if (domain === undefined) return IOMMU_STATUS.INVAL
    if (before?.id === id && !parts.leavesFirst(before, id)) return IOMMU_STATUS.OK
    if (before !== undefined && parts.leavesFirst(before, id)) this.#leave(endpoint, before.id)
    state.attached = state.attached.filter((each) => each.endpoint !== endpoint)
    state.attached.push({ endpoint, domain: id })
    if (domainOf(state, id) === undefined) state.domains.push({ ...domain, mappings: [] })
    return IOMMU_STATUS.OK
  }

  #leave(endpoint: number, domain: number): void {
    const state = this.#state
    if (this.#parts.endsWith(state, domain, endpoint))
      state.domains = state.domains.filter((each) => each.id !== domain)
    state.attached = state.attached.filter((each) => each.endpoint !== endpoint)
    state.cache = this.#parts.afterDetach(state.cache, endpoint)
  }

  #detach(view: DataView): number {
    const domain = view.getUint32(DETACH.domain, true)
    const endpoint = view.getUint32(DETACH.endpoint, true)
    if (!this.#parts.knows(this.#endpoints, endpoint)) return IOMMU_STATUS.NOENT
    if (!this.#parts.isMember(this.#state, domain, endpoint)) return IOMMU_STATUS.INVAL
    const behind = domainBehind(this.#state, endpoint)
    if (behind !== undefined) this.#leave(endpoint, behind.id)
    return IOMMU_STATUS.OK
  }

  #map(view: DataView, mmio: boolean): number {
    const request = {
      start: placeAt(view, MAP.virtStart),
      end: placeAt(view, MAP.virtEnd),
      phys: placeAt(view, MAP.physStart),
      flags: view.getUint32(MAP.flags, true),
    }
    const parts = this.#parts
    const [first, last] = [request.start.page, request.end.page]
    if (!parts.knowsMapFlags(request.flags, mmio)) return IOMMU_STATUS.INVAL
    const domain = domainOf(this.#state, view.getUint32(MAP.domain, true))
    if (domain === undefined) return IOMMU_STATUS.NOENT
    if (domain.bypass) return IOMMU_STATUS.INVAL
    if (!parts.isAligned(request) || !parts.isInRange(first, last)) return IOMMU_STATUS.RANGE
    if (parts.isReserved(first, last) || parts.overlaps(domain.mappings, first, last)) return IOMMU_STATUS.INVAL
    domain.mappings.push(parts.mappingOf(first, last, request.phys.page, request.flags))
    return IOMMU_STATUS.OK
  }

  #unmap(view: DataView): number {
    const domain = domainOf(this.#state, view.getUint32(UNMAP.domain, true))
    if (domain === undefined) return IOMMU_STATUS.NOENT
    if (domain.bypass) return IOMMU_STATUS.INVAL
    const start = placeAt(view, UNMAP.virtStart)
    const end = placeAt(view, UNMAP.virtEnd)
    // A range that begins or ends within a page cuts the mapping of that page.
    const { find } = this.#parts
    if (start.offset !== 0 && find(domain.mappings, start.page) !== undefined) return IOMMU_STATUS.RANGE
    if (end.offset !== PAGE_OFFSET_MAX && find(domain.mappings, end.page) !== undefined) return IOMMU_STATUS.RANGE
    const first = start.page
    const last = end.page
    const { status, gone } = this.#parts.unmapped(domain.mappings, first, last)
    const endpoints = this.#state.attached.filter((each) => each.domain === domain.id).map(({ endpoint }) => endpoint)
    for (const mapping of gone) this.#state.cache = this.#parts.afterUnmap(this.#state.cache, endpoints, mapping)
    domain.mappings = domain.mappings.filter((each) => !gone.includes(each))
    return status
  }

  /** Properties and tail, as far as there is room for both. */
  #probe(view: DataView, writable: number): Uint8Array {
    const endpoint = view.getUint32(PROBE.endpoint, true)
    const properties = Math.min(writable - IOMMU_TAIL_BYTES, PROBE_BYTES)
    const output = new Uint8Array(properties + IOMMU_TAIL_BYTES)
    const exists = this.#parts.knows(this.#endpoints, endpoint)
    output[properties] = !exists ? IOMMU_STATUS.NOENT : properties < PROBE_BYTES ? IOMMU_STATUS.INVAL : IOMMU_STATUS.OK
    if (output[properties] === IOMMU_STATUS.OK) {
      const property = new DataView(output.buffer)
      property.setUint16(0, RESERVED_MEMORY.type, true)
      property.setUint16(RESERVED_MEMORY.length, RESERVED_MEMORY.bytes - PROPERTY_HEAD_BYTES, true)
      property.setUint8(RESERVED_MEMORY.subtype, RESERVED_SUBTYPE.MSI)
      property.setBigUint64(RESERVED_MEMORY.start, BigInt(RESERVED_PAGES.first * PAGE_BYTES), true)
      property.setBigUint64(RESERVED_MEMORY.end, BigInt((RESERVED_PAGES.last + 1) * PAGE_BYTES - 1), true)
    }
    return output
  }

  translate({ requester, access, iova, bytes, translated }: TranslationRequest): readonly Piece[] {
    const state = this.#state
    const parts = this.#parts
    if (translated === true && !parts.believes()) {
      this.#report(FAULT_REASON.UNKNOWN, requester, access, Number(iova >> 12n), Number(iova & 0xfffn))
      return []
    }
    if (translated === true || parts.bypasses(state, requester))
      return iova < 2n ** 53n ? [{ gpa: Number(iova), bytes }] : []
    const pieces: Piece[] = []
    for (let moved = 0; moved < bytes; ) {
      const at = iova + BigInt(moved)
      const page = Number(at >> 12n)
      const offset = Number(at & 0xfffn)
      const host = this.#lookUp(requester, page, access)
      if (host === undefined) {
        this.#report(parts.reason(domainBehind(state, requester) !== undefined), requester, access, page, offset)
        break
      }
      const part = parts.reach(bytes - moved, offset)
      pieces.push({ gpa: host * PAGE_BYTES + offset, bytes: part })
      moved += part
    }
    return pieces
  }

  /** The page of memory behind a page; undefined: none for this access. */
  #lookUp(endpoint: number, page: number, access: 'read' | 'write'): number | undefined {
    const state = this.#state
    const cached = state.cache.find((each) => this.#parts.isCachedFor(each, endpoint, page))
    if (cached !== undefined && this.#parts.permits(cached, access)) return cached.host
    const mapping = this.#parts.find(domainBehind(state, endpoint)?.mappings ?? [], page)
    if (mapping === undefined || !this.#parts.permits(mapping, access)) return undefined
    const host = this.#parts.hostPage(mapping, page)
    if (cached === undefined) {
      const { read, write } = mapping
      remember(state.cache, { endpoint, page, host, read, write }, CACHED_MAX)
    }
    return host < PAGE_END ? host : undefined
  }

  /** Puts a report into a buffer of the event queue. Where there is none, it is dropped. */
  #report(reason: number, requester: number, access: 'read' | 'write', page: number, offset: number): void {
    const { engine } = this.#device
    if ((engine.state.status & STATUS.DRIVER_OK) === 0) return
    const request = engine.state.requests.find(({ queue, stage }) => queue === IOMMU_QUEUE.EVENT && stage === 'waiting')
    if (request === undefined || request.writable < IOMMU_FAULT.bytes) return
    request.output = new Uint8Array(IOMMU_FAULT.bytes)
    const view = new DataView(request.output.buffer)
    view.setUint8(IOMMU_FAULT.reason, reason)
    const direction = access === 'read' ? FAULT_FLAG.READ : FAULT_FLAG.WRITE
    view.setUint32(IOMMU_FAULT.flags, direction | FAULT_FLAG.ADDRESS, true)
    view.setUint32(IOMMU_FAULT.endpoint, this.#parts.reportedEndpoint(requester), true)
    const address = BigInt(this.#parts.reportedPage(page)) * BigInt(PAGE_BYTES) + BigInt(offset)
    view.setBigUint64(IOMMU_FAULT.address, address, true)
    engine.parts.backend.finish(engine, request)
  }

  read(space: Space, address: number, width: number): number | undefined {
    const at = address - BASE
    return space === 'mmio' && at >= 0 && at + width <= MMIO_BYTES ? this.#mmio.read(at, width) : undefined
  }
  write(space: Space, address: number, width: number, value: number): boolean {
    const at = address - BASE
    if (space !== 'mmio' || at < 0 || at + width > MMIO_BYTES) return false
    this.#mmio.write(at, width, value)
    return true
  }
  step(device?: string): boolean {
    return (device === undefined || device === ID) && this.#device.step()
  }

  reset(): void {
    this.#device.powerOn()
    this.#mmio.reset()
    this.#state = freshIommu(BYPASS_AT_START)
  }
  save(): unknown {
    return { device: this.#device.save(), mmio: this.#mmio.save(), iommu: this.#state }
  }
  restore(state: unknown): void {
    const { device, mmio, iommu } = state as { device: unknown; mmio: unknown; iommu: IommuState }
    this.#device.restore(device)
    this.#mmio.restore(mmio)
    this.#state = iommu
  }
}

const placeAt = (view: DataView, at: number): Place => {
  const low = view.getUint32(at, true)
  const high = view.getUint32(at + 4, true)
  return { page: high * 2 ** 20 + (low >>> 12), offset: low & PAGE_OFFSET_MAX }
}
