/** What the small virtio models have in common: finding the device, starting it afresh, and reading its interrupts. */
import type { Description, DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { ISR } from '../../layout/virtio.ts'
import { openTransport, type TransportOptions, type VirtioTransport } from './virtio-transport.ts'

/** Milliseconds that a device reset may take before a run starts. */
const RESET_MS = 2_000
const PAUSE_MS = 10
/** The vector of configuration changes, and the one that all queues share. */
export const CONFIG_VECTOR = 0
export const QUEUE_VECTOR = 1

/** The kind of a virtio device of which nothing but its PCI side and its configuration is told. */
export const VIRTIO_FUNCTION = 'virtio-function'

/** Its addresses are translated: a driver has to set a unit up first, and to accept ACCESS_PLATFORM. */
export const isBehindUnit = ({ facts }: DeviceDescription): boolean => facts?.behind !== undefined

/** The first virtio device, where a driver needs no more than that. */
export const virtioOf = (target: Description): DeviceDescription | undefined => {
  const device = target.devices.find(({ kind }) => kind.startsWith('virtio-'))
  return device === undefined || isBehindUnit(device) ? undefined : device
}

/** Guest memory for rings and buffers: the largest range, without address 0, which some devices take for "none". */
export const arenaOf = (target: Description): { readonly start: Gpa; readonly end: Gpa } => {
  const [largest] = [...target.memory].sort((a, b) => b.end - b.start - (a.end - a.start))
  if (largest === undefined) throw new ModelError(`${target.name}: expected guest memory, found none`)
  return { start: Math.ceil(Math.max(largest.start, 1) / 4096) * 4096, end: largest.end }
}

/** A virtio device, driven; one session of a model has one. */
export class VirtioDriver {
  target: Target
  readonly device: DeviceDescription
  readonly transport: VirtioTransport
  readonly #description: Description
  #lineIsUp = false

  constructor(target: Target, options: TransportOptions = {}) {
    this.target = target
    this.#description = target.describe()
    const device = virtioOf(this.#description)
    if (device === undefined) throw new ModelError(`${this.#description.name}: expected a virtio device, found none`)
    this.device = device
    this.transport = openTransport(target, device, options)
  }

  /** A power cycle where there is one, a device reset elsewhere; pending events are forgotten. */
  restart(): void {
    if (this.#description.can.resets.includes('system')) {
      this.target.reset('system')
      this.transport.configure()
    }
    this.resetDevice()
    this.forget()
  }

  /** Writes zero to the status and waits until it reads so. */
  resetDevice(): void {
    this.transport.setStatus(0)
    for (let waited = 0; this.transport.status() !== 0; waited += PAUSE_MS) {
      if (waited >= RESET_MS)
        throw new ModelError(
          `${this.device.id}: expected a device status of 0 within ${RESET_MS} ms of a reset, found 0x${this.transport.status().toString(16)}`,
        )
      this.target.settle(PAUSE_MS)
    }
  }

  /** Drops what has happened so far. */
  forget(): void {
    this.transport.interruptStatus()
    this.target.events()
    this.#lineIsUp = false
  }

  /** Maps configuration changes and, where given, the queue that is selected by it; a reset unmaps them. */
  mapConfig(): void {
    if (this.transport.interrupts === 'msix') this.transport.setConfigVector?.(CONFIG_VECTOR)
  }
  get queueVector(): number | undefined {
    return this.transport.interrupts === 'msix' ? QUEUE_VECTOR : undefined
  }

  /** Interrupts since the last call, by cause. A line that is up is serviced by reading the cause. */
  interrupts(): { readonly queue: number; readonly config: number } {
    const { transport, device } = this
    const { observes } = this.#description
    let queue = 0
    let config = 0
    let level = this.#lineIsUp
    let rose = false
    for (const event of this.target.events()) {
      if ((event.kind !== 'msi' && event.kind !== 'line') || event.device !== device.id) continue
      if (event.kind === 'line') {
        level = event.level
        rose ||= level
      } else if (this.#is(event, CONFIG_VECTOR)) config++
      else if (this.#is(event, QUEUE_VECTOR)) queue++
    }
    if (transport.interrupts !== 'msix' && (level || rose || observes.line === 'none')) {
      const causes = transport.interruptStatus()
      if ((causes & ISR.QUEUE) !== 0) queue++
      if ((causes & ISR.CONFIG) !== 0) config++
    }
    this.#lineIsUp = level
    return { queue, config }
  }

  move(target: Target): void {
    this.target = target
    this.transport.move(target)
  }

  /** What it remembers of a run. */
  notes(): readonly unknown[] {
    return [this.#lineIsUp]
  }

  #is(event: { readonly address: number; readonly data: number }, vector: number): boolean {
    const message = this.transport.messageOf?.(vector)
    return message !== undefined && event.address === message.address && event.data === message.data
  }
}
