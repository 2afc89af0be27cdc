/**
 * A target to start from: guest memory and a virtio block device behind MMIO that says who it is and does nothing yet.
 * `iospec check module:./device.mjs` is content with it; `iospec run all` tells what is missing.
 */

const BASE = 0x1000_0000
const RAM_BYTES = 1 << 20
const MAGIC = 0x74726976
const VERSION_1 = 1n << 32n

const description = {
  name: 'my device',
  version: '1',
  vms: 1,
  cpus: 1,
  memory: [{ start: 0, end: RAM_BYTES }],
  devices: [{ id: 'blk0', kind: 'virtio-blk', transport: { kind: 'mmio', base: BASE, irq: 5 } }],
  observes: { dma: 'none', msi: 'none', line: 'exact', fault: 'none' },
  can: {
    step: false,
    save: false,
    migrate: false,
    fingerprint: false,
    resets: ['system'],
    controls: [],
    synchronous: true,
  },
}

class MyDevice {
  ram = Buffer.alloc(RAM_BYTES)
  happened = []
  status = 0
  featuresSel = 0

  describe() {
    return description
  }

  reset() {
    this.ram.fill(0)
    this.status = 0
  }

  /** A register, little endian. What nobody claims reads as all ones. */
  read({ space, address }, width) {
    const offset = address - BASE
    if (space !== 'mmio' || offset < 0 || offset >= 0x200) return (1n << BigInt(8 * width)) - 1n
    switch (offset) {
      case 0x000:
        return BigInt(MAGIC)
      case 0x004: // the version of the transport
      case 0x008: // the device id: a block device
        return 2n
      case 0x010:
        return (VERSION_1 >> BigInt(32 * (this.featuresSel & 1))) & 0xffff_ffffn
      case 0x070:
        return BigInt(this.status)
      default:
        return 0n
    }
  }

  write({ space, address }, _width, value) {
    if (space !== 'mmio') return
    const offset = address - BASE
    if (offset === 0x014) this.featuresSel = Number(value)
    if (offset === 0x070) this.status = Number(value)
    // 0x050 is QueueNotify: take what is available, carry it out, return it, and tell the driver:
    // this.happened.push({ kind: 'line', device: 'blk0', pin: 0, level: true })
  }

  load(gpa, bytes) {
    return Uint8Array.from(this.memory(gpa, bytes))
  }

  store(gpa, data) {
    this.memory(gpa, data.length).set(data)
  }

  memory(gpa, bytes) {
    if (gpa + bytes > RAM_BYTES) throw new Error(`expected memory, found 0x${gpa.toString(16)}+${bytes}`)
    return this.ram.subarray(gpa, gpa + bytes)
  }

  /** What happened since the last call. */
  events() {
    return this.happened.splice(0)
  }

  settle() {
    return 'quiet'
  }

  close() {}
}

export default () => new MyDevice()
