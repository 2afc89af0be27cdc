/** Device steps that are counted by what the device shows. */
import { describe, expect, it } from 'vitest'
import { linesOf } from '../../src/campaign/hunt.ts'
import type { Args } from '../../src/kernel/language/machine.ts'
import { decodeScalar } from '../../src/kernel/language/scalar.ts'
import { type Plan, type PlanStep, planFromJson, planToJson } from '../../src/kernel/play/plan.ts'
import type { TraceStep } from '../../src/kernel/play/run.ts'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import { stageOf } from './stage.ts'

const { machine, runner, drawer } = stageOf(splitQueueModel)
/** An action with the first value of every argument but these. */
const act = (name: string, args: Args = {}): PlanStep => {
  const action = machine.action(name)
  const plain = action.args.map(({ name: arg, type }) => [arg, decodeScalar(type, 0)] as const)
  return { do: 'act', action, args: { ...Object.fromEntries(plain), ...args }, hostile: false }
}
const REQUEST = [
  act('driver.start', { withQueue: true }),
  ...['add', 'publish', 'kick'].map((it) => act(`driver.${it}`)),
]
const withSteps = (count: number): Plan => ({ steps: [...REQUEST, { do: 'step', count, seen: true }] })
const countOf = (step: TraceStep): number => (step.by === 'schedule' && step.do === 'step' ? step.count! : 0)

describe('device steps that are counted by what is seen', () => {
  it('end with an access, each with another one', () => {
    const seen = new Set<number>()
    let before = 0
    for (let count = 1; count <= 12; count++) {
      const { trace, verdict } = runner.run(withSteps(count))
      expect(verdict).toBe('conforms')
      const at = trace.findIndex((step) => countOf(step) > 0)
      const rest = trace.findLastIndex((step) => step.by === 'schedule' && step.do === 'settle')
      const shown = trace.slice(at + 1, rest).length
      expect(shown).toBeGreaterThan(before)
      before = shown
      seen.add(countOf(trace[at]!))
    }
    // One more thing seen is at least one step more; a step that shows nothing is no moment of its own.
    expect(seen.size).toBe(12)
    expect(Math.max(...seen)).toBeGreaterThan(12)
  })

  it('are plain steps once they were performed, and those lead to the same', () => {
    let compared = 0
    for (let seed = 0; seed < 40; seed++) {
      const plan = drawer.draw(seed)
      if (!plan.steps.some((step) => step.do === 'step' && step.seen)) continue
      const first = runner.run(plan)
      expect(first.performed.some((step) => step.do === 'step' && step.seen)).toBe(false)
      const again = runner.run({ steps: first.performed })
      expect(linesOf(again.trace)).toEqual(linesOf(first.trace))
      compared++
    }
    expect(compared).toBeGreaterThan(5)
  })

  it('are written to files and read back', () => {
    const plan = withSteps(3)
    expect(planToJson(plan).at(-1)).toEqual({ do: 'step', count: 3, seen: true })
    expect(planFromJson(machine, planToJson(plan))).toEqual(plan)
  })
})
