/** Which of our actions comes next, and with which arguments: one that is possible in the state of the walk. */
import type { Action, Args } from '../language/machine.ts'
import { CARRIES, type Drawn, drawArgs, type Grudge, type Mood } from './mood.ts'
import type { Random } from './random.ts'
import { resolve } from './resolve.ts'
import type { Race } from './stand-in.ts'
import type { Walk } from './walk.ts'

/** How often arguments are drawn for an action before another one is tried; the first time from habit. */
const ATTEMPTS = 3
/** For so many actions after a breach nothing is undone: first it is to be seen what comes of it. */
export const AFTERMATH = 8
/** How often it is one that gives the other side more to do. */
const MORE = 0.7
/** How often the arguments of an action are drawn in search of some that race. */
const RACES = 12
/** How often a duty is broken after another one. */
const AGAIN = 0.1
/** How often the duty that is broken is the one whose turn it is, and after how many that cannot be broken now it is any. */
const IN_TURN = 0.85
const GRUDGES = 8

interface Shape {
  /** Arguments of these values, made at one stroke: to add one after the other is dear. */
  readonly make: (values: readonly unknown[]) => Record<string, unknown>
  readonly enums: readonly { readonly name: string; readonly plain: unknown; readonly names: readonly string[] }[]
}

/** The actions that weigh anything, and what they weigh together. */
interface Candidates {
  readonly indices: readonly number[]
  readonly sum: number
}

const shapes = new WeakMap<Action, Shape>()

const shapeOf = (action: Action): Shape => {
  let shape = shapes.get(action)
  if (shape === undefined) {
    const { args } = action
    shape = {
      make: new Function(
        'v',
        `return{${args.map(({ name }, i) => `${JSON.stringify(name)}:v[${i}]`).join()}}`,
      ) as Shape['make'],
      enums: args.flatMap(({ name, type }) =>
        type.kind === 'enum' ? [{ name, plain: type.names![0], names: type.names! }] : [],
      ),
    }
    shapes.set(action, shape)
  }
  return shape
}

/** One mood's way of choosing, for the time of one plan. */
export class Chooser {
  private readonly ours: readonly Action[]
  private readonly walk: Walk
  private readonly mood: Mood
  private readonly random: Random
  private readonly tried: Uint8Array
  private readonly values: unknown[] = []
  private readonly candidates = new Map<Float64Array, Candidates>()

  constructor(ours: readonly Action[], walk: Walk, mood: Mood, random: Random) {
    this.ours = ours
    this.walk = walk
    this.mood = mood
    this.random = random
    this.tried = new Uint8Array(ours.length)
  }

  /** An action that is possible, now and then one that breaks a duty. `alike`: all that may be done is as likely. */
  next(alike = false): Drawn | undefined {
    if (!this.breaches()) return this.any(false, alike)
    const inTurn = this.random.chance(IN_TURN) ? this.grudge() : undefined
    return inTurn ?? this.any(true, false) ?? this.any(false, alike)
  }

  /** An action that is possible and breaks no duty. */
  rightful(): Drawn | undefined {
    return this.any(false, false)
  }

  /**
   * An action for which it matters whether it comes before or after what the other side is about to do; or one that
   * carries the machine along and makes such an action possible, and that.
   */
  racing(): readonly Drawn[] {
    const phrases: Record<Race, Drawn[][]> = { more: [], other: [] }
    const now = this.possible()
    for (let i = 0; i < this.ours.length; i++) {
      const found = this.race(i)
      if (found !== undefined) phrases[found.race].push([found.drawn])
      const opening = now[i]
      if (found !== undefined || opening === undefined || opening.action.weight < CARRIES) continue
      this.walk.after(opening, () => {
        for (let next = 0; next < this.ours.length; next++) {
          const enabled = now[next] === undefined ? this.race(next) : undefined
          if (enabled !== undefined) phrases[enabled.race].push([opening, enabled.drawn])
        }
      })
    }
    const { more, other } = phrases
    // What the other side has to do because of us is lost more easily than what it must not do.
    return this.byWeight(other.length === 0 || (more.length > 0 && this.random.chance(MORE)) ? more : other)
  }

