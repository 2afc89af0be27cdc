/** A 16550 serial port by itself, at the ports of the first one of a PC. */
import type { BoardDesign } from '../boards.ts'
import { Uart } from './uart.ts'
import { correctUart, type UartParts } from './uart-parts.ts'

/** Where the first serial port of a PC is. */
export const SERIAL = { base: 0x3f8, irq: 4 } as const

export const serialBoard: BoardDesign<UartParts> = {
  name: 'serial',
  summary: 'a 16550 serial port, and its line',
  parts: correctUart,
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x1000 }],
    build: ({ emit }) => [
      new Uart({ ...SERIAL, parts, drive: (level) => emit({ kind: 'line', device: 'serial', pin: 0, level }) }),
    ],
  }),
}
