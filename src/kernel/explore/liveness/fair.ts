/** Where somebody could go round for ever, or rest, and nobody who is fair would be wronged. */
import { eachComponent, type Part } from './components.ts'
import { afterCycles } from './cycles.ts'
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

/** Fairness of one group is a bit each. */
const GROUP = 31

/** A set of those who are fair: bits, by groups. */
export type Few = Int32Array

export class Demands {
  readonly fairness: readonly Fairness[]
  private readonly reader: Reader
  private readonly part: Part
  private readonly groups: number
  /** By group, then by the index of an action: those that a transition by it meets. */
  private readonly met: readonly Int32Array[]
  /** By group: those that ask only in some states. */
  private readonly choosy: Int32Array

  constructor(fairness: readonly Fairness[], actions: number, reader: Reader, part: Part) {
    this.fairness = fairness
    this.reader = reader
    this.part = part
    this.groups = Math.ceil(fairness.length / GROUP)
    this.met = Array.from({ length: this.groups }, () => new Int32Array(actions))
    this.choosy = this.none()
    fairness.forEach(({ actions, only }, f) => {
      const group = Math.floor(f / GROUP)
      for (const action of actions) this.met[group]![action]! |= 1 << (f % GROUP)
      if (only !== undefined) this.choosy[group]! |= 1 << (f % GROUP)
    })
  }

  none(): Few {
    return new Int32Array(this.groups)
  }

  isNone(few: Few): boolean {
    for (let group = 0; group < this.groups; group++) if (few[group] !== 0) return false
    return true
  }

  all(): Few {
    const all = this.none()
    this.fairness.forEach((_, f) => {
      all[Math.floor(f / GROUP)]! |= 1 << (f % GROUP)
    })
    return all
  }

  /** Those of one group that ask for something in a state, and can have it. */
  asking(id: number, group: number): number {
    const { starts, by } = this.part.transitions
    const met = this.met[group]!
    let asking = 0
    for (let edge = starts[id]!, end = starts[id + 1]!; edge < end; edge++) asking |= met[by[edge]!]!
    for (let doubt = asking & this.choosy[group]!; doubt !== 0; doubt &= doubt - 1) {
      const bit = 31 - Math.clz32(doubt & -doubt)
      if (!this.fairness[group * GROUP + bit]!.only!(this.reader.show(id))) asking &= ~(1 << bit)
    }
    return asking
  }

  /** Takes those out that ask for nothing in a state. */
  rest(few: Few, id: number): void {
    for (let group = 0; group < this.groups; group++) few[group]! &= this.asking(id, group)
  }

  /** Takes those out that a transition by an action meets. */
  act(few: Few, action: number): void {
    for (let group = 0; group < this.groups; group++) few[group]! &= ~this.met[group]![action]!
  }

  /** `placeOf` orders the states: the first of several is the one with the lowest place. */
  trap(placeOf: (id: number) => number): Trap {
    const { part } = this
    const rest = this.firstRest(placeOf)
    const marks = afterCycles(part)
    // Alone, and without a way back to itself, a state is a trap where all may rest, and nowhere else.
    if (marks === undefined) return { rest, entry: rest, componentOf: new Int32Array() }
    const { transitions, without = -1 } = part
    const { starts, to, by } = transitions
    const { groups } = this
    const all = this.all()
    /** Those who have not had their turn in the component. */
    const open = this.none()
    let entry = rest
    let numbers: Int32Array = new Int32Array()
    eachComponent({ ...part, marks }, (members, first, end, componentOf) => {
      numbers = componentOf
      for (let group = 0; group < groups; group++) open[group] = all[group]!
      const isAlone = end - first === 1
      for (let i = first; i < end && !this.isNone(open); i++) {
        const id = members[i]!
        for (let group = 0; group < groups; group++) open[group]! &= this.asking(id, group)
        for (let edge = starts[id]!, last = starts[id + 1]!; edge < last; edge++) {
          // Most components are one state, and numbers of components are far away in memory.
          const stays = isAlone ? to[edge] === id : componentOf[to[edge]!] === componentOf[id]
          if (stays && by[edge] !== without) this.act(open, by[edge]!)
        }
      }
      if (!this.isNone(open)) return
      for (let i = first; i < end; i++)
        if (entry === undefined || placeOf(members[i]!) < placeOf(entry)) entry = members[i]!
    })
    return { rest, entry, componentOf: numbers }
  }

  /** The first state in which nobody who is fair asks for anything. */
  private firstRest(placeOf: (id: number) => number): number | undefined {
    const { marks } = this.part
    let rest: number | undefined
    for (let id = 0; id < marks.length; id++) {
      if (marks[id] === 0 || this.isAsked(id)) continue
      if (rest === undefined || placeOf(id) < placeOf(rest)) rest = id
    }
    return rest
  }

  private isAsked(id: number): boolean {
    for (let group = 0; group < this.groups; group++) if (this.asking(id, group) !== 0) return true
    return false
  }
}
