/**
 * One mistake of a device breaks several laws, and the run that finds it first breaks one of them by chance. So a plan
 * is shrunk twice: for the law that it was found to break, then on to any other law that breaks with less.
 *
 * Two mistakes must not be taken for one: the simpler plan does nothing that the other one does not do.
 */
import type { Verdict } from '../judge/verdict.ts'
import type { Machine } from '../language/machine.ts'
import type { Plan, PlanStep } from '../play/plan.ts'
import type { RunResult } from '../play/run.ts'
import { isCostly } from './removals.ts'
import { type ShrinkOptions, type Shrunk, shrink } from './shrink.ts'
import { compareLists, type Steps, trimmed } from './steps.ts'

/** What tells one kind of failure from another. */
export interface Failing {
  readonly verdict: Verdict
  /** Name of the law; the verdict itself where there is none. */
  readonly law: string
  readonly clause: string
  readonly hardening: boolean
}

/** A law that the same mistake breaks, and the shrunk plan that shows it. */
export interface Kin {
  readonly failing: Failing
  readonly plan: Plan
}

export interface ShrunkKin extends Shrunk {
  /** What the plan shows. */
  readonly failing: Failing
  /** Laws that were left for simpler plans, the one that was found first. */
  readonly also: readonly Kin[]
}

/** Executions for a law that was come to late, as a part of the bound. */
const LATE = 4

export const sameFailing = (a: Failing, b: Failing): boolean =>
  a.verdict === b.verdict && a.law === b.law && a.clause === b.clause && a.hardening === b.hardening

/** `failuresOf`: every way in which a run failed. Flaky targets, those with `repeats`, are kept to the first law. */
export const shrinkKin = (
  machine: Machine,
  plan: Plan,
  execute: (plan: Plan) => RunResult,
  first: Failing,
  failuresOf: (result: RunResult) => readonly Failing[],
  options: ShrinkOptions & { readonly maxExecutions: number },
): ShrunkKin => {
  const also: Kin[] = []
  let executions = 0
  let spent = 0
  let from = plan
  let failing = first
  let done: Shrunk | undefined
  for (;;) {
    const others: Kin[] = []
    const shrunk = shrink(machine, from, execute, (result) => failuresOf(result).some(is(failing)), {
      ...options,
      maxExecutions: Math.max(options.maxExecutions - spent, Math.ceil(options.maxExecutions / LATE)),
      onResult(result) {
        for (const other of failuresOf(result))
          if (mayStandFor(other, failing)) others.push({ failing: other, plan: { steps: trimmed(result.performed) } })
      },
    })
    executions += shrunk.executions
    spent += shrunk.spent
    // One that did not come again is no better than the one before.
    const failed = shrunk.reproduced.times > 0
    if (failed || done === undefined) done = shrunk
    else failing = also.pop()!.failing
    const simplest = failed && (options.repeats ?? 1) === 1 ? least(others, failing, shrunk.plan.steps) : undefined
    if (simplest === undefined) return { ...done, executions, spent, failing, also }
    also.push({ failing, plan: shrunk.plan })
    failing = simplest.failing
    from = simplest.plan
  }
}

const is =
  (failing: Failing) =>
  (other: Failing): boolean =>
    sameFailing(failing, other)

/** A crash or a hang is never taken for a broken law, nor a breach of the standard for missing hardening. */
const mayStandFor = (other: Failing, failing: Failing): boolean =>
  other.verdict === 'violates' &&
  failing.verdict === 'violates' &&
  other.hardening === failing.hardening &&
  !sameFailing(other, failing)

/** The least plan that does less; or that does as much with lower values, where law or clause is the same. */
const least = (others: readonly Kin[], failing: Failing, steps: Steps): Kin | undefined => {
  let best: Kin | undefined
  for (const other of others) {
    const { steps: fewer } = other.plan
    if (compareLists(fewer, best?.plan.steps ?? steps) >= 0 || !isWithin(fewer, steps)) continue
    const akin = other.failing.law === failing.law || other.failing.clause === failing.clause
    if (akin || fewer.length < steps.length) best = other
  }
  return best
}

/** Each of its actions is one of the others; a costly one is many of them. */
const isWithin = (fewer: Steps, steps: Steps): boolean => {
  const left = new Map<string, number>()
  for (const step of steps) left.set(nameOf(step), (left.get(nameOf(step)) ?? 0) + 1)
  for (const step of fewer) {
    if (step.do === 'settle' || step.do === 'step' || isCostly(step)) continue
    const count = left.get(nameOf(step)) ?? 0
    if (count === 0) return false
    left.set(nameOf(step), count - 1)
  }
  return true
}

const nameOf = (step: PlanStep): string => (step.do === 'act' ? `${step.action.name} ${step.hostile}` : step.do)
