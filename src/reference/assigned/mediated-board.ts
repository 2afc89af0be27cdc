import type { BoardDesign } from '../boards.ts'
import { Mediated } from './mediated.ts'
import { correctMediation, type MediatedParts } from './mediated-parts.ts'

/** Frames begin at 64 KiB. */
const MEMORY_BYTES = 0x2_0000

export const mediatedBoard: BoardDesign<MediatedParts> = {
  name: 'mediated',
  summary: 'a device without an IOMMU, shared between VMs by a driver that copies and translates their commands',
  parts: correctMediation,
  wire: (parts) => ({
    memory: [{ start: 0, end: MEMORY_BYTES }],
    build: (services) => [new Mediated(services, parts, { vms: 3, pages: 4, frames: 12 })],
  }),
}
