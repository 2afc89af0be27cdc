import { COMMON, FEATURE, NO_VECTOR } from '../../layout/virtio.ts'
import type { QueueArea } from './device.ts'
import type { VirtioPci } from './virtio-pci.ts'
import {
  configVector,
  deviceFeature,
  deviceStatus,
  driverFeature,
  queueSelect,
  queueSize,
  queueVector,
  registerTable,
  type VirtioRegister,
} from './virtio-pci-registers.ts'

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
  deviceFeature(COMMON.deviceFeature, ({ state }) => state.deviceFeatureSelect),
  {
    at: COMMON.driverFeatureSelect,
    bytes: 4,
    name: 'driver_feature_select',
    read: ({ state }) => state.driverFeatureSelect,
    write({ state }, _fn, value) {
      state.driverFeatureSelect = value
    },
  },
  driverFeature(COMMON.driverFeature, ({ state }) => state.driverFeatureSelect),
  configVector(COMMON.configMsixVector),
  { at: COMMON.numQueues, bytes: 2, name: 'num_queues', read: ({ device }) => device.queueCount },
  deviceStatus(COMMON.deviceStatus),
  {
    at: COMMON.configGeneration,
    bytes: 1,
    name: 'config_generation',
    read: ({ device }) => device.configGeneration() & 0xff,
  },
  queueSelect(COMMON.queueSelect),
  queueSize(COMMON.queueSize, true),
  queueVector(COMMON.queueMsixVector),
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

/** The register for an access to the common structure. */
export const commonRegister = registerTable(registers)
