import { COMMON, FEATURE, NO_VECTOR } from '../../layout/virtio.ts'
import type { PciFunction } from '../pci/function.ts'
import type { QueueArea } from './device.ts'
import type { VirtioPci } from './virtio-pci.ts'

/** A register of a virtio structure: it answers an access at its own offset and of its own width, and no other. */
export interface VirtioRegister {
  readonly at: number
  readonly bytes: 1 | 2 | 4
  readonly name: string
  read(transport: VirtioPci, fn: PciFunction): number
  write?(transport: VirtioPci, fn: PciFunction, value: number): void
}

/** Bytes of the structure: through `queue_reset`. */
export const COMMON_BYTES = 0x3c

const selected = ({ device, state }: VirtioPci) => device.queue(state.queueSelect)

/** Was this feature bit negotiated by the driver? */
export const negotiated = ({ device }: VirtioPci, feature: number): boolean =>
  ((device.driverFeatures(feature >>> 5) >>> (feature & 31)) & 1) === 1

/** One half of a queue address. Writes for queues that do not exist go nowhere. */
function address(at: number, area: QueueArea, half: 0 | 1): VirtioRegister {
  return {
    at: at + 4 * half,
    bytes: 4,
    name: `queue_${area}, ${half === 0 ? 'low' : 'high'} half`,
    read: (transport) => selected(transport)?.[area][half] ?? 0,
    write(transport, _fn, value) {
      if (selected(transport)) transport.device.setQueueAddress(transport.state.queueSelect, area, half, value)
    },
  }
}

/** The common configuration structure, VIRTIO 1.3 4.1.4.3. */
const registers: readonly VirtioRegister[] = [
  {
    at: COMMON.deviceFeatureSelect,
    bytes: 4,
    name: 'device_feature_select',
    read: ({ state }) => state.deviceFeatureSelect,
    write({ state }, _fn, value) {
      state.deviceFeatureSelect = value
    },
  },
  {
    at: COMMON.deviceFeature,
    bytes: 4,
    name: 'device_feature',
    read: ({ device, state }) => device.deviceFeatures(state.deviceFeatureSelect),
  },
  {
    at: COMMON.driverFeatureSelect,
    bytes: 4,
    name: 'driver_feature_select',
    read: ({ state }) => state.driverFeatureSelect,
    write({ state }, _fn, value) {
      state.driverFeatureSelect = value
    },
  },
  {
    at: COMMON.driverFeature,
    bytes: 4,
    name: 'driver_feature',
    read: ({ device, state }) => device.driverFeatures(state.driverFeatureSelect),
    write({ device, state }, _fn, value) {
      device.setDriverFeatures(state.driverFeatureSelect, value)
    },
  },
  {
    at: COMMON.configMsixVector,
    bytes: 2,
    name: 'config_msix_vector',
    read: ({ state }) => state.configVector,
    write: (transport, fn, value) => transport.mapConfigVector(fn, value),
  },
  { at: COMMON.numQueues, bytes: 2, name: 'num_queues', read: ({ device }) => device.queueCount },
  {
    at: COMMON.deviceStatus,
    bytes: 1,
    name: 'device_status',
    read: ({ device }) => device.status(),
    write: (transport, fn, value) => transport.writeStatus(fn, value),
  },
  {
    at: COMMON.configGeneration,
    bytes: 1,
    name: 'config_generation',
    read: ({ device }) => device.configGeneration() & 0xff,
  },
  {
    at: COMMON.queueSelect,
    bytes: 2,
    name: 'queue_select',
    read: ({ state }) => state.queueSelect,
    write({ state }, _fn, value) {
      state.queueSelect = value
    },
  },
  {
    at: COMMON.queueSize,
    bytes: 2,
    name: 'queue_size',
    read: (transport) => selected(transport)?.size ?? 0,
    write(transport, _fn, value) {
      if (selected(transport)) transport.device.setQueueSize(transport.state.queueSelect, value)
    },
  },
  {
    at: COMMON.queueMsixVector,
    bytes: 2,
    name: 'queue_msix_vector',
    read: ({ state }) => state.queueVectors[state.queueSelect] ?? NO_VECTOR,
    write: (transport, fn, value) => transport.mapQueueVector(fn, value),
  },
  {
    at: COMMON.queueEnable,
    bytes: 2,
    name: 'queue_enable',
    read: (transport) => (selected(transport)?.enabled ? 1 : 0),
    write(transport, _fn, value) {
      // The driver must not write 0, 4.1.4.3.2, and nothing says what that would mean: it does nothing.
      if (selected(transport) && value === 1) transport.device.enableQueue(transport.state.queueSelect)
    },
  },
  {
    at: COMMON.queueNotifyOff,
    bytes: 2,
    name: 'queue_notify_off',
    read: (transport) => (selected(transport) ? transport.state.queueSelect : 0),
  },
  address(COMMON.queueDesc, 'desc', 0),
  address(COMMON.queueDesc, 'desc', 1),
  address(COMMON.queueDriver, 'driver', 0),
  address(COMMON.queueDriver, 'driver', 1),
  address(COMMON.queueDevice, 'device', 0),
  address(COMMON.queueDevice, 'device', 1),
  {
    at: COMMON.queueReset,
    bytes: 2,
    name: 'queue_reset',
    read: (transport) => (selected(transport)?.resetting ? 1 : 0),
    write(transport, _fn, value) {
      const { queueSelect, queueVectors } = transport.state
      if (!selected(transport) || value !== 1 || !negotiated(transport, FEATURE.RING_RESET)) return
      // Back to the state after a device reset, 2.6.1.1: the mapping to a vector goes with the rest.
      queueVectors[queueSelect] = NO_VECTOR
      transport.device.resetQueue(queueSelect)
    },
  },
]

const byOffset = new Map(registers.map((register) => [register.at, register]))

/** The register for an access to the common structure; none when offset or width do not match. */
export function commonRegister(offset: number, width: number): VirtioRegister | undefined {
  const register = byOffset.get(offset)
  return register?.bytes === width ? register : undefined
}
