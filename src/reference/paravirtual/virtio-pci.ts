import { FEATURE, ISR, NO_VECTOR } from '../../layout/virtio.ts'
import type { BarWindow } from '../pci/bars.ts'
import {
  type Capability,
  type Identity,
  type PciFunction,
  type Personality,
  raiseVector,
  settle,
} from '../pci/function.ts'
import { type MsixWindow, msixOwns, readMsix, writeMsix } from '../pci/msix.ts'
import type { VirtioDevice } from './device.ts'
import { commonRegister, negotiated } from './virtio-pci-common.ts'
import { readLegacy, writeLegacy } from './virtio-pci-legacy.ts'
import {
  identity,
  NOTIFY_MULTIPLIER,
  type Structure,
  shapes,
  structureCapability,
  type VirtioPciShape,
} from './virtio-pci-shape.ts'
import { windowCapability } from './virtio-pci-window.ts'

/** Transport registers. Plain JSON. */
export interface VirtioPciState {
  deviceFeatureSelect: number
  driverFeatureSelect: number
  queueSelect: number
  configVector: number
  queueVectors: number[]
  /** `cap.bar`, `cap.offset` and `cap.length` of the configuration access window, 4.1.4.9. */
  window: { bar: number; offset: number; length: number }
  /** A device reset has begun; what the device still signals is of before it. */
  draining: boolean
}

/** A virtio device behind a PCI function. */
export class VirtioPci implements Personality {
  readonly device: VirtioDevice
  readonly identity: Identity
  readonly bars: readonly BarWindow[]
  readonly msix: MsixWindow | undefined
  readonly capabilities: readonly Capability[]
  state: VirtioPciState
  readonly #structures: readonly Structure[]

  constructor(device: VirtioDevice, shape: VirtioPciShape) {
    const { bars, msix, structures } = shapes[shape](device.queueCount)
    this.device = device
    this.identity = identity(device.type, shape === 'transitional')
    this.bars = bars
    this.msix = msix
    this.#structures = structures
    this.capabilities = [...structures.flatMap(structureCapability), windowCapability(this)]
    this.state = fresh(device.queueCount)
  }

  connect(fn: PciFunction): void {
    this.device.busMaster(false)
    this.device.attach({
      queueInterrupt: (queue) => this.#signal(fn, ISR.QUEUE, this.state.queueVectors[queue] ?? NO_VECTOR),
      configInterrupt: () => this.#signal(fn, ISR.CONFIG, this.state.configVector),
    })
  }

  /**
   * A notification leaves, 4.1.5.3 and 4.1.5.4. With MSI-X it is the mapped message, or nothing. The ISR bit for
   * queues is set without MSI-X only; the one for configuration changes always, 4.1.4.5.1.
   */
  #signal(fn: PciFunction, cause: number, vector: number): void {
    if (this.#drains()) return
    const { msix } = fn.state
    if (cause === ISR.CONFIG || !msix.enabled) fn.state.causes = fn.parts.causesAfterEvent(fn.state, cause)
    if (msix.enabled) {
      const entry = fn.parts.vectorOf(vector, msix.entries.length)
      if (entry !== undefined) raiseVector(fn, entry)
    }
    settle(fn)
  }

  readBar(fn: PciFunction, bar: number, offset: number, width: 1 | 2 | 4): number {
    if (this.msix && msixOwns(this.msix, bar, offset))
      return readMsix(fn.state.msix, fn.parts, this.msix, offset, width)
    const structure = this.#structureAt(bar, offset, width)
    const at = offset - (structure?.offset ?? 0)
    switch (structure?.kind) {
      case 'common':
        return commonRegister(at, width)?.read(this, fn) ?? 0
      case 'isr':
        return at === 0 && width === 1 ? this.takeCauses(fn) : 0
      case 'device':
        return this.device.readConfig(at, width)
      case 'legacy':
        return readLegacy(this, fn, at, width)
      default:
        return 0
    }
  }

