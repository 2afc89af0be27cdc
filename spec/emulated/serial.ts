/**
 * A 16550 serial port, judged through its own loop mode: what is sent comes back, and the modem outputs are its inputs. The
 * data sheet judges; what implementations do otherwise is a bound each, and a profile is a set of them.
 */
import { scoped, together } from '../../src/kernel/language/index.ts'
import { causes } from './serial-causes.ts'
import { receiver } from './serial-receiver.ts'
import { registers } from './serial-registers.ts'

const DATA_SHEET = { gate: 1, deltas: 1, clearOut2: 1 }
const SMALL = { depth: 2, bytes: 1, formats: 2, timed: 1, ...DATA_SHEET }

export const serial = scoped(
  'serial',
  {
    explored: { ...SMALL, bytes: 2, enables: 0b0101, outputs: 0b11000, fifos: 1, registers: 0 },
    transmitter: { ...SMALL, enables: 0b0011, outputs: 0b11000, fifos: 0, registers: 0 },
    modem: { ...SMALL, enables: 0b1010, outputs: 0b10110, fifos: 0, registers: 0 },
    registers: { ...SMALL, enables: 0, outputs: 0b10000, fifos: 0, registers: 1 },
    played: {
      depth: 16,
      bytes: 4,
      formats: 4,
      enables: 15,
      outputs: 31,
      fifos: 1,
      registers: 1,
      timed: 1,
      ...DATA_SHEET,
    },
  },
  (scope) => together(registers(scope), receiver(scope), causes(scope)),
)
