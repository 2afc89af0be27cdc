/** Passes that make plans shorter. */
import type { PlanStep } from '../play/plan.ts'
import type { Pass } from './pass.ts'
import { type Act, type Steps, without } from './steps.ts'

/** The shortest prefix that fails, by bisection. Place: a length that was seen to pass. */
export const prefix: Pass = function* (steps, [passes = 0]) {
  for (let low = passes; low + 1 < steps.length; ) {
    const length = (low + steps.length) >> 1
    yield [{ steps: steps.slice(0, length) }, [low]]
    low = length
  }
}

/** Such actions are drawn seldom because each takes as long as thousands of others. */
export const isCostly = (step: PlanStep): boolean => step.do === 'act' && step.action.weight === 0

const isAct = (step: PlanStep): step is Act => step.do === 'act'
const obedient = (step: PlanStep): PlanStep => (isAct(step) && step.hostile ? { ...step, hostile: false } : step)

const WHOLESALE: readonly ((steps: Steps) => PlanStep[])[] = [
  (steps) => steps.filter((step) => !isCostly(step)),
  (steps) => steps.filter(isAct),
  (steps) => steps.map((step) => (isAct(step) || step.do === 'settle' ? step : { do: 'settle' })),
  (steps) => steps.filter((step) => step.do !== 'save'),
  (steps) => steps.map(obedient),
  (steps) => steps.filter((step) => obedient(step) === step),
]

/** One simplification all over the plan: no costly actions, no schedule, only rests, no saves, no breaches. Place: the next one. */
export const wholesale: Pass = function* (steps, [next = 0]) {
  for (let i = next; i < WHOLESALE.length; i++) {
    const simpler = WHOLESALE[i]!(steps)
    if (simpler.length < steps.length || simpler.some((step, k) => step !== steps[k]))
      yield [{ steps: simpler }, [i + 1]]
  }
}

/** Blocks from the end to the start, then blocks of half the size. Place: size, and steps kept at the end. */
export const blocks: Pass = function* (steps, [size = Math.max(1, steps.length >> 1), kept = 0]) {
  for (let block = size, tail = kept; ; block >>= 1, tail = 0) {
    for (; tail < steps.length; tail += block) {
      const end = steps.length - tail
      yield [{ steps: without(steps, Math.max(0, end - block), end) }, [block, tail]]
    }
    if (block <= 1) return
  }
}

/** One step goes, and what is not possible without it waits until it is. Place: the step. */
export const patience: Pass = function* (steps, [next = 0]) {
  for (let i = next; i < steps.length - 1; i++) yield [{ steps: without(steps, i, i + 1), patient: true }, [i]]
}
