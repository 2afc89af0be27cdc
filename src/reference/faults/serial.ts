/** Faults of the 16550 serial port. */
import { CAUSE, FIFO, FIFO_BYTES, MODEM, MODEM_STATUS, TRIGGER_SHIFT } from '../../layout/uart.ts'
import { serialBoard } from '../emulated/serial-board.ts'
import { blank, correctUart, fifosAreOn, isOn, type UartParts } from '../emulated/uart-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface UartFault<Name extends keyof UartParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: UartParts[Name]
}

const fault = <Name extends keyof UartParts>({ replaces, part, ...what }: UartFault<Name>): Fault =>
  boardFault(serialBoard, {
    ...what,
    area: 'emulated',
    replaces: `uart.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { cause, setEnable, receive, taken, deltas, setFifoControl, reset } = correctUart()

export const serialFaults: readonly Fault[] = [
  fault({
    id: 'emu-serial-identification-clears-whatever-it-names',
    difficulty: 'medium',
    what: 'A read of the identification register ends the interrupt of the empty holding register also when it names another cause.',
    replaces: 'identified',
    part: (s) => void (s.emptied = false),
  }),
  fault({
    id: 'emu-serial-identification-clears-nothing',
    difficulty: 'shallow',
    what: 'The interrupt of the empty holding register stays after it was identified.',
    replaces: 'identified',
    part: () => {},
  }),
  fault({
    id: 'emu-serial-empty-not-raised-when-enabled',
    difficulty: 'shallow',
    what: 'Enabling the interrupt of the holding register while that is empty raises nothing: a driver that waits for it never sends.',
    replaces: 'setEnable',
    part(s, value) {
      const { emptied } = s
      setEnable(s, value)
      s.emptied = emptied && isOn(value, 1)
    },
  }),
  fault({
    id: 'emu-serial-out2-ignored',
    difficulty: 'shallow',
    what: 'The line is driven whatever OUT2 says.',
    replaces: 'isGateOpen',
    part: () => true,
  }),
  fault({
    id: 'emu-serial-timeout-missing',
    difficulty: 'medium',
    what: 'Bytes below the trigger level never interrupt.',
    replaces: 'pass',
    part: () => {},
  }),
  fault({
    id: 'emu-serial-timeout-survives-the-read',
    difficulty: 'deep',
    what: 'A character timeout stays after a byte was read.',
    replaces: 'taken',
    part(s) {
      const { timedOut } = s
      taken(s)
      s.timedOut = timedOut
    },
  }),
  fault({
    id: 'emu-serial-timeout-named-before-an-error',
    difficulty: 'deep',
    what: 'A character timeout is named although there is an error in the line status register.',
    replaces: 'cause',
    part: (s, trigger) => (isOn(s.enable, 0) && s.timedOut ? CAUSE.timeout : cause(s, trigger)),
  }),
  fault({
    id: 'emu-serial-data-named-before-an-error',
    difficulty: 'medium',
    what: 'Received data are named although there is an error in the line status register.',
    replaces: 'cause',
    part: (s, trigger) =>
      cause({ ...s, overrun: s.overrun && !(isOn(s.enable, 0) && s.received.length >= trigger) }, trigger),
  }),
  fault({
    id: 'emu-serial-trigger-level-ignored',
    difficulty: 'shallow',
    what: 'Every byte interrupts, whatever the trigger level.',
    replaces: 'trigger',
    part: () => 1,
  }),
  fault({
    id: 'emu-serial-trigger-above-its-level',
    difficulty: 'medium',
    what: 'Received data interrupt only when the FIFO holds more than its trigger level.',
    replaces: 'trigger',
    part: (s) => (fifosAreOn(s) ? [1, 5, 9, 15][s.fifoControl >>> TRIGGER_SHIFT]! : 1),
  }),
  fault({
    id: 'emu-serial-overrun-stays',
    difficulty: 'medium',
    what: 'A read of the line status register leaves the overrun set.',
    replaces: 'lineStatusRead',
    part: () => {},
  }),
  fault({
    id: 'emu-serial-overrun-not-told',
    difficulty: 'medium',
    what: 'A byte that comes while the FIFO is full is lost in silence.',
    replaces: 'receive',
    part(s, byte) {
      const { overrun } = s
      receive(s, byte)
      if (fifosAreOn(s)) s.overrun = overrun
    },
  }),
  fault({
    id: 'emu-serial-overrun-replaces-the-last',
    difficulty: 'deep',
    what: 'A byte that comes while the FIFO is full takes the place of the last one in it.',
    replaces: 'receive',
    part(s, byte) {
      receive(s, byte)
      if (s.received.length === FIFO_BYTES) s.received[FIFO_BYTES - 1] = byte
    },
  }),
  fault({
    id: 'emu-serial-fifo-reset-keeps-data',
    difficulty: 'shallow',
    what: 'A reset of the receiver FIFO leaves what is in it.',
    replaces: 'clearsReceiver',
    part: (s, value) => fifosAreOn(s) !== ((value & FIFO.on) !== 0),
  }),
  fault({
    id: 'emu-serial-fifo-switch-keeps-data',
    difficulty: 'medium',
    what: 'Switching the FIFOs off leaves the bytes in them.',
    replaces: 'clearsReceiver',
    part: (_s, value) => (value & (FIFO.on | FIFO.clearReceiver)) === (FIFO.on | FIFO.clearReceiver),
  }),
  fault({
    id: 'emu-serial-fifo-control-without-enable',
    difficulty: 'medium',
    what: 'The FIFOs stay on when they are switched off together with bits that clear them.',
    replaces: 'setFifoControl',
    part: (s, value) => setFifoControl(s, value === 0 ? 0 : value | (s.fifoControl & FIFO.on)),
  }),
  fault({
    id: 'emu-serial-divisor-latch-ignored',
    difficulty: 'shallow',
    what: 'The divisor latch access bit selects nothing: the divisor is written to the data and enable registers.',
    replaces: 'isDivisorSelected',
    part: () => false,
  }),
  fault({
    id: 'emu-serial-modem-change-stays',
    difficulty: 'shallow',
    what: 'A read of the modem status register leaves its delta bits set.',
    replaces: 'modemStatusRead',
    part: () => {},
  }),
  fault({
    id: 'emu-serial-ring-begins',
    difficulty: 'medium',
    what: 'The delta bit of RI is set when ringing begins as well.',
    replaces: 'deltas',
    part: (before, after) => deltas(before, after) | ((before ^ after) & (1 << MODEM_STATUS.ring)),
  }),
  fault({
    id: 'emu-serial-no-change-in-loop',
    difficulty: 'shallow',
    what: 'In loop mode no change of a modem input is noticed.',
    replaces: 'deltas',
    part: () => 0,
  }),
  fault({
    id: 'emu-serial-modem-reserved-bits',
    difficulty: 'shallow',
    what: 'The bits of the modem control register that mean nothing keep what is written to them.',
    replaces: 'modemWritten',
    part: (value) => value,
  }),
  fault({
    id: 'emu-serial-scratch-missing',
    difficulty: 'shallow',
    what: 'There is no scratch register.',
    replaces: 'setScratch',
    part: () => {},
  }),
  fault({
    id: 'emu-serial-reset-keeps-enables',
    difficulty: 'medium',
    what: 'A reset leaves the interrupt enable register as it was.',
    replaces: 'reset',
    part: (s) => ({ ...reset(s), enable: s.enable }),
  }),
  fault({
    id: 'emu-serial-reset-sets-out2',
    difficulty: 'medium',
    what: 'OUT2 is set after a reset.',
    replaces: 'reset',
    part: (s) => ({ ...blank(), divisor: s.divisor, modem: 1 << MODEM.out2 }),
  }),
]
