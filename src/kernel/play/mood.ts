/**
 * What one plan is like: how long, how hasty, what it goes without and what it comes back to. Plans of different moods
 * reach states that a mixture of all of them hardly ever would: a ring filled to the brim, a device stopped in the
 * middle of an answer, the same request lap after lap.
 */
import { Bits } from '../language/bits.ts'
import type { Action, Actor, Args } from '../language/machine.ts'
import type { AnyScalar } from '../language/scalar.ts'
import type { Random } from './random.ts'

export interface MoodOptions {
  readonly hostile: number
  readonly saves: boolean
  readonly steps: boolean
  readonly maxSteps: number
  /** The plan is to have the costly actions as well, those of weight 0. */
  readonly rare: boolean
  /** The plan is led to a goal. */
  readonly led: boolean
  /** The action of the step that it is led to: there is no plan without it. */
  readonly wanted?: Action | undefined
}

/** A duty that is to be broken. */
export interface Grudge {
  /** Number of the action among those that we play. */
  readonly index: number
  readonly duty: Action['duties'][number]
}

/** The chances are those of each step. */
export interface Mood {
  readonly length: number
  /** That a duty is broken. */
  readonly breach: number
  /** By number of the action, how often its duties are broken: more often where there are more, and not those of every action. */
  readonly breaks: Float64Array
  /** In a plan that breaks duties, all of them in the order in which they have their turn; what was broken comes last. */
  readonly grudges: Grudge[]
  /** That everything rests before we go on. */
  readonly settle: number
  /** That the device takes a few of its smallest steps. */
  readonly stepwise: number
  /** Device steps count only where the device shows something, and in between every action is as likely. */
  readonly watchful: boolean
  /** That an action is done over and over, until it is not possible any more. */
  readonly burst: number
  /** That the last few steps are done over and over. */
  readonly refrain: number
  /** The plan is one round of actions over and over, with device steps in it and a rest at its end. */
  readonly rounds: boolean
  /** That what comes after a few device steps ends in a rest, with nothing in between. */
  readonly hush: number
  readonly save: number
  /** By number of the action among those that we play. */
  readonly weights: Float64Array
  /** The same for states in which behaviour is unspecified. */
  readonly ruined: Float64Array
  /** The same right after a breach. */
  readonly calm: Float64Array
  /** The same where all that may be done is as likely. */
  readonly alike: Float64Array
  /** The same without the actions that carry the machine along. */
  readonly settings: Float64Array
  /** Favourite values, by number of the action and of the argument; undefined where every value is as welcome. */
  readonly habits: readonly (readonly unknown[] | undefined)[]
}

const LENGTHS = [10, 30, 100, 100, 100] as const
/** A sweep is to come to all moments of an answer. */
const SWEEP = 160
/** What an action of weight 0 weighs in a plan that is to have it. */
const RARE_WEIGHT = 30
/** Actions of this weight and more carry a machine along: no plan goes without them. */
export const CARRIES = 5
/** An actor with so many actions at most is there as a whole, or not at all. */
const FEW = 6
/**
 * How often it is there in a plan that is led to a goal: what the goal needs of it, only the target may know. Or in one
 * that saves: the more goes on, the more can be lost.
 */
const PRESENT_WHEN_NEEDED = 0.9
/** Share of the plans that are made of rounds. */
const ROUNDS = 0.3
/** Share of the plans that come in between of single accesses, where the device can be stepped. */
const WATCHFUL = 0.5
/** Share of those that are made of rounds: each comes in between one access later. */
const SWEEPS = 0.7
/** Share of the duties that a hostile plan spares. */
const SPARED = 0.6
/** Where nothing is promised any more, what is seldom done since it undoes much is done that much more often. */
const UNDO = 16

