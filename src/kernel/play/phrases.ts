/** What a plan says in one breath: one action over and over, the last few steps again, or round after round of the same. */
import type { Action } from '../language/machine.ts'
import type { Chooser } from './choose.ts'
import type { Drawn, Mood } from './mood.ts'
import type { Random } from './random.ts'
import type { Steps, Walk } from './walk.ts'

/** A burst is no longer than this. */
const BURST_MAX = 16
/** A refrain repeats at most so many steps, so many times. */
const REFRAIN_STEPS = 10
const REFRAIN_TIMES = 10
/** Actions of a round, and those between two rounds. */
const ROUND_MAX = 10
const TIDY = 3

/** A sweep begins at one of so many accesses, and does at most so many things there. */
const SWEEP_FROM = 14
const SWEEP_ACTS = [1, 1, 2, 3] as const
/** How often something is done there whose order matters, and then what that has made possible. */
const RACING = 0.5
const NEWS = 0.8
/** How often a device that has something to do is given no more of it. */
const ENOUGH = 0.7
/** So many settings at most are changed before a sweep. */
const SETTINGS = 3

/** What a phrase is made with. */
export interface Pen {
  readonly walk: Walk
  readonly choose: Chooser
  readonly mood: Mood
  readonly random: Random
  /** Whether plans contain single device steps. */
  readonly steps: boolean
}

/** Some device steps: mostly few, at times more than a request takes. */
export const stepsOf = ({ mood, random }: Pen): Steps => {
  const { watchful: seen } = mood
  const most = random.chance(seen ? 0.7 : 0.3) ? 4 : seen ? 12 : random.chance(0.8) ? 24 : 64
  return { count: 1 + random.below(most), seen }
}

/** One action until it is not possible any more or changes nothing, with nothing in between. */
export const burst = ({ walk, choose, mood }: Pen, action: Action): void => {
  for (let left = BURST_MAX; left > 0 && walk.length < mood.length; left--) {
    const drawn = choose.again(action, false)
    if (drawn === undefined || !walk.take(drawn)) return
  }
}

/**
 * The last few steps over and over, as far as they are possible. In a sweep the device gets one step more each time,
 * so that we come in between at one moment after the other.
 */
export const refrain = ({ walk, choose, mood, random }: Pen): void => {
  const theme = walk.plan.slice(-(2 + random.below(REFRAIN_STEPS - 1)))
  if (theme.filter((step) => step.do === 'act').length < 2) return
  const times = 1 + random.below(REFRAIN_TIMES)
  const sweep = Number(random.chance(0.5))
  for (let time = 1; time <= times; time++)
    for (const step of theme) {
      if (walk.length >= mood.length) return
      if (step.do === 'settle') walk.settle()
      else if (step.do === 'step') walk.step({ count: step.count + sweep * time, seen: step.seen === true })
      else if (step.do === 'act') {
        const again = choose.same(step)
        if (again !== undefined) walk.take(again)
      }
    }
}

/**
 * Round after round of the same actions: first as they come, then again as far as they are possible. From round to
 * round the device gets a step more before we come in between, or all arguments are drawn anew.
 */
export const rounds = (pen: Pen): void => {
  const { walk, mood, random } = pen
  const round = mood.watchful ? sweepRound(pen) : firstRound(pen)
  const anew = !mood.watchful && random.chance(0.5)
  while (walk.length < mood.length) {
    walk.settle()
    if (mood.watchful) comeHome(pen)
    else tidy(pen)
    const acts = perform(pen, round, anew)
    // A round that hardly happens any more is over.
    if (acts === 0 || (!mood.watchful && 2 * acts < round.length)) break
  }
  walk.plan.length = Math.min(walk.length, mood.length)
}

/** What the round leaves behind is cleared away as chance has it. */
const tidy = ({ walk, choose }: Pen): void => {
  for (let i = 0; i < TIDY; i++) {
    const drawn = choose.rightful()
    if (drawn !== undefined && !walk.take(drawn)) walk.drop()
  }
}

