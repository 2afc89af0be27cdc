import { describe, expect, it } from 'vitest'
import { type Plan, type PlanStep, planToJson } from '../../src/kernel/play/plan.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { bugId, lengthOf, proveMinimal, sameFailure, shrink } from '../../src/kernel/shrink/index.ts'
import { findFailure, formOf, office, runnerOf, SHORTEST } from './bugs.ts'
import { OfficeTarget, officeModel } from './post-office.ts'

type Act = PlanStep & { readonly do: 'act' }

const shrunkOf = (bug: keyof typeof SHORTEST, seed: number) => {
  const runner = runnerOf(bug)
  const { plan, result } = findFailure(runner, seed)
  const execute = (candidate: Plan) => runner.run(candidate)
  const same = sameFailure(result)
  return { ...shrink(office, plan, execute, same), found: plan, execute, same }
}

describe('proveMinimal', () => {
  it.each(Object.entries(SHORTEST))('proves that %s takes %i steps', (bug, shortest) => {
    const { plan, execute, same } = shrunkOf(bug as keyof typeof SHORTEST, 4)
    const proof = proveMinimal({ plan, execute, same })
    expect(proof).toMatchObject({ minimality: 'proved', shortest })
    expect(lengthOf(proof.first!)).toBe(shortest)
    expect(proof.states).toBeGreaterThan(10)
  })

  it('finds the shorter plan when there is one', () => {
    const { plan, execute, same } = shrunkOf('heavyFourth', 4)
    const ring = plan.steps.at(-1)!
    const padded = { steps: [ring, ring, ...plan.steps.slice(0, -1), { do: 'step', count: 1 } as const, ring] }
    const proof = proveMinimal({ plan: padded, execute, same })
    expect(proof).toMatchObject({ minimality: 'proved', shortest: SHORTEST.heavyFourth })
    expect(lengthOf(proof.first!)).toBe(SHORTEST.heavyFourth)
    expect(same(execute(proof.first!))).toBe(true)
  })

  it('comes to the same plan from higher values', () => {
    const { plan, execute, same } = shrunkOf('heavyFourth', 4)
    const [post, ...others] = plan.steps
    const higher = { ...(post as Act), args: { ...(post as Act).args, weight: 4000, colour: 'red' } }
    const from = (steps: Plan['steps']) =>
      planToJson(proveMinimal({ plan: { steps }, machine: office, execute, same }).first!)
    expect(from([higher, ...others])).toEqual(from(plan.steps))
  })

  it('says how far it came when its executions are used up', () => {
    const { plan, execute, same } = shrunkOf('doubleStamp', 4)
    const proof = proveMinimal({ plan, execute, same, maxExecutions: 200 })
    expect(proof.minimality).toBe('at least')
    expect(proof.bound).toBeGreaterThan(2)
    expect(proof.bound).toBeLessThan(SHORTEST.doubleStamp)
    expect(proof.executions).toBeLessThanOrEqual(200)
  })

  it('claims nothing without fingerprints, nor of a target that remembers its last run', () => {
    const { plan, same, execute } = shrunkOf('lostCall', 4)
    const blind = new Runner(officeModel, office, new OfficeTarget('lostCall'))
    expect(proveMinimal({ plan, execute: (each) => blind.run(each), same }).minimality).toBe('unknown')
    let runs = 0
    const counting = (each: Plan) => ({ ...execute(each), reached: `${runs++}` })
    expect(proveMinimal({ plan, execute: counting, same }).minimality).toBe('unknown')
  })
})

describe('canonicalForm', () => {
  const { plan, result } = shrunkOf('heavyFourth', 4)
  const form = formOf(plan, result)

  it('does not depend on which ids were used, nor on the schedule', () => {
    const other: Plan = {
      steps: plan.steps.flatMap((step) =>
        step.do === 'act' && 'box' in step.args
          ? [
              { ...step, args: { ...step.args, box: 3 - (step.args.box as number) } },
              { do: 'step', count: 2 },
            ]
          : [step],
      ),
    }
    expect(formOf(other, result)).toBe(form)
  })

  it('depends on values, on the order of acts, and on the law', () => {
    const heavier: Plan = {
      steps: plan.steps.map((step) =>
        step.do === 'act' && 'weight' in step.args ? { ...step, args: { ...step.args, weight: 7 } } : step,
      ),
    }
    const reversed: Plan = { steps: plan.steps.toReversed() }
    const otherLaw = { ...result, finding: { ...result.finding!, law: 'another' } }
    const forms = [formOf(heavier, result), formOf(reversed, result), formOf(plan, otherLaw), form]
    expect(new Set(forms).size).toBe(4)
  })

  it('names a bug together with its clause', () => {
    expect(bugId(form, 'POST-3')).toMatch(/^[0-9a-f]{10}$/)
    expect(bugId(form, 'POST-3')).toBe(bugId(form, 'POST-3'))
    expect(new Set([bugId(form, 'POST-3'), bugId(form, 'POST-4'), bugId(form, undefined)]).size).toBe(3)
  })
})
