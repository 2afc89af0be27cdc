/** From where a law of the form "leads to" is in question: the states in which it began, and what follows them. */
import type { Part } from './components.ts'
import { OPEN, OPEN_AND_BEGINS } from './reader.ts'

export interface Onset {
  /** Not 0 for each state in which it has begun and is open. */
  readonly marks: Uint8Array
  /** Order in which the states are met, by the length of a shortest way through a state in which it begins. */
  placeOf(id: number): number
  /** States from the one in which it begins to this one. */
  wayTo(id: number): number[]
}

/** Where it begins in every state of the part. */
const everywhere = (marks: Uint8Array): Onset => ({ marks, placeOf: (id) => id, wayTo: (id) => [id] })

/** `levels` are the first states of each level of the search. */
export const onsetOf = ({ transitions, marks, without = -1 }: Part, levels: readonly number[]): Onset => {
  if (!marks.includes(OPEN)) return everywhere(marks)
  const { starts, to, by } = transitions
  const begun = new Uint8Array(marks.length)
  const places = new Int32Array(marks.length)
  /** The state before, or the state itself where it begins. */
  const before = new Int32Array(marks.length)
  /** The states met, in order; those of a level are done when the next ones begin. */
  const queue = new Int32Array(marks.length)
  let met = 0
  const meet = (id: number, from: number): void => {
    if (marks[id] === 0 || begun[id] === 1) return
    begun[id] = 1
    places[id] = met
    before[id] = from
    queue[met++] = id
  }
  for (let level = 0, done = 0; level < levels.length || done < met; level++) {
    const end = levels[level + 1] ?? marks.length
    for (let id = levels[level] ?? end; id < end; id++) if (marks[id] === OPEN_AND_BEGINS) meet(id, id)
    for (const last = met; done < last; done++) {
      const id = queue[done]!
      for (let edge = starts[id]!; edge < starts[id + 1]!; edge++) if (by[edge] !== without) meet(to[edge]!, id)
    }
  }
  return {
    marks: begun,
    placeOf: (id) => places[id]!,
    wayTo(id) {
      const way = [id]
      for (let at = id; before[at] !== at; at = way[0]!) way.unshift(before[at]!)
      return way
    },
  }
}
