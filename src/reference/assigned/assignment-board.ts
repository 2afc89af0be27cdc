import { ASSIGNED_MEMORY } from '../../layout/dma-device.ts'
import type { BoardPart } from '../board.ts'
import type { BoardDesign } from '../boards.ts'
import { Vtd } from '../iommu/vtd.ts'
import { correctVtd } from '../iommu/vtd-parts.ts'
import { Assignment } from './assignment.ts'
import { type AssignmentParts, correctAssignment } from './assignment-parts.ts'
import { DmaDevice } from './dma-device.ts'

const REGIONS = 2
const PAGE = ASSIGNED_MEMORY.identity / 4096
/** Two ranges with a page between them that was not declared. */
const DECLARED = [
  { page: PAGE, pages: 1, write: true },
  { page: PAGE + 2, pages: 1, write: false },
]
/** The two that are behind a conventional bridge have its requester id. */
const ALIAS = 0x0100

/** The unit, whose steps somebody else takes. */
const still = (unit: Vtd): BoardPart => ({
  describes: [],
  reset: () => unit.reset(),
  save: () => unit.save(),
  restore: (state) => unit.restore(state),
})

export const assignedBoard: BoardDesign<AssignmentParts> = {
  name: 'assigned',
  summary: 'a hypervisor that gives devices to VMs, with an IOMMU between them and memory',
  parts: correctAssignment,
  wire: (parts) => ({
    memory: [{ start: 0, end: ASSIGNED_MEMORY.large + REGIONS * ASSIGNED_MEMORY.largeBytes }],
    build(services) {
      const downstream = {
        drain: () => {
          for (const device of devices) device.land()
        },
        forget: () => {},
      }
      const unit = new Vtd({
        services,
        parts: correctVtd,
        scalable: false,
        caches: false,
        downstream: () => downstream,
      })
      const device = (number: number, requester: number) =>
        new DmaDevice(services, unit, parts.hardware, number, requester)
      const devices = [device(0, 0x0018), device(1, ALIAS), device(2, ALIAS)]
      const seats = devices.map((each, at) => ({
        device: each,
        group: at === 0 ? 0 : 1,
        declared: at === 0 ? DECLARED : [],
      }))
      const size = { vms: 2, pages: 4, frames: 10, regions: REGIONS }
      return [still(unit), new Assignment(services, parts, size, unit, seats)]
    },
  }),
}
