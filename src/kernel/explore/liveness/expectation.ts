/**
 * What a machine promises to come, and whom it can rely on for that.
 *
 * An obligation expects its action: that what is owed is no longer owed ends it too. It stays open where a device goes on
 * for ever without it. A `leadsTo` law expects a state. Where behaviour is unspecified nothing is expected, unless it is a
 * matter of safety: a path on which that happens ends what was expected before.
 *
 * Everybody may rest, and stay at rest, but for those who are fair: whoever owes an action takes it at some time if he
 * owes it and can take it without end; so do the others that the machine names.
 */
import type { Clause, Erased, Machine } from '../../language/index.ts'

export type Condition = (s: Erased) => boolean

export interface Expectation {
  readonly name: string
  readonly clause: Clause
  /** It is open, or would be if it had begun. */
  readonly pending: Condition
  /** It begins in such a state, where it is pending. Absent: wherever it is pending. */
  readonly begins?: Condition
  /** Index of the action that meets it, whatever comes of that. */
  readonly metBy?: number
}

export interface Fairness {
  readonly name: string
  /** Indexes of actions; any one of them will do. */
  readonly actions: readonly number[]
  /** One can rely on it only in such states. */
  readonly only?: Condition
}

type Debt = Machine['owes'][number]

/** Something is owed, and nothing excuses it. */
const isOwed = ({ unspecified }: Machine, { when, safety }: Debt): Condition =>
  safety === true || unspecified === undefined ? when : (s) => when(s) && !unspecified(s)

export const obligationsOf = (machine: Machine): Expectation[] =>
  machine.owes.map((owed) => {
    const action = machine.actions.find(({ name }) => name === owed.name)
    return {
      ...{ name: owed.name, clause: owed.clause, pending: isOwed(machine, owed) },
      ...(action === undefined ? {} : { metBy: action.index }),
    }
  })

export const lawsOf = ({ leadsTo, unspecified }: Machine): Expectation[] =>
  leadsTo.map(({ name, clause, from, to, safety }) => ({
    ...{ name, clause, begins: from },
    pending: safety === true || unspecified === undefined ? (s) => !to(s) : (s) => !to(s) && !unspecified(s),
  }))

/** Whom one can rely on: who owes an action, while he owes it, and those that the machine says are fair. */
export const fairnessOf = (machine: Machine): Fairness[] => {
  const owing = machine.actions.flatMap(({ name, index }): Fairness[] => {
    const owed = machine.owes.filter((one) => one.name === name).map((one) => isOwed(machine, one))
    return owed.length === 0 ? [] : [{ name, actions: [index], only: (s) => owed.some((when) => when(s)) }]
  })
  return [...machine.fair, ...owing.filter(({ name }) => !machine.fair.some((fair) => fair.name === name))]
}
