/** What a hypervisor that gives devices away decides, each in a part of its own. */
import { HOST_MESSAGE } from '../../layout/dma-device.ts'
import { correctDomains, type DomainParts } from '../iommu/domains.ts'
import { correctDmaDevice, type DmaDeviceParts } from './dma-device.ts'

/** A range that firmware declares for a device: its address space has it at the same addresses. */
export interface Declared {
  /** Page number, in memory as in the address space. */
  readonly page: number
  readonly pages: number
  readonly write: boolean
}

/** One thing that is done to a device on its way to an owner, or back. */
export type Stage = 'reset' | 'attach' | 'detach' | 'host'

export interface DeviceView {
  /** The VM; -1: none. */
  readonly owner: number
  readonly group: number
  readonly resetting: boolean
}

export interface AssignmentParts {
  readonly domains: DomainParts
  readonly hardware: DmaDeviceParts
  mayAssign(devices: readonly DeviceView[], device: number, vm: number): boolean
  /** What is mapped for the declared ranges of a device. */
  identity(declared: readonly Declared[]): readonly Declared[]
  /** In which order a device is given, given back, and taken from a VM that goes away. */
  stages(task: 'assign' | 'unassign' | 'destroy'): readonly Stage[]
  /** Is a reset over, so that what comes after it may begin? */
  isReset(pending: boolean): boolean
  /** Which devices a reset of the bus behind a bridge reaches. */
  reached(devices: readonly DeviceView[], device: number): readonly number[]
  /** The physical message for one that a guest wants. */
  messageAddress(device: number, wanted: number): number
  /** Is a page that a VM gave back cleared and free only when its invalidation is over? */
  freesAt(ended: boolean): boolean
  /** Is a page of a VM that goes away taken out of its address space? */
  unmapsAtEnd(page: number): boolean
}

export const correctAssignment = (): AssignmentParts => ({
  domains: { ...correctDomains },
  hardware: { ...correctDmaDevice },
  mayAssign: (devices, device, vm) =>
    devices.every(
      ({ owner, group, resetting }) =>
        group !== devices[device]!.group || (!resetting && (owner === -1 || owner === vm)),
    ) && devices[device]!.owner === -1,
  identity: (declared) => declared,
  stages: (task) => (task === 'assign' ? ['reset', 'attach'] : ['reset', 'detach']),
  isReset: (pending) => !pending,
  reached: (devices, device) => [...devices.keys()].filter((each) => devices[each]!.group === devices[device]!.group),
  messageAddress: (device) => HOST_MESSAGE + 0x1000 * (device + 1),
  freesAt: (ended) => ended,
  unmapsAtEnd: () => true,
})
