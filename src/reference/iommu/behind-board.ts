/** Boards with a virtio-blk over PCI behind a unit of each kind; nothing else is behind it. */
import type { BoardPart, BoardServices } from '../board.ts'
import type { BoardDesign } from '../boards.ts'
import { Amd } from './amd.ts'
import { correctAmd } from './amd-parts.ts'
import { BEHIND_REQUESTER, DiskBehind } from './behind.ts'
import { type BehindParts, correctBehind } from './behind-parts.ts'
import type { Iommu } from './iommu.ts'
import { VirtioIommu } from './virtio-iommu.ts'
import { correctVirtioIommu } from './virtio-iommu-parts.ts'
import { Vtd } from './vtd.ts'
import { correctVtd } from './vtd-parts.ts'

const MEMORY_BYTES = 0x10_0000
const CONTROLS = ['hold', 'release', 'release-one', 'fail', 'resize'] as const
/** The disk has no device TLB and nothing in flight between its steps. */
const downstream = () => ({ drain() {}, forget() {} })

const board = (
  name: string,
  what: string,
  open: (services: BoardServices) => BoardPart & Iommu,
): BoardDesign<BehindParts> => ({
  name,
  summary: `a virtio-blk disk behind an IOMMU (${what})`,
  parts: correctBehind,
  wire: (parts) => ({
    memory: [{ start: 0, end: MEMORY_BYTES }],
    can: { controls: CONTROLS },
    build(services) {
      const unit = open(services)
      return [unit, new DiskBehind(services, unit, parts)]
    },
  }),
})

export const vtdVirtioBlkBoard = board(
  'vtd-virtio-blk',
  'VT-d',
  (services) => new Vtd({ services, parts: correctVtd, scalable: false, caches: false, downstream }),
)
export const amdVirtioBlkBoard = board(
  'amd-iommu-virtio-blk',
  'AMD-Vi',
  (services) => new Amd({ services, parts: correctAmd, downstream }),
)
export const virtioIommuVirtioBlkBoard = board(
  'virtio-iommu-virtio-blk',
  'virtio-iommu',
  (services) => new VirtioIommu({ services, parts: correctVirtioIommu, endpoints: [BEHIND_REQUESTER] }),
)
