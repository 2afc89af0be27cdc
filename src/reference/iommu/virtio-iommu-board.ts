import type { BoardDesign } from '../boards.ts'
import { DmaSources, type Source } from './sources.ts'
import { VirtioIommu } from './virtio-iommu.ts'
import { correctVirtioIommu, type VirtioIommuParts } from './virtio-iommu-parts.ts'

const MEMORY_BYTES = 0x10_0000

const SOURCES: readonly Source[] = [
  { id: 'nic0', requester: 0x0018 },
  { id: 'nic1', requester: 0x0020 },
  { id: 'slow0', requester: 0x0028, delayed: true },
  { id: 'far0', requester: 0x0500 },
]

export const virtioIommuBoard: BoardDesign<VirtioIommuParts> = {
  name: 'virtio-iommu',
  summary: 'virtio-iommu over MMIO with sources of DMA behind it, DMA by requester as an input',
  parts: () => ({ ...correctVirtioIommu }),
  wire: (parts) => ({
    memory: [{ start: 0, end: MEMORY_BYTES }],
    build(services) {
      const endpoints = SOURCES.map(({ requester }) => requester)
      const unit = new VirtioIommu({ services, parts, endpoints })
      return [unit, new DmaSources(services, unit, SOURCES)]
    },
  }),
}
