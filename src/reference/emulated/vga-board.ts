/** A text adapter by itself. */
import type { BoardDesign } from '../boards.ts'
import { Vga } from './vga.ts'
import { correctVga, type VgaParts } from './vga-parts.ts'

export const vgaBoard: BoardDesign<VgaParts> = {
  name: 'vga',
  summary: 'a VGA as far as text needs it',
  parts: correctVga,
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x1000 }],
    build: () => [new Vga(parts)],
  }),
}
