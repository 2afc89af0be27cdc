/**
 * The plans to try instead of one that fails, in the order in which they are worth it. What comes is decided by the
 * plan and the position alone, so that fast-check can replay a shrink from seed and path.
 */
import type { Plan } from '../play/plan.ts'
import { reaimed, rebroken, retimed, substituted, summed } from './exchanges.ts'
import { moves, swaps } from './order.ts'
import { type Means, NO_MEANS, type Pass, type Place } from './pass.ts'
import { blocks, isCostly, patience, prefix, wholesale } from './removals.ts'
import { lengthOf, type Steps, trimmed } from './steps.ts'
import { obedience, renamed, schedule, together, values } from './values.ts'

const PASSES: readonly Pass[] = [
  prefix,
  wholesale,
  blocks,
  summed,
  schedule,
  obedience,
  renamed,
  together,
  values,
  patience,
  swaps,
  moves,
  retimed,
  reaimed,
  substituted,
  rebroken,
]
/** From here on passes are dear: when one of them made the plan shorter, the cheap ones come first again. */
const DEAR = PASSES.indexOf(patience)
const BLOCKS = PASSES.indexOf(blocks)
const COSTLY_MAX = 6

/** Where the search goes on after a success. */
export interface Position {
  readonly pass: number
  readonly place: Place
  /** The pass of the last success: it and what comes before it were tried on a larger plan. -1: none. */
  readonly again: number
}

export interface Candidate {
  readonly plan: Plan
  /** Where to go on when this plan fails too. */
  readonly next: Position
}

const START: Position = { pass: 0, place: [], again: -1 }

export function* candidates(
  plan: Plan,
  { pass, place, again }: Position = START,
  means: Means = NO_MEANS,
): Generator<Candidate> {
  const steps = trimmed(plan.steps)
  yield* sweep(steps, means, pass, place, PASSES.length - 1)
  // Where one run takes as long as hundreds of others, what did not go before is tried again on a short plan only.
  if (steps.length <= COSTLY_MAX || !steps.some(isCostly)) yield* sweep(steps, means, 0, [], again)
}

function* sweep(steps: Steps, means: Means, first: number, from: Place, last: number): Generator<Candidate> {
  for (let pass = first; pass <= last; pass++)
    for (const [plan, place] of PASSES[pass]!(steps, pass === first ? from : [], means)) {
      const shorter = pass >= DEAR && lengthOf(plan) < steps.length
      yield { plan, next: shorter ? { pass: BLOCKS, place: [1, 0], again: pass } : { pass, place, again: pass } }
    }
}
