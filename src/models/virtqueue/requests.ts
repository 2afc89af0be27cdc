/** Minimal valid requests of the device types that the queue models drive, as byte streams. */
import { BLK_HEADER, BLK_ID_BYTES, BLK_STATUS, BLK_TYPE, SECTOR_BYTES } from '../../layout/blk.ts'
import { setWide, type Wide } from '../guest/access.ts'

/** One request: what the device reads, how much it may write, and where the streams are best cut. */
export interface Request {
  readonly readable: Uint8Array
  readonly writableBytes: number
  /** Preferred cuts of the readable and of the writable stream, best first. */
  readonly readableCuts: readonly number[]
  readonly writableCuts: readonly number[]
}

/** One of virtio-blk, with what it asks for. */
export interface BlkAsk extends Request {
  readonly kind: BlkRequest
  readonly sector: number
}

export type BlkRequest =
  | ('read' | 'write' | 'flush' | 'getId' | 'unknown')
  | ('readLast' | 'readOverEnd' | 'readAtEnd' | 'writeAtEnd' | 'beyond')

const UNKNOWN_TYPE = 0x7777
/** Turned into bytes it is 512 modulo 2^64: who does not look at the sector number takes it for sector 1. */
const BEYOND = 2n ** 55n + 1n

const header = (type: number, sector: Wide, data = 0): Uint8Array => {
  const bytes = new Uint8Array(BLK_HEADER.bytes + data)
  const view = new DataView(bytes.buffer)
  view.setUint32(BLK_HEADER.type, type, true)
  setWide(view, BLK_HEADER.sector, sector)
  return bytes
}

const READABLE_CUTS = [BLK_HEADER.bytes, 8, 300] as const

/** For requests whose place does not depend on the capacity. */
const NOWHERE = (): number => 0

/** A virtio-blk request; `data` is what a write writes, `capacity` how many sectors the medium has. */
export const blkRequest = (kind: BlkRequest, sector: number, data: Uint8Array, capacity: () => number): BlkAsk => {
  const plain = (type: number, at: Wide, writableBytes: number): BlkAsk => ({
    kind,
    sector,
    readable: header(type, at),
    writableBytes,
    readableCuts: [8, 4],
    writableCuts: [writableBytes - 1, writableBytes >> 1],
  })
  const read = (at: Wide, sectors = 1) => plain(BLK_TYPE.IN, at, sectors * SECTOR_BYTES + 1)
  const write = (at: number): BlkAsk => {
    const readable = header(BLK_TYPE.OUT, at, SECTOR_BYTES)
    readable.set(data, BLK_HEADER.bytes)
    return { kind, sector, readable, writableBytes: 1, readableCuts: READABLE_CUTS, writableCuts: [] }
  }
  switch (kind) {
    case 'read':
      return read(sector)
    case 'readLast':
      return read(capacity() - 1)
    case 'readOverEnd':
      return read(capacity() - 1, 2)
    case 'readAtEnd':
      return read(capacity())
    case 'beyond':
      return read(BEYOND)
    case 'write':
      return write(sector)
    case 'writeAtEnd':
      return write(capacity())
    case 'getId':
      return plain(BLK_TYPE.GET_ID, 0, BLK_ID_BYTES + 1)
    case 'flush':
      return plain(BLK_TYPE.FLUSH, 0, 1)
    case 'unknown':
      return plain(UNKNOWN_TYPE, 0, 1)
  }
}

/** Name of a status byte, in the words of the machine. */
export const statusName = (byte: number, unset: number): 'ok' | 'ioerr' | 'unsupp' | 'other' | 'unset' => {
  switch (byte) {
    case BLK_STATUS.OK:
      return 'ok'
    case BLK_STATUS.IOERR:
      return 'ioerr'
    case BLK_STATUS.UNSUPP:
      return 'unsupp'
    default:
      return byte === unset ? 'unset' : 'other'
  }
}

/** A 9P `Tversion`, the first request of every 9P session: size[4] type tag[2] msize[4] version[s]. */
const tversion = (): Request => {
  const version = new TextEncoder().encode('9P2000.L')
  const readable = new Uint8Array(13 + version.length)
  const view = new DataView(readable.buffer)
  view.setUint32(0, readable.length, true)
  readable[4] = 100
  view.setUint16(5, 0xffff, true)
  view.setUint32(7, 8192, true)
  view.setUint16(11, version.length, true)
  readable.set(version, 13)
  return { readable, writableBytes: 64, readableCuts: [7, 12], writableCuts: [7, 20] }
}

/** A request of a device type about whose meaning the machine says nothing. Undefined: this suite has none. */
export const plainRequest = (kind: string): (() => Request) | undefined => {
  switch (kind) {
    case 'virtio-blk':
      return () => blkRequest('read', 0, new Uint8Array(SECTOR_BYTES), NOWHERE)
    case 'virtio-9p':
      return tversion
    default:
      return undefined
  }
}

/** A request of a device type that needs no back end, so that it is answered at once. */
export const quickRequest = (kind: string): Request | undefined =>
  kind === 'virtio-blk' ? blkRequest('getId', 0, new Uint8Array(0), NOWHERE) : undefined

/** Cuts a stream of `total` bytes into `parts` lengths; undefined when it is too short for that. */
export const cut = (total: number, parts: number, preferred: readonly number[]): number[] | undefined => {
  if (total < parts) return undefined
  if (parts === 1) return [total]
  const cuts: number[] = []
  const add = (at: number): void => {
    if (at > 0 && at < total && cuts.length < parts - 1 && !cuts.includes(at)) cuts.push(at)
  }
  preferred.forEach(add)
  for (let at = 1; cuts.length < parts - 1; at++) add(at)
  cuts.sort((a, b) => a - b)
  let start = 0
  const lengths = cuts.map((end) => {
    const length = end - start
    start = end
    return length
  })
  lengths.push(total - start)
  return lengths
}
