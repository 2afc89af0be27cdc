/** A printer port by itself, at the ports of the first one of a PC. */
import type { BoardDesign } from '../boards.ts'
import { Parport, PRINTER_CONTROLS } from './parport.ts'
import { correctParport, type ParportParts } from './parport-parts.ts'

/** Where the first printer port of a PC is. */
export const PARALLEL = { base: 0x378, irq: 7 } as const

export const parallelBoard: BoardDesign<ParportParts> = {
  name: 'parallel',
  summary: 'a printer port, and a printer that can be told to hold',
  parts: correctParport,
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x1000 }],
    can: { controls: PRINTER_CONTROLS },
    build: ({ emit }) => [
      new Parport({ ...PARALLEL, parts, drive: (level) => emit({ kind: 'line', device: 'parallel', pin: 0, level }) }),
    ],
  }),
}
