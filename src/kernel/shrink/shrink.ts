/** Makes a failing plan small: a candidate counts when it breaks the same law, and is smaller in what it really did. */
import type { Machine } from '../language/machine.ts'
import type { Plan } from '../play/plan.ts'
import type { RunResult } from '../play/run.ts'
import { candidates, type Position } from './candidates.ts'
import type { Means } from './pass.ts'
import { isCostly } from './removals.ts'
import { compareLists, lengthOf, textOf, trimmed } from './steps.ts'

export interface ShrinkOptions {
  /** Default 1500. One with a costly action counts as `COSTLY` others. */
  readonly maxExecutions?: number
  /** How often a candidate is run; it counts when two thirds of them fail. Default 1; 3 for a flaky target. */
  readonly repeats?: number
  readonly interrupted?: () => boolean
  /** The target can be stopped in the middle of its work. Default: where the plan does so. */
  readonly canStep?: boolean
  /** Told after every success: how long the plan is now, and how many executions it took. */
  readonly onProgress?: (steps: number, executions: number) => void
  /** Told what each execution came to. */
  readonly onResult?: (result: RunResult) => void
}

export interface Shrunk {
  /** Literal: its arguments are those that were used, and none of its steps is skipped. */
  readonly plan: Plan
  /** Of a run of that plan: one that failed the same way, if it was `reproduced`. */
  readonly result: RunResult
  readonly executions: number
  /** What they come to where those with a costly action count as many. */
  readonly spent: number
  /** Executions or patience ended before the candidates did. */
  readonly exhausted: boolean
  /** How often the plan failed when it was run for confirmation. */
  readonly reproduced: { readonly times: number; readonly of: number }
}

const MAX_EXECUTIONS = 1500
/** A run with a costly action takes as long as so many others, and many more. */
const COSTLY = 20

/** The same law is broken: same verdict, same clause, same law. */
export const sameFailure =
  (first: RunResult) =>
  (other: RunResult): boolean =>
    first.verdict === other.verdict &&
    first.finding?.law === other.finding?.law &&
    first.finding?.clause?.id === other.finding?.clause?.id

/** Only what is known to be possible: an actor that occurs in the plan is played. */
const meansOf = (machine: Machine, { steps }: Plan, canStep = false): Means => {
  const actors = new Set(steps.flatMap((step) => (step.do === 'act' ? [step.action.actor] : [])))
  return {
    actions: machine.actions.filter(({ actor }) => actors.has(actor)),
    steps: canStep || steps.some((step) => step.do === 'step'),
  }
}

export const shrink = (
  machine: Machine,
  failing: Plan,
  execute: (plan: Plan) => RunResult,
  same: (result: RunResult) => boolean,
  options: ShrinkOptions = {},
): Shrunk => {
  const { maxExecutions = MAX_EXECUTIONS, repeats = 1, interrupted = () => false, onProgress, onResult } = options
  const needed = Math.max(1, Math.floor((repeats * 2) / 3))
  const means = meansOf(machine, failing, options.canStep)
  const tried = new Set<string>()
  let executions = 0
  let spent = 0
  let last: RunResult | undefined

  const run = (plan: Plan): RunResult => {
    executions++
    spent += plan.steps.some(isCostly) ? COSTLY : 1
    last = execute(plan)
    onResult?.(last)
    return last
  }

  /** What a plan did when it failed the same way, often enough. Every plan is run once, or once `repeats` times. */
  const fails = (plan: Plan): Plan | undefined => {
    const text = textOf(plan)
    if (tried.has(text)) return undefined
    tried.add(text)
    let done: Plan | undefined
    let times = 0
    for (let i = 0; i < repeats && times < needed && needed - times <= repeats - i; i++) {
      const result = run(plan)
      // Where runs repeat exactly, there is no more to learn from the literal form of this one, or from waiting.
      if (repeats === 1) tried.add(textOf({ steps: result.performed }))
      if (repeats === 1 && result.skipped === 0) tried.add(textOf({ ...plan, patient: true }))
      if (!same(result)) continue
      done = { steps: trimmed(result.performed) }
      times++
    }
    return times >= needed ? done : undefined
  }

  let best: Plan = { steps: trimmed(failing.steps) }
  let position: Position | undefined
  let exhausted = false

  const improve = (): boolean => {
    for (const { plan, next } of candidates(best, position, means)) {
      if (spent >= maxExecutions || interrupted()) {
        exhausted = true
        return false
      }
      const done = fails(plan)
      // Compared is what was done: a lowered reference may have led to the same descriptor.
      if (done === undefined || compareLists(done.steps, best.steps) >= 0) continue
      best = done
      position = next
      return true
    }
    return false
  }

  const done = fails(best)
  if (done !== undefined) {
    best = done
    while (improve()) onProgress?.(lengthOf(best), executions)
  }
  let times = 0
  let result: RunResult | undefined
  for (let i = 0; i < repeats; i++) {
    const again = run(best)
    if (!same(again)) continue
    result = again
    times++
  }
  return { plan: best, result: result ?? last!, executions, spent, exhausted, reproduced: { times, of: repeats } }
}
