/** A small virtio-blk driver over MMIO: raw, it writes what it is told. */

import type { Target } from '../../src/contract/target.ts'
import { avail, DESC, DESC_FLAG, used } from '../../src/layout/split-ring.ts'
import { FEATURE, MMIO, STATUS } from '../../src/layout/virtio.ts'

export interface Buffer_ {
  readonly gpa: number
  readonly bytes: number
  readonly write?: boolean
}

const bit = (n: number): bigint => 1n << BigInt(n)
export const EVENT_IDX = bit(FEATURE.RING_EVENT_IDX)
export const INDIRECT = bit(FEATURE.RING_INDIRECT_DESC)
export const VERSION_1 = bit(FEATURE.VERSION_1)

export class Driver {
  readonly target: Target
  readonly base: number
  size = 8
  desc = 0x1000
  avail = 0x2000
  used = 0x3000
  availIdx = 0
  seen = 0

  constructor(target: Target) {
    this.target = target
    const transport = target.describe().devices[0]!.transport
    if (transport.kind !== 'mmio') throw new Error('expected an MMIO device')
    this.base = transport.base
  }

  get(register: number): number {
    return Number(this.target.read({ space: 'mmio', address: this.base + register }, 4))
  }

  set(register: number, value: number): void {
    this.target.write({ space: 'mmio', address: this.base + register }, 4, BigInt(value))
  }

  features(): bigint {
    let all = 0n
    for (const half of [0, 1]) {
      this.set(MMIO.deviceFeaturesSel, half)
      all |= BigInt(this.get(MMIO.deviceFeatures)) << BigInt(32 * half)
    }
    return all
  }

  /** Up to FEATURES_OK; whether the device agreed. */
  negotiate(features: bigint): boolean {
    this.set(MMIO.status, 0)
    this.set(MMIO.status, STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    for (const half of [0, 1]) {
      this.set(MMIO.driverFeaturesSel, half)
      this.set(MMIO.driverFeatures, Number((features >> BigInt(32 * half)) & 0xffff_ffffn))
    }
    this.set(MMIO.status, STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK)
    return (this.get(MMIO.status) & STATUS.FEATURES_OK) !== 0
  }

  /** A fresh queue and DRIVER_OK. */
  start(features: bigint): boolean {
    const agreed = this.negotiate(features)
    for (const area of [this.desc, this.avail, this.used]) this.target.store(area, new Uint8Array(0x1000))
    this.set(MMIO.queueSel, 0)
    this.set(MMIO.queueSize, this.size)
    for (const [low, gpa] of [
      [MMIO.queueDescLow, this.desc],
      [MMIO.queueDriverLow, this.avail],
      [MMIO.queueDeviceLow, this.used],
    ] as const) {
      this.set(low, gpa)
      this.set(low + 4, 0)
    }
    this.set(MMIO.queueReady, 1)
    this.set(MMIO.status, STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK)
    this.availIdx = this.seen = 0
    this.target.events()
    return agreed
  }

  word(gpa: number): number {
    const [low = 0, high = 0] = this.target.load(gpa, 2)
    return low | (high << 8)
  }

  setWord(gpa: number, value: number): void {
    this.target.store(gpa, Uint8Array.of(value & 0xff, (value >> 8) & 0xff))
  }

  descriptor(table: number, index: number, gpa: bigint, bytes: number, flags: number, next: number): void {
    const data = new DataView(new ArrayBuffer(DESC.bytes))
    data.setBigUint64(DESC.address, gpa, true)
    data.setUint32(DESC.length, bytes, true)
    data.setUint16(DESC.flags, flags, true)
    data.setUint16(DESC.next, next, true)
    this.target.store(table + DESC.bytes * index, new Uint8Array(data.buffer))
  }

  /** Writes a chain into `table` at the given places and returns its head. */
  chain(buffers: readonly Buffer_[], places: readonly number[], table = this.desc): number {
    for (const [i, { gpa, bytes, write }] of buffers.entries()) {
      const last = i === buffers.length - 1
      const flags = (last ? 0 : DESC_FLAG.NEXT) | (write ? DESC_FLAG.WRITE : 0)
      this.descriptor(table, places[i]!, BigInt(gpa), bytes, flags, last ? 0 : places[i + 1]!)
    }
    return places[0]!
  }

  publish(...heads: readonly number[]): void {
    for (const head of heads) {
      this.setWord(this.avail + avail.ring(this.availIdx % this.size), head)
      this.availIdx = (this.availIdx + 1) & 0xffff
    }
    this.setWord(this.avail + avail.idx, this.availIdx)
  }

  kick(): void {
    this.set(MMIO.queueNotify, 0)
  }

  /** Used elements that were not seen before. */
  collect(): { id: number; len: number }[] {
    const idx = this.word(this.used + used.idx)
    const elements: { id: number; len: number }[] = []
    for (; this.seen !== idx && elements.length <= this.size; this.seen = (this.seen + 1) & 0xffff) {
      const data = this.target.load(this.used + used.ring(this.seen % this.size), 8)
      const view = new DataView(data.buffer, data.byteOffset)
      elements.push({ id: view.getUint32(0, true), len: view.getUint32(4, true) })
    }
    return elements
  }

  /** A request header in guest memory. */
  header(gpa: number, type: number, sector: bigint): Buffer_ {
    const data = new DataView(new ArrayBuffer(16))
    data.setUint32(0, type, true)
    data.setBigUint64(8, sector, true)
    this.target.store(gpa, new Uint8Array(data.buffer))
    return { gpa, bytes: 16 }
  }
}