  /** One of the phrases, the likelier the more its last action carries the machine along. */
  private byWeight(phrases: readonly (readonly Drawn[])[]): readonly Drawn[] {
    const weights = phrases.map((phrase) => phrase.at(-1)!.action.weight)
    let ticket = this.random.share() * weights.reduce((sum, weight) => sum + weight, 0)
    return phrases.find((_phrase, i) => (ticket -= weights[i]!) < 0) ?? []
  }

  private race(index: number): { readonly race: Race; readonly drawn: Drawn } | undefined {
    if (this.mood.alike[index] === 0) return undefined
    for (let tries = this.ours[index]!.args.length === 0 ? 1 : RACES; tries > 0; tries--) {
      const drawn = this.one(index, false)
      if (drawn === undefined) return undefined
      const race = this.walk.races(drawn)
      if (race !== undefined) return { race, drawn }
    }
    return undefined
  }

  /** By number of the action, one that is possible; undefined where it is not. */
  possible(): (Drawn | undefined)[] {
    return this.ours.map(({ weight }, i) => (weight > 0 ? this.one(i, false) : undefined))
  }

  /** The action that leads back toward the marked state most, if one does. */
  homeward(): Drawn | undefined {
    let best: Drawn | undefined
    let least = this.walk.away()
    for (let i = 0; i < this.ours.length; i++) {
      // What undoes much leads far away first.
      if (this.ours[i]!.weight < 1) continue
      const drawn = this.one(i, false)
      if (drawn === undefined) continue
      const away = this.walk.away(drawn)
      if (away >= least) continue
      least = away
      best = drawn
    }
    return best
  }

  /** An action that changes how things are done, and is none of those that carry the machine along. */
  setting(): Drawn | undefined {
    return this.pick(this.mood.settings, false)
  }

  /** This action, with arguments drawn anew. */
  again(action: Action, hostile: boolean): Drawn | undefined {
    return this.one(this.ours.indexOf(action), hostile)
  }

  /** The same once more, as it is understood now. */
  same(item: Omit<Drawn, 'resolved'>): Drawn | undefined {
    const resolved = resolve(this.walk.state, item.action, item.args, item.hostile)
    return resolved === undefined ? undefined : { ...item, resolved }
  }

  /** Whether a duty is broken now. A second breach would hide what comes of the first. */
  private breaches(): boolean {
    if (this.mood.breach === 0 || !this.random.chance(this.mood.breach)) return false
    return this.walk.sinceBreach === 0 || this.random.chance(AGAIN)
  }

  /** Breaks the first duty of the list that can be broken now. */
  private grudge(): Drawn | undefined {
    const { grudges } = this.mood
    for (let i = 0; i < Math.min(GRUDGES, grudges.length); i++) {
      const drawn = this.breaking(grudges[i]!)
      if (drawn === undefined) continue
      grudges.push(...grudges.splice(i, 1))
      return drawn
    }
    return undefined
  }

