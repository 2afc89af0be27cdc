/**
 * Every plan of some letters up to a length, done on an implementation: exhaustive conformance within a small scope.
 *
 * Breadth first, so that what is found is shortest. A plan whose target, session and judge are in a state that another
 * plan has reached is not continued. Each plan is run from the start: on the reference a run of six steps costs a
 * twentieth of saving and restoring its memory, and the guest's side of it needs no saving.
 */
import type { Machine } from '../kernel/language/machine.ts'
import type { Plan, PlanStep } from '../kernel/play/plan.ts'
import { possibleIn } from '../kernel/play/possible.ts'
import type { RunResult } from '../kernel/play/run.ts'
import type { Failing } from '../kernel/shrink/index.ts'
import { failuresOf } from './failures.ts'

export interface WalkOptions {
  readonly machine: Machine
  readonly letters: readonly PlanStep[]
  /** Letters of the longest plans. */
  readonly depth: number
  /** Distinct states after which the walk is cut short. */
  readonly maxStates: number
  /**
   * Does a plan from the initial state; the same plan always does the same. `isLast`: nothing will be continued from
   * where it leads to, so that no fingerprint is wanted.
   */
  readonly execute: (plan: Plan, isLast: boolean) => RunResult | Promise<RunResult>
  /** Why the walk has to end now, asked between runs. */
  readonly ended?: () => string | undefined
  readonly onRun?: (progress: WalkProgress) => void
}

export interface WalkProgress {
  /** Distinct states of target, session and judge that were reached by plans which are not of full length. */
  readonly states: number
  /** Plans done: each adds one letter to a plan that led to a new state. */
  readonly transitions: number
  /** Length of the plans that are being done. */
  readonly depth: number
  /** States that are known and not yet continued. */
  readonly waiting: number
}

/** A law that a plan breaks: among the shortest plans that do, the first in the order of the letters. */
export interface WalkFailure extends Failing {
  readonly plan: Plan
  readonly result: RunResult
}

export interface Walked {
  /** As in `WalkProgress`. */
  readonly states: number
  readonly transitions: number
  /** Of the transitions: those by which a target was saved, and a fresh instance restored from that. */
  readonly saves: number
  /** All plans up to this length were done. */
  readonly depth: number
  /** No longer plan leads to a new state: the walk says something about plans of any length. */
  readonly closed: boolean
  /** Why not all plans of the length that was asked for were done. */
  readonly cutShort: string | undefined
  readonly failures: readonly WalkFailure[]
}

/** A state to go on from: how it was reached, and where the judge is there. */
interface Node {
  readonly parent: Node | undefined
  readonly letter: PlanStep | undefined
  readonly cells: Int32Array
}

const pathTo = (node: Node): PlanStep[] => {
  const path: PlanStep[] = []
  for (let at: Node | undefined = node; at?.letter !== undefined; at = at.parent) path.push(at.letter)
  return path.reverse()
}

export const walk = async (options: WalkOptions): Promise<Walked> => {
  const { machine, letters, depth, maxStates, execute, ended = () => undefined, onRun } = options
  const isPossible = possibleIn(machine)
  const known = new Set<string>()
  const found = new Map<string, WalkFailure>()
  let transitions = 0
  let saves = 0
  let next: Node[] = []
  let length = 0
  /** The last state that was new. */
  let latest: { readonly reached: string; readonly plan: Plan } | undefined

  const meet = (result: RunResult, node: Omit<Node, 'cells'>): void => {
    const { reached, reachedCells } = result
    for (const key of failuresOf(result)) {
      const name = `${key.verdict} ${key.law}@${key.clause}`
      if (found.has(name)) continue
      found.set(name, { ...key, plan: { steps: result.performed }, result })
    }
    if (reached === undefined || reachedCells === undefined || known.has(reached)) return
    known.add(reached)
    next.push({ ...node, cells: reachedCells })
  }
  const answer = (done: number, closed: boolean, cutShort?: string): Walked => ({
    ...{ states: known.size, transitions, saves, depth: done, closed, cutShort },
    failures: [...found.values()],
  })

  meet(await execute({ steps: [] }, false), { parent: undefined, letter: undefined })
  while (next.length > 0 && length < depth) {
    const frontier = next
    next = []
    length++
    const isLast = length === depth
    for (const [index, node] of frontier.entries()) {
      const path = pathTo(node)
      for (const letter of letters) {
        // The last rest comes by itself, and what was just restored is not saved again.
        const isVain = letter.do === 'settle' ? isLast : letter.do === 'save' && node.letter?.do === 'save'
        if (isVain || !isPossible(node.cells, letter)) continue
        const reason = known.size > maxStates ? `more than ${maxStates} states, the bound of this run` : ended()
        if (reason !== undefined) return answer(length - 1, false, `${reason} among the plans of ${length} steps`)
        const ran = execute({ steps: [...path, letter] }, isLast)
        const result = ran instanceof Promise ? await ran : ran
        transitions++
        if (letter.do === 'save') saves++
        // What was possible in the state that was seen before is possible again, or the target is not the same.
        if (result.skipped > 0) return answer(length - 1, false, UNREPEATED)
        const before = next.length
        meet(result, { parent: node, letter })
        if (next.length > before) latest = { reached: result.reached!, plan: { steps: [...path, letter] } }
        onRun?.({ states: known.size, transitions, depth: length, waiting: next.length + frontier.length - index })
      }
    }
    if (latest !== undefined && (await execute(latest.plan, false)).reached !== latest.reached)
      return answer(length - 1, false, UNREPEATED)
  }
  return answer(length, length < depth)
}

const UNREPEATED = 'the target does not repeat itself: the same plan led to another state than before'
