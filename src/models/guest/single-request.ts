/** A queue with one request in it: the least that makes a device work. */
import type { DeviceDescription, Gpa } from '../../contract/target.ts'
import { BLK_HEADER, BLK_TYPE, SECTOR_BYTES } from '../../layout/blk.ts'
import { avail, DESC, DESC_FLAG, used } from '../../layout/split-ring.ts'
import { Guest } from './access.ts'
import type { VirtioDriver } from './virtio-device.ts'

/** Bytes that one queue with its request takes. */
export const QUEUE_BYTES = 0x2000
const AREA = { descriptors: 0x000, driver: 0x400, device: 0x800, readable: 0xc00, writable: 0x1000 } as const
const QUEUE_SIZE_MAX = 16

interface Request {
  readonly readable: Uint8Array
  readonly writable: number
}

const readSector = (): Uint8Array => {
  const header = new Uint8Array(BLK_HEADER.bytes)
  new DataView(header.buffer).setUint32(BLK_HEADER.type, BLK_TYPE.IN, true)
  return header
}
/** `size[4] type[1] tag[2] msize[4] version[2+8]`: the first message of a 9P session. */
const version = (): Uint8Array => {
  const name = new TextEncoder().encode('9P2000.L')
  const message = new Uint8Array(13 + name.length)
  const view = new DataView(message.buffer)
  view.setUint32(0, message.length, true)
  view.setUint8(4, 100)
  view.setUint16(5, 0xffff, true)
  view.setUint32(7, 8192, true)
  view.setUint16(11, name.length, true)
  message.set(name, 13)
  return message
}

const requests: Readonly<Record<string, () => Request>> = {
  'virtio-blk': () => ({ readable: readSector(), writable: SECTOR_BYTES + 1 }),
  'virtio-9p': () => ({ readable: version(), writable: 64 }),
}

/** Kinds of devices that a request is known for. */
export const hasRequest = (device: DeviceDescription): boolean => Object.hasOwn(requests, device.kind)

/** Queue 0 of a device with one chain in it, at `base`. */
export class SingleRequest {
  readonly base: Gpa
  readonly #guest: Guest
  #seen = 0

  constructor(driver: VirtioDriver, base: Gpa) {
    this.base = base
    this.#guest = new Guest(driver.target)
  }

  /** Writes rings and chain, and enables the queue. A looped chain goes on for ever. */
  publish(driver: VirtioDriver, sizeMax: number, vector: number | undefined, looped = false): void {
    const { base } = this
    const guest = this.#guest
    const request = requests[driver.device.kind]!()
    guest.target.store(base, new Uint8Array(QUEUE_BYTES))
    guest.target.store(base + AREA.readable, request.readable)
    this.#describe(0, base + AREA.readable, request.readable.length, DESC_FLAG.NEXT, 1)
    this.#describe(
      1,
      base + AREA.writable,
      request.writable,
      DESC_FLAG.WRITE | (looped ? DESC_FLAG.NEXT : 0),
      looped ? 1 : 0,
    )
    const size = Math.min(QUEUE_SIZE_MAX, sizeMax)
    driver.transport.setUpQueue(0, size, base + AREA.descriptors, base + AREA.driver, base + AREA.device, vector)
    guest.store16(base + AREA.driver + avail.idx, 1)
    this.#seen = 0
  }

  /** Chains that were made available and are not back. */
  get pending(): boolean {
    return (
      this.#guest.load16(this.base + AREA.driver + avail.idx) !== this.#guest.load16(this.base + AREA.device + used.idx)
    )
  }

  /** Makes the same chain available once more. */
  again(): void {
    const at = this.base + AREA.driver + avail.idx
    this.#guest.store16(at, this.#guest.load16(at) + 1)
  }

  /** Chains that came back since the last call. */
  returned(): number {
    const index = this.#guest.load16(this.base + AREA.device + used.idx)
    const since = (index - this.#seen) & 0xffff
    this.#seen = index
    return since
  }

  move(target: Guest['target']): void {
    this.#guest.target = target
  }

  /** What it remembers of a run. */
  notes(): readonly unknown[] {
    return [this.base, this.#seen]
  }

  #describe(index: number, address: Gpa, length: number, flags: number, next: number): void {
    const guest = this.#guest
    const at = this.base + AREA.descriptors + DESC.bytes * index
    guest.store64(at + DESC.address, address)
    guest.store32(at + DESC.length, length)
    guest.store16(at + DESC.flags, flags)
    guest.store16(at + DESC.next, next)
  }
}
