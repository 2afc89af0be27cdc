/** `qemu:intel-iommu`, `qemu:amd-iommu`, `qemu:virtio-iommu`: bare IOMMUs with sources of DMA. */

import type { Q35Machine } from '../q35-machines.ts'
import { sourceArguments } from './sources.ts'
import { type Unit, units, VIRTIO_IOMMU_GSI } from './units.ts'

const machineOf = (unit: Unit): Q35Machine => ({
  options: unit.options,
  arguments: (options) => [...unit.arguments(options), ...sourceArguments()],
  board(options) {
    const device = unit.device(options)
    const line = { device: device.id, gsi: VIRTIO_IOMMU_GSI }
    return {
      name: unit.summary,
      devices: [device],
      sources: true,
      ...(device.transport.kind === 'pci' ? { line } : {}),
    }
  },
})

export const iommuMachines: Readonly<Record<string, Q35Machine>> = Object.fromEntries(
  Object.entries(units).map(([name, unit]) => [name, machineOf(unit)]),
)
