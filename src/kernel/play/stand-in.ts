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

  /** `state` is a view of `cells`; both are changed in place. */
  constructor(machine: Machine, played: readonly Actor[], state: Erased, cells: Int32Array) {
    this.state = state
    this.cells = cells
    this.theirs = machine.actions.filter((action) => !played.includes(action.actor) && action.eager !== undefined)
  }

  /** It has something to do. */
  get busy(): boolean {
    return this.theirs.some((action) => this.choice(action) !== undefined)
  }

  /** Takes so many actions at most; how often each was taken. */
  work(bound: number, witness?: Witness): number[] {
    const times = this.theirs.map(() => 0)
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
        times[i]!++
        if (++taken >= bound) return times
      }
      if (!moved) break
    }
    return times
  }

  private choice(action: Action): Args | undefined {
    const args = action.eager!(this.state)
    return args === undefined || (action.when !== undefined && !action.when(this.state, args)) ? undefined : args
  }

  /**
   * Whether it matters that an action of ours comes before what is about to be done here, up to rest. Changes nothing.
   */
  races({ action, resolved }: Drawn): Race | undefined {
    const { cells, state } = this
    const start = cells.slice()
    action.effect?.(state, resolved)
    const first = this.work(EAGER_MAX)
    const after = cells.slice()
    cells.set(start)
    const last = this.work(EAGER_MAX)
    const stillPossible = action.when === undefined || action.when(state, resolved)
    if (stillPossible) action.effect?.(state, resolved)
    const rest = this.work(EAGER_MAX)
    const differs = after.some((cell, i) => cell !== cells[i])
    cells.set(start)
    const extra = first.map((times, i) => times - last[i]! - rest[i]!)
    if (extra.some((times) => times > 0)) return 'more'
    return differs || !stillPossible || extra.some((times) => times < 0) ? 'other' : undefined
  }
}
