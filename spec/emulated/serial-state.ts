/** A 16550 serial port: what it holds, what may and what must interrupt, and whether that reaches the line. */
import { type Bits, noBits, type Seen, type StateOf, t } from '../../src/kernel/language/index.ts'

/** Bytes that are sent, and written where any byte does; none is zero, so that no divisor is. */
export const BYTES = [0x01, 0x5a, 0xa5, 0xff] as const
/** Formats of the line: as a reset leaves it, and three with eight bits. */
export const FORMATS = [0x00, 0x03, 0x07, 0x1b] as const
export const RESET_FORMAT = 0
export const EIGHT_BITS = 1

export interface SerialScope {
  /** Bytes that a FIFO holds; different bytes that are sent. */
  readonly depth: number
  readonly bytes: number
  /** Interrupts that are enabled and modem outputs that are written, as masks; formats of the line. */
  readonly enables: number
  readonly outputs: number
  readonly formats: number
  /** 1: the FIFOs are switched; registers are read back, and there are resets. */
  readonly fifos: number
  readonly registers: number
  /** 1: time goes by only when it is told to. */
  readonly timed: number
  /** 1: OUT2 gates the line; changes of modem inputs are seen in loop mode; OUT2 is clear after a reset. */
  readonly gate: number
  readonly deltas: number
  readonly clearOut2: number
}

/** Members of `enabled`. */
export const ENABLED = { data: 0, empty: 1, status: 2, modem: 3 } as const
/** Members of `modem`. */
export const OUTPUT = { dtr: 0, rts: 1, out1: 2, out2: 3, loop: 4 } as const
/** Members of `changes`. */
const CHANGE = { cts: 0, dsr: 1, ring: 2, carrier: 3 } as const

const doubt = t.oneOf('no', 'may', 'yes')

export const serialState = ({ depth, bytes, formats }: SerialScope) => ({
  enabled: t.set(4),
  fifos: t.flag,
  /** Which trigger level is chosen. */
  trigger: t.below(4),
  /** Bytes that were not read, oldest first. */
  received: t.array(depth, t.below(bytes)),
  count: t.below(depth + 1),
  /** Bytes were removed unread, and none has come since. */
  cleared: t.flag,
  overrun: doubt,
  /**
   * The holding register became empty and nobody was told: because a byte left, `passed` another cause that was told
   * first, or because its interrupt was `enabled`.
   */
  emptied: t.oneOf('no', 'may', 'yes', 'passed', 'enabled'),
  timeout: doubt,
  modem: t.set(5),
  /** Modem inputs that changed, and those that may have changed as well. */
  changes: t.set(4),
  possible: t.set(4),
  format: t.below(formats),
  /** The first two registers are the divisor. */
  latch: t.flag,
  low: t.maybe(t.below(bytes)),
  high: t.maybe(t.below(bytes)),
  scratch: t.maybe(t.below(bytes)),
  /** Nothing was written since a reset. */
  fresh: t.flag,
  level: t.flag,
  /** The register that is being read. */
  asked: t.oneOf(
    ...(['nothing', 'identification', 'lineStatus', 'modemStatus', 'data', 'full'] as const),
    ...(['enable', 'line', 'modem', 'scratch', 'divisorLow', 'divisorHigh'] as const),
  ),
})

export type Serial = StateOf<ReturnType<typeof serialState>>
export type SeenSerial = Seen<Serial>

export type Cause = 'none' | 'modem' | 'empty' | 'timeout' | 'data' | 'status' | 'unknown'
const RANKS: Readonly<Record<Cause, number>> = {
  status: 0,
  data: 1,
  timeout: 1,
  empty: 2,
  modem: 3,
  none: 4,
  unknown: 5,
}
export const rankOf = (cause: Cause): number => RANKS[cause]

const LEVELS = [1, 4, 8, 14] as const
/** Received bytes that interrupt; a small FIFO has the levels that fit it. */
export const levelOf = ({ fifos, trigger, received }: SeenSerial): number =>
  fifos ? Math.min(LEVELS[trigger]!, received.length) : 1

export const isFull = ({ fifos, count, received }: SeenSerial): boolean => count >= (fifos ? received.length : 1)
export const isAtItsLevel = (s: SeenSerial): boolean => s.count >= levelOf(s)
export const loops = ({ modem }: SeenSerial): boolean => modem.has(OUTPUT.loop)

