/** Plays the other side while a plan is drawn: it does what a plain implementation would, the `eager` choices of a machine. */
import type { Action, Actor, Args, Erased, Machine } from '../language/machine.ts'
import type { Drawn } from './mood.ts'

/** It stops here: a machine whose eager choices never end would otherwise never be drawn from. */
export const EAGER_MAX = 256

/** What comes of it when an action comes before what the stand-in is about to do, and not after: `more` is done, or `other` things. */
export type Race = 'more' | 'other'

/** Told before and after each of its actions. */
export interface Witness {
  before(action: Action, args: Args): void
  after(): void
}

export class StandIn {
  private readonly state: Erased
  private readonly cells: Int32Array
  private readonly theirs: readonly Action[]
  /** States, and how often each action was taken, while it is found out whether an action races. */
  private readonly start: Int32Array
  private readonly after: Int32Array
  private readonly first: Int32Array
  private readonly last: Int32Array
  private readonly rest: Int32Array
  /** What comes of a state when nothing of ours comes first: many actions are tried in the same one. */
  private readonly idle: { readonly from: Int32Array; readonly to: Int32Array }

  /** `state` is a view of `cells`; both are changed in place. */
  constructor(machine: Machine, played: readonly Actor[], state: Erased, cells: Int32Array) {
    this.state = state
    this.cells = cells
    this.theirs = machine.actions.filter((action) => !played.includes(action.actor) && action.eager !== undefined)
    const { length } = this.theirs
    this.start = cells.slice()
    this.after = cells.slice()
    this.first = new Int32Array(length)
    this.last = new Int32Array(length)
    this.rest = new Int32Array(length)
    // No state is like this one.
    this.idle = { from: cells.map(() => -1), to: cells.slice() }
  }

  /** It has something to do. */
  get busy(): boolean {
    for (const action of this.theirs) if (this.choice(action) !== undefined) return true
    return false
  }

  /** Takes so many actions at most. `times`: how often each was taken. */
  work(bound: number, witness?: Witness, times?: Int32Array): void {
    times?.fill(0)
    for (let taken = 0; taken < bound; ) {
      let moved = false
      for (let i = 0; i < this.theirs.length; i++) {
        const action = this.theirs[i]!
        const args = this.choice(action)
        if (args === undefined) continue
        witness?.before(action, args)
        action.effect?.(this.state, args)
        witness?.after()
        moved = true
        if (times !== undefined) times[i]!++
        if (++taken >= bound) return
      }
      if (!moved) return
    }
  }

  private choice(action: Action): Args | undefined {
    const args = action.eager!(this.state)
    return args === undefined || (action.when !== undefined && !action.when(this.state, args)) ? undefined : args
  }

  /**
   * Whether it matters that an action of ours comes before what is about to be done here, up to rest. Changes nothing.
   */
  races({ action, resolved }: Drawn): Race | undefined {
    const { cells, state, start, after, first, last, rest, idle } = this
    start.set(cells)
    action.effect?.(state, resolved)
    this.work(EAGER_MAX, undefined, first)
    after.set(cells)
    if (same(start, idle.from)) cells.set(idle.to)
    else {
      cells.set(start)
      this.work(EAGER_MAX, undefined, last)
      idle.from.set(start)
      idle.to.set(cells)
    }
    const stillPossible = action.when === undefined || action.when(state, resolved)
    if (stillPossible) action.effect?.(state, resolved)
    this.work(EAGER_MAX, undefined, rest)
    let differs = !stillPossible || !same(after, cells)
    cells.set(start)
    for (let i = 0; i < first.length; i++) {
      const extra = first[i]! - last[i]! - rest[i]!
      if (extra > 0) return 'more'
      differs ||= extra < 0
    }
    return differs ? 'other' : undefined
  }
}

const same = (a: Int32Array, b: Int32Array): boolean => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
