/** Boards that can be opened by name: bare chips with their lines as inputs, simple devices, and a whole PC. */
import type { Target } from '../contract/index.ts'
import { assignedBoard } from './assigned/assignment-board.ts'
import { driverDomainBoard } from './assigned/driver-domain-board.ts'
import { mediatedBoard } from './assigned/mediated-board.ts'
import { sriovBoard } from './assigned/sr-iov-board.ts'
import { type BoardOptions, openBoard } from './board.ts'
import { ideBoard } from './emulated/ide-board.ts'
import { ne2000Board } from './emulated/ne2000-board.ts'
import { parallelBoard } from './emulated/parallel-board.ts'
import { serialBoard } from './emulated/serial-board.ts'
import { vgaBoard } from './emulated/vga-board.ts'
import { amdIommuBoard } from './iommu/amd-board.ts'
import { amdVirtioBlkBoard, virtioIommuVirtioBlkBoard, vtdVirtioBlkBoard } from './iommu/behind-board.ts'
import { virtioIommuBoard } from './iommu/virtio-iommu-board.ts'
import { vtdBoard, vtdCachingModeBoard, vtdScalableBoard } from './iommu/vtd-board.ts'
import { ioapicBoard } from './irqchip/ioapic-board.ts'
import { lapicBoard } from './irqchip/lapic-board.ts'
import { pcBoard } from './irqchip/pc-board.ts'
import { picBoard } from './irqchip/pic-board.ts'
import { postedBoard } from './irqchip/posting-board.ts'
import { remappingBoard } from './irqchip/remapping-board.ts'
import { upcallBoard } from './irqchip/upcall-board.ts'
import { vcpuBoard } from './irqchip/vcpu-board.ts'
import { waysBoard } from './irqchip/ways-board.ts'
import { wiredBoard } from './irqchip/wired-board.ts'
import { msiBoard } from './pci/msi-board.ts'

/** How a board is made. `P`: the parts that a seeded fault can replace one of. */
export interface BoardDesign<P> {
  /** The word after `reference:`. */
  readonly name: string
  readonly summary: string
  /** Correct parts; each caller gets its own tables. */
  parts(): P
  wire(parts: P): Omit<BoardOptions, 'name' | 'kind'>
}

// A fault is written for the parts of its own board: beyond that file nobody looks into them.
// biome-ignore lint/suspicious/noExplicitAny: see above.
export type AnyBoard = BoardDesign<any>

/** Opens a board; `install` puts a fault into its parts. */
export const openBoardOf = <P>(
  design: BoardDesign<P>,
  name: string,
  install: (parts: P) => void = () => {},
): Target => {
  const parts = design.parts()
  install(parts)
  return openBoard({ ...design.wire(parts), name, kind: design.name })
}

/** Every board. */
export const boards: readonly AnyBoard[] = [
  ioapicBoard,
  lapicBoard,
  picBoard,
  vcpuBoard,
  postedBoard,
  upcallBoard,
  wiredBoard,
  waysBoard,
  remappingBoard,
  msiBoard,
  serialBoard,
  parallelBoard,
  vgaBoard,
  pcBoard,
  ideBoard,
  ne2000Board,
  mediatedBoard,
  driverDomainBoard,
  assignedBoard,
  sriovBoard,
  virtioIommuBoard,
  vtdBoard,
  vtdCachingModeBoard,
  vtdScalableBoard,
  amdIommuBoard,
  vtdVirtioBlkBoard,
  amdVirtioBlkBoard,
  virtioIommuVirtioBlkBoard,
]
