/**
 * virtio-blk, VIRTIO 1.3 section 5.2: what a request does to the medium. A chain is two byte streams, one readable
 * and one writable; how they are split over descriptors means nothing (2.7.4). The status is the last writable byte.
 */

import {
  BLK_CONFIG,
  BLK_FEATURE,
  BLK_HEADER,
  BLK_ID_BYTES,
  BLK_STATUS,
  BLK_TYPE,
  SECTOR_BYTES,
} from '../../layout/blk.ts'
import { DEVICE_TYPE, FEATURE, STATUS } from '../../layout/virtio.ts'
import { accepted } from './decisions.ts'
import type { DeviceKind } from './kind.ts'
import type { DeviceOptions, Engine } from './parts.ts'
import type { Request } from './state.ts'

const SERIAL = 'iospec-reference'

const le32 = (data: Uint8Array, at: number): number =>
  (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) >>> 0

/** Features that a device with these options offers, in 32-bit windows. */
function blkFeatures(options: DeviceOptions): number[] {
  const windows = [0, 0]
  const offer = (bit: number) => {
    windows[bit >>> 5] = (windows[bit >>> 5]! | (1 << (bit & 31))) >>> 0
  }
  offer(BLK_FEATURE.BLK_SIZE)
  offer(BLK_FEATURE.FLUSH)
  offer(BLK_FEATURE.CONFIG_WCE)
  if (options.readOnly) offer(BLK_FEATURE.RO)
  if (options.queues > 1) offer(BLK_FEATURE.MQ)
  offer(FEATURE.RING_INDIRECT_DESC)
  offer(FEATURE.RING_EVENT_IDX)
  offer(FEATURE.VERSION_1)
  offer(FEATURE.IN_ORDER)
  offer(FEATURE.RING_RESET)
  return windows
}

/** A sector that was never written holds a pattern of its own, so that a read that moved nothing shows. */
function sectorOf(device: Engine, sector: number): Uint8Array {
  const written = device.state.backend.written[sector]
  if (written !== undefined) return written
  const data = new Uint8Array(SECTOR_BYTES)
  for (let at = 0; at < SECTOR_BYTES; at++) data[at] = (sector * 31 + at * 7 + 1) & 0xff
  return data
}

const header = (request: Request) => ({
  type: le32(request.input, BLK_HEADER.type),
  /** Past 2^52 a sector number is not exact; it is out of range anyway. */
  sector: le32(request.input, BLK_HEADER.sector + 4) * 0x1_0000_0000 + le32(request.input, BLK_HEADER.sector),
})

