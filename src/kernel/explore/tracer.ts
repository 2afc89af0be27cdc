/** Ways to the states of a search, from the initial state on, as they are printed. */
import type { Actor, Machine } from '../language/index.ts'
import { stateToJson } from '../language/state.ts'
import { type WordLayout, wordLayoutOf } from '../language/word-layout.ts'
import type { Choices } from './choices.ts'
import { ExploreError } from './error.ts'
import type { Step } from './exploration.ts'
import { stepOf, take } from './retrace.ts'
import type { Canoniser } from './symmetry/canonical.ts'
import type { Visited } from './visited.ts'

export interface Way {
  readonly steps: readonly Step[]
  /** The state after the last step: the one that was asked for, or one that differs by a declared symmetry. */
  readonly cells: Int32Array
}

interface TracerOptions {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  readonly states: Visited
  readonly canoniser: Canoniser | undefined
}

export class Tracer {
  private readonly options: TracerOptions
  private readonly layout: WordLayout
  private readonly row: Int32Array

  constructor(options: TracerOptions) {
    this.options = options
    this.layout = wordLayoutOf(options.machine.layout)
    this.row = new Int32Array(this.layout.words + 1)
  }

  cellsOf(id: number): Int32Array {
    const { machine, states } = this.options
    const cells = new Int32Array(machine.layout.cells)
    this.layout.unpack(states.arena, id * states.stride, cells)
    return cells
  }

  /** A shortest way to a state. */
  wayTo(id: number): Way {
    const { machine, states } = this.options
    const path: number[] = []
    for (let at = id; at >= 0; at = states.arena[at * states.stride + this.layout.words]!) path.push(at)
    path.reverse()
    return path.slice(1).reduce<Way>((way, next) => this.goOn(way, next), { steps: [], cells: machine.initial() })
  }

  /**
   * The way with one step more, to state `id`: the first choice that leads there, of all or of one action. States of a
   * search under symmetry stand for others too: the step leads to whichever of them comes next from where we are.
   */
  goOn({ steps, cells }: Way, id: number, action?: number): Way {
    const { machine, choices, hostile } = this.options
    const { all, starts } = choices
    const some = action === undefined ? all : all.slice(starts[action], starts[action + 1])
    for (const choice of some) {
      const taken = take(machine, choice, cells, hostile)
      if (taken !== undefined && this.is(taken.after, id))
        return { steps: [...steps, stepOf(machine, choice, cells, taken)], cells: taken.after }
    }
    throw new ExploreError(
      machine,
      'a transition was not found again: some function of the machine depends on more than the state',
      { state: stateToJson(machine.layout, cells) },
    )
  }

  private is(cells: Int32Array, id: number): boolean {
    const { states, canoniser } = this.options
    const { row, layout } = this
    layout.pack(cells, row, 0)
    canoniser?.canonise(row, 1)
    const at = id * states.stride
    for (let word = 0; word < layout.words; word++) if (row[word] !== states.arena[at + word]) return false
    return true
  }
}