/** Sure causes, highest first. */
const isSure: Readonly<Record<Exclude<Cause, 'none' | 'unknown'>, (s: SeenSerial) => boolean>> = {
  status: (s) => s.enabled.has(ENABLED.status) && s.overrun === 'yes',
  data: (s) => s.enabled.has(ENABLED.data) && isAtItsLevel(s),
  timeout: (s) => s.enabled.has(ENABLED.data) && s.timeout === 'yes',
  empty: (s) => s.enabled.has(ENABLED.empty) && s.emptied !== 'no' && s.emptied !== 'may',
  modem: (s) => s.enabled.has(ENABLED.modem) && !s.changes.isEmpty,
}

/** The highest cause that there is for sure. */
export const mustOf = (s: SeenSerial): Cause =>
  isSure.status(s)
    ? 'status'
    : isSure.data(s)
      ? 'data'
      : isSure.timeout(s)
        ? 'timeout'
        : isSure.empty(s)
          ? 'empty'
          : isSure.modem(s)
            ? 'modem'
            : 'none'

const may: Readonly<Record<Cause, (s: SeenSerial) => boolean>> = {
  status: (s) => s.enabled.has(ENABLED.status) && s.overrun !== 'no',
  data: isSure.data,
  timeout: (s) => s.enabled.has(ENABLED.data) && s.timeout !== 'no',
  empty: (s) => s.enabled.has(ENABLED.empty) && s.emptied !== 'no',
  modem: (s) => s.enabled.has(ENABLED.modem) && !(s.changes.isEmpty && s.possible.isEmpty),
  none: () => true,
  unknown: () => false,
}

/** That the identification register may name this cause now. */
export const mayName = (s: SeenSerial, cause: Cause): boolean => may[cause](s) && rankOf(cause) <= rankOf(mustOf(s))

/** Two causes of different priority. */
export const areSeveral = (s: SeenSerial): boolean => {
  const sure = [isSure.status(s), isSure.data(s) || isSure.timeout(s), isSure.empty(s), isSure.modem(s)]
  return sure.filter((each) => each).length > 1
}

export const isSurelyActive = (s: SeenSerial): boolean => mustOf(s) !== 'none'
export const mayBeActive = (s: SeenSerial): boolean =>
  may.status(s) || may.data(s) || may.timeout(s) || may.empty(s) || may.modem(s)

/** Levels of the modem inputs in loop mode, as members of `changes`. */
export const loopedInputs = (modem: Bits): Bits => {
  const pairs = [
    [OUTPUT.rts, CHANGE.cts],
    [OUTPUT.dtr, CHANGE.dsr],
    [OUTPUT.out1, CHANGE.ring],
    [OUTPUT.out2, CHANGE.carrier],
  ] as const
  return pairs.reduce((inputs, [output, input]) => (modem.has(output) ? inputs.with(input) : inputs), noBits)
}

/** Of RI only the end counts. */
export const changesOf = (before: Bits, after: Bits): Bits =>
  before.minus(after).union(after.minus(before).without(CHANGE.ring))

export const ALL_CHANGES = noBits.with(CHANGE.cts).with(CHANGE.dsr).with(CHANGE.ring).with(CHANGE.carrier)

/** A byte arrives. */
export const receive = (s: Serial, byte: number, { timed }: SerialScope): void => {
  s.cleared = false
  if (s.fifos && timed === 0 && s.timeout === 'no') s.timeout = 'may'
  if (isFull(s)) s.overrun = 'yes'
  if (!isFull(s)) s.received.set(s.count++, byte)
  else if (!s.fifos) s.received.set(0, byte)
}

/** A byte leaves the receiver; what is no longer meant is zero. */
export const take = (s: Serial, { timed }: SerialScope): void => {
  for (let i = 1; i < s.received.length; i++) s.received.set(i - 1, s.received.at(i))
  s.received.set(s.received.length - 1, 0)
  s.count = Math.max(s.count - 1, 0)
  s.timeout = s.fifos && timed === 0 && s.count > 0 ? 'may' : 'no'
}

export const removeAll = (s: Serial): void => {
  s.received.fill(0)
  s.cleared = s.count > 0
  s.count = 0
  s.timeout = 'no'
}
