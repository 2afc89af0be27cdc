/**
 * Walks of a machine, many at a time, so that the loops of the explorer serve them: in each round one of the possible
 * choices of every walk is drawn evenly and taken, and what it led to is judged in the next round.
 */
import type { Choices } from '../explore/choices.ts'
import { ExploreError } from '../explore/error.ts'
import { type Expander, expanderOf, type Hearer, rowsMaxOf } from '../explore/expand.ts'
import { HousedVisited } from '../explore/housed-visited.ts'
import { generate, repeat } from '../explore/source.ts'
import { MAX_STATES } from '../explore/visited.ts'
import type { Actor, Machine } from '../language/index.ts'
import { wordLayoutOf } from '../language/word-layout.ts'

export interface WalkerOptions {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  /** Steps of all walks together, and of each at most. */
  readonly steps: number
  readonly walkLength: number
  readonly seed: number
  /** Bytes that distinct states may take. They are not counted where it is absent. */
  readonly distinctBytes: number | undefined
  /** States are known to it by the place of the walk that has come to them. */
  readonly hearer: Omit<Hearer, 'rested'> & { rested(place: number, duty: boolean): void }
}

/** Walks at a time: as many as a batch of the explorer holds of states with few choices. */
const PLACES_MAX = 512
/** Choices of all walks that are kept. */
const PATHS_MAX = 2 ** 24
/** Odd, with well-spread bits. */
const NEXT = 0x6d2b79f5
const NEXT_WALK = 0x9e3779b1

/** Spreads the bits of a number over all of it. */
const mixed = (x: number): number => {
  let r = Math.imul(x ^ (x >>> 15), 1 | x)
  r = (r + Math.imul(r ^ (r >>> 7), 61 | r)) ^ r
  return r ^ (r >>> 14)
}

/** Puts each row in the place that it says it came from. */
type Move = (arena: Int32Array, rows: Int32Array, count: number) => void

const moveOf = (words: number): Move => {
  const moved = repeat(words, '', (i) => `arena[to+${i}]=rows[at+${i}];`)
  const stride = words + 1
  return generate('move', 'arena,rows,count', [
    `for(let at=0,end=count*${stride};at<end;at+=${stride}){const to=Math.imul(rows[at+${words}],${stride});${moved}}`,
  ])
}

export class Walker {
  steps = 0
  walks = 0
  private readonly options: WalkerOptions
  private readonly expander: Expander
  private readonly stride: number
  private readonly start: Int32Array
  /** Where each walk is, as a row. */
  private readonly arena: Int32Array
  private readonly rows: Int32Array
  private readonly move: Move
  private readonly visited: HousedVisited | undefined
  private readonly places: number
  /** Choices of each walk so far, and how many they are. */
  private readonly paths: Int32Array
  private readonly lengths: Int32Array
  private readonly randoms: Int32Array
  private readonly isResting: Uint8Array

  constructor(options: WalkerOptions) {
    const { machine, choices, hostile, steps, walkLength, distinctBytes, hearer } = options
    this.options = options
    const layout = wordLayoutOf(machine.layout)
    const { words } = layout
    const rowsMax = rowsMaxOf(choices)
    this.stride = words + 1
    this.move = moveOf(words)
    this.start = new Int32Array(this.stride)
    layout.pack(machine.initial(), this.start, 0)
    const together = Math.min(PLACES_MAX, Math.floor(PATHS_MAX / walkLength), Math.ceil(steps / walkLength))
    this.places = Math.max(1, together)
    this.arena = new Int32Array(this.places * this.stride)
    this.paths = new Int32Array(this.places * Math.min(walkLength, steps))
    this.lengths = new Int32Array(this.places)
    this.randoms = new Int32Array(this.places)
    this.isResting = new Uint8Array(this.places)
    if (distinctBytes !== undefined)
      this.visited = new HousedVisited({ words, rowsMax, maxStates: MAX_STATES, memoryBytes: distinctBytes })
    this.rows = this.visited?.rows ?? new Int32Array(rowsMax * this.stride)
    this.rows.set(this.start)
    this.visited?.insert(1)
    this.expander = expanderOf({
      ...{ machine, choices, hostile, rows: this.rows },
      hearer: {
        ...hearer,
        rested: (place, duty) => {
          this.isResting[place] = 1
          hearer.rested(place, duty)
        },
      },
      select: (found, ends, first, end) => this.select(found, ends, first, end),
    })
    for (let place = 0; place < this.places; place++) this.restart(place)
  }

  /** How often each action was taken. */
  get taken(): Float64Array {
    return this.expander.taken
  }

  /** Distinct states so far; undefined where they are not counted. */
  get distinct(): number | undefined {
    return this.visited?.count
  }

  /** The state that is being looked at. */
  get state(): object {
    return this.expander.state
  }

  /** The place of the walk that is being looked at. */
  at(): number {
    return this.expander.at()
  }

  /** The choices that led a walk to where it is. */
  pathOf(place: number): Int32Array {
    const from = place * this.room()
    return this.paths.subarray(from, from + this.lengths[place]!)
  }

  /** Where a walk is, as words. */
  wordsOf(place: number): Int32Array {
    return this.arena.subarray(place * this.stride, (place + 1) * this.stride - 1)
  }

  /** Takes one step of every walk; where no steps are left, only judges where they have come to. */
  round(): void {
    const { arena, rows, places, expander, visited, move, options } = this
    for (let first = 0; first < places; ) {
      first = expander.expand(arena, first, places)
      const count = expander.count()
      move(arena, rows, count)
      if (visited?.insert(count) === false)
        throw new ExploreError(
          options.machine,
          `its walks saw more than ${visited.count} distinct states: too many to count`,
        )
    }
  }

  /** Draws one of the choices of each walk; walks that are at their end begin again, and take their step next time. */
  private select(found: Int32Array, ends: Int32Array, first: number, end: number): void {
    const { paths, lengths, randoms, isResting, options } = this
    const room = this.room()
    let kept = 0
    for (let place = first, from = 0; place < end; place++) {
      const to = ends[place - first]!
      const length = lengths[place]!
      if (this.steps === options.steps) {
        // Nothing is left to be drawn.
      } else if (isResting[place] === 1 || length === room) this.restart(place)
      else {
        randoms[place] = (randoms[place]! + NEXT) | 0
        const k = found[from + Math.floor(((mixed(randoms[place]!) >>> 0) * (to - from)) / 2 ** 32)]!
        found[kept++] = k
        paths[place * room + length] = k
        lengths[place] = length + 1
        this.steps++
      }
      ends[place - first] = kept
      from = to
    }
  }

  /** Steps that a walk has room for. */
  private room(): number {
    return this.paths.length / this.places
  }

  private restart(place: number): void {
    this.arena.set(this.start, place * this.stride)
    this.lengths[place] = 0
    this.isResting[place] = 0
    this.randoms[place] = mixed((this.options.seed + Math.imul(++this.walks, NEXT_WALK)) | 0)
  }
}
