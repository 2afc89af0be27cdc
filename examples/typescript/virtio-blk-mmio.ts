/**
 * A virtio block device behind the MMIO transport (VIRTIO 1.3, sections 2.7, 4.2 and 5.2), as a module target:
 * the default export makes one. Nothing of iospec is imported but types.
 *
 * A write to QueueNotify carries out everything that is available before it returns. The device trusts its driver
 * with nothing: what cannot be carried out sets DEVICE_NEEDS_RESET.
 */

import type { Description, Location, ResetKind, Target, Width } from 'iospec/target'
import { BrokenDriver, MemoryTarget } from './memory-target.ts'

const BASE = 0x1000_0000
const CONFIG = 0x100
const WINDOW_BYTES = 0x200
const RAM_BYTES = 1 << 20
const DISK_BYTES = 128 * 512
const QUEUE_SIZE_MAX = 256
const FEATURE = { FLUSH: 1n << 9n, INDIRECT_DESC: 1n << 28n, EVENT_IDX: 1n << 29n, VERSION_1: 1n << 32n }
const OFFERED = FEATURE.FLUSH | FEATURE.INDIRECT_DESC | FEATURE.EVENT_IDX | FEATURE.VERSION_1
const STATUS = { DRIVER_OK: 4, FEATURES_OK: 8, NEEDS_RESET: 64 }
const FLAG = { NEXT: 1, WRITE: 2, INDIRECT: 4 }
const INTERRUPT = { USED_BUFFER: 1, CONFIGURATION: 2 }
const TYPE = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 }
const RESULT = { OK: 0, IOERR: 1, UNSUPP: 2 }

/** Everything but memory and disk. `area` holds the addresses of descriptors, driver area and device area. */
const afterReset = () => ({
  deviceFeaturesSel: 0,
  driverFeaturesSel: 0,
  driverFeatures: 0n,
  queueSel: 0,
  queueSize: 0,
  queueReady: false,
  area: [0n, 0n, 0n],
  status: 0,
  interrupt: 0,
  lastAvail: 0,
  usedIdx: 0,
})

const description: Description = {
  name: 'virtio-blk-mmio in TypeScript',
  version: '1',
  vms: 1,
  cpus: 1,
  memory: [{ start: 0, end: RAM_BYTES }],
  devices: [{ id: 'blk0', kind: 'virtio-blk', transport: { kind: 'mmio', base: BASE, irq: 5 } }],
  observes: { dma: 'none', msi: 'none', line: 'exact', fault: 'none' },
  can: {
    step: false,
    save: true,
    migrate: false,
    fingerprint: true,
    resets: ['system'],
    controls: [],
    synchronous: true,
  },
}

class VirtioBlk extends MemoryTarget<ReturnType<typeof afterReset>> implements Target {
  protected state = afterReset()

  constructor() {
    super(RAM_BYTES, DISK_BYTES)
  }

  describe = () => description

  reset(kind: ResetKind): void {
    if (kind !== 'system') throw new Error(`no ${kind} reset`)
    this.ram.fill(0)
    this.media.fill(0)
    this.#deviceReset()
  }

  read({ space, address }: Location, width: Width): bigint {
    const offset = address - BASE
    const mask = (1n << BigInt(8 * width)) - 1n
    if (space !== 'mmio' || offset < 0 || offset >= WINDOW_BYTES) return mask
    if (offset >= CONFIG) return (BigInt(DISK_BYTES / 512) >> BigInt(8 * (offset - CONFIG))) & mask
    return width === 4 ? BigInt(this.#readRegister(offset)) & mask : 0n
  }

  write({ space, address }: Location, width: Width, value: bigint): void {
    const offset = address - BASE
    const inside = space === 'mmio' && offset >= 0 && offset < CONFIG && offset % 4 === 0
    if (inside && width === 4) this.#writeRegister(offset, Number(value & 0xffff_ffffn))
  }

  #readRegister(offset: number): number | bigint {
    const s = this.state
    if (offset === 0x000) return 0x74726976
    if (offset === 0x004 || offset === 0x008) return 2
    if (offset === 0x00c) return 0x4f495053
    if (offset === 0x010) return s.deviceFeaturesSel < 2 ? OFFERED >> BigInt(32 * s.deviceFeaturesSel) : 0
    if (offset === 0x060) return s.interrupt
    if (offset === 0x070) return s.status
    if (offset === 0x034 && s.queueSel === 0) return QUEUE_SIZE_MAX
    return offset === 0x044 && s.queueSel === 0 ? Number(s.queueReady) : 0
  }

