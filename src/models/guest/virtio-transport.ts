/** What a virtio driver does with a device, whatever carries it. Nothing is validated: drivers here may be hostile. */
import { placeOf } from '../../contract/place.ts'
import type { DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import type { Wide } from './access.ts'
import type { Message } from './msix.ts'
import { openMmio } from './virtio-mmio.ts'
import { openPci } from './virtio-pci.ts'

export interface VirtioTransport {
  readonly kind: 'pci' | 'mmio'
  /** How interrupts arrive: as messages, on an INTx line, on the line of an MMIO device. */
  readonly interrupts: 'msix' | 'intx' | 'line'
  status(): number
  /** The same, told to `then`: at once, or by the time the next answer that is waited for has come. */
  statusLater(then: (status: number) => void): void
  setStatus(value: number): void
  /** Bits 0 to 63. */
  deviceFeatures(): bigint
  setDriverFeatures(bits: bigint): void
  readDeviceFeatures(select: number): number
  /** What the driver accepted, as the device shows it; MMIO has no register for that. */
  readDriverFeatures?(select: number): number
  writeDriverFeatures(select: number, value: number): void
  /** MMIO has no register for it: the queues before the first of maximum size 0 are counted, at most 64. */
  queueCount(): number
  queueSizeMax(queue: number): number
  /** Writes every register of a queue, then enables it. */
  setUpQueue(queue: number, size: number, desc: Wide, driver: Wide, device: Wide, vector?: number): void
  queueEnabled(queue: number): boolean
  /** Only where the device has the register, which it need not without RING_RESET. */
  resetQueue?(queue: number): void
  queueInReset?(queue: number): boolean
  /** An available-buffer notification: exactly one write. */
  kick(queue: number): void
  configGeneration(): number
  readConfig(offset: number, width: 1 | 2 | 4): number
  writeConfig(offset: number, width: 1 | 2 | 4, value: number): void
  /** Eight bytes as two reads, high half first. */
  readConfigWide(offset: number): number
  /** Causes since the last call: a PCI read clears them, on MMIO they are read and acknowledged. */
  interruptStatus(): number
  /** MMIO alone: causes as they are, and a write that acknowledges some of them. */
  causes?(): number
  acknowledge?(causes: number): void
  /** Writes a vector register and returns what it reads back. */
  setConfigVector?(vector: number): number
  /** The same, and `then` is told what it reads back, as by `statusLater`. */
  setConfigVectorFor?(vector: number, then: (found: number) => void): void
  setQueueVector?(queue: number, vector: number): number
  maskVector?(vector: number, masked: boolean): void
  enableMsix?(on: boolean): void
  pending?(vector: number): boolean
  /** What an `msi` event of that vector looks like. */
  messageOf?(vector: number): Message
  /** Writes again what a system or function reset has erased: BARs, decoding, bus mastering, the MSI-X table. */
  configure(): void
  /** After the device state moved into a fresh instance: go on with that one. */
  move(target: Target): void
}

export interface TransportOptions {
  /** Memory set aside for messages; default: the fact `messageGpa` of the device, else the interrupt window of x86. */
  readonly messageBase?: Gpa
  /** INTx even where there is MSI-X. */
  readonly preferIntx?: boolean
}

/**
 * Finds a virtio device where its description says and makes it reachable. Nothing virtio is written: status, features
 * and queues are as before. Throws a ModelError when the device lacks a structure that a driver cannot do without.
 */
export const openTransport = (
  target: Target,
  device: DeviceDescription,
  options: TransportOptions = {},
): VirtioTransport => {
  switch (device.transport.kind) {
    case 'pci':
      return openPci(target, device, options)
    case 'mmio':
      return openMmio(target, device, device.transport.base)
    case 'port':
    case 'chip':
      throw new ModelError(`${device.id}: expected ${device.kind} over PCI or MMIO, found ${placeOf(device)}`)
  }
}
