/** Steps of plans as numbers: how the shrinker compares plans, and reads and writes their arguments. */
import { decodeScalar, encodeScalar } from '../language/scalar.ts'
import type { Plan, PlanStep } from '../play/plan.ts'

export type Steps = readonly PlanStep[]
export type Act = PlanStep & { readonly do: 'act' }

/** Without the rests at the end: every run ends with one anyway. */
export const trimmed = (steps: Steps): Steps => {
  let end = steps.length
  while (end > 0 && steps[end - 1]!.do === 'settle') end--
  return end === steps.length ? steps : steps.slice(0, end)
}

/** What a plan is measured by: acts and schedule steps, without the rest at the end. */
export const lengthOf = (plan: Plan): number => trimmed(plan.steps).length

/** The raw number of an argument; 0 is the first value of every type (false, the first name, nothing, the lowest). */
export const rawOf = (step: Act, arg: number): number => {
  const { name, type } = step.action.args[arg]!
  return encodeScalar(type, step.args[name], `${step.action.name}.${name}`)
}

export const withRaw = (step: Act, arg: number, raw: number): Act => {
  const { name, type } = step.action.args[arg]!
  return { ...step, args: { ...step.args, [name]: decodeScalar(type, raw) } }
}

export const replaced = (steps: Steps, at: number, step: PlanStep): PlanStep[] =>
  steps.map((other, i) => (i === at ? step : other))

/** Without the steps from `start` up to, and without, `end`. */
export const without = (steps: Steps, start: number, end: number): PlanStep[] => [
  ...steps.slice(0, start),
  ...steps.slice(end),
]

// Acts come first, so that rests and device steps drift to the end of a plan, where they go.
const RANK = { act: 0, settle: 1, step: 2, save: 3 } as const

const keyOf = (step: PlanStep): number[] => {
  switch (step.do) {
    case 'act':
      return [RANK.act, Number(step.hostile), step.action.index, ...step.action.args.map((_, i) => rawOf(step, i))]
    case 'step':
      return step.seen === true ? [RANK.step, step.count, 1] : [RANK.step, step.count]
    default:
      return [RANK[step.do]]
  }
}

/** Below 0 when `a` is the simpler step: the canonical order. */
export const compareSteps = (a: PlanStep, b: PlanStep): number => {
  const x = keyOf(a)
  const y = keyOf(b)
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return x.length - y.length
}

/** Below 0 when `a` is the smaller plan: the shorter one, then the one whose first different step is simpler. */
export const compareLists = (a: Steps, b: Steps): number => {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    const order = compareSteps(a[i]!, b[i]!)
    if (order !== 0) return order
  }
  return 0
}

/** Text that is equal for equal plans. */
export const textOf = (plan: Plan): string =>
  `${plan.patient === true ? 'patient ' : ''}${trimmed(plan.steps)
    .map((step) => keyOf(step).join())
    .join(';')}`