  #writeRegister(offset: number, value: number): void {
    const s = this.state
    const negotiating = s.driverFeaturesSel < 2 && !(s.status & STATUS.FEATURES_OK)
    if (offset === 0x014) s.deviceFeaturesSel = value
    else if (offset === 0x024) s.driverFeaturesSel = value
    else if (offset === 0x020 && negotiating) s.driverFeatures = withHalf(s.driverFeatures, s.driverFeaturesSel, value)
    else if (offset === 0x030) s.queueSel = value
    else if (offset === 0x050 && value === 0) this.#notified()
    else if (offset === 0x064) this.#setInterrupt(s.interrupt & ~value)
    else if (offset === 0x070 && value === 0) this.#deviceReset()
    else if (offset === 0x070) this.#setStatus(value)
    else if (s.queueSel !== 0)
      return // the rest concerns a queue, and there is one
    else if (offset === 0x044) {
      s.queueReady = (value & 1) === 1 && s.queueSize > 0
      s.lastAvail = s.usedIdx = 0
    } else if (s.queueReady)
      return // a queue in use is not moved
    else if (offset === 0x038 && value <= QUEUE_SIZE_MAX && (value & (value - 1)) === 0) s.queueSize = value
    else if (offset >= 0x080 && offset < 0x0a8 && offset % 16 < 8)
      s.area = s.area.map((gpa, i) => (i === (offset - 0x080) >> 4 ? withHalf(gpa, (offset >> 2) & 1, value) : gpa))
  }

  #setStatus(value: number): void {
    const s = this.state
    const acceptable = (s.driverFeatures & ~OFFERED) === 0n && (s.driverFeatures & FEATURE.VERSION_1) !== 0n
    const refused = acceptable || s.status & STATUS.FEATURES_OK ? 0 : STATUS.FEATURES_OK
    s.status = (value & ~refused) | (s.status & STATUS.NEEDS_RESET)
  }

  #deviceReset(): void {
    this.#setInterrupt(0)
    this.state = afterReset()
  }

  #setInterrupt(value: number): void {
    const level = value !== 0
    if (level !== (this.state.interrupt !== 0)) this.happened({ kind: 'line', device: 'blk0', pin: 0, level })
    this.state.interrupt = value
  }

  #notified(): void {
    const s = this.state
    const usable = STATUS.DRIVER_OK | STATUS.FEATURES_OK
    if ((s.status & (usable | STATUS.NEEDS_RESET)) !== usable || !s.queueReady) return
    const before = s.usedIdx
    const sizes = [16 * s.queueSize, 6 + 2 * s.queueSize, 6 + 8 * s.queueSize]
    try {
      const [desc, avail, used] = s.area.map((gpa, i) => this.memory(Number(gpa), sizes[i]!))
      this.#useBuffers(desc!, avail!, used!)
    } catch (error) {
      if (!(error instanceof BrokenDriver)) throw error
      s.status |= STATUS.NEEDS_RESET
    }
    if (s.usedIdx !== before && this.#wantsInterrupt(before)) this.#setInterrupt(s.interrupt | INTERRUPT.USED_BUFFER)
    if (s.status & STATUS.NEEDS_RESET) this.#setInterrupt(s.interrupt | INTERRUPT.CONFIGURATION)
  }

  /** Sampled after used.idx is there to be seen, 2.7.10.1. */
  #wantsInterrupt(before: number): boolean {
    const { area, driverFeatures, queueSize, usedIdx } = this.state
    const avail = this.memory(Number(area[1]), 6 + 2 * queueSize)
    if ((driverFeatures & FEATURE.EVENT_IDX) === 0n) return (avail.readUInt16LE(0) & 1) === 0
    const usedEvent = avail.readUInt16LE(4 + 2 * queueSize)
    return ((usedIdx - usedEvent - 1) & 0xffff) < ((usedIdx - before) & 0xffff)
  }

  #useBuffers(desc: Buffer, avail: Buffer, used: Buffer): void {
    const s = this.state
    // More than `queueSize` are never there: memory was overwritten by a request.
    for (let budget = s.queueSize + 1; budget > 0; budget--) {
      // avail_event, then a look at avail.idx: what comes after that look is announced by the driver.
      if (s.driverFeatures & FEATURE.EVENT_IDX) used.writeUInt16LE(s.lastAvail, 4 + 8 * s.queueSize)
      const waiting = (avail.readUInt16LE(2) - s.lastAvail) & 0xffff
      if (waiting === 0) return
      if (waiting > s.queueSize) break
      const head = avail.readUInt16LE(4 + 2 * (s.lastAvail % s.queueSize))
      const written = this.#request(...this.#walk(desc, head))
      s.lastAvail = (s.lastAvail + 1) & 0xffff
      used.writeUInt32LE(head, 4 + 8 * (s.usedIdx % s.queueSize))
      used.writeUInt32LE(written, 8 + 8 * (s.usedIdx % s.queueSize))
      s.usedIdx = (s.usedIdx + 1) & 0xffff
      used.writeUInt16LE(s.usedIdx, 2)
    }
    throw new BrokenDriver('more buffers than the ring holds')
  }

  /** The pieces of memory that the device reads, and those that it writes. */
  #walk(ring: Buffer, head: number): [Buffer[], Buffer[]] {
    const readable: Buffer[] = []
    const writable: Buffer[] = []
    let [table, at, indirect, room] = [ring, head, false, RAM_BYTES]
    // No chain is longer than the queue: this ends loops.
    while (16 * at < table.length && readable.length + writable.length < this.state.queueSize) {
      const memory = this.memory(Number(table.readBigUInt64LE(16 * at)), table.readUInt32LE(16 * at + 8))
      const flags = table.readUInt16LE(16 * at + 12)
      if (flags & FLAG.INDIRECT) {
        // Its WRITE flag means nothing, 2.7.5.3.2.
        if (indirect || flags & FLAG.NEXT || (this.state.driverFeatures & FEATURE.INDIRECT_DESC) === 0n) break
        if (memory.length === 0 || memory.length % 16 !== 0) break
        ;[table, at, indirect] = [memory, 0, true]
        continue
      }
      room -= memory.length // a buffer larger than memory lies on itself
      if (room < 0 || (writable.length > 0 && !(flags & FLAG.WRITE))) break // readable after writable, 2.7.4.2
      ;(flags & FLAG.WRITE ? writable : readable).push(memory)
      if (!(flags & FLAG.NEXT)) return [readable, writable]
      at = table.readUInt16LE(16 * at + 14)
    }
    throw new BrokenDriver('a malformed chain')
  }

  /** Carries out one request, 5.2.6, and returns the number of bytes written. */
  #request(readable: readonly Buffer[], writable: readonly Buffer[]): number {
    const sent = Buffer.concat(readable)
    const answer = Buffer.alloc(writable.reduce((sum, piece) => sum + piece.length, 0))
    if (sent.length < 16 || answer.length < 1) throw new BrokenDriver('no room for header or status')
    const type = sent.readUInt32LE(0)
    const start = Number(sent.readBigUInt64LE(8)) * 512
    const count = type === TYPE.IN ? answer.length - 1 : sent.length - 16
    const inside = count % 512 === 0 && start + count <= DISK_BYTES
    let result: number = RESULT.OK
    if (type === TYPE.IN && inside) this.media.copy(answer, 0, start, start + count)
    else if (type === TYPE.OUT && inside) sent.copy(this.media, start, 16)
    else if (type === TYPE.GET_ID) answer.write('iospec-typescript', 0, Math.min(20, answer.length - 1))
    else if (type !== TYPE.FLUSH) result = type === TYPE.IN || type === TYPE.OUT ? RESULT.IOERR : RESULT.UNSUPP
    answer[answer.length - 1] = result
    // Every byte that used.len counts is written, whatever happened.
    let at = 0
    for (const piece of writable) at += answer.copy(piece, 0, at)
    return answer.length
  }
}

const withHalf = (register: bigint, half: number, value: number): bigint =>
  half === 0 ? (register & ~0xffff_ffffn) | BigInt(value) : (register & 0xffff_ffffn) | (BigInt(value) << 32n)

export default () => new VirtioBlk()