export const moodOf = (ours: readonly Action[], random: Random, options: MoodOptions): Mood => {
  const { saves, steps, maxSteps, rare, led, wanted } = options
  const hostile = random.chance(options.hostile) && !rare
  // A breach needs something to break, and something to come of it.
  const watchful = steps && random.chance(hostile ? WATCHFUL / 4 : WATCHFUL) && !rare
  const rounds = random.chance(watchful ? SWEEPS : ROUNDS) && !rare
  const longest = rounds || watchful ? LENGTHS.at(-1)! : Math.max(random.pick(LENGTHS), hostile ? 30 : 0)
  // A costly action deserves that something follows.
  const drawn =
    rounds && watchful ? SWEEP : rare ? LENGTHS.at(-1)! : 1 + (longest >> 2) + random.below(longest - (longest >> 2))
  const weights = new Float64Array(ours.length)
  const saving = saves && random.chance(0.25)
  // Who has few actions does them all or none: they mean little one without the other.
  const whole = new Map<Actor, number>()
  const counts = new Map<Actor, number>()
  for (const { actor } of ours) counts.set(actor, (counts.get(actor) ?? 0) + 1)
  for (const [actor, count] of counts)
    if (count <= FEW) whole.set(actor, Number(random.chance(led || saving ? PRESENT_WHEN_NEEDED : 0.5)))
  for (let i = 0; i < ours.length; i++) {
    const present = whole.get(ours[i]!.actor)
    weights[i] = weightOf(ours[i]!, random, hostile, rare, present)
    if (ours[i] === wanted && !(wanted?.hostile && !hostile)) weights[i] = Math.max(weights[i]!, ours[i]!.weight)
  }
  const breaks = weights.map((_weight, i) => {
    const action = ours[i]!
    const { length } = action.duties
    const spared = random.chance(SPARED ** length) && action !== wanted
    return hostile && !spared ? Math.sqrt(length) : 0
  })
  const alike = weights.map((_weight, i) => (ours[i]!.hostile ? 0 : Math.min(1, ours[i]!.weight)))
  const ruined = weights.map((weight, i) => (ours[i]!.weight < 1 ? weight * UNDO : weight))
  return {
    length: Math.min(maxSteps, drawn),
    breach: hostile ? random.pick([0.1, 0.2, 0.4]) : 0,
    breaks,
    grudges: hostile ? shuffled(grudgesOf(ours, wanted), random) : [],
    settle: random.pick(watchful ? [0.03, 0.1] : [0.03, 0.15, 0.5]),
    stepwise: watchful ? random.pick([0.6, 0.9]) : steps ? random.pick([0, 0, 0.3, 0.6, 0.9]) : 0,
    watchful,
    burst: random.pick([0, 0.1, 0.3, 0.6]),
    refrain: random.pick([0, 0, 0.1, 0.3]),
    rounds,
    hush: random.pick([0, 0.5, 0.9]),
    save: saving ? 0.08 : 0,
    weights,
    ruined,
    calm: weights.map((weight, i) => (ours[i]!.weight < 1 ? 0 : weight)),
    alike,
    settings: alike.map((weight, i) => (ours[i]!.weight < CARRIES ? weight : 0)),
    habits: ours.map((action) => habitsOf(action, random)),
  }
}

/** Where a plan is led to the breach of an action, none but those of that action. */
const grudgesOf = (ours: readonly Action[], wanted: Action | undefined): Grudge[] => {
  const grudges = ours.flatMap(({ duties }, index) => duties.map((duty) => ({ index, duty })))
  return wanted?.hostile ? grudges.filter(({ index }) => ours[index] === wanted) : grudges
}

const shuffled = <T>(list: T[], random: Random): T[] => {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}

const weightOf = (
  { weight, hostile: spoils }: Action,
  random: Random,
  hostile: boolean,
  rare: boolean,
  present: number | undefined,
): number => {
  if (weight === 0) return rare ? RARE_WEIGHT : 0
  const swarm = random.below(8)
  if (spoils && !hostile) return 0
  if (weight >= CARRIES) return swarm < 2 ? weight / 2 : swarm < 6 ? weight : weight * 2
  if (present === 0 || (present === undefined && swarm < 4)) return 0
  return swarm < 5 ? weight / 4 : swarm < 7 || weight < 1 ? weight : weight * 4
}

const habitsOf = (action: Action, random: Random): readonly unknown[] | undefined => {
  if (action.args.length === 0 || random.chance(0.3)) return undefined
  return action.args.map(({ type }) =>
    type.kind !== 'id' && random.chance(0.6) ? drawScalar(type, random) : undefined,
  )
}

/** Values for the arguments of an action, in their order, written into `values`. */
export const drawArgs = (
  action: Action,
  habits: readonly unknown[] | undefined,
  random: Random,
  values: unknown[],
): void => {
  const { args } = action
  for (let i = 0; i < args.length; i++) values[i] = habits?.[i] ?? drawScalar(args[i]!.type, random)
}

/** One value of a scalar type; small and extreme values are likely. */
const drawScalar = (type: AnyScalar, random: Random): unknown => {
  switch (type.kind) {
    case 'flag':
      return random.chance(0.6)
    case 'enum':
      return type.names![random.below(type.cells)]
    case 'set':
      return Bits.of(random.below(type.cells))
    case 'maybe':
      return random.chance(0.2) ? undefined : drawScalar(type.of!, random)
    default: {
      if (type.cells <= 16) return type.low + random.below(type.cells)
      const shape = random.below(4)
      if (shape === 0) return type.low + random.below(1 + random.below(8))
      if (shape === 1) return type.low + type.cells - 1 - random.below(4)
      return type.low + random.below(type.cells)
    }
  }
}

/** A step of a plan, and its arguments as they were understood when it was drawn. */
export interface Drawn {
  readonly action: Action
  readonly args: Args
  readonly resolved: Args
  readonly hostile: boolean
}
