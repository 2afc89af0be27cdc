/** The seam between the platform and its PCI half. */

import type { DeviceDescription, ResetKind, TargetEvent } from '../contract/index.ts'
import type { VirtioDevice } from './paravirtual/device.ts'

export type BusSpace = 'port' | 'mmio' | 'config'

export interface PciBus {
  /** Reads `width` (1, 2 or 4) bytes, little endian. `undefined`: nobody claims the access. */
  read(space: BusSpace, address: number, width: number): number | undefined
  /** Writes `width` (1, 2 or 4) bytes. False: nobody claims the access. */
  write(space: BusSpace, address: number, width: number, value: number): boolean
  /** One step of the bus and its functions themselves (a function-level reset that completes). Devices are stepped by the platform. */
  step(): boolean
  reset(kind: ResetKind): void
  /** Kinds of reset that `reset` understands. */
  readonly resets: readonly ResetKind[]
  save(): unknown
  restore(state: unknown): void
  devices(): DeviceDescription[]
}

/** One virtio device to be put behind a PCI function. */
export interface PciSeat {
  readonly id: string
  readonly kind: string
  readonly device: VirtioDevice
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

export interface PciBusOptions {
  readonly seats: readonly PciSeat[]
  /** Also offer the legacy register block. */
  readonly transitional?: boolean
  /** Where `msi` and `line` events go, in order with the memory accesses. */
  readonly emit: (event: TargetEvent) => void
}
