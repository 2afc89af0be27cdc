/** What a 16550 decides, each part for a fault to replace. */
import {
  CAUSE,
  CLOCK_HZ,
  ENABLE,
  FIFO,
  FIFO_BYTES,
  LINE,
  MODEM,
  MODEM_STATUS,
  TIMEOUT_CHARACTERS,
  TRIGGER_LEVELS,
  TRIGGER_SHIFT,
} from '../../layout/uart.ts'

export interface UartState {
  enable: number
  fifoControl: number
  line: number
  modem: number
  divisor: number
  scratch: number
  /** Bytes that were not read, oldest first: one at most with the FIFOs off. */
  received: number[]
  overrun: boolean
  /** The holding register has become empty, and nobody was told. */
  emptied: boolean
  /** Delta bits of the modem status register. */
  changes: number
  /** Time since a byte was received or read, in nanoseconds, up to what makes a timeout. */
  idleNs: number
  timedOut: boolean
}

/** Levels of the modem inputs from outside: a peer that is there and ready, and does not ring. */
const OUTSIDE = (1 << MODEM_STATUS.clearToSend) | (1 << MODEM_STATUS.dataSetReady) | (1 << MODEM_STATUS.carrier)
const NS_PER_S = 1e9
/** Start, eight data and stop; what a parity bit adds is left out. */
const BITS_PER_CHARACTER = 10
const CLOCKS_PER_BIT = 16

export const isOn = (bits: number, bit: number): boolean => ((bits >>> bit) & 1) === 1
export const fifosAreOn = ({ fifoControl }: UartState): boolean => (fifoControl & FIFO.on) !== 0

/** Levels of the modem inputs, in the order of the delta bits. */
export const inputsOf = ({ modem }: UartState): number => {
  if (!isOn(modem, MODEM.loop)) return OUTSIDE
  const input = (output: number, at: number): number => (isOn(modem, output) ? 1 << at : 0)
  return (
    input(MODEM.requestToSend, MODEM_STATUS.clearToSend) |
    input(MODEM.terminalReady, MODEM_STATUS.dataSetReady) |
    input(MODEM.out1, MODEM_STATUS.ring) |
    input(MODEM.out2, MODEM_STATUS.carrier)
  )
}

export const correctUart = () => ({
  /** The identification of what interrupts, without the bits of the FIFOs. */
  cause(s: UartState, trigger: number): number {
    if (isOn(s.enable, ENABLE.status) && s.overrun) return CAUSE.status
    if (isOn(s.enable, ENABLE.data)) {
      if (s.received.length >= trigger) return CAUSE.data
      if (s.timedOut) return CAUSE.timeout
    }
    if (isOn(s.enable, ENABLE.empty) && s.emptied) return CAUSE.empty
    return isOn(s.enable, ENABLE.modem) && s.changes !== 0 ? CAUSE.modem : CAUSE.none
  },
  /** Received bytes that interrupt. */
  trigger: (s: UartState): number => (fifosAreOn(s) ? TRIGGER_LEVELS[s.fifoControl >>> TRIGGER_SHIFT]! : 1),
  /** The identification register was read, and said `cause`. */
  identified(s: UartState, cause: number): void {
    if (cause === CAUSE.empty) s.emptied = false
  },
  setEnable(s: UartState, value: number): void {
    const turnedOn = isOn(value, ENABLE.empty) && !isOn(s.enable, ENABLE.empty)
    s.enable = value & 0x0f
    // The holding register is always empty: a byte leaves it as it comes.
    if (turnedOn) s.emptied = true
  },
  /** Whether the interrupt output reaches the line of the board. */
  isGateOpen: (s: UartState): boolean => isOn(s.modem, MODEM.out2),
  receive(s: UartState, byte: number): void {
    s.idleNs = 0
    const isFull = s.received.length >= (fifosAreOn(s) ? FIFO_BYTES : 1)
    if (isFull) s.overrun = true
    if (!isFull) s.received.push(byte)
    else if (!fifosAreOn(s)) s.received[0] = byte
  },
  /** A byte was read. */
  taken(s: UartState): void {
    s.idleNs = 0
    s.timedOut = false
  },
  /** Whether a write of the FIFO control register removes what was received. */
  clearsReceiver(s: UartState, value: number): boolean {
    const wasOn = fifosAreOn(s)
    const isOnNow = (value & FIFO.on) !== 0
    return wasOn !== isOnNow || (isOnNow && (value & FIFO.clearReceiver) !== 0)
  },
  /** Of what is not switched on with it, nothing is programmed. */
  setFifoControl(s: UartState, value: number): void {
    s.fifoControl = (value & FIFO.on) === 0 ? 0 : value & (FIFO.on | (3 << TRIGGER_SHIFT))
  },
  clearReceiver(s: UartState): void {
    s.received = []
    s.timedOut = false
    s.idleNs = 0
  },
  /** The first two registers are the divisor. */
  isDivisorSelected: (s: UartState): boolean => (s.line & LINE.divisorLatch) !== 0,
  lineStatusRead(s: UartState): void {
    s.overrun = false
  },
  modemStatusRead(s: UartState): void {
    s.changes = 0
  },
  /** Delta bits of a change of the inputs. */
  deltas: (before: number, after: number): number => {
    const changed = before ^ after
    const ring = 1 << MODEM_STATUS.ring
    return (changed & ~ring) | (changed & before & ring)
  },
  /** What a write of the modem control register leaves in it. */
  modemWritten: (value: number): number => value & 0x1f,
  setScratch(s: UartState, value: number): void {
    s.scratch = value
  },
  /** Time goes on while bytes wait in the FIFO. */
  pass(s: UartState, ns: number): void {
    if (!fifosAreOn(s) || s.received.length === 0 || s.divisor === 0) return
    const untilNs = (TIMEOUT_CHARACTERS * BITS_PER_CHARACTER * CLOCKS_PER_BIT * s.divisor * NS_PER_S) / CLOCK_HZ
    s.idleNs = Math.min(s.idleNs + ns, untilNs)
    if (s.idleNs >= untilNs) s.timedOut = true
  },
  /** Divisor and scratch register keep what they hold, as the data sheet leaves open. */
  reset: (s: UartState): UartState => ({ ...blank(), divisor: s.divisor, scratch: s.scratch }),
})
export type UartParts = ReturnType<typeof correctUart>

export const blank = (): UartState => ({
  enable: 0,
  fifoControl: 0,
  line: 0,
  modem: 0,
  divisor: 0,
  scratch: 0,
  received: [],
  overrun: false,
  emptied: false,
  changes: 0,
  idleNs: 0,
  timedOut: false,
})
