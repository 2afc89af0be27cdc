/** What guards say of states of which little is known. */
import { type Machine, viewOf } from '../language/index.ts'

/** What a guard says that knows a few cells: an answer, or the cell that it wants to know next. */
type Outcome = boolean | { readonly wants: number }

/** Asks guards about states of which only some cells are known. */
export class Oracle {
  questions = 0
  private readonly state: object
  private known: ReadonlyMap<number, number> = new Map()

  constructor(machine: Machine) {
    const always = new Map(machine.layout.leaves.filter(({ type }) => type.cells === 1).map(({ cell }) => [cell, 0]))
    const cells = new Proxy([], {
      get: (_target, key) => {
        const cell = Number(key)
        const value = this.known.get(cell) ?? always.get(cell)
        if (value === undefined) throw new Wants(cell)
        return value
      },
      set: () => {
        throw new Wants(-1)
      },
    })
    this.state = viewOf(machine.layout, cells as unknown as Int32Array)
  }

  ask(holds: (s: object) => boolean, known: ReadonlyMap<number, number>): Outcome {
    this.questions++
    this.known = known
    try {
      return holds(this.state) === true
    } catch (error) {
      // What a guard throws by itself is for the search to find and to explain.
      return { wants: error instanceof Wants ? error.cell : -1 }
    }
  }
}

/** Thrown where a guard reads a cell that is not known. No error: it is thrown thousands of times, and has no stack. */
class Wants {
  readonly cell: number
  constructor(cell: number) {
    this.cell = cell
  }
}
