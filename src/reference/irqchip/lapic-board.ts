/** The local APICs of two CPUs, with an external controller behind LINT0 that gives one vector. */
import type { BoardDesign } from '../boards.ts'
import { Lapics } from './lapic.ts'
import { honestLapic, type LapicParts } from './lapic-state.ts'

const EXTERNAL_VECTOR = 0x71

export const lapicBoard: BoardDesign<LapicParts> = {
  name: 'lapic',
  summary: 'the local APICs of two CPUs',
  parts: honestLapic,
  wire: (parts) => ({
    cpus: 2,
    // Only a fault leaves work for later: there is nothing to step through.
    can: { step: false },
    build: ({ emit }) => [
      new Lapics({
        parts,
        cpus: 2,
        emit,
        external: () => EXTERNAL_VECTOR,
        facts: { external: EXTERNAL_VECTOR, tellsCpu: true, timerHz: 1e9, deadline: true },
      }),
    ],
  }),
}
