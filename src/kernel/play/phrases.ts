/** What a plan says in one breath: one action over and over, the last few steps again, or round after round of the same. */
import type { Action } from '../language/machine.ts'
import type { Chooser } from './choose.ts'
import type { Drawn, Mood } from './mood.ts'
import type { Random } from './random.ts'
import type { Walk } from './walk.ts'

/** A burst is no longer than this. */
const BURST_MAX = 16
/** A refrain repeats at most so many steps, so many times. */
const REFRAIN_STEPS = 10
const REFRAIN_TIMES = 10
/** Actions of a round, and those between two rounds. */
const ROUND_MAX = 10
const TIDY = 3

/** What a phrase is made with. */
export interface Pen {
  readonly walk: Walk
  readonly choose: Chooser
  readonly mood: Mood
  readonly random: Random
  /** Whether plans contain single device steps. */
  readonly steps: boolean
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
      else if (step.do === 'step') walk.step(step.count + sweep * time)
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
  const { walk, choose, mood, random } = pen
  const round = firstRound(pen)
  const anew = random.chance(0.5)
  while (walk.length < mood.length) {
    walk.settle()
    // What the round leaves behind is cleared away as chance has it.
    for (let i = 0; i < TIDY; i++) {
      const drawn = choose.rightful()
      if (drawn !== undefined && !walk.take(drawn)) walk.drop()
    }
    let acts = 0
    for (let i = 0; i < round.length; i++) {
      const item = round[i]!
      if (typeof item === 'number') {
        walk.step(item)
        round[i] = item + 1
        continue
      }
      const again = anew ? choose.again(item.action, item.hostile) : choose.same(item)
      if (again === undefined) continue
      if (walk.take(again)) acts++
      else walk.drop()
    }
    // A round that hardly happens any more is over.
    if (acts === 0 || 2 * acts < round.length) break
  }
  walk.plan.length = Math.min(walk.length, mood.length)
}

/** Actions, and counts of device steps between them. */
const firstRound = ({ walk, choose, random, steps }: Pen): (Drawn | number)[] => {
  const round: (Drawn | number)[] = []
  const length = 3 + random.below(ROUND_MAX - 2)
  for (let tries = 0; round.length < length && tries < 3 * ROUND_MAX; tries++) {
    if (steps && walk.busy() && random.chance(0.4)) {
      const count = 1 + random.below(24)
      round.push(count)
      walk.step(count)
      continue
    }
    const drawn = choose.next()
    if (drawn === undefined) walk.settle()
    else if (walk.take(drawn)) round.push(drawn)
    else walk.drop()
  }
  return round
}
