/** Clause by clause: what a campaign proved. */

import { TROUBLE_CLAUSES } from './failures.ts'
import type { Prepared } from './jobs.ts'
import type { Tally } from './tally.ts'
import type { ClauseRow, ClauseStatus } from './types.ts'

/** What is known about the failures of a machine by the end of its campaign. */
export interface Convictions {
  /** Clauses with a confirmed counterexample that no known deviation explains. */
  readonly violated: ReadonlySet<string>
  /** Clauses whose every failure is a known deviation. */
  readonly known: ReadonlySet<string>
}

interface Sums {
  exercised: number
  decided: number
  violated: number
  departed: number
  /** Why each of its laws cannot be asked; undefined as soon as one can. */
  reason: string | undefined
}

const SAFETY = { basis: 'derived', strength: 'MUST NOT' } as const

/** The rows of one machine, in the order of its laws; the last ones are about crashes, hangs and livelocks. */
export const clauseRows = (prepared: Prepared, tally: Tally, convictions: Convictions): ClauseRow[] => {
  const sums = new Map<string, Sums>()
  prepared.laws.forEach(({ clause, reason: own }, law) => {
    const known = sums.get(clause)
    const reason = prepared.notApplicable ?? own
    const sum = known ?? { exercised: 0, decided: 0, violated: 0, departed: 0, reason }
    if (known !== undefined && reason === undefined) sum.reason = undefined
    const hardening = prepared.clauses[clause]!.basis === 'hardening'
    sum.exercised += tally.exercised[law]!
    sum.decided += tally.decided[law]!
    sum.violated += hardening ? 0 : tally.violated[law]!
    sum.departed += tally.departed[law]! + (hardening ? tally.violated[law]! : 0)
    sums.set(clause, sum)
  })
  if (prepared.notApplicable === undefined)
    for (const [verdict, id] of Object.entries(TROUBLE_CLAUSES)) {
      const violated = convictions.violated.has(id) || convictions.known.has(id) ? 1 : 0
      const own = sums.get(id) ?? { exercised: 0, decided: 0, violated: 0, departed: 0, reason: undefined }
      // Every run is a chance to crash; livelocks are told by targets that count their own steps.
      if (verdict !== 'livelocks' || own.decided === 0) own.decided += tally.runs
      own.exercised += tally.runs
      own.violated += violated
      sums.set(id, own)
    }
  return [...sums].map(([id, { exercised, decided, violated, departed, reason }]): ClauseRow => {
    const { basis, strength } = prepared.clauses[id] ?? SAFETY
    const counts = { exercised, decided, violated, departed }
    const status = statusOf(id, counts, reason, convictions)
    return {
      id,
      ...counts,
      status,
      basis,
      strength,
      ...(status === 'not-applicable' && reason !== undefined ? { reason } : {}),
    }
  })
}

const statusOf = (
  id: string,
  { decided, departed, violated }: Omit<Sums, 'reason'>,
  reason: string | undefined,
  convictions: Convictions,
): ClauseStatus => {
  if (convictions.violated.has(id)) return 'violated'
  if (convictions.known.has(id)) return 'known'
  if (departed > 0) return 'departed'
  // It was seen broken, and that did not come again.
  if (violated > 0) return 'undecided'
  if (decided > 0) return 'kept'
  return reason === undefined ? 'undecided' : 'not-applicable'
}

const STRONGEST: readonly ClauseStatus[] = ['violated', 'known', 'departed', 'kept', 'undecided', 'not-applicable']

/** One row for each clause of several machines, sorted by id. */
export const mergeRows = (machines: readonly (readonly ClauseRow[])[]): ClauseRow[] => {
  const merged = new Map<string, ClauseRow>()
  for (const row of machines.flat()) {
    const other = merged.get(row.id)
    if (other === undefined) {
      merged.set(row.id, row)
      continue
    }
    const [first] = [row, other].sort((a, b) => STRONGEST.indexOf(a.status) - STRONGEST.indexOf(b.status))
    merged.set(row.id, {
      ...first!,
      exercised: row.exercised + other.exercised,
      decided: row.decided + other.decided,
      violated: row.violated + other.violated,
      departed: row.departed + other.departed,
    })
  }
  return [...merged.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}
