/**
 * One exploration, or one simulation, in a process of its own, so that its memory can be told: `node contender.js
 * bare|ours|many|wide|open-in-few|open-in-most|broken|walks|counted-walks SCOPE [THREADS]` prints what was found and what it took.
 */
import { type Exploration, explore, exploreWithWorkers } from '../../src/kernel/explore/index.ts'
import { simulate } from '../../src/kernel/simulate/index.ts'
import { exploreBare } from './bare.ts'
import { isPromised, promising } from './leads-to.ts'
import { splitQueueTso } from './split-queue-tso.ts'
import { steps } from './steps.ts'

const [who = 'ours', scope = 'medium', threads = '1'] = process.argv.slice(2)

interface Found {
  readonly states: number
  readonly transitions: number
  readonly depth: number
}

/** Of walks. */
const STEPS = 20_000_000

const ending = (found: Exploration, result: Exploration['result']): Found => {
  if (found.result !== result)
    throw new Error(`expected a promise of which the result is ${result}, found ${JSON.stringify(found.violations)}`)
  return found
}

const run = (): Found | Promise<Found> => {
  if (who === 'bare') {
    const { outstanding, anyHead } = splitQueueTso.at(scope).scope
    return exploreBare(outstanding!, anyHead === 1)
  }
  if (isPromised(who)) return ending(explore(promising(who, scope)), who === 'broken' ? 'violated' : 'holds')
  if (who === 'walks' || who === 'counted-walks') {
    const walked = simulate(splitQueueTso.at(scope), { steps: STEPS, seed: 1, distinct: who === 'counted-walks' })
    return { states: walked.distinct ?? 0, transitions: walked.steps, depth: 0 }
  }
  if (who !== 'ours') return explore(steps.at(who))
  const origin = { url: new URL('./make.js', import.meta.url).href, make: 'splitQueueTsoAt', argument: scope }
  return exploreWithWorkers({ origin, threads: Number(threads) })
}

const empty = process.memoryUsage.rss()
const start = process.hrtime.bigint()
const before = process.cpuUsage()
const { states, transitions, depth } = await run()
const { user, system } = process.cpuUsage(before)
const seconds = Number(process.hrtime.bigint() - start) / 1e9
const bytes = process.resourceUsage().maxRSS * 1024 - empty
console.log(JSON.stringify({ states, transitions, depth, seconds, processor: (user + system) / 1e6, bytes }))
