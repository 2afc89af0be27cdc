/**
 * The machine as a plan leads it while it is drawn: what we do happens at once, and a stand-in of the other side moves
 * things along where the plan gives it time.
 */
import type { Action, Actor, Args, Erased, Machine } from '../language/machine.ts'
import { viewOf } from '../language/views.ts'
import { Home } from './home.ts'
import type { Drawn } from './mood.ts'
import type { PlanStep } from './plan.ts'
import { Search } from './search.ts'
import { EAGER_MAX, type Race, StandIn, type Witness } from './stand-in.ts'

/** Device steps that the stand-in takes for one action, and how many of them show something. */
const STEPS_PER_ACTION = 6
const SEEN_PER_ACTION = 4
/** After a costly action so many others come that undo nothing. */
const USE_OF_COSTLY = 16

export interface WalkOptions {
  readonly played: readonly Actor[]
  /** The target does all of its work while we act, so that plans need not wait for it. */
  readonly synchronous?: boolean
}

/** Device steps: all of them count, or only those that show something. */
export interface Steps {
  readonly count: number
  readonly seen: boolean
}

export class Walk {
  /** The state, as authors see it. */
  readonly state: Erased
  /** The plan so far. */
  plan: PlanStep[] = []
  /** Actions since the last breach, and the breach, while behaviour is unspecified; 0 where it is not. */
  sinceBreach = 0
  /** So many actions are still to make use of a costly one. */
  afterCostly = 0
  /** For the goal that the plan is led to; undefined where it may go anywhere. */
  private search: Search | undefined
  /** Part of an action that the stand-in has done. */
  private progress = 0
  private readonly machine: Machine
  private readonly synchronous: boolean
  private readonly standIn: StandIn
  private readonly witness: Witness
  private readonly cells: Int32Array
  private readonly before: Int32Array
  private readonly first: Int32Array
  private readonly home: Home

  constructor(machine: Machine, { played, synchronous = false }: WalkOptions) {
    this.machine = machine
    this.synchronous = synchronous
    this.first = machine.initial()
    this.cells = this.first.slice()
    this.before = this.first.slice()
    this.home = new Home(machine.layout)
    this.state = viewOf(machine.layout, this.cells)
    this.standIn = new StandIn(machine, played, this.state, this.cells)
    this.witness = {
      before: (action, args) => void this.search?.meets(action, args, this.plan.length),
      after: () => this.search?.look(this.plan.length),
    }
  }

  /** Back to the initial state, with an empty plan. A run begins when the target is at rest. `toward`: name of a goal. */
  restart(toward?: string): void {
    this.plan = []
    this.search = toward === undefined ? undefined : new Search(this.machine, toward, this.state)
    this.cells.set(this.first)
    this.sinceBreach = this.afterCostly = this.progress = 0
    this.eager(EAGER_MAX)
  }

  /** How often the plan leads to the goal. */
  get arrivals(): number {
    return this.search?.arrivals(this.plan.length) ?? 0
  }

  /** The action of the step that is sought; undefined where it is a state, or nothing. */
  get wanted(): Action | undefined {
    return this.search?.wanted
  }

  get length(): number {
    return this.plan.length
  }

  /** Adds an action to the plan. Returns false when it certainly means nothing: its effect leaves the state as it is. */
  take({ action, args, resolved, hostile }: Drawn): boolean {
    this.plan.push({ do: 'act', action, args, hostile })
    this.before.set(this.cells)
    const broken = hostile ? this.broken(action, resolved)[0] : undefined
    const met = this.search?.meets(action, resolved, this.plan.length) === true
    action.effect?.(this.state, resolved)
    if (broken !== undefined) this.machine.breach?.(this.state, broken.clause)
    this.search?.look(this.plan.length)
    const spoilt = this.machine.unspecified?.(this.state) === true
    // Each breach is given its time.
    this.sinceBreach = !spoilt ? 0 : broken === undefined ? this.sinceBreach + 1 : 1
    this.afterCostly = action.weight === 0 ? USE_OF_COSTLY : Math.max(0, this.afterCostly - 1)
    const counts = met || hostile || action.effect === undefined || this.differs()
    if (this.synchronous) this.eager(EAGER_MAX)
    return counts
  }

  /** Leaves the plan with so many steps at most. */
  cut(steps: number): void {
    this.plan.length = Math.min(this.plan.length, steps)
  }

  /** Takes the last step out of the plan; what came of it stays. */
  drop(): void {
    this.plan.pop()
  }

  settle(): void {
    if (this.plan.at(-1)?.do !== 'settle') this.plan.push({ do: 'settle' })
    this.eager(EAGER_MAX)
  }

  /** Device steps during which the stand-in does nothing: whatever comes next is drawn as if at the first of them. */
  moment(count: number): void {
    this.plan.push({ do: 'step', count, seen: true })
  }

  step({ count, seen }: Steps): void {
    this.plan.push(seen ? { do: 'step', count, seen } : { do: 'step', count })
    this.progress += count / (seen ? SEEN_PER_ACTION : STEPS_PER_ACTION)
    const whole = seen ? Math.floor(this.progress) : Math.ceil(this.progress)
    this.progress = Math.max(0, this.progress - whole)
    this.eager(whole)
  }

  save(): void {
    this.plan.push({ do: 'save' })
  }

  /** The state as it is now. */
  snapshot(): Int32Array {
    return this.cells.slice()
  }

  /** Whether an action leads to this state. */
  leadsTo({ action, resolved }: Drawn, state: Int32Array): boolean {
    this.before.set(this.cells)
    action.effect?.(this.state, resolved)
    const equal = state.every((cell, i) => cell === this.cells[i])
    this.cells.set(this.before)
    return equal
  }

  /** Remembers the state. */
  mark(): void {
    this.home.mark(this.cells)
  }

  /** How far the state is from the one that was marked; with an action, after its effect. */
  away(next?: Drawn): number {
    if (next?.action.effect === undefined) return this.home.away(this.cells)
    this.before.set(this.cells)
    next.action.effect(this.state, next.resolved)
    const away = this.home.away(this.cells)
    this.cells.set(this.before)
    return away
  }

  /** Whether it matters that an action comes before what the stand-in is about to do. */
  races(next: Drawn): Race | undefined {
    return this.standIn.races(next)
  }

  /** What `look` answers in the state after an action; the state itself stays as it is. */
  after<T>({ action, resolved }: Drawn, look: () => T): T {
    const now = this.cells.slice()
    action.effect?.(this.state, resolved)
    const answer = look()
    this.cells.set(now)
    return answer
  }

  /** The duties that would be broken. */
  broken(action: Action, args: Args): Action['duties'] {
    return action.duties.filter((duty) => (duty.given?.(this.state, args) ?? true) && !duty.holds(this.state, args))
  }

  /** No duty of the action would be broken. */
  keeps(action: Action, args: Args): boolean {
    return this.broken(action, args).length === 0
  }

  /** The stand-in has something to do. */
  get busy(): boolean {
    return this.standIn.busy
  }

  private differs(): boolean {
    for (let i = 0; i < this.cells.length; i++) if (this.cells[i] !== this.before[i]) return true
    return false
  }

  private eager(bound: number): void {
    this.standIn.work(bound, this.search === undefined ? undefined : this.witness)
  }
}
