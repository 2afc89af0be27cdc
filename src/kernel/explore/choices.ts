/** Every way to take an action: the product of its arguments' domains, made once for a run. */
import type { Action, Args, Machine } from '../language/index.ts'
import { decodeScalar } from '../language/scalar.ts'
import { ExploreError } from './error.ts'

/** More ways than this to take one action is a scope that was forgotten. */
const MAX_WAYS = 65_536

export interface Choice {
  readonly action: Action
  readonly args: Args
}

export interface Choices {
  /** All choices, those of an action next to each other, in the order of the actions. */
  readonly all: readonly Choice[]
  /** First choice of each action, and one past the last of all. */
  readonly starts: readonly number[]
}

const waysOf = (machine: Machine, action: Action): number => {
  let ways = 1
  for (const { name, type } of action.args) {
    ways *= type.cells
    if (ways > MAX_WAYS)
      throw new ExploreError(
        machine,
        `argument ${name} has ${type.cells} values, which makes ${ways} ways to take the action; expected at most ` +
          `${MAX_WAYS}. Narrow the scope, or bound the argument by it`,
        { action: action.name },
      )
  }
  return ways
}

const argsAt = (action: Action, way: number): Args => {
  const args: Record<string, unknown> = {}
  let rest = way
  for (const { name, type } of action.args) {
    args[name] = decodeScalar(type, rest % type.cells)
    rest = Math.floor(rest / type.cells)
  }
  return Object.freeze(args)
}

export const choicesOf = (machine: Machine): Choices => {
  const all: Choice[] = []
  const starts: number[] = []
  for (const action of machine.actions) {
    starts.push(all.length)
    const ways = waysOf(machine, action)
    for (let way = 0; way < ways; way++) all.push({ action, args: argsAt(action, way) })
  }
  starts.push(all.length)
  return { all, starts }
}
