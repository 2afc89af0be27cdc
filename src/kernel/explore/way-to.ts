/** A shortest way to a goal: the search for a way to break the law that it is never reached. */
import type { Clause, Machine } from '../language/index.ts'
import type { Erased } from '../language/machine.ts'
import { encodeScalar, type ScalarJson, scalarFromJson } from '../language/scalar.ts'
import { viewOf } from '../language/views.ts'
import { type Choice, choicesOf } from './choices.ts'
import type { Exploration, ExploreOptions, Step } from './exploration.ts'
import { explore } from './explore.ts'
import { isPossible } from './possible.ts'
import { stepOf, take } from './retrace.ts'

export interface WayTo {
  readonly goal: string
  /** Undefined when there is none among the states that were seen. */
  readonly steps: readonly Step[] | undefined
  /** Of the search, which ends when the goal is found. */
  readonly searched: Pick<Exploration, 'states' | 'depth' | 'cutShort'>
}

/** `goal` is one of the machine, a state or a step. */
export const wayTo = (machine: Machine, goal: string, options: ExploreOptions = {}): WayTo => {
  const stepGoal = machine.stepGoals.find(({ name }) => name === goal)
  const isReached = machine.goals.find(({ name }) => name === goal)?.holds
  if (isReached === undefined && stepGoal === undefined)
    throw new RangeError(
      `${machine.name}: no goal is called ${goal}; there are ${[...machine.goals, ...machine.stepGoals].map(({ name }) => name).join(', ')}`,
    )
  const { hostile = [] } = options
  // A goal that is a step is reached from any state in which that step can be taken.
  const lasts =
    stepGoal === undefined ? [] : choicesOf(machine).all.filter(({ action }) => action.index === stepGoal.action)
  const lastIn = (s: Erased): Choice | undefined =>
    lasts.find((choice) => isPossible(machine, choice, s, hostile) && stepGoal!.when(s, choice.args))
  const isThere = isReached ?? ((s: Erased) => lastIn(s) !== undefined)
  let isFound = false
  const holds = (s: Erased): boolean => {
    if (!isThere(s)) return true
    isFound = true
    return false
  }
  const hunted: Machine = {
    ...machine,
    ...{ owes: [], leadsTo: [], goals: [], stepGoals: [], steps: [] },
    invariants: [{ name: goal, clause: { id: goal } as Clause, safety: true, holds }],
  }
  const { violations, states, depth, cutShort } = explore(hunted, {
    ...options,
    interrupted: () => isFound || options.interrupted?.() === true,
  })
  const searched = { states, depth, ...(cutShort === undefined || isFound ? {} : { cutShort }) }
  const way = violations[0]?.steps
  if (way === undefined || stepGoal === undefined) return { goal, steps: way, searched }
  const cells = cellsAlong(machine, way).at(-1)!
  const last = lastIn(viewOf(machine.layout, cells) as Erased)!
  return { goal, steps: [...way, stepOf(machine, last, cells, take(machine, last, cells, hostile)!)], searched }
}

/** A step, as far as it says what the state is after it. */
export interface Changing {
  readonly changes: readonly { readonly path: string; readonly after: ScalarJson }[]
}

/** The states along a trace from the initial state on, that one included. */
export const cellsAlong = (machine: Machine, steps: readonly Changing[]): Int32Array[] => {
  const leaves = new Map(machine.layout.leaves.map((leaf) => [leaf.path, leaf]))
  const states = [machine.initial()]
  for (const [i, { changes }] of steps.entries()) {
    const cells = states.at(-1)!.slice()
    for (const { path, after } of changes) {
      const leaf = leaves.get(path)
      if (leaf === undefined) throw new RangeError(`${machine.name}: step ${i + 1}: no field is called ${path}`)
      cells[leaf.cell] = encodeScalar(leaf.type, scalarFromJson(leaf.type, after, path), path)
    }
    states.push(cells)
  }
  return states
}
