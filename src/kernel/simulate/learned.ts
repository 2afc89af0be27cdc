/**
 * What the author's functions answer, learnt as decision trees.
 *
 * A function of a state that depends on nothing else reads one and the same cell first; the value there decides which it
 * reads next, and so on up to its answer. So its answers form a tree, which is learnt branch by branch when a state
 * comes by that leads off it, and which is exact: an answer is given only after all that it rests on was compared. A
 * look-up costs about three nanoseconds a cell, a call of the function thirty and more.
 */
import type { Machine } from '../language/index.ts'
import type { Erased } from '../language/machine.ts'
import { viewOf } from '../language/views.ts'

/** Numbers that one tree may take; what asks about more than that is called each time. */
const BUDGET = 2 ** 17
/** A cell with more values than this is too wide to branch on. */
const VALUES_MAX = 4096
const FIRST_SIZE = 2 ** 16

/** The answer of a look-up that has to be learnt first, and of a function that is not to be learnt. */
export const UNKNOWN = 0
export const TOO_WIDE = 0x4000_0000

/** Cells that note in which order they are read, and what is written to them. */
class Watched {
  readonly values: Int32Array
  reads: number[] = []
  writes = new Map<number, number>()
  private readonly cells: Int32Array

  constructor(cells: Int32Array) {
    this.cells = cells
    const read = (cell: number): number => {
      const written = this.writes.get(cell)
      if (written !== undefined) return written
      if (!this.reads.includes(cell)) this.reads.push(cell)
      return this.cells[cell]!
    }
    const fill = (value: number, start: number, end: number): void => {
      for (let cell = start; cell < end; cell++) this.writes.set(cell, value)
    }
    this.values = new Proxy(cells, {
      get: (_, key) => (key === 'fill' ? fill : read(Number(key))),
      set: (_, key, value: number) => {
        this.writes.set(Number(key), value)
        return true
      },
    })
  }

  clear(): void {
    this.reads = []
    this.writes = new Map()
  }
}

/** Trees over the cells of one state. */
export class Learned {
  /** The state that is asked about, as the author's functions see it while they are watched. */
  readonly watchedState: Erased
  /**
   * All trees: a node is a cell and one entry for each of its values, an entry is a node, the complement of an answer,
   * or `UNKNOWN`. It is replaced when it grows.
   */
  tree = new Int32Array(FIRST_SIZE)
  private size = 1
  private readonly cells: Int32Array
  /** How many values each cell has. */
  private readonly values: Float64Array
  private readonly watched: Watched
  /** Numbers that each tree has taken, by its root. */
  private readonly taken = new Map<number, number>()

  constructor(machine: Machine, cells: Int32Array) {
    this.cells = cells
    this.watched = new Watched(cells)
    this.watchedState = viewOf(machine.layout, this.watched.values) as Erased
    this.values = new Float64Array(machine.layout.cells)
    for (const { cell, type } of machine.layout.leaves) this.values[cell] = type.cells
  }

  /** A new tree, which knows nothing. */
  root(): number {
    const root = this.allocate(1)
    this.taken.set(root, 1)
    return root
  }

  /** What `ask` answers in this state, or `TOO_WIDE`; from then on the tree knows it. `ask` may only use the watched state. */
  learn(root: number, ask: (state: Erased, writes: ReadonlyMap<number, number>) => number): number {
    const { watched } = this
    watched.clear()
    const answer = ask(this.watchedState, watched.writes)
    let at = root
    for (const cell of watched.reads) {
      if (this.tree[at] === UNKNOWN) {
        const wide = this.values[cell]!
        const taken = this.taken.get(root)! + wide + 1
        if (wide > VALUES_MAX || taken > BUDGET) return TOO_WIDE
        this.taken.set(root, taken)
        const node = this.allocate(wide + 1)
        this.tree[node] = cell
        this.tree[at] = node
      }
      const node = this.tree[at]!
      if (node < 0 || this.tree[node] !== cell) throw new Impure()
      at = node + 1 + this.cells[cell]!
    }
    this.tree[at] = ~answer
    return answer
  }

  /** The first cell that `ask` reads in any state; undefined when it reads none. */
  firstRead(ask: (state: Erased) => void): number | undefined {
    this.watched.clear()
    ask(this.watchedState)
    return this.watched.reads[0]
  }

  private allocate(count: number): number {
    const at = this.size
    this.size += count
    if (this.size > this.tree.length) {
      const next = new Int32Array(Math.max(2 * this.tree.length, this.size))
      next.set(this.tree)
      this.tree = next
    }
    return at
  }
}

/** A function of the author that does not answer by the state alone. */
class Impure extends Error {
  override readonly name = 'Impure'

  constructor() {
    super('a function of the machine read other fields than before, where all that it had read was the same')
  }
}
