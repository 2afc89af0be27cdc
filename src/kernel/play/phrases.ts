/** What a plan says in one breath: one action over and over, or the last few steps again. */
import type { Chooser } from './choose.ts'
import type { Drawn, Mood } from './mood.ts'
import type { Random } from './random.ts'
import type { Steps, Walk } from './walk.ts'

/** A burst is no longer than this. */
const BURST_MAX = 16
/** A refrain repeats at most so many steps, so many times. */
const REFRAIN_STEPS = 10
const REFRAIN_TIMES = 10

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

/** How often a burst is the same over and over, and not the action alone. */
const SAME = 0.4

/** One action until it is not possible any more or changes nothing, with nothing in between. */
export const burst = ({ walk, choose, mood, random }: Pen, first: Drawn): void => {
  const same = random.chance(SAME)
  for (let left = BURST_MAX; left > 0 && walk.length < mood.length; left--) {
    const drawn = same ? choose.same({ ...first, hostile: false }) : choose.again(first.action, false)
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
