/**
 * Draws a plan by walking the machine: among the actions that we play it picks those that are possible, with arguments
 * that fit the state, while a stand-in of the other side moves things along.
 */
import type { Action, Machine } from '../language/machine.ts'
import { AFTERMATH, Chooser } from './choose.ts'
import { type Bits, Drawing } from './drawing.ts'
import { CARRIES, moodOf } from './mood.ts'
import { burst, type Pen, refrain, stepsOf } from './phrases.ts'
import type { Plan, PlanStep } from './plan.ts'
import { Random } from './random.ts'
import { rounds } from './rounds.ts'
import { sweep } from './sweep.ts'
import { Walk, type WalkOptions } from './walk.ts'

export interface DrawOptions extends WalkOptions {
  /** Actions that cannot be performed on the target at hand. */
  readonly unavailable?: ReadonlySet<string>
  /** Share of the plans in which we may break duties. Default `HOSTILE`. */
  readonly hostile?: number
  /** Whether plans contain `save`. */
  readonly saves?: boolean
  /** Whether plans contain single device steps. */
  readonly steps?: boolean
  /** Upper bound of the length of a plan. */
  readonly maxSteps?: number
}

const MAX_STEPS = 160
/** A third of the plans break duties unless something else is asked for. */
export const HOSTILE = 0.33
/** Plans that are drawn in search of a goal, and how many of them are to have the costly actions. */
const ATTEMPTS = 48
const COSTLY_ATTEMPTS = 8
/** So many of them that lead there are enough to choose from. */
const ENOUGH = 6
/** The same of plans that are drawn in search of a goal: some are only reached in that way. */
const HOSTILE_TOWARD = 0.5
/** How often an action is left out that changes nothing. */
const IDLE = 0.9
/** After so many of them in a row it is time to rest. */
const IDLE_MAX = 3
/** How often every action is as likely between two accesses of a device. */
const ALIKE = 0.7
/** How often we wait for a target that has nothing to do. */
const IDLE_REST = 0.1
/** So many of our actions at most come while a device stands still in the middle of its work. */
const HUSH_MAX = 6
/** A machine in which nothing was possible so often is at its end. */
const MISSES_MAX = 3

/** A machine to draw from; the same object draws any number of plans. */
export class Drawer {
  private readonly options: DrawOptions
  private readonly ours: readonly Action[]
  private readonly hasCostly: boolean
  private readonly walk: Walk
  private drawing: Drawing | undefined

  constructor(machine: Machine, options: DrawOptions) {
    this.options = options
    const { played, unavailable } = options
    this.ours = machine.actions.filter(({ actor, name }) => played.includes(actor) && !unavailable?.has(name))
    if (this.ours.length === 0)
      throw new RangeError(`${machine.name}: none of its actions can be performed on this target`)
    this.hasCostly = this.ours.some(({ weight }) => weight === 0)
    this.walk = new Walk(machine, options)
  }

  /**
   * A plan; the same seed gives the same plan. `rare` also draws the costly actions, those of weight 0. `toward` names a
   * goal that the plan is led to, if that can be.
   */
  draw(seed: number, rare = false, toward?: string): Plan {
    return this.begin(seed, rare, toward).plan()
  }

  /** The same plan, to be drawn bit by bit. There is one walk: to begin another drawing gives up the one before. */
  begin(seed: number, rare = false, toward?: string): Drawing {
    this.drawing?.giveUp()
    this.drawing = new Drawing(this.bits(seed, rare, toward))
    return this.drawing
  }

  private *bits(seed: number, rare: boolean, toward: string | undefined): Bits<Plan> {
    const { hostile = HOSTILE } = this.options
    if (toward === undefined) return yield* this.once(seed, rare, hostile)
    const often = hostile === 0 ? 0 : Math.max(hostile, HOSTILE_TOWARD)
    // What only the target can reach is at least given all that it may need.
    return (yield* this.led(seed, often, toward)) ?? (yield* this.once(seed, rare, hostile, toward))
  }

