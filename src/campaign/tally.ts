/** Counts of many runs, in a form that is posted between threads and added up in any order. */
import type { Ledger } from '../kernel/judge/ledger.ts'

export interface Tally {
  runs: number
  /** Plan steps that were performed. */
  steps: number
  skipped: number
  commands: number
  /** By law of the machine. */
  readonly exercised: Float64Array
  readonly decided: Float64Array
  readonly violated: Float64Array
  readonly departed: Float64Array
  readonly goals: Float64Array
  /** Known deviations that were met, as `law@clause`. */
  readonly met: Map<string, number>
}

const ARRAYS = ['exercised', 'decided', 'violated', 'departed', 'goals'] as const

export const emptyTally = (laws: number, goals: number): Tally => ({
  runs: 0,
  steps: 0,
  skipped: 0,
  commands: 0,
  exercised: new Float64Array(laws),
  decided: new Float64Array(laws),
  violated: new Float64Array(laws),
  departed: new Float64Array(laws),
  goals: new Float64Array(goals),
  met: new Map(),
})

export const addTally = (sum: Tally, more: Tally): void => {
  sum.runs += more.runs
  sum.steps += more.steps
  sum.skipped += more.skipped
  sum.commands += more.commands
  for (const name of ARRAYS) for (let i = 0; i < sum[name].length; i++) sum[name][i]! += more[name][i]!
  for (const [key, count] of more.met) sum.met.set(key, (sum.met.get(key) ?? 0) + count)
}

/** Takes the counts out of a ledger, which starts anew. */
export const drainLedger = (ledger: Ledger, into: Tally): void => {
  for (const name of ARRAYS) {
    for (let i = 0; i < into[name].length; i++) into[name][i]! += ledger[name][i]!
    ledger[name].fill(0)
  }
}
