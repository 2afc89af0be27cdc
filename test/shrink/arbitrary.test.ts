import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PlanArbitrary } from '../../src/kernel/play/arbitrary.ts'
import { type Plan, planToJson } from '../../src/kernel/play/plan.ts'
import { type Candidate, candidates } from '../../src/kernel/shrink/candidates.ts'
import { lengthOf } from '../../src/kernel/shrink/index.ts'
import { compareLists, textOf, trimmed } from '../../src/kernel/shrink/steps.ts'
import { drawer, office, runnerOf, SHORTEST } from './bugs.ts'

const plans = new PlanArbitrary(drawer)
const actors = new Set(['driver'])
const means = { actions: office.actions.filter(({ actor }) => actors.has(actor)), steps: true }

const take = (list: Iterable<Candidate>, count: number): Candidate[] => {
  const taken: Candidate[] = []
  for (const each of list) {
    if (taken.length === count) break
    taken.push(each)
  }
  return taken
}

describe('PlanArbitrary', () => {
  it.each(Object.entries(SHORTEST))('is shrunk by fast-check: %s to %i steps', (bug, shortest) => {
    const runner = runnerOf(bug as keyof typeof SHORTEST)
    const property = fc.property(plans, (plan) => runner.run(plan).verdict === 'conforms')
    const reached = [1, 2, 3, 4, 5].map((seed) => {
      const found = fc.check(property, { seed, numRuns: 3000 })
      expect(found.failed).toBe(true)
      const [small] = found.counterexample!
      // What fast-check cannot know is which steps of its plan were skipped.
      return runner.run(small).performed.filter((step, i, all) => step.do !== 'settle' || i < all.length - 1).length
    })
    expect(Math.min(...reached)).toBe(shortest)
    expect(Math.max(...reached)).toBeLessThanOrEqual(shortest + 1)
  })

  it('is replayed from seed and path', () => {
    const runner = runnerOf('doubleStamp')
    const property = fc.property(plans, (plan) => runner.run(plan).verdict === 'conforms')
    for (const seed of [11, 12, 13]) {
      const found = fc.check(property, { seed, numRuns: 3000 })
      expect(found.numShrinks).toBeGreaterThan(5)
      const again = fc.check(property, { seed, path: found.counterexamplePath!, endOnFailure: true })
      expect(again.failed).toBe(true)
      expect(planToJson(again.counterexample![0])).toEqual(planToJson(found.counterexample![0]))
    }
  })

  it('prints plans as JSON', () => {
    const [plan] = fc.sample(plans, { seed: 5, numRuns: 1 })
    expect(fc.stringify(plan)).toBe(JSON.stringify(planToJson(plan!)))
  })

  it('draws the same plan from the same seed, and is indifferent to what was drawn before', () => {
    const [first, second] = fc.sample(plans, { seed: 9, numRuns: 2 })
    fc.sample(plans, { seed: 10, numRuns: 3 })
    expect(fc.sample(plans, { seed: 9, numRuns: 2 }).map(planToJson)).toEqual([first!, second!].map(planToJson))
  })
})

describe('candidates', () => {
  const drawn = fc.sample(plans, { seed: 21, numRuns: 60 })

  it('are all smaller than the plan, so that shrinking ends', () => {
    for (const plan of drawn)
      for (const { plan: smaller } of take(candidates(plan, undefined, means), 400))
        expect(compareLists(trimmed(smaller.steps), trimmed(plan.steps))).toBeLessThan(0)
  })

  it('depend on the plan and the position alone', () => {
    for (const plan of drawn.slice(0, 10)) {
      const first = take(candidates(plan, undefined, means), 60)
      const other: Plan = drawn[20]!
      take(candidates(other, undefined, means), 7)
      const again = take(candidates({ steps: plan.steps.slice() }, undefined, means), 60)
      expect(again.map(({ plan, next }) => [textOf(plan), next])).toEqual(
        first.map(({ plan, next }) => [textOf(plan), next]),
      )
    }
  })

  it('go on after a success where they were, which saves tries and loses nothing', () => {
    const posts = ({ steps }: Plan): number =>
      steps.filter((step) => step.do === 'act' && step.action.name === 'driver.post').length
    const greedy = (plan: Plan, goOn: boolean): { readonly length: number; readonly tries: number } => {
      let tries = 0
      let small = plan
      let position: Candidate['next'] | undefined
      for (let found = true; found; ) {
        found = false
        for (const { plan: smaller, next } of candidates(small, position, means)) {
          tries++
          if (posts(smaller) < 3) continue
          small = smaller
          position = goOn ? next : undefined
          found = true
          break
        }
      }
      return { length: lengthOf(small), tries }
    }
    const long = drawn.filter((plan) => lengthOf(plan) > 20 && posts(plan) > 3)
    expect(long.length).toBeGreaterThan(5)
    for (const plan of long) {
      const going = greedy(plan, true)
      const restarting = greedy(plan, false)
      expect([going.length, restarting.length]).toEqual([3, 3])
      expect(going.tries).toBeLessThan(restarting.tries)
    }
  })
})
