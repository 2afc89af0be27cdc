/** A virtio device as the function under test; its event is a change of capacity, or a used buffer. */
import type { Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { FEATURE, NO_VECTOR, STATUS } from '../../layout/virtio.ts'
import { hasRequest, SingleRequest } from '../guest/single-request.ts'
import { arenaOf, VirtioDriver } from '../guest/virtio-device.ts'
import { VirtioPciDriver } from '../guest/virtio-pci.ts'
import type { Landmark, Subject } from './subject.ts'

const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
const AGREED = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
const CAPACITIES = [64, 72] as const
/** Milliseconds, and turns of the target, that a request may take. */
const RETURN_TURNS = 20
const LATE_MS = 2

export class VirtioSubject implements Subject {
  readonly id: string
  readonly landmark: Landmark
  readonly #driver: VirtioDriver
  readonly #pci: VirtioPciDriver
  readonly #resizes: boolean
  readonly #request: SingleRequest
  readonly #sizeMax: number
  #published = false
  #capacity = 0

  constructor(target: Target) {
    this.#driver = new VirtioDriver(target)
    const { transport, device } = this.#driver
    if (!(transport instanceof VirtioPciDriver)) throw new ModelError(`${device.id}: expected a device on PCI`)
    this.#pci = transport
    this.id = device.id
    this.#resizes = target.describe().can.controls.includes('resize')
    this.#request = new SingleRequest(this.#driver, arenaOf(target.describe()).start)
    this.#driver.restart()
    this.landmark = { ...transport.landmark, value: transport.queueCount() }
    this.#sizeMax = transport.queueSizeMax(0)
  }

  get target() {
    return this.#driver.target
  }
  get config() {
    return this.#pci.config
  }
  get bars() {
    return this.#pci.bars
  }
  get capabilities() {
    return this.#pci.capabilities
  }
  get msix() {
    return this.#pci.interrupts === 'msix' ? this.#pci.msix : undefined
  }

  restart(): void {
    this.#driver.restart()
  }

  bringUp(mapped: (still: boolean) => void): void {
    // Something that the reset has to unmap; MSI-X is off.
    this.#pci.setConfigVector?.(0)
    this.#pci.setQueueVector?.(0, 0)
    this.#driver.resetDevice()
    const { transport } = this.#driver
    if (this.msix !== undefined)
      mapped(this.#pci.configVector() !== NO_VECTOR || this.#pci.queueVector(0) !== NO_VECTOR)
    transport.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    transport.setDriverFeatures(VERSION_1)
    transport.setStatus(AGREED)
    this.#published = hasRequest(this.#driver.device)
    if (this.#published) this.#request.publish(this.#driver, this.#sizeMax, undefined)
    transport.setStatus(AGREED | STATUS.DRIVER_OK)
  }

  /** The first chain is served, and its interrupt serviced, before anything is judged. */
  settleIn(): void {
    if (!this.#published) return
    this.#driver.transport.kick(0)
    this.#awaitReturn()
    this.#request.returned()
    this.#driver.forget()
  }

  forget(): void {
    this.#driver.forget()
  }

  provoke(): void {
    if (this.#resizes) {
      this.#capacity = 1 - this.#capacity
      this.target.control!(this.id, { do: 'resize', sectors: CAPACITIES[this.#capacity]! })
    } else this.submit()
    this.target.settle(0)
  }

  submit(): void {
    this.#request.again()
    this.#driver.transport.kick(0)
    this.#awaitReturn()
  }

  map(vector: number): number {
    return this.#pci.setConfigVector!(vector)
  }
  causes(): number {
    return this.#pci.interruptStatus() & 3
  }
  isRunning(): boolean {
    return (this.#pci.status() & STATUS.DRIVER_OK) !== 0
  }
  hasWritten(): boolean {
    return this.#published && this.#request.returned() > 0
  }

  move(target: Target): void {
    this.#driver.move(target)
    this.#request.move(target)
  }
  notes(): readonly unknown[] {
    return [this.#published, this.#capacity, this.#driver.notes(), this.#request.notes()]
  }

  /** Waits until a buffer came back, which it need not: without bus mastering it does not. */
  #awaitReturn(): void {
    const { target } = this
    target.settle(0)
    for (let turn = 0; turn < RETURN_TURNS && this.#request.pending; turn++) target.settle(1)
    // The used index comes first: the interrupt of an asynchronous target may still be on its way.
    if (!target.describe().can.synchronous) target.settle(LATE_MS)
  }
}
