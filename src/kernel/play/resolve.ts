/** What the arguments of a planned action mean in the state in which its turn comes. */
import type { Action, Args, Erased } from '../language/machine.ts'

/**
 * The arguments of a planned action in a state: its ids count among those that fit, the k-th of them in a circle.
 * Undefined when none fits.
 */
export const resolve = (state: Erased, action: Action, planned: Args, hostile: boolean): Args | undefined => {
  if (fits(state, action, planned, hostile)) return planned
  const reference = action.reference
  if (reference === undefined) return undefined
  const { name, type } = reference
  const wanted = planned[name] as number
  const args: Record<string, unknown> = { ...planned }
  for (let i = 1; i < type.cells; i++) {
    args[name] = (wanted + i) % type.cells
    if (fits(state, action, args, hostile)) return args
  }
  return undefined
}

const fits = (state: Erased, action: Action, args: Args, hostile: boolean): boolean => {
  if (action.when !== undefined && !action.when(state, args)) return false
  if (hostile) return true
  for (const duty of action.duties) {
    if (duty.given !== undefined && !duty.given(state, args)) continue
    if (!duty.holds(state, args)) return false
  }
  return true
}
