/**
 * The inner loop: all transitions of one state after another, as generated code that calls the author's functions
 * directly. Each call site sees one function only, so that V8 can inline it; nothing is allocated.
 *
 * It goes over a batch of states three times: what is possible in each is noted, then the laws of states are judged, then
 * what was noted is taken, action by action. Each loop is small enough to be compiled as one piece, with all that it calls. Rows
 * come out in the order of actions, therefore, and within that in the order of states.
 */
import type { Actor, Machine } from '../language/index.ts'
import { packedViewOf, readOnlyViewOf } from '../language/packed-views.ts'
import { checkerOf } from './checker.ts'
import type { Choices } from './choices.ts'
import { BATCH_ROWS, ExpanderText, FIXED } from './expander-text.ts'
import { pickedOf, pickerOf } from './picker.ts'
import { takerOf } from './taker.ts'
import { WordsText } from './words-text.ts'

/** What an expander meets on its way. */
export interface Hearer {
  /** An invariant does not hold in state `id`; heard once for each. */
  invariantBroken(law: number, id: number): void
  /** A goal is reached in state `id`; heard once for each. */
  goalReached(goal: number, id: number): void
  /** A transition breaks a step law: the state before, and the choice. Heard once for each law. */
  stepBroken(law: number, id: number, choice: number): void
  /** A transition is the step that a goal asks for. Heard once for each. */
  stepGoalReached(stepGoal: number, id: number): void
  /** Nothing can happen in state `id`, which `state` still shows. */
  rested(id: number, duty: boolean): void
}

export interface ExpanderOptions {
  readonly machine: Machine
  readonly choices: Choices
  /** Actors that may break their duties and take their `hostile` actions. */
  readonly hostile: readonly Actor[]
  /** Where successors are put: the words, then the number of the state that they came from. */
  readonly rows: Int32Array
  /** Where the choice behind each row is put. With it, steps that change nothing are rows too. */
  readonly labels?: Int32Array | undefined
  readonly hearer: Hearer
  /**
   * Leaves of what is possible what is to be taken. The choices in state `first + i` are those of `found` up to `ends[i]`,
   * from `ends[i - 1]` on; fewer are written to the same places. Default: all are taken.
   */
  readonly select?: (found: Int32Array, ends: Int32Array, first: number, end: number) => void
}

export interface Expander {
  /** The author's view of the state that is being expanded. */
  readonly state: object
  /** Transitions of each action, in this and earlier calls. */
  readonly taken: Float64Array
  /**
   * Expands the states `first` to `end - 1` of an arena of rows, as long as the successors of one more find room; the
   * first that was not expanded. What a function of the author throws goes through, a `ReadOnlyError` where it writes to
   * a state that it may only read.
   */
  expand(arena: Int32Array, first: number, end: number): number
  /** How many rows were filled. */
  count(): number
  /** Number of the state that was begun last. */
  at(): number
}

/** Most rows that a batch can have: one more state is expanded as long as there are less than `BATCH_ROWS`. */
export const rowsMaxOf = (choices: Choices): number => BATCH_ROWS + choices.all.length

export const expanderOf = ({ machine, choices, hostile, rows, labels, hearer, select }: ExpanderOptions): Expander => {
  const before = readOnlyViewOf(machine.layout)
  const after = packedViewOf(machine.layout)
  const open = (laws: readonly unknown[]): Uint8Array => new Uint8Array(FIXED + laws.length).fill(1)
  const taken = new Float64Array(FIXED + machine.actions.length)
  const begun = new Int32Array(FIXED)
  const labelled = labels !== undefined
  const words = new WordsText(machine, labelled)
  const picked = pickedOf(machine, choices)
  const text = new ExpanderText({ machine, choices, hostile, words, labelled, picked })
  const shared = {
    ...{ s: before.state, w: before.words, n: after.state, x: after.words },
    /** The successor, for laws. */
    m: readOnlyViewOf(machine.layout, after.words).state,
    ...{ rows, labels, hearer, begun, unspecified: machine.unspecified },
    ...{ ids: picked.ids, ways: picked.ways },
    lawOpen: open(machine.invariants),
    goalOpen: open(machine.goals),
    stepOpen: open(machine.steps),
    stepGoalOpen: open(machine.stepGoals),
    ...text.conditions(),
  }
  const names = { ...shared, ...words.functions(shared) }
  const { find, sort, found, foundEnds } = pickerOf(text, names)
  const take = takerOf(text, names, taken)
  const check = checkerOf(text, names)
  let filled = 0
  return {
    state: before.state,
    taken: taken.subarray(0, machine.actions.length),
    expand(arena, first, end) {
      const next = find(arena, first, end)
      check(arena, first, next)
      select?.(found, foundEnds, first, next)
      sort(first, next)
      filled = take(arena)
      return next
    },
    count: () => filled / words.stride,
    at: () => begun[0]!,
  }
}
