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

/** Transitions as an expander and a visited set give them: rows, where each leads, and its choice by its place. */
export interface Found {
  readonly rows: Int32Array
  readonly to: Int32Array
  readonly by: Int32Array
}

const FIRST_CAPACITY = 1 << 16
const GROWTH = 8
const CAPACITY_MAX = 2 ** 31 - 1
const BYTES_EACH = Int32Array.BYTES_PER_ELEMENT + Uint16Array.BYTES_PER_ELEMENT

/** The number of the `i`-th state of a batch. */
type IdOf = (i: number) => number

const grown = <A extends Int32Array | Uint16Array | Uint32Array>(old: A, length: number): A => {
  const more = new (old.constructor as new (length: number) => A)(length)
  more.set(old)
  return more
}

/** Of a state whose transitions are not wanted. */
const UNWANTED = -1

/** Collects transitions, batch by batch: all those of a state next to each other, and the states in order. */
export class TransitionStore {
  private readonly actionOf: Uint16Array
  private readonly stride: number
  private starts = new Uint32Array(FIRST_CAPACITY)
  private to = new Int32Array(FIRST_CAPACITY)
  private by = new Uint16Array(FIRST_CAPACITY)
  private filled = 0
  /** States whose place in `starts` is known. */
  private known = 0
  /** Of the states of a batch: how many transitions, and then where the next of them goes. */
  private places = new Int32Array(FIRST_CAPACITY)

  constructor(choices: Choices, stride: number) {
    this.actionOf = Uint16Array.from(choices.all, ({ action }) => action.index)
    this.stride = stride
  }

  /**
   * Adds the first `count`, in any order: all those of `states` states. Rows know these by their place among them, counted
   * from `first`; `idOf` gives their numbers, which come after those of earlier batches. Of states that `marks` has as 0
   * nothing is kept. False where that would take more than `bytesMax` in all.
   */
  add(
    { rows, to, by }: Found,
    count: number,
    first: number,
    states: number,
    idOf: IdOf,
    bytesMax: number,
    marks?: Uint8Array,
  ): boolean {
    if (count === 0) return true
    if (!this.makeRoom(count, idOf(states - 1) + 1, bytesMax)) return false
    if (states > this.places.length) this.places = new Int32Array(2 * states)
    const { actionOf, starts, places, to: targets, by: actions, stride } = this
    places.fill(0, 0, states)
    for (let row = 0, at = stride - 1; row < count; row++, at += stride) places[rows[at]! - first]!++
    let end = this.filled
    for (let i = 0; i < states; i++) {
      const id = idOf(i)
      this.skipTo(id, end)
      starts[id] = end
      this.known = id + 1
      const degree = places[i]!
      const isWanted = marks === undefined || marks[id] !== 0
      places[i] = isWanted ? end : UNWANTED
      if (isWanted) end += degree
    }
    if (end === this.filled) return true
    for (let row = 0, at = stride - 1; row < count; row++, at += stride) {
      const state = rows[at]! - first
      const place = places[state]!
      if (place === UNWANTED) continue
      places[state] = place + 1
      targets[place] = to[row]!
      actions[place] = actionOf[by[row]!]!
    }
    this.filled = end
    return true
  }

  get bytes(): number {
    return this.filled * BYTES_EACH + this.known * Uint32Array.BYTES_PER_ELEMENT
  }

  /** What was collected of so many states: all that there are. */
  of(states: number): Transitions {
    if (states >= this.starts.length) this.starts = grown(this.starts, states + 1)
    this.skipTo(states + 1, this.filled)
    return { starts: this.starts, to: this.to, by: this.by }
  }

  /** Of the states up to this one nothing is kept: theirs would begin at `place`. */
  private skipTo(id: number, place: number): void {
    for (; this.known < id; this.known++) this.starts[this.known] = place
  }

  private makeRoom(count: number, states: number, bytesMax: number): boolean {
    const capacity = this.to.length
    const needed = this.filled + count
    const most = Math.floor(bytesMax / BYTES_EACH / 2)
    // What is not touched takes no memory, and each growth is a copy of all.
    const more = Math.max(needed, Math.min(GROWTH * capacity, most), Math.min(2 * capacity, CAPACITY_MAX))
    const wanted = needed <= capacity ? capacity : Math.min(more, CAPACITY_MAX)
    const wantedStates = states <= this.starts.length ? this.starts.length : Math.max(2 * this.starts.length, states)
    // While they are copied, the old ones are there too.
    const copied = wanted === capacity ? 0 : capacity
    if (needed > wanted || (copied + wanted) * BYTES_EACH + wantedStates * 4 > bytesMax) return false
    if (wanted > capacity) {
      this.to = grown(this.to, wanted)
      this.by = grown(this.by, wanted)
    }
    if (wantedStates > this.starts.length) this.starts = grown(this.starts, wantedStates)
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
  const found: Found = { rows, to: numbers(), by: numbers() }
  const expander = expanderOf({
    // The laws have been judged.
    machine: { ...machine, invariants: [], steps: [], goals: [], stepGoals: [] },
    ...{ choices, hostile, rows, labels: found.by },
    hearer: {
      ...{ invariantBroken: nothing, goalReached: nothing, stepBroken: nothing, stepGoalReached: nothing },
      rested: nothing,
    },
  })
  const store = new TransitionStore(choices, stride)
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
      const begun = first
      if (!store.add(found, rowCount, begun, next - begun, (i) => ids[begun + i]!, bytesMax)) return false
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
