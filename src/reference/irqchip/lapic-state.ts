/** What a local APIC remembers, and the decisions of it that a seeded fault can replace. */
import { FORMAT, LVT, SPURIOUS, TIMER_MODES } from '../../layout/lapic.ts'
import { addVector, classOf, hasVector, highestVector, noVectors, removeVector, type Vectors } from './vectors.ts'

export interface LapicState {
  mode: 'off' | 'xapic' | 'x2apic'
  /** Reset by an INIT, and not started since. */
  waiting: boolean
  taskPriority: number
  logicalId: number
  format: number
  spurious: number
  irr: Vectors
  isr: Vectors
  tmr: Vectors
  /** Errors since the error status register was last written, and what it shows. */
  errors: number
  errorStatus: number
  command: number
  commandHigh: number
  timer: number
  thermal: number
  performance: number
  lint0: number
  lint1: number
  error: number
  initialCount: number
  divide: number
  /** When the timer runs out, in nanoseconds since the reset; 0: it does not run. */
  expires: number
  lines: boolean[]
  /** The processor is told that an interrupt is pending. */
  signal: boolean
  /** Level messages whose trigger mode is still to be noted. */
  unnoted: number[]
}

/** As after a reset. */
export const freshLapic = (waiting: boolean): LapicState => ({
  mode: 'xapic',
  waiting,
  taskPriority: 0,
  logicalId: 0,
  format: FORMAT.flat,
  spurious: 0xff,
  irr: noVectors(),
  isr: noVectors(),
  tmr: noVectors(),
  errors: 0,
  errorStatus: 0,
  command: 0,
  commandHigh: 0,
  timer: LVT.masked,
  thermal: LVT.masked,
  performance: LVT.masked,
  lint0: LVT.masked,
  lint1: LVT.masked,
  error: LVT.masked,
  initialCount: 0,
  divide: 0,
  expires: 0,
  lines: [false, false],
  signal: false,
  unnoted: [],
})

/** The entries of the local vector table. */
export const ENTRIES = ['timer', 'thermal', 'performance', 'lint0', 'lint1', 'error'] as const
export type EntryName = (typeof ENTRIES)[number]

export const isEnabled = ({ mode, spurious }: LapicState): boolean =>
  mode !== 'off' && (spurious & SPURIOUS.enabled) !== 0

export interface LapicParts {
  /** The processor priority. */
  priority(apic: LapicState): number
  /** Whether a requested vector goes before what the processor does. */
  precedes(vector: number, priority: number): boolean
  /** Takes a fixed interrupt. */
  accept(apic: LapicState, vector: number, level: boolean): void
  /** Whether a fixed interrupt is taken at all. */
  accepts(apic: LapicState): boolean
  /** What an acknowledge that finds nothing to give leaves in service. */
  giveNothing(apic: LapicState): void
  /** The vector that an end of interrupt ends; -1: there is none. */
  ended(apic: LapicState): number
  /** Whether the end of a vector is told to the I/O APICs. */
  broadcasts(apic: LapicState, vector: number): boolean
  /** Whether the processor is told of a pending interrupt after an input changed whose entry is masked. */
  signalAfterMasked(apic: LapicState): boolean
  /** Whether a logical destination in xAPIC mode names this APIC. */
  isNamed(apic: LapicState, destination: number): boolean
  /** An entry of the local vector table as it is kept when it is written. */
  entryWritten(apic: LapicState, value: number): number
  /** What becomes of the local vector table when software disables the APIC. */
  disable(apic: LapicState): void
  /** Which APICs a shorthand is for. */
  shorthand(kind: 'self' | 'all' | 'others', from: number, count: number): readonly number[]
  /** Which of several APICs takes an interrupt that is for one of them. */
  arbitrate(candidates: readonly { readonly cpu: number; readonly apic: LapicState }[]): readonly number[]
  /** When the timer runs out next, after it ran out at `at`; 0: never. `period` in nanoseconds. */
  expiresNext(periodic: boolean, at: number, period: number, now: number): number
  /** Nanoseconds for one count of the timer, by the divide register. */
  divisor(divide: number): number
  /** What the error status register shows when it is read. */
  shownErrors(apic: LapicState): number
  /** The state that an INIT leaves behind. */
  initialised(apic: LapicState): LapicState
}

export const honestLapic = (): LapicParts => ({
  priority: ({ taskPriority, isr }) => {
    const service = highestVector(isr)
    return service < 0 || classOf(taskPriority) >= classOf(service) ? taskPriority : service & 0xf0
  },
  precedes: (vector, priority) => classOf(vector) > classOf(priority),
  accept: (apic, vector, level) => {
    // The trigger mode comes first: the end of this interrupt may be near.
    if (level) addVector(apic.tmr, vector)
    else removeVector(apic.tmr, vector)
    addVector(apic.irr, vector)
  },
  accepts: isEnabled,
  giveNothing: () => {},
  ended: ({ isr }) => highestVector(isr),
  broadcasts: ({ tmr, spurious }, vector) => hasVector(tmr, vector) && (spurious & SPURIOUS.suppressBroadcast) === 0,
  signalAfterMasked: ({ signal }) => signal,
  isNamed: ({ format, logicalId }, destination) => {
    const own = logicalId >>> 24
    if (destination === 0xff) return true
    if (format >>> 28 === 0xf) return (own & destination) !== 0
    return own >> 4 === destination >> 4 && (own & destination & 0xf) !== 0
  },
  entryWritten: (apic, value) => (isEnabled(apic) ? value : value | LVT.masked),
  disable: (apic) => {
    for (const name of ENTRIES) apic[name] |= LVT.masked
  },
  shorthand: (kind, from, count) => {
    if (kind === 'self') return [from]
    return Array.from({ length: count }, (_, cpu) => cpu).filter((cpu) => kind === 'all' || cpu !== from)
  },
  arbitrate: (candidates) => {
    const lowest = candidates.reduce<{ cpu: number; apic: LapicState } | undefined>(
      (best, each) => (best === undefined || each.apic.taskPriority < best.apic.taskPriority ? each : best),
      undefined,
    )
    return lowest === undefined ? [] : [lowest.cpu]
  },
  expiresNext: (periodic, at, period, now) =>
    periodic && period > 0 ? at + period * (Math.floor((now - at) / period) + 1) : 0,
  divisor: (divide) => {
    const shift = ((divide >> 1) & 4) | (divide & 3)
    return shift === 7 ? 1 : 2 << shift
  },
  shownErrors: ({ errorStatus }) => errorStatus,
  initialised: (apic) => ({ ...freshLapic(true), mode: apic.mode, lines: apic.lines }),
})

/** How its timer counts. */
export const modeOf = ({ timer }: LapicState): (typeof TIMER_MODES)[number] | undefined =>
  TIMER_MODES[(timer >>> LVT.timerMode) & 3]
