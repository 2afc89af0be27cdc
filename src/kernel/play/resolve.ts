/** What the arguments of a planned action mean in the state in which its turn comes. */
import type { Action, Args, Erased } from '../language/machine.ts'

/**
 * The arguments of a planned action in a state: its ids count among those that fit, the k-th of them in a circle.
 * Undefined when none fits.
 */
export const resolve = (state: Erased, action: Action, planned: Args, hostile: boolean): Args | undefined => {
  if (fits(state, action, planned, hostile)) return planned
  const reference = action.reference
  if (reference === undefined || isHopeless(state, action, planned, hostile)) return undefined
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

/** Arguments that notice whether the reference among them is looked at. */
interface Probe {
  readonly args: Record<string, unknown>
  reference: unknown
  lookedAt: boolean
}

const probes = new WeakMap<Action, Probe>()

const probeOf = (action: Action, reference: string): Probe => {
  const known = probes.get(action)
  if (known !== undefined) return known
  const probe: Probe = { args: {}, reference: undefined, lookedAt: false }
  for (const { name } of action.args) if (name !== reference) probe.args[name] = undefined
  Object.defineProperty(probe.args, reference, {
    enumerable: true,
    get() {
      probe.lookedAt = true
      return probe.reference
    },
  })
  probes.set(action, probe)
  return probe
}

/** Of arguments that do not fit: what fails without a look at the reference fails for every id. */
const isHopeless = (state: Erased, action: Action, planned: Args, hostile: boolean): boolean => {
  const reference = action.reference!.name
  const probe = probeOf(action, reference)
  const { args } = probe
  for (const { name } of action.args) if (name !== reference) args[name] = planned[name]
  probe.reference = planned[reference]
  probe.lookedAt = false
  if (action.when !== undefined && !action.when(state, args)) return !probe.lookedAt
  if (hostile) return false
  for (const duty of action.duties) {
    probe.lookedAt = false
    if (duty.given !== undefined && !duty.given(state, args)) continue
    if (!duty.holds(state, args)) return !probe.lookedAt
  }
  return false
}
