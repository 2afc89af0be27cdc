/** A bare remapping unit: requests of any requester go in, interrupts come out. */
import type { BoardDesign } from '../boards.ts'
import { Remapping } from './remapping.ts'
import { correctRemapping, type RemappingParts } from './remapping-parts.ts'

export const remappingBoard: BoardDesign<RemappingParts> = {
  name: 'remapping',
  summary: 'an interrupt-remapping unit (VT-d) alone, with requests by requester as inputs',
  parts: () => ({ ...correctRemapping }),
  wire: (parts) => ({
    // A table of 65,536 entries takes 1 MiB.
    memory: [{ start: 0, end: 0x20_0000 }],
    build: (services) => [new Remapping({ services, parts, facts: { posting: true } })],
  }),
}
