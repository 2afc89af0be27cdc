/**
 * What has to come in the end, on every fair path, judged when all states are known.
 *
 * An obligation can only be broken where it stands in some state in which its action is not possible: elsewhere the one
 * who owes it can take it without end, and is fair. Few machines have such states, so most runs end there. For the rest,
 * and for `leadsTo` laws, the transitions between the states in which it is open are looked at; a component of these
 * is a trap when everybody who is fair acts within it, or cannot act somewhere in it.
 */
import type { Actor, Erased, Machine } from '../../language/index.ts'
import { stateToJson } from '../../language/state.ts'
import { type Choices, choicesOf } from '../choices.ts'
import type { Violation } from '../exploration.ts'
import { isPossible } from '../possible.ts'
import type { Canoniser } from '../symmetry/canonical.ts'
import type { Way as Trace, Tracer } from '../tracer.ts'
import type { Visited } from '../visited.ts'
import type { Part } from './components.ts'
import { type Expectation, fairnessOf, lawsOf, obligationsOf } from './expectation.ts'
import { Demands } from './fair.ts'
import { type Hop, loopFrom } from './lasso.ts'
import { type Onset, onsetOf } from './onset.ts'
import { Interrupted, type Reader } from './reader.ts'
import { type Transitions, transitionsOf } from './transitions.ts'
import type { Marked, Watched } from './watch.ts'

/** A search that came to its end. */
export interface Searched {
  readonly machine: Machine
  readonly hostile: readonly Actor[]
  readonly states: Visited
  /** First state of each level. */
  readonly levels: readonly number[]
  /** Indexes of obligations that are known to be broken. */
  readonly broken: ReadonlySet<number>
  readonly memoryBytes: number
  readonly reader: Reader
  /** Of `leadsTo` laws, where there was room for it. */
  readonly watched: Watched | undefined
  readonly tracer: Tracer
  /** Of a search under symmetry. Who is fair is so by action, never by id: a path and its like are fair alike. */
  readonly canoniser: Canoniser | undefined
}

export interface Liveness {
  readonly violations: readonly Violation[]
  /** Why not everything was decided. */
  readonly undecided?: string
}

class Judge {
  private readonly searched: Searched
  private readonly choices: Choices
  private readonly reader: Reader

  constructor(searched: Searched) {
    this.searched = searched
    this.choices = choicesOf(searched.machine)
    this.reader = searched.reader
  }

  judge(): Liveness {
    const { machine, broken, watched } = this.searched
    const marked = (expectation: Expectation): Marked => ({ expectation, marks: this.reader.marks(expectation) })
    const owed = obligationsOf(machine)
      .filter((one, i) => !broken.has(i) && this.isEverBarred(one))
      .map(marked)
    if (watched === undefined) return this.judgeTogether([...owed, ...lawsOf(machine).map(marked)])
    const ofOwed = this.judgeTogether(owed, watched)
    return { ...ofOwed, violations: [...ofOwed.violations, ...this.violations(watched.laws, watched.transitions)] }
  }

  /** Takes the transitions between the states in question again. */
  private judgeTogether(open: readonly Marked[], watched?: Watched): Liveness {
    if (open.length === 0) return { violations: [] }
    const { machine, hostile, states, memoryBytes, canoniser } = this.searched
    const marks =
      open.length === 1 ? open[0]!.marks : open[0]!.marks.map((_, id) => +open.some((one) => one.marks[id] !== 0))
    // Beside the transitions: marks, the numbers of components, places and ways to where a law begins.
    const besides = states.count * (2 + open.length + 3 * Int32Array.BYTES_PER_ELEMENT) + (watched?.bytes ?? 0)
    const transitions = transitionsOf({
      ...{ machine, choices: this.choices, hostile, states, marks, canoniser },
      bytesMax: memoryBytes - states.bytes - besides,
      pause: this.reader.pause,
    })
    if (transitions !== undefined) return { violations: this.violations(open, transitions) }
    const undecided = `the transitions of ${states.count} states need more than ${memoryBytes} bytes`
    return { violations: [], undecided }
  }

