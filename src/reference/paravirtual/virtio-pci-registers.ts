/** Registers of a virtio structure on PCI, as tables; and those that the modern and the legacy interface both have. */
import { NO_VECTOR } from '../../layout/virtio.ts'
import type { PciFunction } from '../pci/function.ts'
import type { VirtioPci } from './virtio-pci.ts'

/** A register of a virtio structure: it answers an access at its own offset and of its own width, and no other. */
export interface VirtioRegister {
  readonly at: number
  readonly bytes: 1 | 2 | 4
  readonly name: string
  read(transport: VirtioPci, fn: PciFunction): number
  write?(transport: VirtioPci, fn: PciFunction, value: number): void
}

/** Finds the register for an access; none when offset or width do not match. */
export function registerTable(registers: readonly VirtioRegister[]) {
  const byOffset = new Map(registers.map((register) => [register.at, register]))
  return (offset: number, width: number): VirtioRegister | undefined => {
    const register = byOffset.get(offset)
    return register?.bytes === width ? register : undefined
  }
}

/** One window of the offered features: the selected one, or the only one that there is. */
export const deviceFeature = (at: number, window: (transport: VirtioPci) => number): VirtioRegister => ({
  at,
  bytes: 4,
  name: 'device_feature',
  read: (transport) => transport.device.deviceFeatures(window(transport)),
})

export const driverFeature = (at: number, window: (transport: VirtioPci) => number): VirtioRegister => ({
  at,
  bytes: 4,
  name: 'driver_feature',
  read: (transport) => transport.device.driverFeatures(window(transport)),
  write: (transport, _fn, value) => transport.device.setDriverFeatures(window(transport), value),
})

export const configVector = (at: number): VirtioRegister => ({
  at,
  bytes: 2,
  name: 'config_msix_vector',
  read: ({ state }) => state.configVector,
  write: (transport, fn, value) => transport.mapConfigVector(fn, value),
})

export const queueVector = (at: number): VirtioRegister => ({
  at,
  bytes: 2,
  name: 'queue_msix_vector',
  read: ({ state }) => state.queueVectors[state.queueSelect] ?? NO_VECTOR,
  write: (transport, fn, value) => transport.mapQueueVector(fn, value),
})

export const deviceStatus = (at: number): VirtioRegister => ({
  at,
  bytes: 1,
  name: 'device_status',
  read: ({ device }) => device.status(),
  write: (transport, fn, value) => transport.writeStatus(fn, value),
})

export const queueSelect = (at: number): VirtioRegister => ({
  at,
  bytes: 2,
  name: 'queue_select',
  read: ({ state }) => state.queueSelect,
  write({ state }, _fn, value) {
    state.queueSelect = value
  },
})

/** Of the selected queue. In the legacy interface it is read-only, 4.1.4.10. */
export const queueSize = (at: number, writable: boolean): VirtioRegister => ({
  at,
  bytes: 2,
  name: 'queue_size',
  read: ({ device, state }) => device.queue(state.queueSelect)?.size ?? 0,
  ...(writable && {
    write({ device, state }, _fn, value) {
      if (device.queue(state.queueSelect)) device.setQueueSize(state.queueSelect, value)
    },
  }),
})