  writeBar(fn: PciFunction, bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    if (this.msix && msixOwns(this.msix, bar, offset)) {
      writeMsix(fn.state.msix, this.msix, offset, width, value)
      settle(fn)
      return
    }
    const structure = this.#structureAt(bar, offset, width)
    const at = offset - (structure?.offset ?? 0)
    if (structure?.kind === 'common') commonRegister(at, width)?.write?.(this, fn, value)
    if (structure?.kind === 'notify') this.#doorbell(at, width)
    if (structure?.kind === 'device') this.device.writeConfig(at, width, value)
    if (structure?.kind === 'legacy') writeLegacy(this, fn, at, width, value)
  }

  #structureAt(bar: number, offset: number, width: number): Structure | undefined {
    return this.#structures.find(
      (each) => each.bar === bar && offset >= each.offset && offset + width <= each.offset + each.bytes,
    )
  }

  /** 16 bits wide, or 32 with NOTIFICATION_DATA, 4.1.5.2. The address names the queue; the value repeats it. */
  #doorbell(at: number, width: number): void {
    const bytes = negotiated(this, FEATURE.NOTIFICATION_DATA) ? 4 : 2
    if (width === bytes && at % NOTIFY_MULTIPLIER === 0) this.kick(at / NOTIFY_MULTIPLIER)
  }

  kick(queue: number): void {
    if (queue < this.device.queueCount) this.device.kick(queue)
  }

  /** Reads the ISR register: causes are handed over and cleared, and INTx falls, 4.1.4.5. */
  takeCauses(fn: PciFunction): number {
    const causes = fn.parts.causesToRead(fn.state)
    fn.state.causes = fn.parts.causesAfterRead(fn.state)
    settle(fn)
    return causes
  }

  mapConfigVector(fn: PciFunction, value: number): void {
    this.state.configVector = fn.parts.vectorAfterWrite(value, fn.state.msix.entries.length)
  }

  mapQueueVector(fn: PciFunction, value: number): void {
    const { queueSelect, queueVectors } = this.state
    if (queueSelect < queueVectors.length) {
      queueVectors[queueSelect] = fn.parts.vectorAfterWrite(value, fn.state.msix.entries.length)
    }
  }

  writeStatus(fn: PciFunction, value: number): void {
    if (value === 0) {
      this.resetDevice(fn)
      return
    }
    // A new life begins: what the device signals from now on is not of before the reset.
    this.#drains()
    this.device.setStatus(value)
  }

  /** Every event is unmapped, no cause and no message of before is left, 4.1.5.1.2.1 and PCI 3.0 6.8.3.5. */
  resetDevice(fn: PciFunction): void {
    const vectors = fn.parts.vectorsAfterReset(this.state.queueVectors)
    this.reset()
    this.state.queueVectors = vectors
    fn.state.causes = 0
    fn.state.msix.pending.fill(false)
    settle(fn)
  }

  reset(): void {
    this.state = { ...fresh(this.device.queueCount), draining: true }
    this.device.setStatus(0)
    this.#drains()
  }

  #drains(): boolean {
    if (this.state.draining && this.device.status() === 0) this.state.draining = false
    return this.state.draining
  }

  quiesced(): boolean {
    return !this.#drains()
  }

  busMaster(enabled: boolean): void {
    this.device.busMaster(enabled)
  }

  save(fn: PciFunction): unknown {
    return structuredClone(fn.parts.transportToSave(this.state))
  }

  restore(state: unknown): void {
    this.state = structuredClone(state) as VirtioPciState
  }
}

function fresh(queueCount: number): VirtioPciState {
  return {
    deviceFeatureSelect: 0,
    driverFeatureSelect: 0,
    queueSelect: 0,
    configVector: NO_VECTOR,
    queueVectors: new Array(queueCount).fill(NO_VECTOR),
    window: { bar: 0, offset: 0, length: 0 },
    draining: false,
  }
}
