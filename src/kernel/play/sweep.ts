/**
 * A sweep does the same over and over, and comes in between of the device one access later each time, so that none of
 * its moments is left out.
 */
import type { Bits } from './drawing.ts'
import type { Drawn } from './mood.ts'
import type { Pen } from './phrases.ts'
import { perform, ROUND_MAX, type Round } from './rounds.ts'

/** A sweep begins at one of so many accesses, and does at most so many things there. */
const SWEEP_FROM = 10
const SWEEP_ACTS = [1, 1, 2, 3] as const
/** What means nothing there is drawn anew. */
const SWEEP_TRIES = 3
/** How often something is done there whose order matters, and then what that has made possible. */
const RACING = 0.6
const NEWS = 0.8
/** How often a device that has something to do is given no more of it. */
const ENOUGH = 0.7
/** So many settings at most are changed before a sweep. */
const SETTINGS = 3

export function* sweep(pen: Pen): Bits<void> {
  const { walk, mood } = pen
  const round = sweepRound(pen)
  do {
    yield
    walk.settle()
    comeHome(pen)
  } while (perform(pen, round, false) > 0 && walk.length < mood.length)
  walk.cut(mood.length)
}

/** What the round leaves behind is cleared away until all is as it was, as far as that can be. */
const comeHome = ({ walk, choose }: Pen): void => {
  for (let i = 0; i < ROUND_MAX; i++) {
    const drawn = choose.homeward()
    if (drawn === undefined) return
    walk.take(drawn)
  }
}

/** Some actions that give the device work, the first moment to come in between, and what we do there. */
const sweepRound = (pen: Pen): Round => {
  const { walk, choose, random } = pen
  const round: Round = []
  // What carries the machine along belongs into the round itself, or there would be less to do in the next one.
  const first = choose.next()
  if (first !== undefined) walk.take(first)
  for (let acts = random.below(SETTINGS); acts > 0; acts--) {
    const drawn = choose.setting()
    if (drawn !== undefined && !walk.take(drawn)) walk.drop()
  }
  walk.settle()
  walk.mark()
  for (let tries = 0; tries < 3 * ROUND_MAX && !(walk.busy && random.chance(ENOUGH)); tries++) {
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
  const before = round.length
  for (let tries = SWEEP_TRIES; tries > 0 && round.length === before; tries--)
    between(pen, random.pick(SWEEP_ACTS), round)
  return round
}

/**
 * What we do while the device stands still: something for which the moment matters, and then, as one may, what that has
 * made possible.
 */
const between = ({ walk, choose, random }: Pen, acts: number, round: Round): void => {
  let possible: readonly (Drawn | undefined)[] | undefined
  let was = walk.snapshot()
  for (let left = acts, tries = ROUND_MAX; tries > 0; tries--) {
    const now = choose.possible()
    const news = now.filter((drawn, i) => drawn && possible && !possible[i] && !walk.leadsTo(drawn, was))
    let next: readonly (Drawn | undefined)[] = []
    if (news.length > 0 && random.chance(NEWS)) next = [random.pick(news)]
    else if (left-- === 0) return
    else if (random.chance(RACING)) next = choose.racing()
    if (next.length === 0) next = [choose.next(random.chance(0.5))]
    possible = now
    for (const drawn of next) {
      if (drawn === undefined) return
      was = walk.snapshot()
      if (walk.take(drawn)) round.push(drawn)
      else walk.drop()
    }
  }
}
