/**
 * Draws a plan by walking the machine: among the actions that we play it picks those that are possible, with arguments
 * that fit the state, while a stand-in of the other side (the `eager` choices of the machine) moves things along.
 */
import type { Action, Actor, Args, Erased, Machine } from '../language/machine.ts'
import { viewOf } from '../language/views.ts'
import { CARRIES, type Drawn, drawArgs, type Mood, moodOf } from './mood.ts'
import type { Plan, PlanStep } from './plan.ts'
import { Random } from './random.ts'

export interface DrawOptions {
  readonly played: readonly Actor[]
  /** Actions that cannot be performed on the target at hand. */
  readonly unavailable?: ReadonlySet<string>
  /** Share of the plans in which we may break duties. Default a third. */
  readonly hostile?: number
  /** Whether plans contain `save`. */
  readonly saves?: boolean
  /** Whether plans contain single device steps. */
  readonly steps?: boolean
  /** The target does all of its work while we act, so that plans need not wait for it. */
  readonly synchronous?: boolean
  /** Upper bound of the length of a plan. */
  readonly maxSteps?: number
}

const MAX_STEPS = 100
const HOSTILE = 0.33
/** The stand-in stops here: a machine whose eager choices never end would otherwise never be drawn from. */
const EAGER_MAX = 256
/** How often arguments are drawn for an action before another one is tried; the first time from habit. */
const ATTEMPTS = 3
/** How often an action is left out that changes nothing. */
const IDLE = 0.9
/** After so many of them in a row it is time to rest. */
const IDLE_MAX = 3
/** For so many actions after a breach nothing is undone: first it is to be seen what comes of it. */
const AFTERMATH = 8
/** After a costly action so many others come that undo nothing. */
const USE_OF_COSTLY = 16
/** How often a duty is broken after another one. */
const AGAIN = 0.1
/** How often we wait for a target that has nothing to do. */
const IDLE_REST = 0.1
/** A burst is no longer than this. */
const BURST_MAX = 16
/** So many of our actions at most come while a device stands still in the middle of its work. */
const HUSH_MAX = 6
/** A machine in which nothing was possible so often is at its end. */
const MISSES_MAX = 3
/** A refrain repeats at most so many steps, so many times. */
const REFRAIN_STEPS = 10
const REFRAIN_TIMES = 10
/** Actions of a round, and those between two rounds. */
const ROUND_MAX = 10
const TIDY = 3

/** A machine to draw from; the same object draws any number of plans. */
export class Drawer {
  private readonly machine: Machine
  private readonly options: DrawOptions
  private readonly cells: Int32Array
  private readonly state: Erased
  private readonly ours: readonly Action[]
  private readonly theirs: readonly Action[]
  private readonly start: Int32Array
  private readonly tried: Uint8Array
  private readonly before: Int32Array
  /** Actions since behaviour became unspecified; 0 where it is not. */
  private sinceBreach = 0
  /** So many actions are still to make use of a costly one. */
  private afterCostly = 0

  constructor(machine: Machine, options: DrawOptions) {
    this.machine = machine
    this.options = options
    this.start = machine.initial()
    this.cells = this.start.slice()
    this.before = this.start.slice()
    this.state = viewOf(machine.layout, this.cells)
    const playable = (action: Action): boolean =>
      options.played.includes(action.actor) && !options.unavailable?.has(action.name)
    this.ours = machine.actions.filter(playable)
    this.tried = new Uint8Array(this.ours.length)
    this.theirs = machine.actions.filter(
      (action) => !options.played.includes(action.actor) && action.eager !== undefined,
    )
    if (this.ours.length === 0)
      throw new RangeError(`${machine.name}: none of its actions can be performed on this target`)
  }

