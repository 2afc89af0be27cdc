/**
 * Transitions between states. A search keeps them where laws are about all of them, as long as there is room; else those
 * out of the states in question are taken a second time when it is over, for most runs need none.
 */
import type { Actor, Machine } from '../../language/index.ts'
import type { Choices } from '../choices.ts'
import { ExploreError } from '../error.ts'
import { expanderOf } from '../expand.ts'
import type { Canoniser } from '../symmetry/canonical.ts'
import type { Visited } from '../visited.ts'

export interface Transitions {
  /** Those of state `id` are the ones from `starts[id]` to `starts[id + 1] - 1`. */
  readonly starts: Uint32Array
  readonly to: Int32Array
  /** Index of the action of each. */
  readonly by: Uint16Array
}

/** Transitions as an expander and a visited set give them: numbers of states, and choices by their place. */
interface Found {
  readonly from: Int32Array
  readonly to: Int32Array
  readonly by: Int32Array
}

const FIRST_CAPACITY = 1 << 16
const CAPACITY_MAX = 2 ** 31 - 1
const BYTES_EACH = Int32Array.BYTES_PER_ELEMENT + Uint16Array.BYTES_PER_ELEMENT

const grown = <A extends Int32Array | Uint16Array | Uint32Array>(old: A, length: number): A => {
  const more = new (old.constructor as new (length: number) => A)(length)
  more.set(old)
  return more
}

/**
 * Collects transitions, batch by batch: all those of a state next to each other, and the states in order. A batch has all
 * transitions of its states, in any order, and its states come after those of earlier ones.
 */
export class TransitionStore {
  private readonly actionOf: Uint16Array
  private degrees = new Uint32Array(FIRST_CAPACITY)
  private to = new Int32Array(FIRST_CAPACITY)
  private by = new Uint16Array(FIRST_CAPACITY)
  private filled = 0
  /** Where the next transition of each state of a batch goes, counted from its first state. */
  private places = new Int32Array(FIRST_CAPACITY)

  constructor(choices: Choices) {
    this.actionOf = Uint16Array.from(choices.all, ({ action }) => action.index)
  }

  /** Adds the first `count`; false where that would take more than `bytesMax` in all. */
  add({ from, to, by }: Found, count: number, bytesMax: number): boolean {
    if (count === 0) return true
    let first = from[0]!
    let last = first
    for (let i = 1; i < count; i++) {
      const id = from[i]!
      if (id < first) first = id
      if (id > last) last = id
    }
    if (!this.makeRoom(count, last + 1, bytesMax)) return false
    if (last - first >= this.places.length) this.places = new Int32Array(2 * (last - first))
    const { actionOf, degrees, places, to: targets, by: actions } = this
    for (let i = 0; i < count; i++) degrees[from[i]!]!++
    for (let id = first, place = this.filled; id <= last; place += degrees[id++]!) places[id - first] = place
    for (let i = 0; i < count; i++) {
      const place = places[from[i]! - first]!++
      targets[place] = to[i]!
      actions[place] = actionOf[by[i]!]!
    }
    this.filled += count
    return true
  }

  /** What was collected of so many states. */
  of(states: number): Transitions {
    const starts = new Uint32Array(states + 1)
    for (let id = 0; id < states; id++) starts[id + 1] = starts[id]! + (this.degrees[id] ?? 0)
    return { starts, to: this.to, by: this.by }
  }

  private makeRoom(count: number, states: number, bytesMax: number): boolean {
    const capacity = this.to.length
    const needed = this.filled + count
    const wanted = needed <= capacity ? capacity : Math.min(Math.max(2 * capacity, needed), CAPACITY_MAX)
    const wantedStates = states <= this.degrees.length ? this.degrees.length : Math.max(2 * this.degrees.length, states)
    // While they are copied, the old ones are there too.
    const copied = wanted === capacity ? 0 : capacity
    if (needed > wanted || (copied + wanted) * BYTES_EACH + wantedStates * 4 > bytesMax) return false
    if (wanted > capacity) {
      this.to = grown(this.to, wanted)
      this.by = grown(this.by, wanted)
    }
    if (wantedStates > this.degrees.length) this.degrees = grown(this.degrees, wantedStates)
    return true
  }
}

export interface Asked {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  readonly states: Visited
  /** Of the states whose transitions are wanted. */
  readonly marks: Uint8Array
  readonly canoniser: Canoniser | undefined
  readonly bytesMax: number
  readonly pause: () => void
}

/** States that are laid side by side to be expanded. */
const CHUNK = 1024

const nothing = (): void => {}

/** Takes them again; undefined where they need more than `bytesMax`. */
export const transitionsOf = ({
  machine,
  choices,
  hostile,
  states,
  marks,
  canoniser,
  bytesMax,
  pause,
}: Asked): Transitions | undefined => {
  const { arena, stride, rows, count } = states
  const numbers = (): Int32Array => new Int32Array(rows.length / stride)
  const found: Found = { from: numbers(), to: numbers(), by: numbers() }
  const expander = expanderOf({
    // The laws have been judged.
    machine: { ...machine, invariants: [], steps: [], goals: [], stepGoals: [] },
    ...{ choices, hostile, rows, labels: found.by },
    hearer: {
      ...{ invariantBroken: nothing, goalReached: nothing, stepBroken: nothing, stepGoalReached: nothing },
      rested: nothing,
    },
  })
  const store = new TransitionStore(choices)
  const chunk = new Int32Array(CHUNK * stride)
  const ids = new Int32Array(CHUNK)
  /** Expands the first `n` states of the chunk. */
  const expand = (n: number): boolean => {
    for (let first = 0; first < n; ) {
      const next = expander.expand(chunk, first, n)
      const rowCount = expander.count()
      canoniser?.canonise(rows, rowCount)
      states.insert(rowCount, found.to)
      if (states.count !== count)
        throw new ExploreError(
          machine,
          'a state was expanded twice, and led to another one the second time: some function of the machine depends on ' +
            'more than the state',
        )
      for (let row = 0; row < rowCount; row++) found.from[row] = ids[rows[(row + 1) * stride - 1]!]!
      if (!store.add(found, rowCount, bytesMax)) return false
      first = next
    }
    return true
  }

  for (let id = 0, n = 0; id <= count; id++) {
    if (n === CHUNK || (id === count && n > 0)) {
      pause()
      if (!expand(n)) return undefined
      n = 0
    }
    if (id === count || marks[id] === 0) continue
    for (let word = 0; word < stride; word++) chunk[n * stride + word] = arena[id * stride + word]!
    ids[n++] = id
  }
  return store.of(count)
}
