import type { BoardDesign } from '../boards.ts'
import { PostedCpu } from './posting.ts'
import { correctPosting, type PostingParts } from './posting-parts.ts'

export const postedBoard: BoardDesign<PostingParts> = {
  name: 'posted',
  summary: 'posted interrupts: a poster, a virtual CPU, and a hypervisor that schedules it',
  parts: () => ({ ...correctPosting }),
  wire: (parts) => ({ build: (board) => [new PostedCpu(parts, board)] }),
}
