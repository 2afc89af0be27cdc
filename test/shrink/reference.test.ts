import { describe, expect, it } from 'vitest'
import { failuresOf } from '../../src/campaign/failures.ts'
import type { Json } from '../../src/kernel/language/state.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { type Plan, type PlanStepJson, planFromJson, planToJson } from '../../src/kernel/play/plan.ts'
import { runSeed } from '../../src/kernel/play/random.ts'
import { Runner, type RunOptions, type RunResult } from '../../src/kernel/play/run.ts'
import { canonicalForm, lengthOf, proveMinimal, sameFailure, shrinkKin } from '../../src/kernel/shrink/index.ts'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import { openReference } from '../../src/targets/reference.ts'

const RUNS_MAX = 300
const SEEDS = [0, 1]

describe('shrink, where an action takes as long as thousands of others', () => {
  const machine = splitQueueModel.machine.at('played')
  const act = (action: string, args: Readonly<Record<string, Json>> = {}): PlanStepJson => ({ do: 'act', action, args })
  const start = { eventIdx: false, indirect: true, ringReset: false, withQueue: true, inOrder: false }
  const add = { head: 0, defect: 'none', readable: 1, writable: 1, via: 'direct', place: 0 }
  const served = [act('driver.add', add), act('driver.publish'), act('driver.kick'), { do: 'settle' } as const]

  it('keeps the start, the action, and what shows it, in a few executions', () => {
    const idle = Array.from({ length: 6 }, () => [act('driver.suppress'), act('driver.unsuppress')]).flat()
    const long = [act('driver.start', start), ...idle, act('driver.lap'), ...served]
    const plan = planFromJson(machine, long)
    const execute = (candidate: Plan): RunResult =>
      new Runner(splitQueueModel, machine, openReference({ fault: 'vq-rx-deferred-flag-missed' })).run(candidate)
    const [first] = failuresOf(execute(plan))
    const shrunk = shrinkKin(machine, plan, execute, first!, failuresOf, { maxExecutions: 300 })
    expect(planToJson(shrunk.plan)).toEqual([act('driver.start', { ...start, indirect: false }), act('driver.lap')])
    expect(shrunk.executions).toBeLessThan(shrunk.spent)
  })
})

describe('shrink, on seeded faults of the reference', () => {
  it.each([
    // By two clauses.
    ['vq-interrupt-before-used-index', 1],
    // After whatever breach.
    ['vq-needs-reset-without-notification', 1],
    // By three laws, the used ring being what it was, and on a second queue.
    ['vq-used-index-before-element', 2],
  ])('brings %s to a proved minimum in %i forms or fewer, from whatever seed', (fault, forms) => {
    const machine = splitQueueModel.machine.at('played')
    // A fresh target each time: what a run leaves in memory is part of the state.
    const fresh = (options: RunOptions = {}): Runner =>
      new Runner(splitQueueModel, machine, openReference({ fault }), options)
    const execute = (plan: Plan): RunResult => fresh().run(plan)
    const drawer = new Drawer(machine, {
      played: splitQueueModel.played,
      unavailable: new Set(Object.keys(fresh().unavailable)),
      steps: true,
      saves: true,
    })
    const found = SEEDS.flatMap((seed) => {
      for (let run = 0; run < RUNS_MAX; run++) {
        const plan = drawer.draw(runSeed(seed, machine.name, run))
        const result = execute(plan)
        if (result.verdict === 'conforms') continue
        const options = { maxExecutions: 1500, canStep: true }
        return [shrinkKin(machine, plan, execute, failuresOf(result)[0]!, failuresOf, options)]
      }
      return []
    })
    expect(found).not.toEqual([])
    expect(found.filter(({ reproduced }) => reproduced.times !== 1)).toEqual([])
    expect(new Set(found.map(({ plan, failing }) => canonicalForm(plan, failing))).size).toBeLessThanOrEqual(forms)
    const { plan, result } = found[0]!
    const walked = (candidate: Plan): RunResult => fresh({ fingerprint: true }).run(candidate)
    expect(proveMinimal({ plan, machine, execute: walked, same: sameFailure(result) })).toMatchObject({
      minimality: 'proved',
      shortest: lengthOf(plan),
    })
  })
})