  /** A plan; the same seed gives the same plan. `rare` also draws the costly actions, those of weight 0. */
  draw(seed: number, rare = false): Plan {
    const { hostile = HOSTILE, saves = false, steps = false, maxSteps = MAX_STEPS } = this.options
    const random = new Random(seed)
    const mood = moodOf(this.ours, random, { hostile, saves, steps, maxSteps, rare })
    const plan: PlanStep[] = []
    this.cells.set(this.start)
    this.sinceBreach = this.afterCostly = 0
    // A run begins when the target is at rest.
    this.eager(EAGER_MAX)
    if (mood.rounds) this.rounds(mood, random, plan)
    let hush = 0
    // In a moment that may be the right one, every action is as likely.
    let lone = false
    let idle = 0
    for (let misses = 0; plan.length < mood.length && misses < MISSES_MAX; ) {
      const hostileNow = this.breaches(mood, random)
      const alike = hush === 1 && lone
      const drawn =
        (hostileNow ? this.drawAny(mood, random, true) : undefined) ?? this.drawAny(mood, random, false, alike)
      if (drawn === undefined) {
        misses++
        this.settle(plan)
        continue
      }
      if (!this.take(drawn, plan) && random.chance(IDLE)) {
        plan.pop()
        if (++idle < IDLE_MAX) continue
        idle = 0
        misses++
        this.settle(plan)
        continue
      }
      misses = idle = 0
      const fills = drawn.action.weight >= CARRIES || random.chance(0.2)
      if (fills && mood.burst > 0 && random.chance(mood.burst)) this.burst(drawn.action, mood, random, plan)
      if (hush > 0) {
        if (--hush > 0) continue
        this.settle(plan)
      } else if (this.rest(mood, random, plan) && random.chance(mood.hush)) {
        lone = random.chance(0.5)
        hush = lone ? 1 : 1 + random.below(HUSH_MAX)
      }
      if (this.afterCostly === 0 && mood.refrain > 0 && random.chance(mood.refrain)) this.refrain(mood, random, plan)
      if (mood.save > 0 && random.chance(mood.save)) plan.push({ do: 'save' })
    }
    return { steps: rare ? withOneCostly(plan) : plan }
  }

  /** Whether a duty is broken now. A second breach would hide what comes of the first. */
  private breaches(mood: Mood, random: Random): boolean {
    if (mood.breach === 0 || !random.chance(mood.breach)) return false
    return this.sinceBreach === 0 || random.chance(AGAIN)
  }

  /** Adds an action to the plan. Returns false when it certainly means nothing: its effect leaves the state as it is. */
  private take({ action, args, resolved, hostile }: Drawn, plan: PlanStep[]): boolean {
    plan.push({ do: 'act', action, args, hostile })
    this.before.set(this.cells)
    const broken = hostile ? this.broken(action, resolved) : undefined
    action.effect?.(this.state, resolved)
    if (broken !== undefined) this.machine.breach?.(this.state, broken.clause)
    this.sinceBreach = this.machine.unspecified?.(this.state) === true ? this.sinceBreach + 1 : 0
    this.afterCostly = action.weight === 0 ? USE_OF_COSTLY : Math.max(0, this.afterCostly - 1)
    const counts = hostile || action.effect === undefined || this.differs()
    if (this.options.synchronous === true) this.eager(EAGER_MAX)
    return counts
  }

  private differs(): boolean {
    for (let i = 0; i < this.cells.length; i++) if (this.cells[i] !== this.before[i]) return true
    return false
  }

  /** The first duty that would be broken. */
  private broken(action: Action, args: Args) {
    return action.duties.find((duty) => (duty.given?.(this.state, args) ?? true) && !duty.holds(this.state, args))
  }
  private keeps(action: Action, args: Args): boolean {
    return this.broken(action, args) === undefined
  }

  private settle(plan: PlanStep[]): void {
    if (plan.at(-1)?.do !== 'settle') plan.push({ do: 'settle' })
    this.eager(EAGER_MAX)
  }

  private step(count: number, plan: PlanStep[]): void {
    plan.push({ do: 'step', count })
    this.eager(Math.ceil(count / 6))
  }

  /** What comes between two of our actions: nothing, a rest, or (then it returns true) some device steps. */
  private rest(mood: Mood, random: Random, plan: PlanStep[]): boolean {
    // While the stand-in has nothing to do there is nothing to wait for, or to come in between of.
    if (!this.busy() && !random.chance(IDLE_REST)) return false
    if (random.chance(mood.settle)) this.settle(plan)
    else if (mood.stepwise > 0 && random.chance(mood.stepwise)) {
      this.step(1 + random.below(random.chance(0.3) ? 4 : random.chance(0.8) ? 24 : 64), plan)
      return true
    }
    return false
  }

