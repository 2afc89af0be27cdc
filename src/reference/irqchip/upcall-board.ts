import type { BoardDesign } from '../boards.ts'
import { EventChannels } from './upcall.ts'
import { correctUpcall, type UpcallParts } from './upcall-parts.ts'

export const upcallBoard: BoardDesign<UpcallParts> = {
  name: 'upcall',
  summary: 'event channels: a shared page, calls, and an upcall by interrupt or by callback',
  parts: () => ({ ...correctUpcall }),
  wire: (parts) => ({
    cpus: 2,
    memory: [{ start: 0, end: 0x4000 }],
    build: (board) => [new EventChannels(parts, board)],
  }),
}