  /** Of some plans that reach the goal on the walk, the one that does so most often: on the target much is otherwise. */
  private *led(seed: number, hostile: number, toward: string): Bits<Plan | undefined> {
    const seeds = new Random(seed)
    const costly = this.hasCostly ? COSTLY_ATTEMPTS : 0
    let best: Plan | undefined
    let most = 0
    for (let attempt = 0, found = 0; attempt < ATTEMPTS && found < ENOUGH; attempt++) {
      // What is costly comes where nothing else leads there.
      const rare = attempt >= ATTEMPTS - costly
      if (rare && found > 0) break
      const plan = yield* this.once(seeds.bits(), rare, hostile, toward)
      const { arrivals } = this.walk
      if (arrivals > 0) found++
      if (arrivals <= most) continue
      most = arrivals
      best = plan
    }
    return best
  }

  private *once(seed: number, costly: boolean, hostile: number, toward?: string): Bits<Plan> {
    const rare = costly && this.hasCostly
    const { saves = false, steps = false, maxSteps = MAX_STEPS } = this.options
    const { walk } = this
    const random = new Random(seed)
    walk.restart(toward)
    const { wanted } = walk
    const led = toward !== undefined
    const mood = moodOf(this.ours, random, { hostile, saves, steps, maxSteps, rare, led, wanted })
    const choose = new Chooser(this.ours, walk, mood, random)
    const pen: Pen = { walk, choose, mood, random, steps }
    if (mood.rounds) yield* (mood.watchful ? sweep : rounds)(pen)
    let hush = 0
    // In a moment that may be the right one, every action is as likely.
    let lone = false
    let idle = 0
    for (let misses = 0; walk.length < mood.length && misses < MISSES_MAX; ) {
      yield
      const between = mood.watchful && walk.plan.at(-1)?.do === 'step' && random.chance(ALIKE)
      const drawn = choose.next(between || (hush === 1 && lone))
      if (drawn === undefined) {
        misses++
        walk.settle()
        continue
      }
      if (!walk.take(drawn) && random.chance(IDLE)) {
        walk.drop()
        if (++idle < IDLE_MAX) continue
        idle = 0
        misses++
        walk.settle()
        continue
      }
      misses = idle = 0
      // Then it is seen what came of a breach, before anything is undone.
      if (walk.sinceBreach === AFTERMATH) walk.settle()
      const fills = drawn.action.weight >= CARRIES || random.chance(0.2)
      if (fills && mood.burst > 0 && random.chance(mood.burst)) burst(pen, drawn)
      if (hush > 0) {
        if (--hush > 0) continue
        walk.settle()
      } else if (rest(pen) && random.chance(mood.hush)) {
        lone = random.chance(0.5)
        hush = lone ? 1 : 1 + random.below(HUSH_MAX)
      }
      if (walk.afterCostly === 0 && mood.refrain > 0 && random.chance(mood.refrain)) refrain(pen)
      if (mood.save > 0 && random.chance(mood.save)) walk.save()
    }
    return { steps: rare ? withOneCostly(walk.plan) : walk.plan }
  }
}

/** What comes between two of our actions: nothing, a rest, or (then it returns true) some device steps. */
const rest = (pen: Pen): boolean => {
  const { walk, mood, random } = pen
  // While the stand-in has nothing to do there is nothing to wait for, or to come in between of.
  if (!walk.busy && !random.chance(IDLE_REST)) return false
  if (random.chance(mood.settle)) walk.settle()
  else if (mood.stepwise > 0 && random.chance(mood.stepwise)) {
    walk.step(stepsOf(pen))
    return true
  }
  return false
}

/** Leaves out all costly actions but the first: each of them takes a second on a target in another process. */
const withOneCostly = (plan: readonly PlanStep[]): readonly PlanStep[] => {
  const first = plan.find((step) => step.do === 'act' && step.action.weight === 0)
  return plan.filter((step) => step.do !== 'act' || step.action.weight > 0 || step === first)
}