/** What the round leaves behind is cleared away until all is as it was, as far as that can be. */
const comeHome = ({ walk, choose }: Pen): void => {
  for (let i = 0; i < ROUND_MAX; i++) {
    const drawn = choose.homeward()
    if (drawn === undefined) return
    walk.take(drawn)
  }
}

/** A round as far as it is possible; next time the device gets a step more. How many of its actions happened. */
const perform = ({ walk, choose }: Pen, round: (Drawn | Steps)[], anew: boolean): number => {
  let acts = 0
  for (let i = 0; i < round.length; i++) {
    const item = round[i]!
    if ('count' in item) {
      if (item.seen) walk.moment(item.count)
      else walk.step(item)
      round[i] = { ...item, count: item.count + 1 }
      continue
    }
    const again = anew ? choose.again(item.action, item.hostile) : choose.same(item)
    if (again === undefined) continue
    if (walk.take(again)) acts++
    else walk.drop()
  }
  return acts
}

/** Some actions that give the device work, the first moment to come in between, and what we do there. */
const sweepRound = (pen: Pen): (Drawn | Steps)[] => {
  const { walk, choose, random } = pen
  const round: (Drawn | Steps)[] = []
  // What carries the machine along belongs into the round itself, or there would be less to do in the next one.
  const first = choose.next()
  if (first !== undefined) walk.take(first)
  for (let acts = random.below(SETTINGS); acts > 0; acts--) {
    const drawn = choose.setting()
    if (drawn !== undefined && !walk.take(drawn)) walk.drop()
  }
  walk.settle()
  walk.mark()
  for (let tries = 0; tries < 3 * ROUND_MAX && !(walk.busy() && random.chance(ENOUGH)); tries++) {
    const drawn = choose.next()
    if (drawn === undefined) walk.settle()
    else if (walk.take(drawn)) round.push(drawn)
    else walk.drop()
  }
  // The first time much is different: what matters is what matters the second time.
  walk.settle()
  comeHome(pen)
  perform(pen, round, false)
  const count = 1 + random.below(SWEEP_FROM)
  walk.moment(count)
  round.push({ count: count + 1, seen: true })
  between(pen, random.pick(SWEEP_ACTS), round)
  return round
}

/**
 * What we do while the device stands still: something for which the moment matters, and then, as one may, what that has
 * made possible.
 */
const between = ({ walk, choose, random }: Pen, acts: number, round: (Drawn | Steps)[]): void => {
  let possible: readonly (Drawn | undefined)[] | undefined
  let was = walk.snapshot()
  for (let left = acts, tries = ROUND_MAX; tries > 0; tries--) {
    const now = choose.possible()
    const news = now.filter((drawn, i) => drawn && possible && !possible[i] && !walk.leadsTo(drawn, was))
    let next = news.length > 0 && random.chance(NEWS) ? random.pick(news) : undefined
    if (next === undefined) {
      if (left-- === 0) return
      next = (random.chance(RACING) ? choose.racing() : undefined) ?? choose.next(random.chance(0.5))
    }
    if (next === undefined) return
    possible = now
    was = walk.snapshot()
    if (walk.take(next)) round.push(next)
    else walk.drop()
  }
}

/** Actions, and device steps between them. */
const firstRound = (pen: Pen): (Drawn | Steps)[] => {
  const { walk, choose, random, steps } = pen
  const round: (Drawn | Steps)[] = []
  const length = 3 + random.below(ROUND_MAX - 2)
  for (let tries = 0; round.length < length && tries < 3 * ROUND_MAX; tries++) {
    if (steps && walk.busy() && random.chance(0.4)) {
      const some = stepsOf(pen)
      round.push(some)
      walk.step(some)
      continue
    }
    const drawn = choose.next()
    if (drawn === undefined) walk.settle()
    else if (walk.take(drawn)) round.push(drawn)
    else walk.drop()
  }
  return round
}
