import type { PciBusOptions, PciSeat } from '../bus.ts'
import { VirtioPci } from '../paravirtual/virtio-pci.ts'
import type { VirtioPciShape } from '../paravirtual/virtio-pci-shape.ts'
import { freshState, type PciFunction } from './function.ts'
import { PciFunctions } from './functions.ts'
import { correctParts, type PciParts } from './parts.ts'

export interface VirtioPciBusOptions extends PciBusOptions {
  /** Put the structures into I/O BARs instead of memory BARs; there is no MSI-X then. */
  readonly ioBars?: boolean
  /** D3hot to D0 keeps the context. */
  readonly noSoftReset?: boolean
  /** Seeded faults: the parts that they replace. */
  readonly parts?: Partial<PciParts>
}

/** The first device number; 0 is the host bridge's on a real machine, and is empty here. */
const FIRST_DEVICE = 1

/** Bus 0 with one virtio function in each slot from 1 on. */
export function createPciBus(options: VirtioPciBusOptions): PciFunctions {
  if (options.transitional && options.ioBars) {
    throw new Error("PCI bus: 'transitional' and 'ioBars' both want BAR 0; choose one of them")
  }
  if (options.seats.length > 31) throw new Error(`PCI bus: ${options.seats.length} devices, expected at most 31`)
  return new PciFunctions(options.seats.map((seat, index) => createFunction(seat, FIRST_DEVICE + index, options)))
}

function createFunction(seat: PciSeat, device: number, options: VirtioPciBusOptions): PciFunction {
  const shape: VirtioPciShape = options.transitional ? 'transitional' : options.ioBars ? 'io' : 'memory'
  const personality = new VirtioPci(seat.device, shape)
  const fn: PciFunction = {
    options: {
      id: seat.id,
      kind: seat.kind,
      device,
      ...(options.noSoftReset ? { noSoftReset: true } : {}),
      ...(seat.facts ? { facts: seat.facts } : {}),
    },
    personality,
    parts: { ...correctParts, ...options.parts },
    emit: options.emit,
    state: freshState(personality),
  }
  personality.connect(fn)
  return fn
}
