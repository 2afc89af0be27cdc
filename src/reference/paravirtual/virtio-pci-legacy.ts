import { LEGACY_PCI } from '../../layout/virtio.ts'
import type { PciFunction } from '../pci/function.ts'
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
} from './virtio-pci-registers.ts'

/** Size of a page and alignment of the used ring in the legacy interface, VIRTIO 1.3 4.1.5.1.3.1 and 2.7.2. */
const LEGACY_PAGE_BYTES = 4096

/**
 * Where the device-specific configuration starts: the two vector registers are there only while MSI-X is enabled,
 * 4.1.4.10.
 */
const configStart = (fn: PciFunction): number => (fn.state.msix.enabled ? 0x18 : 0x14)

/** The legacy register block of a transitional device, 4.1.4.10. Bytes are those of the guest: little endian here. */
const legacyRegister = registerTable([
  deviceFeature(LEGACY_PCI.deviceFeatures, () => 0),
  driverFeature(LEGACY_PCI.driverFeatures, () => 0),
  {
    at: LEGACY_PCI.queueAddress,
    bytes: 4,
    name: 'queue address',
    read: ({ state, device }) => {
      const queue = device.queue(state.queueSelect)
      return queue ? (queue.desc[1] * 2 ** 20 + (queue.desc[0] >>> 12)) >>> 0 : 0
    },
    write: ({ device, state }, _fn, page) => placeQueue(device, state.queueSelect, page),
  },
  queueSize(LEGACY_PCI.queueSize, false),
  queueSelect(LEGACY_PCI.queueSelect),
  {
    at: LEGACY_PCI.queueNotify,
    bytes: 2,
    name: 'queue notify',
    read: () => 0,
    write: (transport, _fn, value) => transport.kick(value),
  },
  deviceStatus(LEGACY_PCI.deviceStatus),
  { at: LEGACY_PCI.isrStatus, bytes: 1, name: 'ISR status', read: (transport, fn) => transport.takeCauses(fn) },
  // There while MSI-X is enabled.
  configVector(0x14),
  queueVector(0x16),
])

/**
 * One page number places all three areas of a queue, 2.7.2: descriptors, then the available ring, then the used ring on
 * the next page. Page 0 takes the queue away.
 */
function placeQueue(device: VirtioPci['device'], index: number, page: number): void {
  const queue = device.queue(index)
  if (!queue) return
  if (page === 0) {
    device.disableQueue(index)
    return
  }
  const desc = page * LEGACY_PAGE_BYTES
  const driver = desc + 16 * queue.size
  const device_ = Math.ceil((driver + 6 + 2 * queue.size) / LEGACY_PAGE_BYTES) * LEGACY_PAGE_BYTES
  for (const [area, gpa] of [
    ['desc', desc],
    ['driver', driver],
    ['device', device_],
  ] as const) {
    device.setQueueAddress(index, area, 0, gpa % 2 ** 32)
    device.setQueueAddress(index, area, 1, Math.floor(gpa / 2 ** 32))
  }
  device.enableQueue(index)
}

export function readLegacy(transport: VirtioPci, fn: PciFunction, offset: number, width: 1 | 2 | 4): number {
  const start = configStart(fn)
  if (offset >= start) return transport.device.readConfig(offset - start, width)
  return legacyRegister(offset, width)?.read(transport, fn) ?? 0
}

export function writeLegacy(
  transport: VirtioPci,
  fn: PciFunction,
  offset: number,
  width: 1 | 2 | 4,
  value: number,
): void {
  const start = configStart(fn)
  if (offset >= start) transport.device.writeConfig(offset - start, width, value)
  else legacyRegister(offset, width)?.write?.(transport, fn, value)
}
