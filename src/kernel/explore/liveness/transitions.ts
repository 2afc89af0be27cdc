/**
 * Transitions out of some of the states of a finished search, taken a second time: a search keeps none, for most runs
 * need none, and the others only those of a part of the states.
 */
import type { Actor, Machine } from '../../language/index.ts'
import type { Choices } from '../choices.ts'
import { ExploreError } from '../error.ts'
import { expanderOf } from '../expand.ts'
import type { Visited } from '../visited.ts'

export interface Transitions {
  /** Those of state `id` are the ones from `starts[id]` to `starts[id + 1] - 1`. */
  readonly starts: Uint32Array
  readonly to: Int32Array
  /** Index of the action of each. */
  readonly by: Uint16Array
}

export interface Asked {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  readonly states: Visited
  /** Of the states whose transitions are wanted. */
  readonly marks: Uint8Array
  readonly bytesMax: number
  readonly pause: () => void
}

const FIRST_CAPACITY = 1 << 16
const CAPACITY_MAX = 2 ** 31 - 1
const BYTES_EACH = Int32Array.BYTES_PER_ELEMENT + Uint16Array.BYTES_PER_ELEMENT
/** States that are laid side by side to be expanded. */
const CHUNK = 1024

const nothing = (): void => {}

/** Undefined where they need more than `bytesMax`. */
export const transitionsOf = ({
  machine,
  choices,
  hostile,
  states,
  marks,
  bytesMax,
  pause,
}: Asked): Transitions | undefined => {
  const { stride, rows, count } = states
  const labels = new Int32Array(rows.length / stride)
  const numbers = new Int32Array(rows.length / stride)
  const expander = expanderOf({
    // The laws have been judged.
    machine: { ...machine, invariants: [], steps: [], goals: [], stepGoals: [] },
    ...{ choices, hostile, rows, labels },
    hearer: {
      ...{ invariantBroken: nothing, goalReached: nothing, stepBroken: nothing, stepGoalReached: nothing },
      ...{ rested: nothing, wroteTo: nothing },
    },
  })
  const actionOf = Uint16Array.from(choices.all, ({ action }) => action.index)
  const starts = new Uint32Array(count + 1)
  let to = new Int32Array(FIRST_CAPACITY)
  let by = new Uint16Array(FIRST_CAPACITY)
  let filled = 0

  const makeRoom = (n: number): boolean => {
    const capacity = to.length
    if (filled + n <= capacity) return true
    const wanted = Math.min(Math.max(2 * capacity, filled + n), CAPACITY_MAX)
    // While they are copied, the old ones are there too.
    if (filled + n > wanted || (capacity + wanted) * BYTES_EACH + starts.byteLength > bytesMax) return false
    const more = { to: new Int32Array(wanted), by: new Uint16Array(wanted) }
    more.to.set(to)
    more.by.set(by)
    to = more.to
    by = more.by
    return true
  }

  const { arena } = states
  const chunk = new Int32Array(CHUNK * stride)
  const ids = new Int32Array(CHUNK)
  /** Expands the first `n` states of the chunk. */
  const expand = (n: number): boolean => {
    for (let first = 0; first < n; ) {
      const next = expander.expand(chunk, first, n)
      const found = expander.count()
      states.insert(found, numbers)
      if (states.count !== count)
        throw new ExploreError(
          machine,
          'a state was expanded twice, and led to another one the second time: some function of the machine depends on ' +
            'more than the state',
        )
      if (!makeRoom(found)) return false
      for (let row = 0; row < found; row++) {
        starts[ids[rows[(row + 1) * stride - 1]!]! + 1]!++
        to[filled + row] = numbers[row]!
        by[filled + row] = actionOf[labels[row]!]!
      }
      filled += found
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
  for (let id = 0; id < count; id++) starts[id + 1]! += starts[id]!
  return { starts, to, by }
}
