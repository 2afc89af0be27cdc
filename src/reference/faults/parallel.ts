/** Faults of the printer port. */
import { CONTROL, PRINTER } from '../../layout/parport.ts'
import { parallelBoard } from '../emulated/parallel-board.ts'
import { correctParport, isSet, type ParportParts } from '../emulated/parport-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface ParportFault<Name extends keyof ParportParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: ParportParts[Name]
}

const fault = <Name extends keyof ParportParts>({ replaces, part, ...what }: ParportFault<Name>): Fault =>
  boardFault(parallelBoard, {
    ...what,
    area: 'emulated',
    replaces: `parport.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { status, reset } = correctParport()

export const parallelFaults: readonly Fault[] = [
  fault({
    id: 'emu-parallel-acknowledge-without-enable',
    difficulty: 'shallow',
    what: 'Every acknowledge of the printer interrupts, enabled or not.',
    replaces: 'interrupts',
    part: () => true,
  }),
  fault({
    id: 'emu-parallel-acknowledge-not-told',
    difficulty: 'shallow',
    what: 'An acknowledge never interrupts.',
    replaces: 'interrupts',
    part: () => false,
  }),
  fault({
    id: 'emu-parallel-busy-not-inverted',
    difficulty: 'shallow',
    what: 'Busy is read as the pin is, not inverted.',
    replaces: 'status',
    part: (s) => status(s) ^ PRINTER.notBusy,
  }),
  fault({
    id: 'emu-parallel-never-busy',
    difficulty: 'medium',
    what: 'The printer is never seen busy: a driver writes over a byte that was not taken.',
    replaces: 'status',
    part: (s) => status(s) | PRINTER.notBusy,
  }),
  fault({
    id: 'emu-parallel-initialise-ignored',
    difficulty: 'medium',
    what: 'A printer that is initialised keeps the byte that it has, and stays busy.',
    replaces: 'initialise',
    part: () => {},
  }),
  fault({
    id: 'emu-parallel-data-not-read-back',
    difficulty: 'shallow',
    what: 'The data register reads as the bytes that come from outside.',
    replaces: 'setData',
    part: (s) => void (s.data = 0xff),
  }),
  fault({
    id: 'emu-parallel-control-without-enable',
    difficulty: 'medium',
    what: 'The interrupt enable bit does not read back.',
    replaces: 'readControl',
    part: ({ control }) => 0xe0 | (control & ~(1 << CONTROL.interrupt)),
  }),
  fault({
    id: 'emu-parallel-strobe-without-select',
    difficulty: 'shallow',
    what: 'A byte is strobed only while automatic feed is on.',
    replaces: 'strobes',
    part: (before, after) =>
      isSet(after, CONTROL.strobe) && !isSet(before, CONTROL.strobe) && isSet(after, CONTROL.feed),
  }),
  fault({
    id: 'emu-parallel-reset-keeps-enable',
    difficulty: 'medium',
    what: 'A reset leaves the interrupt enabled.',
    replaces: 'reset',
    part: (s) => ({ ...reset(s), control: s.control & (1 << CONTROL.interrupt) }),
  }),
]
