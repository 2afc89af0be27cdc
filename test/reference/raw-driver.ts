/** A raw virtio-mmio driver for one queue: it writes what it is told and checks nothing. */

import type { Target, TargetEvent } from '../../src/contract/index.ts'
import { BLK_HEADER, BLK_TYPE, SECTOR_BYTES } from '../../src/layout/blk.ts'
import { avail, DESC, DESC_FLAG, used } from '../../src/layout/split-ring.ts'
import { FEATURE, MMIO, STATUS } from '../../src/layout/virtio.ts'

export interface Buffer {
  readonly gpa: number
  readonly bytes: number
  readonly writable?: boolean
}

const RINGS = 0x1_0000
const QUEUE_BYTES = 0x4000

/** Where requests keep their parts. */
export const HEADER = 0x4000
export const DATA = 0x5000
export const STATUS_AT = 0x6000

export class RawDriver {
  target: Target
  readonly base: number
  readonly device: string
  size: number
  eventIdx = false
  /** Free-running, as this driver believes them; one per queue. */
  availIdx = [0, 0]

  constructor(target: Target, size = 4) {
    this.target = target
    this.size = size
    const device = target.describe().devices[0]!
    if (device.transport.kind !== 'mmio') throw new Error('this driver speaks MMIO')
    this.base = device.transport.base
    this.device = device.id
  }

  /** Goes on with the device on another machine. */
  move(): void {
    this.target = this.target.migrate!()
  }

  register(offset: number): number {
    return Number(this.target.read({ space: 'mmio', address: this.base + offset }, 4))
  }

  set(offset: number, value: number): void {
    this.target.write({ space: 'mmio', address: this.base + offset }, 4, BigInt(value >>> 0))
  }

  desc = (queue = 0) => RINGS + queue * QUEUE_BYTES
  avail = (queue = 0) => RINGS + queue * QUEUE_BYTES + 0x1000
  used = (queue = 0) => RINGS + queue * QUEUE_BYTES + 0x2000

  u16(gpa: number): number {
    const data = this.target.load(gpa, 2)
    return data[0]! | (data[1]! << 8)
  }

  u32(gpa: number): number {
    return this.u16(gpa) + this.u16(gpa + 2) * 0x10000
  }

  put(gpa: number, width: number, value: number): void {
    const data = new Uint8Array(width)
    for (let at = 0; at < width; at++) data[at] = Math.floor(value / 2 ** (8 * at)) % 256
    this.target.store(gpa, data)
  }

  negotiate(features: readonly number[] = []): boolean {
    this.set(MMIO.status, 0)
    this.set(MMIO.status, STATUS.ACKNOWLEDGE)
    this.set(MMIO.status, STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    const windows = [0, 0]
    for (const bit of [FEATURE.VERSION_1, ...features]) windows[bit >>> 5]! |= 1 << (bit & 31)
    for (const [select, value] of windows.entries()) {
      this.set(MMIO.driverFeaturesSel, select)
      this.set(MMIO.driverFeatures, value)
    }
    this.eventIdx = features.includes(FEATURE.RING_EVENT_IDX)
    this.set(MMIO.status, STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK)
    return (this.register(MMIO.status) & STATUS.FEATURES_OK) !== 0
  }

  setUpQueue(queue = 0): void {
    for (const gpa of [this.desc(queue), this.avail(queue), this.used(queue)])
      this.target.store(gpa, new Uint8Array(0x1000))
    this.availIdx[queue] = 0
    this.set(MMIO.queueSel, queue)
    this.set(MMIO.queueSize, this.size)
    this.set(MMIO.queueDescLow, this.desc(queue))
    this.set(MMIO.queueDriverLow, this.avail(queue))
    this.set(MMIO.queueDeviceLow, this.used(queue))
    this.set(MMIO.queueReady, 1)
  }

  driverOk(): void {
    this.set(MMIO.status, STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK)
  }

  start(features: readonly number[] = []): void {
    this.negotiate(features)
    this.setUpQueue(0)
    this.setUpQueue(1)
    this.driverOk()
    this.target.settle(0)
    this.target.events()
  }

  descriptor(index: number, gpa: number, bytes: number, flags: number, next = 0, table = this.desc()): void {
    const at = table + DESC.bytes * index
    this.put(at + DESC.address, 8, gpa)
    this.put(at + DESC.length, 4, bytes)
    this.put(at + DESC.flags, 2, flags)
    this.put(at + DESC.next, 2, next)
  }

  /** Writes a chain into descriptors `head`, `head + 1`, ... */
  chain(head: number, buffers: readonly Buffer[], table = this.desc()): void {
    for (const [index, { gpa, bytes, writable }] of buffers.entries()) {
      const last = index === buffers.length - 1
      const flags = (writable ? DESC_FLAG.WRITE : 0) | (last ? 0 : DESC_FLAG.NEXT)
      this.descriptor(head + index, gpa, bytes, flags, last ? 0 : head + index + 1, table)
    }
  }

  offer(head: number, queue = 0): void {
    this.put(this.avail(queue) + avail.ring(this.availIdx[queue]! & (this.size - 1)), 2, head)
    this.availIdx[queue] = (this.availIdx[queue]! + 1) & 0xffff
  }

  publish(queue = 0): void {
    this.put(this.avail(queue) + avail.idx, 2, this.availIdx[queue]!)
  }

  kick(queue = 0): void {
    this.set(MMIO.queueNotify, queue)
  }

  header(gpa: number, type: number, sector = 0): void {
    this.put(gpa + BLK_HEADER.type, 4, type)
    this.put(gpa + BLK_HEADER.reserved, 4, 0)
    this.put(gpa + BLK_HEADER.sector, 8, sector)
  }

  /** One block request in descriptors `head` to `head + 2`. */
  request(head: number, type: number, sector: number, bytes: number, queue = 0): void {
    const at = HEADER + head * BLK_HEADER.bytes
    this.header(at, type, sector)
    this.put(STATUS_AT + head, 1, 0xff)
    const data = { gpa: DATA + head * SECTOR_BYTES, bytes, writable: type !== BLK_TYPE.OUT }
    const parts = [{ gpa: at, bytes: BLK_HEADER.bytes }, data, { gpa: STATUS_AT + head, bytes: 1, writable: true }]
    this.chain(head, bytes > 0 ? parts : [parts[0]!, parts[2]!], this.desc(queue))
  }

  /** Offers heads, publishes them together, and kicks. */
  submit(...heads: number[]): void {
    for (const head of heads) this.offer(head)
    this.publish()
    this.kick()
  }

  usedIdx = (queue = 0) => this.u16(this.used(queue) + used.idx)
  element(position: number, queue = 0) {
    const at = this.used(queue) + used.ring(position & (this.size - 1))
    return { id: this.u32(at), len: this.u32(at + 4) }
  }

  /** Steps until nothing is left, or `bound` steps; what happened. */
  run(bound = 10_000): TargetEvent[] {
    for (let steps = 0; steps < bound && this.target.step!(this.device); steps++);
    return this.target.events()
  }
}
