import type { BoardDesign } from '../boards.ts'
import { Vtd } from '../iommu/vtd.ts'
import { correctVtd } from '../iommu/vtd-parts.ts'
import { Sriov } from './sr-iov.ts'
import { correctSriov, type SriovParts } from './sr-iov-parts.ts'

/** The third virtual function and the fourth are on the next bus. */
const SHAPE = { requester: 0x0500, vfs: 4, offset: 0xfe, stride: 1, window: 0xd000_0000, lastBus: 6 } as const

export const sriovBoard: BoardDesign<SriovParts> = {
  name: 'sr-iov',
  summary: 'a device with virtual functions on two buses, behind an IOMMU (VT-d)',
  parts: correctSriov,
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x20_0000 }],
    build(services) {
      const downstream = { drain: () => device.drain(), forget: () => {} }
      const unit = new Vtd({
        services,
        parts: correctVtd,
        scalable: false,
        caches: false,
        downstream: () => downstream,
      })
      const device: Sriov = new Sriov(services, unit, parts, SHAPE)
      return [unit, device]
    },
  }),
}
