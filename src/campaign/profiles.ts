/** Behaviours in use beside the one that a machine judges by: which of them allow what was seen. */
import { hintFor } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import { Judge } from '../kernel/judge/judge.ts'
import type { Machine } from '../kernel/language/machine.ts'
import { argsFromJson, argsToJson } from '../kernel/language/state.ts'
import type { Model } from '../kernel/model.ts'
import type { TraceStep } from '../kernel/play/run.ts'
import { UsageError } from './exit.ts'

/** A profile of a machine, ready to judge by. */
export interface Behaviour {
  readonly name: string
  readonly machine: Machine
}

/** The bounds of a profile; none where the machine does not know it. */
export const boundsOf = (model: Model, profile: string | undefined): Readonly<Record<string, number>> =>
  model.profiles?.find(({ name }) => name === profile)?.bounds ?? {}

/** Throws a `UsageError` when none of the machines has the profile that is asked for. */
export const expectProfile = (models: readonly Model[], asked: readonly string[] | 'all', profile: string): void => {
  const chosen = models.filter(
    ({ machine }) => asked === 'all' || asked.includes('all') || asked.includes(machine.name),
  )
  const names = [...new Set(chosen.flatMap(({ profiles = [] }) => profiles.map(({ name }) => name)))]
  if (names.includes(profile)) return
  const hint = names.length === 0 ? 'these machines have none' : hintFor(profile, names)
  throw new UsageError(`no profile is called ${preview(profile)}; ${hint}`)
}

/** Every profile of a model within the bounds that the machine is played in. */
export const behavioursOf = (model: Model, machine: Machine): readonly Behaviour[] =>
  (model.profiles ?? []).map(({ name, bounds }) => ({
    name,
    machine: model.machine.at(machine.scopeName.split('+')[0]!, { ...machine.scope, ...bounds }),
  }))

/** The names of those that allow all of a trace. `tolerated`: laws that are overlooked, as `law@clause`. */
export const equalTo = (
  behaviours: readonly Behaviour[],
  trace: readonly TraceStep[],
  tolerated: ReadonlySet<string>,
): string[] => behaviours.filter(({ machine }) => allows(machine, trace, tolerated)).map(({ name }) => name)

const allows = (machine: Machine, trace: readonly TraceStep[], tolerated: ReadonlySet<string>): boolean => {
  const judge = new Judge(machine, { tolerated })
  let resting = false
  for (const step of trace) {
    // What was seen while the target came to rest stands after the step that let it.
    if (resting && step.by !== 'target') {
      resting = false
      if (judge.quiet() !== undefined) return false
    }
    if (step.by === 'schedule') {
      resting = step.do === 'settle'
      continue
    }
    const action = machine.action(step.action.name)
    let args: ReturnType<typeof argsFromJson>
    try {
      args = argsFromJson(action, argsToJson(step.action, step.args))
    } catch {
      return false
    }
    if (step.by === 'us' && !judge.possible(action, args)) return false
    const finding = step.by === 'us' ? judge.perform(action, args) : judge.observe(action, args)
    if (finding !== undefined) return false
  }
  return !resting || judge.quiet() === undefined
}
