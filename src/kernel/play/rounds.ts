/** Round after round of the same actions, each with a rest at its end. */
import type { Bits } from './drawing.ts'
import type { Drawn } from './mood.ts'
import { type Pen, stepsOf } from './phrases.ts'
import type { Steps } from './walk.ts'

/** Actions of a round, and those between two rounds. */
export const ROUND_MAX = 10
const TIDY = 3

/** Actions, and device steps between them. */
export type Round = (Drawn | Steps)[]

/**
 * First the actions as they come, then again as far as they are possible. From round to round the device gets a step
 * more before we come in between, or all arguments are drawn anew.
 */
export function* rounds(pen: Pen): Bits<void> {
  const { walk, mood, random } = pen
  const round = firstRound(pen)
  const anew = random.chance(0.5)
  while (walk.length < mood.length) {
    yield
    walk.settle()
    tidy(pen)
    const acts = perform(pen, round, anew)
    // A round that hardly happens any more is over.
    if (acts === 0 || 2 * acts < round.length) break
  }
  walk.cut(mood.length)
}

/** What the round leaves behind is cleared away as chance has it. */
const tidy = ({ walk, choose }: Pen): void => {
  for (let i = 0; i < TIDY; i++) {
    const drawn = choose.rightful()
    if (drawn !== undefined && !walk.take(drawn)) walk.drop()
  }
}

/** A round as far as it is possible; next time the device gets a step more. How many of its actions happened. */
export const perform = ({ walk, choose, mood, random }: Pen, round: Round, anew: boolean): number => {
  let acts = 0
  for (let i = 0; i < round.length; i++) {
    const item = round[i]!
    if (mood.save > 0 && random.chance(mood.save)) walk.save()
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

const firstRound = (pen: Pen): Round => {
  const { walk, choose, random, steps } = pen
  const round: Round = []
  const length = 3 + random.below(ROUND_MAX - 2)
  for (let tries = 0; round.length < length && tries < 3 * ROUND_MAX; tries++) {
    if (steps && walk.busy && random.chance(0.4)) {
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