  private violations(open: readonly Marked[], transitions: Transitions): Violation[] {
    return open.flatMap(({ expectation, marks }) => {
      this.reader.pause()
      const found = this.find(expectation, { transitions, marks, without: expectation.metBy })
      return found === undefined ? [] : [found]
    })
  }

  /** There is a state in which the obligation stands and its action is not possible. */
  private isEverBarred({ pending, metBy }: Expectation): boolean {
    const { machine, hostile } = this.searched
    const { all, starts } = this.choices
    const ways = metBy === undefined ? [] : all.slice(starts[metBy], starts[metBy + 1])
    // The way that was possible last is asked first.
    let last = ways[0]
    let isFound = false
    const isBarred = (s: Erased): boolean => {
      if (isFound || !pending(s)) return false
      if (last !== undefined && isPossible(machine, last, s, hostile)) return false
      last = ways.find((way) => isPossible(machine, way, s, hostile))
      isFound = last === undefined
      return isFound
    }
    this.reader.marks({ pending: isBarred })
    return isFound
  }

  private find(expectation: Expectation, part: Part): Violation | undefined {
    const { machine, levels } = this.searched
    const onset = onsetOf(part, levels)
    const within = { ...part, marks: onset.marks }
    const demands = new Demands(fairnessOf(machine), machine.actions.length, this.reader, within)
    const { rest, entry, componentOf } = demands.trap(onset.placeOf)
    const ways = [
      ...(rest === undefined ? [] : [this.wayTo(rest, onset, within)]),
      ...(entry === undefined || entry === rest
        ? []
        : [this.goRound(this.wayTo(entry, onset, within), loopFrom(entry, within, demands, componentOf))]),
    ]
    // A rest is plainer than a way round.
    const [first, second] = ways
    const best =
      first !== undefined && second !== undefined && second.steps.length < first.steps.length ? second : first
    return best && this.violationOf(expectation, best)
  }

  private violationOf({ name, clause }: Expectation, { steps, loopFrom, cells }: Way): Violation {
    const { layout } = this.searched.machine
    return { name, kind: 'leads-to', clause: clause.id, steps, loopFrom, state: stateToJson(layout, cells) }
  }

  /** To a state, through one in which the law begins; what comes after it goes round. */
  private wayTo(id: number, onset: Onset, part: Part): Way {
    const [start, ...rest] = onset.wayTo(id)
    const hops = rest.map((to, i) => this.hop(i === 0 ? start! : rest[i - 1]!, to, part))
    const way = this.goOn(this.searched.tracer.wayTo(start!), hops)
    return { ...way, loopFrom: way.steps.length }
  }

  private hop(from: number, to: number, { transitions, without = -1 }: Part): Hop {
    const { starts, by } = transitions
    let edge = starts[from]!
    while (transitions.to[edge] !== to || by[edge] === without) edge++
    return { from, to, by: by[edge]! }
  }

  private goOn(way: Trace, hops: readonly Hop[]): Trace {
    return hops.reduce((before, { to, by }) => this.searched.tracer.goOn(before, to, by), way)
  }

  /** Under symmetry a round may lead to the like of where it began: then some more of them close it. */
  private goRound(way: Trace, hops: readonly Hop[]): Way {
    const begun = [way]
    for (;;) {
      const next = this.goOn(begun.at(-1)!, hops)
      const start = begun.find(({ cells }) => cells.every((value, cell) => value === next.cells[cell]))
      if (start !== undefined) return { ...next, loopFrom: start.steps.length }
      begun.push(next)
    }
  }
}

interface Way extends Trace {
  readonly loopFrom: number
}

export const livenessOf = (searched: Searched): Liveness => {
  try {
    return new Judge(searched).judge()
  } catch (error) {
    if (error instanceof Interrupted) return { violations: [], undecided: 'interrupted' }
    throw error
  }
}
