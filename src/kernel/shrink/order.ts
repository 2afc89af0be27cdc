/** Passes that put steps into the canonical order, so that different seeds of one bug end in one form. */
import type { PlanStep } from '../play/plan.ts'
import type { Pass } from './pass.ts'
import { compareSteps, type Steps } from './steps.ts'

const moved = (steps: Steps, from: number, to: number): PlanStep[] => {
  const out = steps.slice()
  out.splice(to, 0, ...out.splice(from, 1))
  return out
}

/** Neighbours that stand in the wrong order change places. Place: the first of the two. */
export const swaps: Pass = function* (steps, [next = 0]) {
  for (let i = next; i + 1 < steps.length; i++)
    if (compareSteps(steps[i + 1]!, steps[i]!) < 0) yield [{ steps: moved(steps, i + 1, i) }, [Math.max(0, i - 1)]]
}

/** Longer plans are left as they are: the candidates grow with the square of the length. */
const MOVED_MAX = 24

/** A step goes before an earlier one that is less simple, or after a later one. Place: the earlier one. */
export const moves: Pass = function* (steps, [next = 0]) {
  if (steps.length > MOVED_MAX) return
  for (let i = next; i < steps.length; i++)
    for (let j = i + 2; j < steps.length; j++) {
      if (compareSteps(steps[j]!, steps[i]!) < 0) yield [{ steps: moved(steps, j, i) }, [i]]
      if (compareSteps(steps[i + 1]!, steps[i]!) < 0) yield [{ steps: moved(steps, i, j) }, [i]]
    }
}