  private busy(): boolean {
    for (const action of this.theirs) {
      const args = action.eager!(this.state)
      if (args !== undefined && (action.when === undefined || action.when(this.state, args))) return true
    }
    return false
  }

  /** One action until it is not possible any more or changes nothing, with nothing in between. */
  private burst(action: Action, mood: Mood, random: Random, plan: PlanStep[]): void {
    const index = this.ours.indexOf(action)
    for (let left = BURST_MAX; left > 0 && plan.length < mood.length; left--) {
      const drawn = this.drawOne(index, mood, random, false)
      if (drawn === undefined || !this.take(drawn, plan)) return
    }
  }

  /**
   * The last few steps over and over, as far as they are possible. In a sweep the device gets one step more each time,
   * so that we come in between at one moment after the other.
   */
  private refrain(mood: Mood, random: Random, plan: PlanStep[]): void {
    const theme = plan.slice(-(2 + random.below(REFRAIN_STEPS - 1)))
    if (theme.filter((step) => step.do === 'act').length < 2) return
    const times = 1 + random.below(REFRAIN_TIMES)
    const sweep = Number(random.chance(0.5))
    for (let time = 1; time <= times; time++)
      for (const step of theme) {
        if (plan.length >= mood.length) return
        if (step.do === 'settle') this.settle(plan)
        else if (step.do === 'step') this.step(step.count + sweep * time, plan)
        else if (step.do === 'act') {
          const resolved = resolve(this.state, step.action, step.args, step.hostile)
          if (resolved !== undefined) this.take({ ...step, resolved }, plan)
        }
      }
  }

  /**
   * Round after round of the same actions: first as they come, then again as far as they are possible. From round to
   * round the device gets a step more before we come in between, or all arguments are drawn anew.
   */
  private rounds(mood: Mood, random: Random, plan: PlanStep[]): void {
    const round: (Drawn | number)[] = []
    const steps = this.options.steps === true
    const length = 3 + random.below(ROUND_MAX - 2)
    for (let tries = 0; round.length < length && tries < 3 * ROUND_MAX; tries++) {
      if (steps && this.busy() && random.chance(0.4)) {
        round.push(1 + random.below(24))
        this.step(round.at(-1) as number, plan)
        continue
      }
      const drawn =
        (this.breaches(mood, random) ? this.drawAny(mood, random, true) : undefined) ??
        this.drawAny(mood, random, false)
      if (drawn === undefined) this.settle(plan)
      else if (this.take(drawn, plan)) round.push(drawn)
      else plan.pop()
    }
    const anew = random.chance(0.5)
    while (plan.length < mood.length) {
      this.settle(plan)
      // What the round leaves behind is cleared away as chance has it.
      for (let i = 0; i < TIDY; i++) {
        const drawn = this.drawAny(mood, random, false)
        if (drawn !== undefined && !this.take(drawn, plan)) plan.pop()
      }
      let acts = 0
      for (let i = 0; i < round.length; i++) {
        const item = round[i]!
        if (typeof item === 'number') {
          this.step(item, plan)
          round[i] = item + 1
          continue
        }
        const again = anew
          ? this.drawOne(this.ours.indexOf(item.action), mood, random, item.hostile)
          : this.understood(item)
        if (again === undefined) continue
        if (this.take(again, plan)) acts++
        else plan.pop()
      }
      // A round that hardly happens any more is over.
      if (acts === 0 || 2 * acts < round.length) break
    }
    plan.length = Math.min(plan.length, mood.length)
  }

  private understood(item: Drawn): Drawn | undefined {
    const resolved = resolve(this.state, item.action, item.args, item.hostile)
    return resolved === undefined ? undefined : { ...item, resolved }
  }

