/**
 * The plain reading of a transition, used where speed does not matter: to name the steps of a trace, and to find out
 * which of the author's functions threw.
 */
import type { Actor, Clause, Machine } from '../language/index.ts'
import { argsToJson, differences, stateToJson } from '../language/state.ts'
import { viewOf } from '../language/views.ts'
import type { Choice } from './choices.ts'
import { ExploreError, thrown } from './error.ts'
import type { Step } from './exploration.ts'

export interface Taken {
  readonly after: Int32Array
  readonly breaches: readonly Clause[]
}

/** Evaluates one of the author's functions; what it throws becomes an `ExploreError` that names it. */
type Evaluate = <V>(part: string, of: () => V) => V

const evaluator =
  (machine: Machine, cells: Int32Array, choice?: Choice): Evaluate =>
  (part, of) => {
    try {
      return of()
    } catch (error) {
      const call =
        choice === undefined ? {} : { action: choice.action.name, args: argsToJson(choice.action, choice.args) }
      throw thrown(machine, error, { ...call, part, state: stateToJson(machine.layout, cells) })
    }
  }

/** Takes a choice in a state: nothing when it is not possible there. */
export const take = (
  machine: Machine,
  choice: Choice,
  cells: Int32Array,
  hostile: readonly Actor[],
): Taken | undefined => {
  const { action, args } = choice
  const evaluate = evaluator(machine, cells, choice)
  const mayBreach = hostile.includes(action.actor)
  if (action.hostile && !mayBreach) return undefined
  const before = cells.slice()
  const state = viewOf(machine.layout, before)
  const waived = evaluate('unspecified', () => machine.unspecified?.(state) ?? false)
  if (!evaluate('when', () => action.when?.(state, args) ?? true)) return undefined
  const broken = action.duties.filter(
    (duty) =>
      (duty.safety === true || !waived) &&
      evaluate(`duty ${duty.name} (given)`, () => duty.given?.(state, args) ?? true) &&
      !evaluate(`duty ${duty.name}`, () => duty.holds(state, args)),
  )
  if (broken.length > 0 && !mayBreach) return undefined
  const after = cells.slice()
  const next = viewOf(machine.layout, after)
  for (const goal of machine.stepGoals)
    if (goal.action === action.index) evaluate(`goal ${goal.name}`, () => goal.when(state, args))
  evaluate('effect', () => action.effect?.(next, args))
  for (const law of machine.steps) evaluate(`step law ${law.name}`, () => law.holds(state, next, action.name))
  for (const { clause, name } of broken) evaluate(`breach of ${name}`, () => machine.breach?.(next, clause))
  return { after, breaches: broken.map((duty) => duty.clause) }
}

export const stepOf = (machine: Machine, choice: Choice, before: Int32Array, { after, breaches }: Taken): Step => ({
  action: choice.action.name,
  args: argsToJson(choice.action, choice.args),
  changes: differences(machine.layout, before, after),
  ...(breaches.length === 0 ? {} : { breaches: breaches.map((clause) => clause.id) }),
})

/** Evaluates everything in one state again, to throw an error that says which function threw there and why. */
export const diagnose = (
  machine: Machine,
  choices: readonly Choice[],
  cells: Int32Array,
  hostile: readonly Actor[],
  error: unknown,
): never => {
  const evaluate = evaluator(machine, cells)
  const state = viewOf(machine.layout, cells.slice())
  evaluate('unspecified', () => machine.unspecified?.(state))
  for (const law of machine.invariants) evaluate(`invariant ${law.name}`, () => law.holds(state))
  for (const goal of machine.goals) evaluate(`goal ${goal.name}`, () => goal.holds(state))
  for (const choice of choices) take(machine, choice, cells, hostile)
  for (const owed of machine.owes) evaluate(`obligation ${owed.name}`, () => owed.when(state))
  for (const { name, from, to } of machine.leadsTo) evaluate(`leadsTo ${name}`, () => [from(state), to(state)])
  evaluate('final', () => machine.final?.(state))
  throw new ExploreError(
    machine,
    `${error instanceof Error ? error.message : String(error)} (and not again when the same state was evaluated a ` +
      'second time: some function of the machine depends on more than the state, or writes where it must not)',
    { state: stateToJson(machine.layout, cells) },
    error,
  )
}
