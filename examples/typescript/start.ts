/**
 * A target to start from: a virtio block device behind MMIO that says who it is and does nothing yet.
 * `iospec check module:./device.ts` is content with it; `iospec run all` tells what is missing.
 */

import type { Description, Location, ResetKind, Target, Width } from 'iospec/target'
import { MemoryTarget } from './memory-target.ts'

const BASE = 0x1000_0000
const WINDOW_BYTES = 0x200
const RAM_BYTES = 1 << 20
const MAGIC = 0x74726976
const VERSION_1 = 1n << 32n

const description: Description = {
  name: 'my device',
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

/** Everything but memory. */
const afterReset = () => ({ status: 0, featuresSel: 0 })

class MyDevice extends MemoryTarget<ReturnType<typeof afterReset>> implements Target {
  protected state = afterReset()

  constructor() {
    super(RAM_BYTES, 0)
  }

  describe = () => description

  reset(_kind: ResetKind): void {
    this.ram.fill(0)
    this.state = afterReset()
  }

  /** A register, little endian. What nobody claims reads as all ones. */
  read({ space, address }: Location, width: Width): bigint {
    const offset = address - BASE
    if (space !== 'mmio' || offset < 0 || offset >= WINDOW_BYTES) return (1n << BigInt(8 * width)) - 1n
    switch (offset) {
      case 0x000:
        return BigInt(MAGIC)
      case 0x004: // the version of the transport
      case 0x008: // the device id: a block device
        return 2n
      case 0x010:
        return (VERSION_1 >> BigInt(32 * (this.state.featuresSel & 1))) & 0xffff_ffffn
      case 0x070:
        return BigInt(this.state.status)
      default:
        return 0n
    }
  }

  write({ space, address }: Location, _width: Width, value: bigint): void {
    if (space !== 'mmio') return
    const offset = address - BASE
    if (offset === 0x014) this.state.featuresSel = Number(value)
    if (offset === 0x070) this.state.status = Number(value)
    // 0x050 is QueueNotify: take what is available, carry it out, return it, and tell the driver:
    // this.happened({ kind: 'line', device: 'blk0', pin: 0, level: true })
  }
}

export default () => new MyDevice()
