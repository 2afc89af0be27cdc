/** The bare pair of 8259As: lines are inputs, INT is shown as a line event, an acknowledge is an INTA cycle. */
import type { BoardDesign } from '../boards.ts'
import { correctPair, I8259Pair, type I8259PairParts } from './i8259-pair.ts'

export const picBoard: BoardDesign<I8259PairParts> = {
  name: 'pic',
  summary: 'a pair of 8259A interrupt controllers, wired as in a PC',
  parts: correctPair,
  wire: (parts) => ({
    // It does nothing to memory; a small one is saved fast.
    memory: [{ start: 0, end: 0x1000 }],
    build: ({ emit }) => [new I8259Pair(parts, (level) => emit({ kind: 'line', device: 'pic', pin: 0, level }))],
  }),
}