  /** An action that is possible: by weight, each tried once. */
  private drawAny(mood: Mood, random: Random, hostile: boolean, alike = false): Drawn | undefined {
    const ruined = this.sinceBreach > AFTERMATH
    const weights = hostile
      ? mood.breaks
      : alike
        ? mood.alike
        : ruined
          ? mood.ruined
          : this.sinceBreach > 0 || this.afterCostly > 0
            ? mood.calm
            : mood.weights
    const { tried } = this
    tried.fill(0)
    for (let total = weights.reduce((sum, weight) => sum + weight, 0); total > 1e-9; ) {
      let ticket = (random.bits() / 4_294_967_296) * total
      let index = -1
      for (let i = 0; i < weights.length; i++) {
        if (tried[i] === 1 || weights[i] === 0) continue
        index = i
        if ((ticket -= weights[i]!) < 0) break
      }
      if (index < 0) return undefined
      const drawn = this.drawOne(index, mood, random, hostile)
      if (drawn !== undefined) return drawn
      tried[index] = 1
      total -= weights[index]!
    }
    return undefined
  }

  private drawOne(index: number, mood: Mood, random: Random, hostile: boolean): Drawn | undefined {
    const action = this.ours[index]!
    if (hostile ? mood.breaks[index] === 0 : action.hostile) return undefined
    const { state } = this
    const args: Record<string, unknown> = {}
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      drawArgs(action, attempt === 0 ? mood.habits[index] : undefined, random, args)
      let resolved = resolve(state, action, args, hostile)
      if (resolved !== undefined && !(hostile && this.keeps(action, resolved)))
        return { action, args, resolved, hostile }
      if (action.args.length === 0) return undefined
      if (hostile) continue
      resolved = this.plainer(action, args)
      if (resolved !== undefined) return { action, args, resolved, hostile }
    }
    return undefined
  }

  /**
   * The first name of an enumeration is the plain case. With all of them plain the action may be possible; then as much
   * of what was drawn is kept as can be.
   */
  private plainer(action: Action, args: Record<string, unknown>): Args | undefined {
    const { state } = this
    const wanted: [name: string, value: unknown][] = []
    for (const { name, type } of action.args) {
      if (type.kind !== 'enum' || args[name] === type.names![0]) continue
      wanted.push([name, args[name]])
      args[name] = type.names![0]
    }
    if (wanted.length === 0) return undefined
    const resolved = resolve(state, action, args, false)
    if (resolved === undefined || wanted.length === 1) return resolved
    for (const [name, value] of wanted) {
      const plain = args[name]
      args[name] = value
      if (resolve(state, action, args, false) === undefined) args[name] = plain
    }
    return resolve(state, action, args, false)
  }

  private eager(bound: number): void {
    for (let taken = 0; taken < bound; ) {
      let moved = false
      for (const action of this.theirs) {
        const args = action.eager!(this.state)
        if (args === undefined || (action.when !== undefined && !action.when(this.state, args))) continue
        action.effect?.(this.state, args)
        moved = true
        if (++taken >= bound) return
      }
      if (!moved) return
    }
  }
}

/**
 * The arguments of a planned action in a state: its ids count among those that fit, the k-th of them in a circle.
 * Undefined when none fits.
 */
export const resolve = (state: Erased, action: Action, planned: Args, hostile: boolean): Args | undefined => {
  if (fits(state, action, planned, hostile)) return planned
  const reference = action.reference
  if (reference === undefined) return undefined
  const { name, type } = reference
  const wanted = planned[name] as number
  const args: Record<string, unknown> = { ...planned }
  for (let i = 1; i < type.cells; i++) {
    args[name] = (wanted + i) % type.cells
    if (fits(state, action, args, hostile)) return args
  }
  return undefined
}

const fits = (state: Erased, action: Action, args: Args, hostile: boolean): boolean => {
  if (action.when !== undefined && !action.when(state, args)) return false
  if (hostile) return true
  for (const duty of action.duties) {
    if (duty.given !== undefined && !duty.given(state, args)) continue
    if (!duty.holds(state, args)) return false
  }
  return true
}

/** Leaves out all costly actions but the first: each of them takes a second on a target in another process. */
const withOneCostly = (plan: readonly PlanStep[]): readonly PlanStep[] => {
  const first = plan.find((step) => step.do === 'act' && step.action.weight === 0)
  return plan.filter((step) => step.do !== 'act' || step.action.weight > 0 || step === first)
}
