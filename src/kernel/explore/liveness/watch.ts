/**
 * Laws of the form "leads to", watched while states are found: where each is open, while the state is at hand, and the
 * transitions out of such states. Nothing is kept of the others, which is most of them for most laws.
 */
import type { Machine } from '../../language/index.ts'
import type { Choices } from '../choices.ts'
import { type Expectation, lawsOf } from './expectation.ts'
import type { Marker, Reader } from './reader.ts'
import { type Found, TransitionStore, type Transitions } from './transitions.ts'

/** What is known of an expectation when all states are. */
export interface Marked {
  readonly expectation: Expectation
  /** See `Marker`. */
  readonly marks: Uint8Array
}

export interface Watched {
  readonly laws: readonly Marked[]
  /** Those out of states in which one of the laws is open. */
  readonly transitions: Transitions
  /** What marks and transitions take. */
  readonly bytes: number
}

const FIRST_CAPACITY = 1 << 16

export class Watch {
  private readonly laws: readonly { readonly expectation: Expectation; readonly mark: Marker }[]
  private readonly store: TransitionStore
  /** Of each law, then of any of them. */
  private marks: Uint8Array[]

  constructor(machine: Machine, choices: Choices, reader: Reader) {
    this.laws = lawsOf(machine).map((expectation) => ({ expectation, mark: reader.marker(expectation) }))
    this.store = new TransitionStore(choices, reader.states.stride)
    // One law is any of them.
    const arrays = this.laws.length === 1 ? 1 : this.laws.length + 1
    this.marks = Array.from({ length: arrays }, () => new Uint8Array(FIRST_CAPACITY))
  }

  /**
   * The states `first` to `end - 1` were expanded, and their transitions found, `count` of them in any order. False where
   * that would take more than `bytesMax` in all.
   */
  add(found: Found, count: number, first: number, end: number, bytesMax: number): boolean {
    const capacity = this.marks[0]!.length
    const wanted = end <= capacity ? capacity : Math.max(2 * capacity, end)
    const bytes = (capacity === wanted ? wanted : capacity + wanted) * this.marks.length
    if (wanted > capacity)
      this.marks = this.marks.map((old) => {
        const more = new Uint8Array(wanted)
        more.set(old)
        return more
      })
    for (const [i, { mark }] of this.laws.entries()) mark(first, end, this.marks[i]!)
    const any = this.marks.at(-1)!
    if (this.laws.length > 1)
      for (let id = first; id < end; id++) any[id] = +this.laws.some((_, i) => this.marks[i]![id] !== 0)
    return this.store.add(found, count, first, end - first, (i) => first + i, bytesMax - bytes, any)
  }

  /** What was seen of so many states: all that there are. */
  of(states: number): Watched {
    return {
      laws: this.laws.map(({ expectation }, i) => ({ expectation, marks: this.marks[i]!.subarray(0, states) })),
      transitions: this.store.of(states),
      bytes: states * this.marks.length + this.store.bytes,
    }
  }
}
