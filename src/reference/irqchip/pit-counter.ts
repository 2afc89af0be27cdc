/** One counter of an 8254: its output and its count follow from how long ago it was loaded. */
import { ACCESS, PIT_STATUS } from '../../layout/pit.ts'

export interface CounterState {
  mode: number
  access: number
  bcd: boolean
  /** A count was written since the mode was. */
  isLoaded: boolean
  /** The count that runs, 1 to 65,536, and one that takes its place when it is done. */
  count: number
  next: number | undefined
  /** Clocks since the count was loaded. */
  elapsed: number
  gate: boolean
  /** Modes 1 and 5: the gate has risen. */
  isTriggered: boolean
  /** The low byte of a count of which the high byte is still to come. */
  low: number | undefined
  /** The next byte that is read is the high one. */
  readsHigh: boolean
  latchedCount: number | undefined
  latchedStatus: number | undefined
}

export const freshCounter = (gate: boolean): CounterState => ({
  mode: 0,
  access: ACCESS.both,
  bcd: false,
  isLoaded: false,
  count: 0x1_0000,
  next: undefined,
  elapsed: 0,
  gate,
  isTriggered: false,
  low: undefined,
  readsHigh: false,
  latchedCount: undefined,
  latchedStatus: undefined,
})

const isPeriodic = ({ mode }: CounterState): boolean => mode === 2 || mode === 3
const isTriggeredByGate = ({ mode }: CounterState): boolean => mode === 1 || mode === 5
/** Clocks for which a square wave is high: the longer half of an odd count. */
const highHalf = (count: number): number => (count + 1) >> 1

export const outputOf = (c: CounterState): boolean => {
  const { mode, count, elapsed } = c
  if (mode === 0) return c.isLoaded && elapsed >= count
  if (!c.isLoaded) return true
  if (isTriggeredByGate(c) && !c.isTriggered) return true
  if (mode === 1) return elapsed >= count
  if (mode === 4 || mode === 5) return elapsed !== count
  if (!c.gate) return true
  return mode === 2 ? elapsed % count < count - 1 : elapsed % count < highHalf(count)
}

/** Clocks until the output changes, or a count that waits takes its turn; `Infinity`: never. */
const untilChange = (c: CounterState): number => {
  const { mode, count, elapsed } = c
  if (mode === 0 || mode === 1) return elapsed < count ? count - elapsed : Infinity
  if (mode === 4 || mode === 5) return elapsed < count ? count - elapsed : elapsed === count ? 1 : Infinity
  const phase = elapsed % count
  const edge = mode === 2 ? count - 1 : highHalf(count)
  return phase < edge ? edge - phase : count - phase
}

const runs = (c: CounterState): boolean => c.isLoaded && (isTriggeredByGate(c) ? c.isTriggered : c.gate)

/** After so many changes of an output at once, whole periods are passed over: nobody could have looked. */
const CHANGES_MAX = 1_000

/** Time goes on by `clocks`; `changed` is told each time that the output may have changed. */
export const run = (c: CounterState, clocks: number, changed: () => void): void => {
  if (!runs(c)) return
  let left = clocks
  for (let changes = 0; left > 0; changes++) {
    const step = untilChange(c)
    if (step > left) {
      c.elapsed += left
      return
    }
    c.elapsed += step
    left -= step
    if (isPeriodic(c) && c.elapsed % c.count === 0) {
      c.elapsed = 0
      if (c.next !== undefined) c.count = c.next
      c.next = undefined
      if (changes > CHANGES_MAX) left %= c.count
    }
    changed()
  }
}

/** The sixteen bits that count down. */
const countOf = (c: CounterState): number => {
  const { mode, count, elapsed } = c
  if (!c.isLoaded) return 0
  if (mode !== 3) return isPeriodic(c) ? count - (elapsed % count) : count - elapsed
  // Down by two in each half; an odd count begins one below.
  const even = count & ~1
  const phase = elapsed % count
  return even - 2 * (phase < highHalf(count) ? phase : phase - highHalf(count))
}

const shownCount = (c: CounterState): number => {
  const modulus = c.bcd ? 10_000 : 0x1_0000
  const value = ((countOf(c) % modulus) + modulus) % modulus
  return c.bcd ? Number.parseInt(String(value), 16) : value
}

const statusOf = (c: CounterState): number =>
  (outputOf(c) ? PIT_STATUS.output : 0) |
  (c.isLoaded && c.next === undefined ? 0 : PIT_STATUS.nullCount) |
  (c.access << 4) |
  (c.mode << 1) |
  (c.bcd ? 1 : 0)

/** A latched value stays until it is read. */
export const latchCount = (c: CounterState): void => void (c.latchedCount ??= shownCount(c))
export const latchStatus = (c: CounterState): void => void (c.latchedStatus ??= statusOf(c))

export const program = (c: CounterState, word: number): void => {
  const access = (word >> 4) & 3
  if (access === ACCESS.latch) {
    latchCount(c)
    return
  }
  const mode = (word >> 1) & 7
  Object.assign(c, freshCounter(c.gate), { access, mode: mode > 5 ? mode - 4 : mode, bcd: (word & 1) === 1 })
}

export const writeCount = (c: CounterState, byte: number): void => {
  if (c.access === ACCESS.both && c.low === undefined) {
    c.low = byte
    // The first byte of a count stops a counter that interrupts at its end.
    if (c.mode === 0) c.isLoaded = false
    return
  }
  const raw = c.access === ACCESS.low ? byte : (byte << 8) | (c.low ?? 0)
  c.low = undefined
  load(c, c.bcd ? fromBcd(raw) || 10_000 : raw || 0x1_0000)
}

const fromBcd = (raw: number): number => [12, 8, 4, 0].reduce((value, shift) => value * 10 + ((raw >> shift) & 0xf), 0)

const load = (c: CounterState, count: number): void => {
  // One clock is too short for a period: it is taken for the longest.
  const whole = isPeriodic(c) && count === 1 ? 0x1_0000 : count
  if (c.isLoaded && (isPeriodic(c) || isTriggeredByGate(c))) {
    c.next = whole
    return
  }
  c.count = whole
  c.elapsed = 0
  c.isLoaded = true
}

export const readCount = (c: CounterState): number => {
  if (c.latchedStatus !== undefined) {
    const status = c.latchedStatus
    c.latchedStatus = undefined
    return status
  }
  const value = c.latchedCount ?? shownCount(c)
  const isHigh = c.access === ACCESS.high || (c.access === ACCESS.both && c.readsHigh)
  if (c.access === ACCESS.both) c.readsHigh = !c.readsHigh
  if (c.access !== ACCESS.both || isHigh) c.latchedCount = undefined
  return isHigh ? value >> 8 : value & 0xff
}

/** A rising gate starts periods and strobes anew. */
export const setGate = (c: CounterState, gate: boolean): void => {
  const rises = gate && !c.gate
  c.gate = gate
  if (!rises || c.mode === 0 || c.mode === 4) return
  if (isTriggeredByGate(c)) c.isTriggered = c.isLoaded
  c.count = c.next ?? c.count
  c.next = undefined
  c.elapsed = 0
}
