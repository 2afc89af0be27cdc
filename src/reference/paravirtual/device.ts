/**
 * The seam between a virtio transport and the device behind it. A transport (PCI, MMIO) owns registers and
 * interrupts; the device owns status, features, queues, configuration space and all DMA.
 */

/** What a transport offers its device: how notifications leave. */
export interface Signals {
  /** A used-buffer notification for `queue`. */
  queueInterrupt(queue: number): void
  /** A configuration change notification. */
  configInterrupt(): void
}

/** A 64-bit guest address as two unsigned 32-bit halves, low first: a number cannot hold all of them. */
export type Halves = [low: number, high: number]

/** Registers of one queue as both transports expose them. */
export interface QueueRegisters {
  /** Largest size that the device supports, in descriptors. */
  readonly sizeMax: number
  size: number
  enabled: boolean
  /** A queue reset (RING_RESET) is still under way. */
  resetting: boolean
  desc: Halves
  driver: Halves
  device: Halves
}

export type QueueArea = 'desc' | 'driver' | 'device'

export interface VirtioDevice {
  /** Of `DEVICE_TYPE`. */
  readonly type: number
  readonly queueCount: number
  attach(signals: Signals): void
  /** One 32-bit window of the offered features; 0 beyond the last. */
  deviceFeatures(select: number): number
  driverFeatures(select: number): number
  setDriverFeatures(select: number, value: number): void
  status(): number
  /** 0 resets. A reset may complete later: `status()` reads non-zero until it has. */
  setStatus(value: number): void
  queue(index: number): QueueRegisters | undefined
  setQueueSize(index: number, value: number): void
  /** `half` 0 is the low one. */
  setQueueAddress(index: number, area: QueueArea, half: 0 | 1, value: number): void
  enableQueue(index: number): void
  /** MMIO QueueReady = 0. */
  disableQueue(index: number): void
  /** RING_RESET. */
  resetQueue(index: number): void
  /** An available-buffer notification: marks work as pending, does none of it. */
  kick(index: number): void
  configGeneration(): number
  readConfig(offset: number, width: 1 | 2 | 4): number
  writeConfig(offset: number, width: 1 | 2 | 4, value: number): void
  /** One smallest step: one guest-memory access or one internal decision. False: nothing to do. */
  step(): boolean
  /** The bus-master bit of PCI: while off the device does no DMA. On at power-up for transports without one. */
  busMaster(enabled: boolean): void
  /** JSON-shaped plain data: the whole state, programs in the middle of an action included. */
  save(): unknown
  restore(state: unknown): void
}
