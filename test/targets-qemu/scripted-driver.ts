/** A scripted virtio-blk driver for these tests: one queue, raw requests, nothing checked. */

import type { Location, Target, Width } from '../../src/contract/index.ts'
import { BLK_HEADER, BLK_TYPE, SECTOR_BYTES } from '../../src/layout/blk.ts'
import { CAPABILITY, COMMAND, MSIX, MSIX_CONTROL, MSIX_ENTRY, PCI } from '../../src/layout/pci.ts'
import { avail, DESC, DESC_FLAG, used } from '../../src/layout/split-ring.ts'
import { CFG_TYPE, COMMON, FEATURE, MMIO, NO_VECTOR, STATUS } from '../../src/layout/virtio.ts'

const SIZE = 16
const RINGS = 0x200000
const AREA = { descriptors: RINGS, avail: RINGS + 0x1000, used: RINGS + 0x2000 } as const
const BUFFERS = 0x300000
const BUFFER_BYTES = 0x1000
/** Where this driver puts the memory BARs. */
const BARS = 0xe0000000
const BAR_STRIDE = 0x10000

/** Register access of one transport. */
interface Transport {
  set(field: 'status' | 'kick', value: number): void
  setUp(): void
  config(offset: number, width: Width): bigint
  acknowledge(): number
}

export class ScriptedDriver {
  readonly target: Target
  readonly #transport: Transport
  #availIdx = 0
  #usedIdx = 0

  /** `interrupts`: over PCI, MSI-X with vector 0 for the configuration and 1 for the queue, or the line. */
  constructor(target: Target, interrupts: 'msi' | 'line' = 'msi') {
    this.target = target
    const device = target.describe().devices[0]!
    this.#transport =
      device.transport.kind === 'mmio'
        ? mmioTransport(target, device.transport.base)
        : pciTransport(
            target,
            device.transport.kind === 'pci' ? device.transport.device << 15 : 0,
            interrupts,
            Number(device.facts?.messageGpa),
          )
    this.start()
  }

  start(): void {
    this.#transport.set('status', 0)
    this.target.store(RINGS, new Uint8Array(0x3000))
    this.#availIdx = 0
    this.#usedIdx = 0
    this.#transport.setUp()
  }

  reset(): void {
    this.#transport.set('status', 0)
  }

  fail(): void {
    this.#transport.set('status', STATUS.FAILED)
  }

  capacity(): number {
    return Number(this.#transport.config(0, 8))
  }

  /** Reads the interrupt status, which over PCI also acknowledges it. */
  acknowledge(): number {
    return this.#transport.acknowledge()
  }

  /** Makes chain number `slot` available as a one-sector read; `kick` follows. */
  publishRead(slot: number, sector: number): void {
    this.#publish(slot, sector, BLK_TYPE.IN)
  }

  /** The same for a write of zeros. */
  publishWrite(slot: number, sector: number): void {
    this.#publish(slot, sector, BLK_TYPE.OUT)
  }

  #publish(slot: number, sector: number, type: number): void {
    const buffer = BUFFERS + slot * BUFFER_BYTES
    const header = Buffer.alloc(BLK_HEADER.bytes)
    header.writeUInt32LE(type, BLK_HEADER.type)
    header.writeBigUInt64LE(BigInt(sector), BLK_HEADER.sector)
    this.target.store(buffer, header)
    this.target.store(buffer + 0x100, Buffer.alloc(SECTOR_BYTES + 1, type === BLK_TYPE.OUT ? 0 : 0xee))
    const head = 3 * slot
    const parts = [
      { gpa: buffer, length: BLK_HEADER.bytes, flags: DESC_FLAG.NEXT },
      {
        gpa: buffer + 0x100,
        length: SECTOR_BYTES,
        flags: DESC_FLAG.NEXT | (type === BLK_TYPE.OUT ? 0 : DESC_FLAG.WRITE),
      },
      { gpa: buffer + 0x100 + SECTOR_BYTES, length: 1, flags: DESC_FLAG.WRITE },
    ]
    parts.forEach((part, index) => {
      const descriptor = Buffer.alloc(DESC.bytes)
      descriptor.writeBigUInt64LE(BigInt(part.gpa), DESC.address)
      descriptor.writeUInt32LE(part.length, DESC.length)
      descriptor.writeUInt16LE(part.flags, DESC.flags)
      descriptor.writeUInt16LE(head + index + 1, DESC.next)
      this.target.store(AREA.descriptors + DESC.bytes * (head + index), descriptor)
    })
    this.publishHead(head)
  }

