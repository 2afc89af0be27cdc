/** What one kind of simplification is: a list of candidates, each with the place to go on at when it succeeds. */
import type { Action } from '../language/machine.ts'
import type { Plan } from '../play/plan.ts'
import type { Steps } from './steps.ts'

/** Where a pass goes on; `[]` is its start. What the numbers mean is the matter of the pass. */
export type Place = readonly number[]

/** What may stand in a plan that was not there before. */
export interface Means {
  /** Actions that we play. */
  readonly actions: readonly Action[]
  /** Counted device steps are of use. */
  readonly steps: boolean
}

export const NO_MEANS: Means = { actions: [], steps: false }

/** Depends on its arguments only, so that a search can be replayed from the same steps and the same place. */
export type Pass = (steps: Steps, from: Place, means: Means) => Iterable<readonly [Plan, Place]>
