/** The PCI transport (VIRTIO 1.3, 4.1), with its structures in memory BARs or in I/O BARs. */
import type { DeviceDescription, Location, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { CAPABILITY } from '../../layout/pci.ts'
import { CFG_TYPE, COMMON } from '../../layout/virtio.ts'
import { Guest, place, type Wide } from './access.ts'
import { findMsix, type Message, type Msix } from './msix.ts'
import { type Bar, enableFunction, placeBars, probeBars } from './pci-bars.ts'
import { type Capability, type ConfigSpace, findFunction } from './pci-bus.ts'
import type { TransportOptions, VirtioTransport } from './virtio-transport.ts'

/** A virtio capability: offsets of its fields from its start, 4.1.4. */
const VIRTIO_CAP = { type: 3, bar: 4, offset: 8, length: 12, notifyMultiplier: 16 } as const

/** A structure of registers, found through its capability. */
export interface Structure {
  readonly type: number
  readonly bar: Bar
  readonly offset: number
  readonly bytes: number
  /** Where its capability is in configuration space. */
  readonly at: number
}

/** A virtio function, with what a PCI driver needs beside the transport. */
export class VirtioPciDriver implements VirtioTransport {
  readonly kind = 'pci'
  readonly interrupts: 'msix' | 'intx'
  readonly config: ConfigSpace
  readonly bars: readonly Bar[]
  readonly capabilities: readonly Capability[]
  readonly msix: Msix | undefined
  /** Present when the device has the register. */
  readonly resetQueue?: (queue: number) => void
  readonly queueInReset?: (queue: number) => boolean
  readonly setConfigVector?: (vector: number) => number
  readonly setConfigVectorFor?: (vector: number, then: (found: number) => void) => void
  readonly setQueueVector?: (queue: number, vector: number) => number
  readonly maskVector?: (vector: number, masked: boolean) => void
  readonly enableMsix?: (on: boolean) => void
  readonly pending?: (vector: number) => boolean
  readonly messageOf?: (vector: number) => Message
  readonly #guest: Guest
  readonly #common: Structure
  readonly #notify: Structure
  readonly #isr: Structure
  readonly #device: Structure | undefined
  readonly #multiplier: number
  /** `queue_notify_off` of the queues met so far. */
  readonly #notifyOff: number[] = []

  constructor(guest: Guest, device: DeviceDescription, options: TransportOptions) {
    this.#guest = guest
    this.config = findFunction(guest, device)
    this.bars = probeBars(this.config)
    const { messageGpa, memoryWindow } = device.facts ?? {}
    placeBars(this.config, this.bars, typeof memoryWindow === 'number' ? memoryWindow : undefined)
    this.capabilities = this.config.capabilities()
    const structures = findStructures(this.config, this.capabilities, this.bars)
    const need = (type: number, what: string): Structure => {
      const found = structures.find((each) => each.type === type)
      if (found !== undefined) return found
      throw new ModelError(
        `${device.id}: expected a virtio capability for the ${what} structure (cfg_type ${type}) in an implemented BAR, found types ${structures.map((each) => each.type).join(', ') || 'none'}`,
      )
    }
    this.#common = need(CFG_TYPE.COMMON, 'common configuration')
    this.#notify = need(CFG_TYPE.NOTIFY, 'notification')
    this.#isr = need(CFG_TYPE.ISR, 'ISR')
    this.#device = structures.find((each) => each.type === CFG_TYPE.DEVICE)
    this.#multiplier = this.config.read32(this.#notify.at + VIRTIO_CAP.notifyMultiplier)
    const messageBase = options.messageBase ?? (typeof messageGpa === 'number' ? messageGpa : undefined)
    const msix = findMsix(this.config, this.capabilities, this.bars, messageBase)
    this.msix = msix
    const usesMessages = msix !== undefined && !options.preferIntx && guest.target.describe().observes.msi !== 'none'
    this.interrupts = usesMessages ? 'msix' : 'intx'
    if (msix !== undefined) {
      this.setConfigVector = (vector) => {
        this.#write16(COMMON.configMsixVector, vector)
        return this.#read16(COMMON.configMsixVector)
      }
      this.setConfigVectorFor = (vector, then) => {
        this.#write16(COMMON.configMsixVector, vector)
        guest.readLater(this.#at(COMMON.configMsixVector), 2, then)
      }
      this.setQueueVector = (queue, vector) => {
        this.#select(queue)
        this.#write16(COMMON.queueMsixVector, vector)
        return this.#read16(COMMON.queueMsixVector)
      }
      this.maskVector = (vector, masked) => msix.mask(vector, masked)
      this.enableMsix = (on) => msix.control(on, false)
      this.pending = (vector) => msix.pending(vector)
      this.messageOf = (vector) => msix.messageOf(vector)
    }
    if (this.#common.bytes >= COMMON.queueReset + 2) {
      this.resetQueue = (queue) => {
        this.#select(queue)
        this.#write16(COMMON.queueReset, 1)
      }
      this.queueInReset = (queue) => {
        this.#select(queue)
        return this.#read16(COMMON.queueReset) !== 0
      }
    }
    this.configure()
  }

  configure(): void {
    enableFunction(this.config, this.bars)
    if (this.interrupts === 'msix') this.msix?.program()
  }
  move(target: Target): void {
    this.#guest.target = target
  }

  status(): number {
    return this.#guest.read8(this.#at(COMMON.deviceStatus))
  }
  statusLater(then: (status: number) => void): void {
    this.#guest.readLater(this.#at(COMMON.deviceStatus), 1, then)
  }
  setStatus(value: number): void {
    this.#guest.write8(this.#at(COMMON.deviceStatus), value)
  }

  deviceFeatures(): bigint {
    return BigInt(this.readDeviceFeatures(0)) | (BigInt(this.readDeviceFeatures(1)) << 32n)
  }
  setDriverFeatures(bits: bigint): void {
    this.writeDriverFeatures(0, Number(bits & 0xffff_ffffn))
    this.writeDriverFeatures(1, Number((bits >> 32n) & 0xffff_ffffn))
  }
  readDeviceFeatures(select: number): number {
    this.#guest.write32(this.#at(COMMON.deviceFeatureSelect), select)
    return this.#guest.read32(this.#at(COMMON.deviceFeature))
  }
  writeDriverFeatures(select: number, value: number): void {
    this.#guest.write32(this.#at(COMMON.driverFeatureSelect), select)
    this.#guest.write32(this.#at(COMMON.driverFeature), value)
  }
  readDriverFeatures(select: number): number {
    this.#guest.write32(this.#at(COMMON.driverFeatureSelect), select)
    return this.#guest.read32(this.#at(COMMON.driverFeature))
  }

  queueCount(): number {
    return this.#read16(COMMON.numQueues)
  }
  /** The maximum until the driver writes a smaller size; after a reset that is forgotten. */
  queueSizeMax(queue: number): number {
    this.#select(queue)
    return this.#read16(COMMON.queueSize)
  }
  setUpQueue(queue: number, size: number, desc: Wide, driver: Wide, device: Wide, vector?: number): void {
    this.#doorbell(queue)
    this.#select(queue)
    this.#write16(COMMON.queueSize, size)
    if (vector !== undefined) this.#write16(COMMON.queueMsixVector, vector)
    this.#guest.write64(this.#at(COMMON.queueDesc), desc)
    this.#guest.write64(this.#at(COMMON.queueDriver), driver)
    this.#guest.write64(this.#at(COMMON.queueDevice), device)
    this.#write16(COMMON.queueEnable, 1)
  }
  queueEnabled(queue: number): boolean {
    this.#select(queue)
    return this.#read16(COMMON.queueEnable) !== 0
  }
  kick(queue: number): void {
    this.#guest.write16(this.#doorbell(queue), queue)
  }

  configGeneration(): number {
    return this.#guest.read8(this.#at(COMMON.configGeneration))
  }
  readConfig(offset: number, width: 1 | 2 | 4): number {
    return this.#guest.read(this.#deviceAt(offset), width)
  }
  writeConfig(offset: number, width: 1 | 2 | 4, value: number): void {
    this.#guest.target.write(this.#deviceAt(offset), width, BigInt(value))
  }
  readConfigWide(offset: number): number {
    return this.#guest.readWide(this.#deviceAt(offset))
  }
  interruptStatus(): number {
    return this.#guest.read8(within(this.#isr, 0))
  }
  /** The vector register of configuration changes, as it reads. */
  configVector(): number {
    return this.#read16(COMMON.configMsixVector)
  }
  queueVector(queue: number): number {
    this.#select(queue)
    return this.#read16(COMMON.queueMsixVector)
  }
  /** The BAR of the common configuration, and where in it `num_queues` is. */
  get landmark(): { readonly bar: Bar; readonly offset: number } {
    return { bar: this.#common.bar, offset: this.#common.offset + COMMON.numQueues }
  }

  #deviceAt(offset: number): Location {
    if (this.#device !== undefined) return within(this.#device, offset)
    throw new ModelError(
      `${this.config.device}: expected a virtio capability for the device configuration (cfg_type 4), found none`,
    )
  }
  #doorbell(queue: number): Location {
    let off = this.#notifyOff[queue]
    if (off === undefined) {
      this.#select(queue)
      off = this.#read16(COMMON.queueNotifyOff)
      this.#notifyOff[queue] = off
    }
    return within(this.#notify, off * this.#multiplier)
  }
  #select(queue: number): void {
    this.#write16(COMMON.queueSelect, queue)
  }
  #at(register: number): Location {
    return within(this.#common, register)
  }
  #read16(register: number): number {
    return this.#guest.read16(this.#at(register))
  }
  #write16(register: number, value: number): void {
    this.#guest.write16(this.#at(register), value)
  }
}

/** Read at each access, not once: BARs move. */
const within = ({ bar, offset }: Structure, at: number): Location => place(bar.space, bar.base + offset + at)

/** The structures in the order of the list; of two of one type the first is the one to use, 4.1.4.1. */
const findStructures = (
  config: ConfigSpace,
  capabilities: readonly Capability[],
  bars: readonly Bar[],
): readonly Structure[] =>
  capabilities
    .filter(({ id }) => id === CAPABILITY.VENDOR)
    .flatMap(({ at }) => {
      // A capability with a reserved BAR value is to be ignored, 4.1.4.1; one whose BAR does not exist is no use.
      const wanted = config.read8(at + VIRTIO_CAP.bar)
      const bar = bars.find(({ index }) => index === wanted)
      const type = config.read8(at + VIRTIO_CAP.type)
      if (bar === undefined || type === CFG_TYPE.PCI) return []
      const offset = config.read32(at + VIRTIO_CAP.offset)
      return [{ type, bar, offset, bytes: config.read32(at + VIRTIO_CAP.length), at }]
    })

export const openPci = (target: Target, device: DeviceDescription, options: TransportOptions = {}): VirtioPciDriver =>
  new VirtioPciDriver(new Guest(target), device, options)
