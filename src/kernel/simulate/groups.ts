/** Which choices are possible: asked for in groups, so that one look-up answers for many. */
import type { Choices } from '../explore/choices.ts'
import type { Actor, Machine } from '../language/index.ts'
import type { Erased } from '../language/machine.ts'
import type { Learned } from './learned.ts'

/** Choices whose possibility is asked for together, and the tree that knows it. */
export interface Group {
  readonly root: number
  readonly choices: readonly number[]
  /** Asked each time, for the tree would be too large. */
  direct: boolean
}

/** Says of choices whether they are possible, and allowed to their actor where that is none of the hostile ones. */
export const possibleIn =
  (machine: Machine, choices: Choices, hostile: readonly Actor[]) =>
  (k: number, state: Erased): boolean => {
    const { action, args } = choices.all[k]!
    if (action.when !== undefined && !action.when(state, args)) return false
    if (action.duties.length === 0 || hostile.includes(action.actor)) return true
    const isFree = machine.unspecified?.(state) === true
    for (const { safety, given, holds } of action.duties) {
      if (isFree && safety !== true) continue
      if (given !== undefined && !given(state, args)) continue
      if (!holds(state, args)) return false
    }
    return true
  }

/** Choices that look at the same cell first are asked about together. */
export const groupsOf = (
  mine: readonly number[],
  learned: Learned,
  isPossible: (k: number, state: Erased) => boolean,
): Group[] => grouped(mine, learned, (k) => learned.firstRead((state) => void isPossible(k, state)))

/** The parts of a group whose tree is too large: by action. One that is of a single action is asked each time. */
export const partsOf = (group: Group, learned: Learned, { all }: Choices): readonly Group[] => {
  const parts = grouped(group.choices, learned, (k) => all[k]!.action)
  if (parts.length > 1) return parts
  group.direct = true
  return [group]
}

const grouped = (choices: readonly number[], learned: Learned, keyOf: (k: number) => unknown): Group[] => {
  const groups = new Map<unknown, number[]>()
  for (const k of choices) {
    const key = keyOf(k)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [k])
    else group.push(k)
  }
  return [...groups.values()].map((some) => ({ root: learned.root(), choices: some, direct: false }))
}
