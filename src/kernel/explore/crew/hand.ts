/** One thread's share in the expansion of a level: batches of states, from a counter that all of them take from. */
import type { Expander } from '../expand.ts'
import type { Canoniser } from '../symmetry/canonical.ts'
import { arenaOf, type Ground, Lane } from '../wasm/ground.ts'
import { CELLS } from './orders.ts'

/** Numbers for new states that a thread is given at a time. */
const NUMBERS = 256
const TAKE_MAX = 1024
const TAKE_MIN = 16
/** Rows that the states of one taking are meant to have. */
const ROWS_WANTED = 900

export interface HandOptions {
  readonly ground: Ground
  readonly lane: number
  readonly lanes: number
  readonly cells: Int32Array
  readonly rows: Int32Array
  readonly expander: Expander
  readonly canoniser: Canoniser | undefined
  /** After every batch. */
  readonly pause?: () => void
}

/** Numbers that must be free before a thread takes a batch: each may fill one before it looks again. */
export const slackOf = (rowsMax: number, lanes: number): number => lanes * (rowsMax + 2 * NUMBERS)

export class Hand {
  private readonly options: HandOptions
  private readonly lane: Lane
  private readonly arena: Int32Array
  private readonly slack: number
  /** Numbers that it was given and has not used. */
  from = 0
  to = 0
  private expanded = 1
  private filled = 2

  constructor(options: HandOptions) {
    const { ground, lane, lanes } = options
    this.options = options
    this.lane = new Lane(ground, lane, true)
    this.arena = arenaOf(ground)
    this.slack = slackOf(ground.rowsMax, lanes)
  }

  /** Works until nothing is left, or there may be no room, or somebody says stop. */
  work(): void {
    const { cells, lanes, expander, canoniser, rows, pause } = this.options
    const [end, limit, mask] = [cells[CELLS.end]!, cells[CELLS.limit]!, cells[CELLS.mask]!]
    this.from = 0
    this.to = 0
    while (Atomics.load(cells, CELLS.stop) === 0 && Atomics.load(cells, CELLS.numbers) + this.slack <= limit) {
      const wanted = Math.floor((ROWS_WANTED * this.expanded) / this.filled)
      // Less towards the end of a level, so that all come to it at the same time.
      const share = Math.floor((end - Atomics.load(cells, CELLS.next)) / (2 * lanes))
      const take = Math.max(TAKE_MIN, Math.min(TAKE_MAX, wanted, share))
      const first = Atomics.add(cells, CELLS.next, take)
      if (first >= end) return
      const last = Math.min(first + take, end)
      for (let id = first; id < last; ) {
        id = expander.expand(this.arena, id, last)
        const count = expander.count()
        canoniser?.canonise(rows, count)
        this.insert(count, mask)
        this.filled += count
      }
      this.expanded += last - first
      Atomics.add(cells, CELLS.batches, 1)
      pause?.()
    }
  }

  private insert(n: number, mask: number): void {
    const { cells, rows } = this.options
    this.lane.load(rows, n, mask)
    for (let row = 0; row < n; row = this.lane.stoppedAt(n)) {
      if (this.from === this.to) {
        this.from = Atomics.add(cells, CELLS.numbers, NUMBERS)
        this.to = this.from + NUMBERS
      }
      this.from = this.lane.insert(mask, row, n, this.from, this.to)
    }
  }
}
