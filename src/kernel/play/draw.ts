/**
 * Draws a plan by walking the machine: among the actions that we play it picks those that are possible, with arguments
 * that fit the state, while a stand-in of the other side (the `eager` choices of the machine) moves things along.
 */
import { Bits } from '../language/bits.ts'
import type { Action, Actor, Args, Erased, Machine } from '../language/machine.ts'
import type { AnyScalar } from '../language/scalar.ts'
import { viewOf } from '../language/views.ts'
import type { Plan, PlanStep } from './plan.ts'
import { Random } from './random.ts'

export interface DrawOptions {
  readonly played: readonly Actor[]
  /** Actions that cannot be performed on the target at hand. */
  readonly unavailable?: ReadonlySet<string>
  /** Share of the plans in which we may break duties. Default a quarter. */
  readonly hostile?: number
  /** Whether plans contain `save`. */
  readonly saves?: boolean
  /** Whether plans contain single device steps. */
  readonly steps?: boolean
  /** Upper bound of the length of a plan. */
  readonly maxSteps?: number
}

const LENGTHS = [10, 10, 30, 30, 30, 100] as const
/** The stand-in stops here: a machine whose eager choices never end would otherwise never be drawn from. */
const EAGER_MAX = 256
/** How often arguments are drawn for an action before another one is tried. */
const ATTEMPTS = 2
/** What an action of weight 0 weighs in a plan that is to have it. */
const RARE_WEIGHT = 30

type Rhythm = 'prompt' | 'stepwise' | 'lazy'

/** One value of a scalar type; small and extreme values are likely. */
const drawScalar = (type: AnyScalar, random: Random): unknown => {
  switch (type.kind) {
    case 'flag':
      return random.chance(0.5)
    case 'enum':
      return type.names![random.below(type.cells)]
    case 'set':
      return Bits.of(random.below(type.cells))
    case 'maybe':
      return random.chance(0.2) ? undefined : drawScalar(type.of!, random)
    default: {
      if (type.cells <= 16) return type.low + random.below(type.cells)
      const shape = random.below(4)
      if (shape === 0) return type.low + random.below(8)
      if (shape === 1) return type.low + type.cells - 1 - random.below(4)
      return type.low + random.below(type.cells)
    }
  }
}

/** A machine to draw from; the same object draws any number of plans. */
export class Drawer {
  private readonly machine: Machine
  private readonly options: DrawOptions
  private readonly cells: Int32Array
  private readonly state: Erased
  private readonly ours: readonly Action[]
  private readonly theirs: readonly Action[]
  private readonly start: Int32Array

  constructor(machine: Machine, options: DrawOptions) {
    this.machine = machine
    this.options = options
    this.start = machine.initial()
    this.cells = this.start.slice()
    this.state = viewOf(machine.layout, this.cells)
    const playable = (action: Action): boolean =>
      options.played.includes(action.actor) && !options.unavailable?.has(action.name)
    this.ours = machine.actions.filter(playable)
    this.theirs = machine.actions.filter(
      (action) => !options.played.includes(action.actor) && action.eager !== undefined,
    )
    if (this.ours.length === 0)
      throw new RangeError(`${machine.name}: none of its actions can be performed on this target`)
  }

  /** A plan; the same seed gives the same plan. `rare` also draws the costly actions, those of weight 0. */
  draw(seed: number, rare = false): Plan {
    const random = new Random(seed)
    this.cells.set(this.start)
    const length = Math.min(this.options.maxSteps ?? 100, 1 + random.below(random.pick(LENGTHS)))
    const hostile = random.chance(this.options.hostile ?? 0.25)
    const rhythm: Rhythm = random.pick(
      this.options.steps
        ? (['prompt', 'stepwise', 'stepwise', 'lazy'] as const)
        : (['prompt', 'prompt', 'lazy'] as const),
    )
    const saves = this.options.saves === true && random.chance(0.25)
    // Swarm: each run goes without some of the actions, so that the others crowd together.
    const masked = this.ours.map((action) => action.weight > 0 && action.weight < 5 && random.chance(0.25))
    const weights = this.ours.map((action, i) =>
      masked[i] || (action.hostile && !hostile) ? 0 : action.weight === 0 && rare ? RARE_WEIGHT : action.weight,
    )
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const steps: PlanStep[] = []
    let misses = 0
    while (steps.length < length && misses < 24) {
      const breach = hostile && random.chance(0.15)
      const step = this.drawAction(weights, total, random, breach)
      if (step === undefined) {
        misses++
        if (misses % 4 === 3) {
          steps.push({ do: 'settle' })
          this.eager(EAGER_MAX)
        }
        continue
      }
      misses = 0
      steps.push(step)
      this.perform(step.action, step.args)
      this.rest(rhythm, random, steps)
      if (saves && random.chance(0.08)) steps.push({ do: 'save' })
    }
    return { steps }
  }

  /** What comes between two of our actions: nothing, some device steps, or a rest. */
  private rest(rhythm: Rhythm, random: Random, steps: PlanStep[]): void {
    const settle = rhythm === 'prompt' ? 0.7 : rhythm === 'lazy' ? 0.1 : 0.06
    if (random.chance(settle)) {
      steps.push({ do: 'settle' })
      this.eager(EAGER_MAX)
    } else if (rhythm === 'stepwise' && random.chance(0.55)) {
      const count = 1 + random.below(random.chance(0.5) ? 4 : 24)
      steps.push({ do: 'step', count })
      this.eager(Math.ceil(count / 6))
    }
  }

  private drawAction(weights: readonly number[], total: number, random: Random, breach: boolean) {
    let ticket = (random.bits() / 4_294_967_296) * total
    let index = 0
    while (index < weights.length - 1 && (ticket -= weights[index]!) >= 0) index++
    const action = this.ours[index]!
    if (weights[index] === 0 || (action.hostile && !breach)) return undefined
    const args: Record<string, unknown> = {}
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      for (const { name, type } of action.args) args[name] = drawScalar(type, random)
      if (resolve(this.state, action, args, breach) !== undefined)
        return { do: 'act', action, args, hostile: breach } as const
      if (breach || action.args.length === 0) continue
      // The first name of an enumeration is the plain case: fall back to it.
      let plainer = false
      for (const { name, type } of action.args)
        if (type.kind === 'enum' && args[name] !== type.names![0]) {
          args[name] = type.names![0]
          plainer = true
          if (resolve(this.state, action, args, false) !== undefined)
            return { do: 'act', action, args, hostile: false } as const
        }
      if (!plainer) continue
    }
    return undefined
  }

  private perform(action: Action, planned: Args): void {
    const args = resolve(this.state, action, planned, true)
    if (args === undefined) return
    const broken = action.duties.find(
      (duty) => (duty.given?.(this.state, args) ?? true) && !duty.holds(this.state, args),
    )
    action.effect?.(this.state, args)
    if (broken !== undefined) this.machine.breach?.(this.state, broken.clause)
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
