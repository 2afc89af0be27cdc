import type { BoardDesign } from '../boards.ts'
import { PostedCpu } from './posting.ts'
import { correctPosting, type PostingParts } from './posting-parts.ts'

export const postedBoard: BoardDesign<PostingParts> = {
  name: 'posted',
  summary: 'posted interrupts: a poster, a virtual CPU, and a hypervisor that schedules it',
  parts: () => ({ ...correctPosting }),
  wire: (parts) => ({ memory: [{ start: 0, end: 0x4000 }], build: (board) => [new PostedCpu(parts, board)] }),
}
