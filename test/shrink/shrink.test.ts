import { describe, expect, it } from 'vitest'
import { planToJson } from '../../src/kernel/play/plan.ts'
import { lengthOf, sameFailure, shrink } from '../../src/kernel/shrink/index.ts'
import { findFailure, formOf, office, runnerOf, SHORTEST } from './bugs.ts'

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed)
const bugs = Object.entries(SHORTEST) as [keyof typeof SHORTEST, number][]

describe('shrink', () => {
  it.each(bugs)('brings %s to its %i steps, from whatever seed, in one or two forms', (bug, shortest) => {
    const shrunk = SEEDS.map((seed) => {
      const runner = runnerOf(bug)
      const { plan, result } = findFailure(runner, seed)
      return shrink(office, plan, (candidate) => runner.run(candidate), sameFailure(result))
    })
    expect(shrunk.filter(({ plan }) => lengthOf(plan) === shortest).length).toBeGreaterThanOrEqual(19)
    expect(new Set(shrunk.map(({ plan, result }) => formOf(plan, result))).size).toBeLessThanOrEqual(2)
    const executions = shrunk.reduce((sum, each) => sum + each.executions, 0) / SEEDS.length
    expect(executions).toBeLessThan(600)
    expect(shrunk.some(({ exhausted }) => exhausted)).toBe(false)
  })

  it('lowers an argument to the first value that fails, and all others to the first value', () => {
    const runner = runnerOf('heavyFourth')
    const { plan, result } = findFailure(runner, 1)
    const shrunk = shrink(office, plan, (candidate) => runner.run(candidate), sameFailure(result))
    const post = (box: number, weight: number) => ({
      do: 'act',
      action: 'driver.post',
      args: { box, weight, colour: 'white', labels: [], reply: null },
    })
    const ring = { do: 'act', action: 'driver.ring', args: {} }
    expect(planToJson(shrunk.plan)).toEqual([post(0, 0), post(1, 0), post(2, 0), post(3, 1000), ring])
  })

  it('returns a literal plan: run again it does the same, and skips nothing', () => {
    for (const [bug] of bugs) {
      const runner = runnerOf(bug)
      const { plan, result } = findFailure(runner, 7)
      const shrunk = shrink(office, plan, (candidate) => runner.run(candidate), sameFailure(result))
      const again = runner.run(shrunk.plan)
      expect(sameFailure(result)(again)).toBe(true)
      expect(again.skipped).toBe(0)
      expect(planToJson({ steps: again.performed }).slice(0, lengthOf(shrunk.plan))).toEqual(planToJson(shrunk.plan))
      expect(shrunk.reproduced).toEqual({ times: 1, of: 1 })
    }
  })

  it('keeps to one law where a device breaks several', () => {
    const runner = runnerOf('doubleStamp')
    const { plan, result } = findFailure(runner, 3)
    const laws = new Set<string | undefined>()
    const same = sameFailure(result)
    const shrunk = shrink(
      office,
      plan,
      (candidate) => {
        const seen = runner.run(candidate)
        if (same(seen)) laws.add(seen.finding?.law)
        return seen
      },
      same,
    )
    expect([...laws]).toEqual([shrunk.result.finding?.law])
  })

  it('shrinks what fails in two of three runs, when it may repeat them', () => {
    const lengths = SEEDS.slice(0, 10).map((seed) => {
      const runner = runnerOf('lostCall', true)
      const { plan, result } = findFailure(runner, seed)
      const shrunk = shrink(office, plan, (candidate) => runner.run(candidate), sameFailure(result), {
        repeats: 3,
        maxExecutions: 4500,
      })
      expect(shrunk.reproduced).toEqual({ times: 2, of: 3 })
      return lengthOf(shrunk.plan)
    })
    expect(lengths).toEqual(lengths.map(() => SHORTEST.lostCall))
  })

  it('leaves a plan alone that does not fail again', () => {
    const { plan, result } = findFailure(runnerOf('lostCall'), 2)
    const healthy = runnerOf('none')
    const shrunk = shrink(office, plan, (candidate) => healthy.run(candidate), sameFailure(result))
    expect(planToJson(shrunk.plan)).toEqual(planToJson(plan).slice(0, lengthOf(plan)))
    expect(shrunk.result.verdict).toBe('conforms')
    expect(shrunk).toMatchObject({ executions: 2, exhausted: false, reproduced: { times: 0, of: 1 } })
  })

  it('stops when its executions are used up, or when it is told to, with the best so far', () => {
    const runner = runnerOf('doubleStamp')
    const { plan, result } = findFailure(runner, 0)
    const lengths: number[] = []
    const limited = shrink(office, plan, (candidate) => runner.run(candidate), sameFailure(result), {
      maxExecutions: 20,
      onProgress: (steps) => lengths.push(steps),
    })
    expect(limited).toMatchObject({ exhausted: true, reproduced: { times: 1, of: 1 } })
    expect(limited.executions).toBeLessThanOrEqual(21)
    expect(lengthOf(limited.plan)).toBe(lengths.at(-1))
    expect(lengthOf(limited.plan)).toBeLessThan(lengthOf(plan))
    const told = shrink(office, plan, (candidate) => runner.run(candidate), sameFailure(result), {
      interrupted: () => true,
    })
    expect(told).toMatchObject({ exhausted: true, executions: 2 })
  })
})