  /** The action with arguments that break this duty, and if it can be no other: what breaks two shows what comes of one. */
  private breaking({ index, duty }: Grudge): Drawn | undefined {
    const action = this.ours[index]!
    const { walk, random } = this
    const { make, enums } = shapeOf(action)
    let found: Drawn | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < ATTEMPTS && fewest > 1; attempt++) {
      drawArgs(action, undefined, random, this.values)
      const drawn = make(this.values)
      // As drawn, and with everything plain but one choice.
      const plain = Object.fromEntries(enums.map((each) => [each.name, each.plain]))
      const choices = enums.flatMap(({ name, names }) => names.map((value) => ({ ...drawn, ...plain, [name]: value })))
      for (const args of [drawn, ...choices]) {
        const resolved = resolve(walk.state, action, args, true)
        if (resolved === undefined) continue
        const broken = walk.broken(action, resolved)
        if (broken.length >= fewest || !broken.includes(duty)) continue
        fewest = broken.length
        found = { action, args, resolved, hostile: true }
      }
      if (action.args.length === 0) break
    }
    return found
  }

  private any(hostile: boolean, alike: boolean): Drawn | undefined {
    return this.pick(hostile ? this.mood.breaks : this.weights(alike), hostile)
  }

  /** By these weights, each tried once. */
  private pick(weights: Float64Array, hostile: boolean): Drawn | undefined {
    const { tried, random } = this
    const { indices, sum } = this.candidatesOf(weights)
    tried.fill(0)
    for (let total = sum; total > 1e-9; ) {
      let ticket = random.share() * total
      let index = -1
      for (let k = 0; k < indices.length; k++) {
        const i = indices[k]!
        if (tried[i] === 1) continue
        index = i
        if ((ticket -= weights[i]!) < 0) break
      }
      if (index < 0) return undefined
      const drawn = this.one(index, hostile)
      if (drawn !== undefined) return drawn
      tried[index] = 1
      total -= weights[index]!
    }
    return undefined
  }

  /** Most plans go without many of the actions. */
  private candidatesOf(weights: Float64Array): Candidates {
    let found = this.candidates.get(weights)
    if (found === undefined) {
      const indices: number[] = []
      let sum = 0
      for (let i = 0; i < weights.length; i++) {
        if (weights[i] !== 0) indices.push(i)
        sum += weights[i]!
      }
      found = { indices, sum }
      this.candidates.set(weights, found)
    }
    return found
  }

  private weights(alike: boolean): Float64Array {
    const { mood, walk } = this
    if (alike) return mood.alike
    if (walk.sinceBreach > AFTERMATH) return mood.ruined
    return walk.sinceBreach > 0 || walk.afterCostly > 0 ? mood.calm : mood.weights
  }

  private one(index: number, hostile: boolean): Drawn | undefined {
    const action = this.ours[index]!
    const { walk, mood, random } = this
    if (hostile ? mood.breaks[index] === 0 : action.hostile) return undefined
    const { make, enums } = shapeOf(action)
    // Where there is nothing but a reference, every id was tried at once.
    const isAlone = action.args.length === 1 && action.reference !== undefined && !hostile
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      drawArgs(action, attempt === 0 ? mood.habits[index] : undefined, random, this.values)
      if (isAlone && attempt > 0) continue
      const args = make(this.values)
      let resolved = resolve(walk.state, action, args, hostile)
      if (resolved !== undefined && !(hostile && walk.keeps(action, resolved)))
        return { action, args, resolved, hostile }
      if (action.args.length === 0) return undefined
      if (hostile || enums.length === 0) continue
      resolved = this.plainer(action, args, enums)
      if (resolved !== undefined) return { action, args, resolved, hostile }
    }
    return undefined
  }

  /**
   * The first name of an enumeration is the plain case. With all of them plain the action may be possible; then as much
   * of what was drawn is kept as can be.
   */
  private plainer(action: Action, args: Record<string, unknown>, enums: Shape['enums']): Args | undefined {
    const { state } = this.walk
    const wanted: Shape['enums'][number][] = []
    const values: unknown[] = []
    for (const each of enums) {
      const value = args[each.name]
      if (value === each.plain) continue
      wanted.push(each)
      values.push(value)
      args[each.name] = each.plain
    }
    if (wanted.length === 0) return undefined
    const resolved = resolve(state, action, args, false)
    if (resolved === undefined || wanted.length === 1) return resolved
    for (let i = 0; i < wanted.length; i++) {
      const { name, plain } = wanted[i]!
      args[name] = values[i]
      if (resolve(state, action, args, false) === undefined) args[name] = plain
    }
    return resolve(state, action, args, false)
  }
}
