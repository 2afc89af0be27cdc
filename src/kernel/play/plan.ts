/**
 * Plans: what a campaign means to do, drawn before anything runs. A plan names only what we do; what the side under
 * test does is found out. Ids in arguments are references ("the second that fits"), resolved against the judged state.
 */
import type { Action, Args, Machine } from '../language/machine.ts'
import { argsFromJson, argsToJson, type Json } from '../language/state.ts'

export type PlanStep =
  /** Performs an action that we play. `hostile`: also where that breaks a duty of ours. */
  | { readonly do: 'act'; readonly action: Action; readonly args: Args; readonly hostile: boolean }
  /**
   * Lets the device take so many of its smallest steps; a target without `step` takes as many as it likes. `seen`: only
   * steps count in which the device shows something, such as an access to memory, so that no moment between two of
   * them is longer than another. What was performed is plain steps again.
   */
  | { readonly do: 'step'; readonly count: number; readonly seen?: true }
  /** Lets the target work until it rests, then asks whether anything is owed. */
  | { readonly do: 'settle' }
  /** Saves the target and goes on with a fresh instance restored from that. */
  | { readonly do: 'save' }

export interface Plan {
  readonly steps: readonly PlanStep[]
  /** Steps that are not possible when their turn comes are not skipped: each waits until it is. For the shrinker. */
  readonly patient?: boolean
}

/** A plan step as it is written to files. */
export type PlanStepJson =
  | {
      readonly do: 'act'
      readonly action: string
      readonly args: { readonly [name: string]: Json }
      readonly hostile?: true
    }
  | { readonly do: 'step'; readonly count: number; readonly seen?: true }
  | { readonly do: 'settle' }
  | { readonly do: 'save' }

export const planToJson = (plan: Plan): PlanStepJson[] =>
  plan.steps.map((step) =>
    step.do === 'act'
      ? {
          do: 'act',
          action: step.action.name,
          args: argsToJson(step.action, step.args),
          ...(step.hostile ? { hostile: true as const } : {}),
        }
      : step,
  )

/** Throws a RangeError that names the step and what is wrong with it. */
export const planFromJson = (machine: Machine, json: readonly PlanStepJson[]): Plan => ({
  steps: json.map((step, i) => {
    if (step.do !== 'act') return step
    try {
      const action = machine.action(step.action)
      return { do: 'act', action, args: argsFromJson(action, step.args), hostile: step.hostile === true }
    } catch (error) {
      throw new RangeError(`steps[${i}]: ${(error as Error).message}`)
    }
  }),
})

/** Two steps are the same. */
export const sameStep = (a: PlanStep, b: PlanStep): boolean =>
  JSON.stringify(planToJson({ steps: [a] })) === JSON.stringify(planToJson({ steps: [b] }))
