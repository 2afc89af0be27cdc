/** Whether a choice can be taken in a state, without taking it. */
import type { Actor, Erased, Machine } from '../language/index.ts'
import type { Choice } from './choices.ts'

export const isPossible = (
  machine: Machine,
  { action, args }: Choice,
  s: Erased,
  hostile: readonly Actor[],
): boolean => {
  const mayBreach = hostile.includes(action.actor)
  if ((action.hostile && !mayBreach) || !(action.when?.(s, args) ?? true)) return false
  const isFree = machine.unspecified?.(s) === true
  return (
    mayBreach ||
    action.duties.every(
      ({ safety, given, holds }) => (isFree && safety !== true) || !(given?.(s, args) ?? true) || holds(s, args),
    )
  )
}
