/** A board with an AMD-Vi unit and bare sources of DMA; its memory is that of the host. */
import type { BoardDesign } from '../boards.ts'
import { Amd } from './amd.ts'
import { type AmdParts, correctAmd } from './amd-parts.ts'
import { DmaSources } from './sources.ts'
import { SOURCES } from './vtd-board.ts'

export const amdIommuBoard: BoardDesign<AmdParts> = {
  name: 'amd-iommu',
  summary: 'an IOMMU (AMD-Vi) with sources of DMA behind it, DMA by requester as an input',
  parts: () => ({ ...correctAmd }),
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x80_0000 }],
    build: (services) => {
      const unit = new Amd({ services, parts, downstream: () => sources })
      const sources: DmaSources = new DmaSources(services, unit, SOURCES)
      return [unit, sources]
    },
  }),
}
