/** The MMIO transport (VIRTIO 1.3, 4.2). Every register is 32 bits wide. */
import type { DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { MMIO, MMIO_MAGIC } from '../../layout/virtio.ts'
import { Guest, place, type Wide } from './access.ts'
import type { VirtioTransport } from './virtio-transport.ts'

const VERSION_MODERN = 2
const QUEUES_MAX = 64

class VirtioMmio implements VirtioTransport {
  readonly kind = 'mmio'
  readonly interrupts = 'line'
  readonly #guest: Guest
  readonly #base: Gpa

  constructor(guest: Guest, base: Gpa) {
    this.#guest = guest
    this.#base = base
  }

  status(): number {
    return this.#read(MMIO.status)
  }
  statusLater(then: (status: number) => void): void {
    this.#guest.readLater(place('mmio', this.#base + MMIO.status), 4, then)
  }
  setStatus(value: number): void {
    this.#write(MMIO.status, value)
  }

  deviceFeatures(): bigint {
    return BigInt(this.readDeviceFeatures(0)) | (BigInt(this.readDeviceFeatures(1)) << 32n)
  }
  setDriverFeatures(bits: bigint): void {
    this.writeDriverFeatures(0, Number(bits & 0xffff_ffffn))
    this.writeDriverFeatures(1, Number((bits >> 32n) & 0xffff_ffffn))
  }
  readDeviceFeatures(select: number): number {
    this.#write(MMIO.deviceFeaturesSel, select)
    return this.#read(MMIO.deviceFeatures)
  }
  writeDriverFeatures(select: number, value: number): void {
    this.#write(MMIO.driverFeaturesSel, select)
    this.#write(MMIO.driverFeatures, value)
  }

  queueCount(): number {
    let queue = 0
    while (queue < QUEUES_MAX && this.queueSizeMax(queue) !== 0) queue++
    return queue
  }
  queueSizeMax(queue: number): number {
    this.#write(MMIO.queueSel, queue)
    return this.#read(MMIO.queueSizeMax)
  }
  setUpQueue(queue: number, size: number, desc: Wide, driver: Wide, device: Wide): void {
    this.#write(MMIO.queueSel, queue)
    this.#write(MMIO.queueSize, size)
    this.#write64(MMIO.queueDescLow, desc)
    this.#write64(MMIO.queueDriverLow, driver)
    this.#write64(MMIO.queueDeviceLow, device)
    this.#write(MMIO.queueReady, 1)
  }
  queueEnabled(queue: number): boolean {
    this.#write(MMIO.queueSel, queue)
    return this.#read(MMIO.queueReady) !== 0
  }
  resetQueue(queue: number): void {
    this.#write(MMIO.queueSel, queue)
    this.#write(MMIO.queueReset, 1)
  }
  queueInReset(queue: number): boolean {
    this.#write(MMIO.queueSel, queue)
    return this.#read(MMIO.queueReset) !== 0
  }
  kick(queue: number): void {
    this.#write(MMIO.queueNotify, queue)
  }

  configGeneration(): number {
    return this.#read(MMIO.configGeneration)
  }
  readConfig(offset: number, width: 1 | 2 | 4): number {
    return this.#guest.read(place('mmio', this.#base + MMIO.config + offset), width)
  }
  writeConfig(offset: number, width: 1 | 2 | 4, value: number): void {
    this.#guest.target.write(place('mmio', this.#base + MMIO.config + offset), width, BigInt(value))
  }
  readConfigWide(offset: number): number {
    return this.#guest.readWide(place('mmio', this.#base + MMIO.config + offset))
  }
  interruptStatus(): number {
    const causes = this.causes()
    if (causes !== 0) this.acknowledge(causes)
    return causes
  }
  causes(): number {
    return this.#read(MMIO.interruptStatus)
  }
  acknowledge(causes: number): void {
    this.#write(MMIO.interruptAck, causes)
  }

  /** Nothing to do: the platform places the registers. */
  configure(): void {}
  move(target: Target): void {
    this.#guest.target = target
  }

  #read(register: number): number {
    return this.#guest.read32(place('mmio', this.#base + register))
  }
  #write(register: number, value: number): void {
    this.#guest.write32(place('mmio', this.#base + register), value)
  }
  #write64(register: number, value: Wide): void {
    this.#guest.write64(place('mmio', this.#base + register), value)
  }
}

export const openMmio = (target: Target, device: DeviceDescription, base: Gpa): VirtioTransport => {
  const guest = new Guest(target)
  const expect = (what: string, register: number, fits: (found: number) => boolean, expected: string): void => {
    const found = guest.read32(place('mmio', base + register))
    if (!fits(found))
      throw new ModelError(
        `${device.id}: virtio-mmio at 0x${base.toString(16)}: ${what}: expected ${expected}, found 0x${found.toString(16)}`,
      )
  }
  expect('MagicValue', MMIO.magicValue, (found) => found === MMIO_MAGIC, `0x${MMIO_MAGIC.toString(16)}`)
  expect('Version', MMIO.version, (found) => found === VERSION_MODERN, '2 (1 is the legacy interface)')
  expect('DeviceID', MMIO.deviceId, (found) => found !== 0, 'a device (0 is a placeholder without one)')
  return new VirtioMmio(guest, base)
}
