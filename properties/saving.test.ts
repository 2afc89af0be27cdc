/** A device that is saved and restored goes on as if nothing had happened, whatever it was in the middle of. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linesOf } from '../src/campaign/hunt.ts'
import type { Plan, PlanStep } from '../src/kernel/play/plan.ts'
import { models } from '../src/models/index.ts'
import { anyStage } from './stage.ts'

/** Looking at the device changes what is seen when; so both runs look equally often. */
const between = (plan: Plan, pause: PlanStep): Plan => ({ steps: plan.steps.flatMap((step) => [step, pause]) })

describe('save and restore after every step cannot be seen by', () => {
  it.each(models.map((model) => [model.machine.name, model] as const))('%s', (_name, model) => {
    const options = { saves: false, maxSteps: 20 }
    const [left, right] = [anyStage(model, options), anyStage(model, options)]
    const property = fc.property(left.plans, (plan) => {
      const seen = linesOf(left.runner.run(between(plan, { do: 'step', count: 0 })).trace)
      const seenWithSaves = linesOf(right.runner.run(between(plan, { do: 'save' })).trace)
      expect(seenWithSaves.filter((line) => line !== 'save')).toEqual(seen.filter((line) => line !== 'step 0'))
    })
    fc.assert(property, { seed: 7, numRuns: 8 })
  })
})
