/**
 * Whether a shorter plan fails too, and which of the shortest comes first, found out by walking target and machine
 * breadth first.
 *
 * The walk is over plans of the values of one trace: its own steps, each as often as one likes and in any order, and
 * rests, the simplest first. So the plan that it meets first is the same for all traces of the same values. A second
 * walk, about that plan, also has each of its actions with one value lowered: what needs another value to be done in
 * fewer steps, or in simpler ones, is found there, if the walk comes to its end. Nodes are
 * reached by running their plan from the start, so that host-side bookkeeping is always that of the plan, and are told
 * apart by the fingerprint of the target, the state of the judge and what the session says that it remembers.
 */
import type { Machine } from '../language/machine.ts'
import { type Plan, type PlanStep, sameStep } from '../play/plan.ts'
import { possibleIn } from '../play/possible.ts'
import type { RunResult } from '../play/run.ts'
import { compareSteps, lengthOf, rawOf, type Steps, trimmed, withRaw } from './steps.ts'

export interface MinimalOptions {
  /** A plan that fails, shrunk and literal. */
  readonly plan: Plan
  /** What the plan is of. With it, steps that are not possible where a plan has led are not run to find that out. */
  readonly machine?: Machine
  /**
   * Runs of a Runner with the option `fingerprint`, each from the same state of a target that repeats itself exactly:
   * on a fresh instance, unless the start of a session leaves nothing behind of the run before, not even in memory.
   */
  readonly execute: (plan: Plan) => RunResult
  readonly same: (result: RunResult) => boolean
  /** Default 20,000. */
  readonly maxExecutions?: number
  readonly interrupted?: () => boolean
}

export interface Minimality {
  /** `proved`: no plan of these values is shorter than `shortest`. `at least`: none is shorter than `bound`. */
  readonly minimality: 'proved' | 'at least' | 'unknown'
  readonly shortest?: number
  readonly bound?: number
  /** Different states of target and machine that were reached. */
  readonly states: number
  readonly executions: number
  /** The first in the canonical order of the shortest plans that fail the same way, where the walk came so far. */
  readonly first?: Plan
}

const MAX_EXECUTIONS = 20_000
/** The second walk may take so many times the executions of the first. */
const WIDER = 5

/** A plan that led to a new state, and where the judge was there. */
interface Node {
  readonly path: readonly PlanStep[]
  readonly cells: Int32Array | undefined
}

const withLetter = (letters: PlanStep[], step: PlanStep): void => {
  if (!letters.some((letter) => sameStep(letter, step))) letters.push(step)
}

const lettersOf = (steps: Steps): PlanStep[] => {
  const letters: PlanStep[] = [{ do: 'settle' }]
  for (const step of steps) withLetter(letters, step)
  return letters.sort(compareSteps)
}

/** Also each action with one value lowered as far as can be. Ids are names, and no lower one is simpler. */
const loweredLettersOf = (steps: Steps): PlanStep[] => {
  const letters = lettersOf(steps)
  for (const step of letters.slice())
    if (step.do === 'act')
      for (let arg = 0; arg < step.action.args.length; arg++)
        if (step.action.args[arg]!.type.kind !== 'id' && rawOf(step, arg) > 0)
          withLetter(letters, withRaw(step, arg, 0))
  return letters.sort(compareSteps)
}

export const proveMinimal = ({
  plan,
  machine,
  execute,
  same,
  maxExecutions = MAX_EXECUTIONS,
  interrupted = () => false,
}: MinimalOptions): Minimality => {
  let executions = 0
  const run = (steps: Steps): RunResult => {
    executions++
    return execute({ steps })
  }

  const atRest = run([])
  if (same(atRest)) return { minimality: 'proved', shortest: 0, states: 0, executions, first: { steps: [] } }
  const start = atRest.reached
  const repeats = same(run(plan.steps)) && run([]).reached === start
  // A target that carries something over from run to run can not be told to be in a known state.
  if (start === undefined || !repeats) return { minimality: 'unknown', states: 0, executions }

  const isPossible = machine === undefined ? undefined : possibleIn(machine)
  /** Over all plans of these letters up to a length at which one is known to fail, with executions up to a bound. */
  const walk = (length: number, letters: Steps, bound: number): Minimality => {
    const states = new Set([start])
    let frontier: Node[] = [{ path: [], cells: atRest.reachedCells }]
    for (let reach = 1; reach <= length; reach++) {
      const next: Node[] = []
      for (const { path, cells } of frontier)
        for (const letter of letters) {
          // The last rest comes by itself.
          if (letter.do === 'settle' && reach === length) continue
          if (cells !== undefined && isPossible?.(cells, letter) === false) continue
          if (executions >= bound || interrupted())
            return reach === length
              ? { minimality: 'proved', shortest: length, states: states.size, executions }
              : { minimality: 'at least', bound: reach, states: states.size, executions }
          const steps = [...path, letter]
          const result = run(steps)
          if (same(result)) {
            const first = { steps: trimmed(result.performed) }
            return { minimality: 'proved', shortest: lengthOf(first), states: states.size, executions, first }
          }
          // A step that was skipped leads nowhere, and after another failure there is no way on.
          if (result.skipped > 0 || result.reached === undefined) continue
          if (states.has(result.reached)) continue
          states.add(result.reached)
          next.push({ path: steps, cells: result.reachedCells })
        }
      frontier = next
    }
    // Only a state that was taken for another one, and is not, leads here.
    return { minimality: 'proved', shortest: length, states: states.size, executions }
  }

  let letters = lettersOf(plan.steps)
  let best = walk(lengthOf(plan), letters, maxExecutions)
  const wider = executions * WIDER
  while (best.first !== undefined) {
    const lowered = loweredLettersOf(best.first.steps)
    if (lowered.every((step) => letters.some((letter) => sameStep(letter, step)))) break
    letters = lowered
    const better = walk(lengthOf(best.first), letters, Math.min(maxExecutions, executions + wider))
    if (better.first === undefined) break
    best = better
  }
  return { ...best, executions }
}