  publishHead(head: number): void {
    this.target.store(AREA.avail + avail.ring(this.#availIdx % SIZE), u16(head))
    this.#availIdx = (this.#availIdx + 1) & 0xffff
    this.target.store(AREA.avail + avail.idx, u16(this.#availIdx))
  }

  kick(): void {
    this.#transport.set('kick', 0)
  }

  /** Slots of the chains that were returned since the last call, in the order of the used ring. */
  returned(): number[] {
    const idx = Buffer.from(this.target.load(AREA.used + used.idx, 2)).readUInt16LE()
    const slots: number[] = []
    for (; this.#usedIdx !== idx; this.#usedIdx = (this.#usedIdx + 1) & 0xffff) {
      const id = Buffer.from(this.target.load(AREA.used + used.ring(this.#usedIdx % SIZE), 4)).readUInt32LE()
      slots.push(id / 3)
    }
    return slots
  }

  /** Settles until `count` chains have come back or patience ends; returns the slots. */
  wait(count: number): number[] {
    const slots = this.returned()
    for (let patience = 0; slots.length < count && patience < 200; patience++) {
      this.target.settle(patience < 100 ? 0 : 5)
      slots.push(...this.returned())
    }
    return slots
  }

  /** First word of the data and the status byte of a request. */
  answer(slot: number): { word: number; status: number } {
    const data = Buffer.from(this.target.load(BUFFERS + slot * BUFFER_BYTES + 0x100, SECTOR_BYTES + 1))
    return { word: data.readUInt32LE(SECTOR_BYTES - 4), status: data[SECTOR_BYTES]! }
  }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8)

const READY = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK

function pciTransport(target: Target, base: number, interrupts: 'msi' | 'line', messageGpa: number): Transport {
  const config = (offset: number): Location => ({ space: 'config', address: base + offset })
  const read = (offset: number, width: Width): number => Number(target.read(config(offset), width))
  const barOf = (bar: number): number => BARS + bar * BAR_STRIDE
  for (const bar of [1, 4]) target.write(config(PCI.bar(bar)), 4, BigInt(barOf(bar)))
  target.write(config(PCI.bar(5)), 4, 0n)
  target.write(config(PCI.command), 2, BigInt(COMMAND.MEMORY | COMMAND.BUS_MASTER))
  const at = new Map<number, number>()
  for (let capability = read(PCI.capabilities, 1); capability !== 0; capability = read(capability + 1, 1)) {
    const id = read(capability, 1)
    if (id === CAPABILITY.VENDOR)
      at.set(read(capability + 3, 1), barOf(read(capability + 4, 1)) + read(capability + 8, 4))
    if (id !== CAPABILITY.MSIX || interrupts === 'line') continue
    const table = read(capability + MSIX.table, 4)
    for (let entry = 0; entry < 2; entry++) {
      const gpa = barOf(table & 7) + (table & ~7) + entry * MSIX_ENTRY.bytes
      target.write({ space: 'mmio', address: gpa + MSIX_ENTRY.addressLow }, 4, BigInt(messageGpa + 16 * entry))
      target.write({ space: 'mmio', address: gpa + MSIX_ENTRY.addressHigh }, 4, 0n)
      target.write({ space: 'mmio', address: gpa + MSIX_ENTRY.data }, 4, BigInt(0x40 + entry))
      target.write({ space: 'mmio', address: gpa + MSIX_ENTRY.control }, 4, 0n)
    }
    target.write(config(capability + MSIX.control), 2, BigInt(MSIX_CONTROL.ENABLE))
  }
  const set = (offset: number, width: Width, value: number): void =>
    target.write({ space: 'mmio', address: at.get(CFG_TYPE.COMMON)! + offset }, width, BigInt(value))
  return {
    set(field, value) {
      if (field === 'status') set(COMMON.deviceStatus, 1, value)
      else target.write({ space: 'mmio', address: at.get(CFG_TYPE.NOTIFY)! }, 2, BigInt(value))
    },
    setUp() {
      set(COMMON.driverFeatureSelect, 4, 1)
      set(COMMON.driverFeature, 4, 1 << (FEATURE.VERSION_1 - 32))
      set(COMMON.deviceStatus, 1, READY)
      set(COMMON.configMsixVector, 2, interrupts === 'msi' ? 0 : NO_VECTOR)
      set(COMMON.queueSelect, 2, 0)
      set(COMMON.queueSize, 2, SIZE)
      set(COMMON.queueMsixVector, 2, interrupts === 'msi' ? 1 : NO_VECTOR)
      set(COMMON.queueDesc, 4, AREA.descriptors)
      set(COMMON.queueDriver, 4, AREA.avail)
      set(COMMON.queueDevice, 4, AREA.used)
      set(COMMON.queueEnable, 2, 1)
      set(COMMON.deviceStatus, 1, READY | STATUS.DRIVER_OK)
    },
    config: (offset, width) => target.read({ space: 'mmio', address: at.get(CFG_TYPE.DEVICE)! + offset }, width),
    acknowledge: () => Number(target.read({ space: 'mmio', address: at.get(CFG_TYPE.ISR)! }, 1)),
  }
}

function mmioTransport(target: Target, base: number): Transport {
  const set = (offset: number, value: number): void =>
    target.write({ space: 'mmio', address: base + offset }, 4, BigInt(value))
  const get = (offset: number): bigint => target.read({ space: 'mmio', address: base + offset }, 4)
  return {
    set: (field, value) => set(field === 'status' ? MMIO.status : MMIO.queueNotify, value),
    setUp() {
      set(MMIO.driverFeaturesSel, 1)
      set(MMIO.driverFeatures, 1 << (FEATURE.VERSION_1 - 32))
      set(MMIO.status, READY)
      set(MMIO.queueSel, 0)
      set(MMIO.queueSize, SIZE)
      set(MMIO.queueDescLow, AREA.descriptors)
      set(MMIO.queueDriverLow, AREA.avail)
      set(MMIO.queueDeviceLow, AREA.used)
      set(MMIO.queueReady, 1)
      set(MMIO.status, READY | STATUS.DRIVER_OK)
    },
    config: (offset) => get(MMIO.config + offset) | (get(MMIO.config + offset + 4) << 32n),
    acknowledge() {
      const status = Number(get(MMIO.interruptStatus))
      set(MMIO.interruptAck, status)
      return status
    },
  }
}