export const blk = {
  /** Bytes of the readable stream that are fetched: a header and at most the whole medium. */
  inputLimit: (device: Engine): number => BLK_HEADER.bytes + device.state.backend.sectors * SECTOR_BYTES,

  /** Whether a chain is a request at all: a whole header, and a byte for the status. */
  isRequest: (request: Request): boolean => request.readable >= BLK_HEADER.bytes && request.writable >= 1,

  /** What is no request is given back at once, with a status where there is a byte for it. */
  refuse(device: Engine, request: Request): void {
    request.status = request.writable > 0 ? BLK_STATUS.IOERR : -1
    device.parts.backend.finish(device, request)
  },

  /** Whole sectors, all of them on the medium. */
  isOnMedium: (sector: number, bytes: number, sectors: number): boolean =>
    bytes % SECTOR_BYTES === 0 && sector + bytes / SECTOR_BYTES <= sectors,

  /** Carries a request out: fills `output` and `status`. */
  perform(device: Engine, request: Request): void {
    const { blk } = device.parts
    const { type, sector } = header(request)
    if (request.doomed) request.status = BLK_STATUS.IOERR
    else if (type === BLK_TYPE.IN) request.status = blk.read(device, request, sector)
    else if (type === BLK_TYPE.OUT) request.status = blk.write(device, request, sector)
    else if (type === BLK_TYPE.FLUSH) request.status = BLK_STATUS.OK
    else if (type === BLK_TYPE.GET_ID) request.status = blk.identify(device, request)
    else request.status = blk.unknown(device, request)
  },

  read(device: Engine, request: Request, sector: number): number {
    const bytes = request.writable - 1
    if (!device.parts.blk.isOnMedium(sector, bytes, device.state.backend.sectors)) return BLK_STATUS.IOERR
    request.output = new Uint8Array(bytes)
    for (let done = 0; done < bytes; done += SECTOR_BYTES)
      request.output.set(sectorOf(device, sector + done / SECTOR_BYTES), done)
    return BLK_STATUS.OK
  },

  write(device: Engine, request: Request, sector: number): number {
    const bytes = request.readable - BLK_HEADER.bytes
    if (device.options.readOnly) return BLK_STATUS.IOERR
    if (!device.parts.blk.isOnMedium(sector, bytes, device.state.backend.sectors)) return BLK_STATUS.IOERR
    // The medium may have grown since the readable stream was fetched up to the old limit.
    if (request.input.length < request.readable) return BLK_STATUS.IOERR
    for (let done = 0; done < bytes; done += SECTOR_BYTES) {
      const from = BLK_HEADER.bytes + done
      device.state.backend.written[sector + done / SECTOR_BYTES] = request.input.slice(from, from + SECTOR_BYTES)
    }
    return BLK_STATUS.OK
  },

  identify(_device: Engine, request: Request): number {
    const id = new Uint8Array(BLK_ID_BYTES)
    for (let at = 0; at < SERIAL.length; at++) id[at] = SERIAL.charCodeAt(at)
    request.output = id.subarray(0, Math.min(BLK_ID_BYTES, request.writable - 1))
    return BLK_STATUS.OK
  },

  unknown: (_device: Engine, _request: Request): number => BLK_STATUS.UNSUPP,

  /** A new capacity: sectors past the end are gone, the driver is told. */
  resize(device: Engine, sectors: number): void {
    const { backend } = device.state
    backend.sectors = sectors
    for (const sector of Object.keys(backend.written)) if (Number(sector) >= sectors) delete backend.written[sector]
    device.parts.blk.configChanged(device)
    if ((device.state.status & STATUS.DRIVER_OK) !== 0) device.signals.configInterrupt()
  },

  /** Two reads of the configuration around this moment must not look alike. */
  configChanged(device: Engine): void {
    device.state.configGeneration = (device.state.configGeneration + 1) & 0xff
  },

  /** One byte of the configuration space. */
  configByte(device: Engine, offset: number): number {
    const { capacity, blkSize, writeback, numQueues } = BLK_CONFIG
    if (offset >= capacity && offset < capacity + 8)
      return Math.floor(device.state.backend.sectors / 2 ** (8 * (offset - capacity))) & 0xff
    if (offset >= blkSize && offset < blkSize + 4) return (SECTOR_BYTES >>> (8 * (offset - blkSize))) & 0xff
    if (offset === writeback) return device.state.writeback
    if (offset === numQueues) return device.options.queues
    return 0
  },

  writeConfigByte(device: Engine, offset: number, value: number): void {
    if (offset === BLK_CONFIG.writeback && accepted(device, BLK_FEATURE.CONFIG_WCE)) device.state.writeback = value & 1
  },

  /** Feature negotiation has ended. A cache that cannot be flushed starts as a write-through one, 5.2.5.2. */
  negotiated(device: Engine): void {
    if (accepted(device, BLK_FEATURE.CONFIG_WCE) && !accepted(device, BLK_FEATURE.FLUSH)) device.state.writeback = 0
  },
}

/** Each of these is a part that a fault can take the place of. */
export const blkKind: DeviceKind = {
  type: DEVICE_TYPE.BLOCK,
  features: blkFeatures,
  inputLimit: (device) => device.parts.blk.inputLimit(device),
  isRequest: (device, request) => device.parts.blk.isRequest(request),
  refuse: (device, request) => device.parts.blk.refuse(device, request),
  perform: (device, request) => device.parts.blk.perform(device, request),
  resize: (device, sectors) => device.parts.blk.resize(device, sectors),
  configByte: (device, offset) => device.parts.blk.configByte(device, offset),
  writeConfigByte: (device, offset, value) => device.parts.blk.writeConfigByte(device, offset, value),
  negotiated: (device) => device.parts.blk.negotiated(device),
}
