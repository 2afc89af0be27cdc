/** The function that does nothing but interrupt, see `layout/msi-device.ts`. */
import { MAPPED_EVENT, MSI_DEVICE, MSI_REGISTERS, MSI_SIGNATURE, UNMAPPED_EVENT } from '../../layout/msi-device.ts'
import { NO_VECTOR } from '../../layout/virtio.ts'
import type { BarWindow } from './bars.ts'
import { type Identity, type PciFunction, type Personality, raiseVector, settle } from './function.ts'
import { msixOwns, readMsix, writeMsix } from './msix.ts'

const VECTORS = 4
const EVENTS = UNMAPPED_EVENT | MAPPED_EVENT

interface MsiDeviceState {
  running: boolean
  vector: number
}

const IDENTITY: Identity = {
  vendorId: MSI_DEVICE.vendor,
  deviceId: MSI_DEVICE.device,
  revision: 1,
  // Other, unclassified.
  classCode: 0xff0000,
  subsystemVendorId: MSI_DEVICE.vendor,
  subsystemId: MSI_DEVICE.device,
}
const BARS: readonly BarWindow[] = [0, 1].map((index) => ({ index, kind: 'memory32', bytes: MSI_DEVICE.bytes }))
const MSIX = { vectors: VECTORS, bar: 1, table: MSI_DEVICE.table, pba: MSI_DEVICE.pending }

export class MsiDevice implements Personality {
  readonly identity = IDENTITY
  readonly bars = BARS
  readonly msix = MSIX
  readonly capabilities = []
  #state: MsiDeviceState = fresh()

  connect(): void {}

  readBar(fn: PciFunction, bar: number, offset: number, width: 1 | 2 | 4): number {
    if (msixOwns(this.msix, bar, offset)) return readMsix(fn.state.msix, fn.parts, this.msix, offset, width)
    switch (bar === 0 ? offset : undefined) {
      case MSI_REGISTERS.signature:
        return MSI_SIGNATURE
      case MSI_REGISTERS.status:
        return this.#state.running ? 1 : 0
      case MSI_REGISTERS.causes:
        return this.#takeCauses(fn)
      case MSI_REGISTERS.vector:
        return this.#state.vector
      default:
        return 0
    }
  }

  writeBar(fn: PciFunction, bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    if (msixOwns(this.msix, bar, offset)) {
      writeMsix(fn.state.msix, this.msix, offset, width, value)
      settle(fn)
    } else if (bar === 0) this.#write(fn, offset, value)
  }

  #write(fn: PciFunction, offset: number, value: number): void {
    if (offset === MSI_REGISTERS.status) {
      if (value === 0) this.resetDevice(fn)
      else this.#state.running = true
    } else if (offset === MSI_REGISTERS.doorbell) this.#happen(fn, value & EVENTS)
    else if (offset === MSI_REGISTERS.resolve) {
      const { msix } = fn.state
      const entry = fn.parts.vectorOf(this.#state.vector, msix.entries.length)
      if (entry !== undefined && entry < msix.entries.length) fn.parts.resolve(msix, entry)
    } else if (offset === MSI_REGISTERS.vector)
      this.#state.vector = fn.parts.vectorAfterWrite(value & 0xffff, fn.state.msix.entries.length)
  }

  #happen(fn: PciFunction, events: number): void {
    if (!this.#state.running) return
    const { msix } = fn.state
    for (const event of [UNMAPPED_EVENT, MAPPED_EVENT]) {
      if ((events & event) === 0) continue
      if (event === MAPPED_EVENT || !msix.enabled) fn.state.causes = fn.parts.causesAfterEvent(fn.state, event)
      const entry = event === MAPPED_EVENT ? fn.parts.vectorOf(this.#state.vector, msix.entries.length) : undefined
      if (msix.enabled && entry !== undefined) raiseVector(fn, entry)
    }
    settle(fn)
  }

  #takeCauses(fn: PciFunction): number {
    const causes = fn.parts.causesToRead(fn.state)
    fn.state.causes = fn.parts.causesAfterRead(fn.state)
    settle(fn)
    return causes
  }

  resetDevice(fn: PciFunction): void {
    const [vector = NO_VECTOR] = fn.parts.vectorsAfterReset([this.#state.vector])
    this.#state = { ...fresh(), vector }
    fn.state.causes = 0
    fn.state.msix.pending.fill(false)
    settle(fn)
  }

  reset(): void {
    this.#state = fresh()
  }
  quiesced(): boolean {
    return true
  }
  busMaster(): void {}

  save(): unknown {
    return { ...this.#state }
  }
  restore(state: unknown): void {
    this.#state = { ...(state as MsiDeviceState) }
  }
}

const fresh = (): MsiDeviceState => ({ running: false, vector: NO_VECTOR })
