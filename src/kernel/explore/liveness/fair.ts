/** Where somebody could go round for ever, or rest, and nobody who is fair would be wronged. */
import { eachComponent, type Part } from './components.ts'
import type { Fairness } from './expectation.ts'
import type { Reader } from './reader.ts'

/** States from which what is expected need not come. */
export interface Trap {
  /** The first of the states in which everybody who is fair may rest. */
  readonly rest: number | undefined
  /** The first of the states of a component in which everybody who is fair gets his turn or cannot ask for one. */
  readonly entry: number | undefined
  readonly componentOf: Int32Array
}

export class Demands {
  readonly fairness: readonly Fairness[]
  private readonly reader: Reader
  private readonly part: Part
  /** Fairness by the index of an action. */
  private readonly of: readonly (readonly number[])[]
  /** The state in which each was found possible last. */
  private readonly possibleIn: Int32Array

  constructor(fairness: readonly Fairness[], actions: number, reader: Reader, part: Part) {
    this.fairness = fairness
    this.reader = reader
    this.part = part
    this.possibleIn = new Int32Array(fairness.length).fill(-1)
    this.of = Array.from({ length: actions }, (_, action) =>
      fairness.flatMap((fair, f) => (fair.actions.includes(action) ? [f] : [])),
    )
  }

  /** Those that a transition by an action meets. */
  metBy(action: number): readonly number[] {
    return this.of[action]!
  }

  /** Calls `rests` for each that asks for nothing in a state. */
  eachAtRest(id: number, rests: (fairness: number) => void): void {
    const { fairness, possibleIn, reader } = this
    const { starts, by } = this.part.transitions
    for (let edge = starts[id]!; edge < starts[id + 1]!; edge++) for (const f of this.of[by[edge]!]!) possibleIn[f] = id
    for (let f = 0; f < fairness.length; f++) {
      const { only } = fairness[f]!
      if (possibleIn[f] !== id || (only !== undefined && !only(reader.show(id)))) rests(f)
    }
  }

  /** `placeOf` orders the states: the first of several is the one with the lowest place. */
  trap(placeOf: (id: number) => number): Trap {
    const { fairness, part } = this
    const { transitions, without = -1 } = part
    const { starts, to, by } = transitions
    const met = new Uint8Array(fairness.length)
    let rest: number | undefined
    let entry: number | undefined
    let numbers: Int32Array = new Int32Array()
    eachComponent(part, (members, first, end, componentOf) => {
      numbers = componentOf
      met.fill(0)
      let earliest = members[first]!
      for (let i = first; i < end; i++) {
        const id = members[i]!
        if (placeOf(id) < placeOf(earliest)) earliest = id
        let resting = 0
        this.eachAtRest(id, (f) => {
          resting++
          met[f] = 1
        })
        if (resting === fairness.length && (rest === undefined || placeOf(id) < placeOf(rest))) rest = id
        for (let edge = starts[id]!; edge < starts[id + 1]!; edge++) {
          if (by[edge] === without || componentOf[to[edge]!] !== componentOf[id]) continue
          for (const f of this.of[by[edge]!]!) met[f] = 1
        }
      }
      if (met.every((one) => one === 1) && (entry === undefined || placeOf(earliest) < placeOf(entry))) entry = earliest
    })
    return { rest, entry, componentOf: numbers }
  }
}
