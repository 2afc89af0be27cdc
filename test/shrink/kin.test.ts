import { describe, expect, it } from 'vitest'
import { fails, failuresOf } from '../../src/campaign/failures.ts'
import type { Plan, PlanStepJson } from '../../src/kernel/play/plan.ts'
import { planFromJson, planToJson } from '../../src/kernel/play/plan.ts'
import { Runner, type RunResult } from '../../src/kernel/play/run.ts'
import { canonicalForm, type Failing, lengthOf, shrinkKin } from '../../src/kernel/shrink/index.ts'
import { splitQueueModel, virtioBlkModel } from '../../src/models/split-queue.ts'
import { openReference } from '../../src/targets/reference.ts'

const FIRST = { law: 'device.return.namesAHead', clause: 'VIO-SPLIT-09' }
const SECOND = { law: 'device.return.chainIsOutstanding', clause: 'VIO-SPLIT-10' }
const broken = (law: typeof FIRST): Failing => ({ verdict: 'violates', hardening: false, ...law })

/** `vq-used-index-before-element` breaks one of two laws, by what lies in the used ring. */
const of = (model: typeof splitQueueModel, more: Readonly<Record<string, string | number>> = {}) => {
  const machine = model.machine.at('played')
  const execute = (plan: Plan): RunResult =>
    new Runner(model, machine, openReference({ fault: 'vq-used-index-before-element' }), { fingerprint: true }).run(
      plan,
    )
  const defaults = Object.fromEntries(machine.action('driver.start').args.map(({ name }) => [name, false]))
  const act = (action: string, args: Readonly<Record<string, unknown>> = {}): PlanStepJson => ({
    do: 'act',
    action,
    args: args as Readonly<Record<string, string>>,
  })
  const add = (head: number): PlanStepJson =>
    act('driver.add', { head, defect: 'none', readable: 1, writable: 1, via: 'direct', place: 0, ...more })
  const steps = [
    act('driver.start', { ...defaults, withQueue: true }),
    add(0),
    add(1),
    act('driver.publish'),
    act('driver.kick'),
  ]
  return { machine, execute, plan: planFromJson(machine, steps) }
}

describe('shrinkKin', () => {
  const { machine, execute, plan } = of(splitQueueModel)

  it('goes on to the law that breaks with less, and names those that it left', () => {
    expect(fails(broken(SECOND))(execute(plan))).toBe(true)
    const shrunk = shrinkKin(machine, plan, execute, broken(SECOND), failuresOf, { maxExecutions: 600 })
    expect(shrunk.failing).toEqual(broken(FIRST))
    expect(lengthOf(shrunk.plan)).toBe(4)
    expect(fails(broken(FIRST))(shrunk.result)).toBe(true)
    expect(shrunk.also.map(({ failing }) => failing)).toEqual([broken(SECOND)])
    expect(fails(broken(SECOND))(execute(shrunk.also[0]!.plan))).toBe(true)
  })

  it('keeps to a law where other failures are none', () => {
    const only = (result: RunResult) => failuresOf(result).filter(({ law }) => law === SECOND.law)
    const shrunk = shrinkKin(machine, plan, execute, broken(SECOND), only, { maxExecutions: 600 })
    expect(shrunk).toMatchObject({ failing: broken(SECOND), also: [] })
    expect(lengthOf(shrunk.plan)).toBe(5)
  })

  it('takes no law that breaks by what the plan does not do', () => {
    const elsewhere = (result: RunResult): Failing[] => {
      const found = failuresOf(result)
      // As if every plan without a second chain broke something else by a step of its own.
      return found.some(({ law }) => law === SECOND.law) ? found : [broken(FIRST)]
    }
    const foreign = (candidate: Plan): RunResult => {
      const result = execute(candidate)
      const reset = { do: 'act', action: machine.action('driver.reset'), args: {}, hostile: false } as const
      return elsewhere(result)[0]!.law === FIRST.law ? { ...result, performed: [...result.performed, reset] } : result
    }
    const shrunk = shrinkKin(machine, plan, foreign, broken(SECOND), elsewhere, { maxExecutions: 300 })
    expect(shrunk.failing).toEqual(broken(SECOND))
  })

  it('has one form on machines that say more of the same', () => {
    const blk = of(virtioBlkModel, { request: 'read', sector: 0, content: 0 })
    const forms = [of(splitQueueModel), blk].map((each) => {
      const shrunk = shrinkKin(each.machine, each.plan, each.execute, broken(SECOND), failuresOf, {
        maxExecutions: 600,
      })
      expect(planToJson(shrunk.plan)).toHaveLength(4)
      return canonicalForm(shrunk.plan, shrunk.failing)
    })
    expect(new Set(forms).size).toBe(1)
  })
})
