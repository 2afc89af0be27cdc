/** The ledger: per clause, what a run proved. A clause counts as decided only where breaking it would have shown. */
import type { Machine } from '../language/machine.ts'

/** Laws of a machine by kind, numbered so that counting is an array access. */
export interface LawBook {
  /** Clause id of each law. */
  readonly clauses: readonly string[]
  /** First law number of the duties of each action. */
  readonly duties: readonly number[]
  readonly owes: number
  readonly invariants: number
  readonly steps: number
}

export const lawBookOf = (machine: Machine): LawBook => {
  const clauses: string[] = []
  const duties = machine.actions.map((action) => {
    const first = clauses.length
    clauses.push(...action.duties.map((duty) => duty.clause.id))
    return first
  })
  const add = (laws: readonly { readonly clause: { readonly id: string } }[]): number => {
    const first = clauses.length
    clauses.push(...laws.map((law) => law.clause.id))
    return first
  }
  return { duties, owes: add(machine.owes), invariants: add(machine.invariants), steps: add(machine.steps), clauses }
}

/** Counts of one or many runs; laws that share a clause are added up when read. */
export class Ledger {
  readonly book: LawBook
  /** How often a law applied. */
  readonly exercised: Float64Array
  /** How often a breach of it would have been seen. */
  readonly decided: Float64Array
  readonly violated: Float64Array
  /** Recommendations that were not followed. */
  readonly departed: Float64Array
  readonly goals: Float64Array
  readonly machine: Machine

  constructor(machine: Machine) {
    this.machine = machine
    this.book = lawBookOf(machine)
    const laws = this.book.clauses.length
    this.exercised = new Float64Array(laws)
    this.decided = new Float64Array(laws)
    this.violated = new Float64Array(laws)
    this.departed = new Float64Array(laws)
    this.goals = new Float64Array(machine.goals.length + machine.stepGoals.length)
  }

  /** Sums by clause id. */
  clauses(): Map<string, { exercised: number; decided: number; violated: number; departed: number }> {
    const sums = new Map<string, { exercised: number; decided: number; violated: number; departed: number }>()
    this.book.clauses.forEach((id, law) => {
      const sum = sums.get(id) ?? { exercised: 0, decided: 0, violated: 0, departed: 0 }
      sum.exercised += this.exercised[law]!
      sum.decided += this.decided[law]!
      sum.violated += this.violated[law]!
      sum.departed += this.departed[law]!
      sums.set(id, sum)
    })
    return sums
  }

  /** How often each goal was reached. */
  goalCounts(): Record<string, number> {
    const names = [...this.machine.goals, ...this.machine.stepGoals].map((goal) => goal.name)
    return Object.fromEntries(names.map((name, i) => [name, this.goals[i]!]))
  }
}
