/** The example devices under campaigns: the honest ones conform, and each documented mutation is caught. */
import { afterAll, describe, expect, test } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import type { Model } from '../../src/kernel/model.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import type { Plan } from '../../src/kernel/play/plan.ts'
import { runSeed } from '../../src/kernel/play/random.ts'
import { Runner, type RunResult } from '../../src/kernel/play/run.ts'
import { lengthOf, sameFailure, shrink } from '../../src/kernel/shrink/index.ts'
import { configSpaceModel } from '../../src/models/config-space.ts'
import { deviceStatusModel } from '../../src/models/device-status.ts'
import { splitQueueModel, virtioBlkModel } from '../../src/models/split-queue.ts'
import { examples, missing, mutationsOf, open, prepare } from './examples.ts'

const RUNS = 100
/** The run of a hundred that laps the ring, as in a campaign; in Python that takes eight seconds, so it goes without. */
const RARE = 11
const SHRINK_EXECUTIONS = 150
/** Of a counterexample: a ring of eight that goes round once, and a start. */
const LONGEST = 40
/** A mutation has to be caught with one of these; of twenty seeds at least nineteen catch it. */
const SEEDS = [1, 2]
const queueModels = [splitQueueModel, virtioBlkModel]

interface Failure {
  readonly runner: Runner
  readonly plan: Plan
  readonly result: RunResult
}

/** The first run of a campaign that does not conform. */
const firstFailure = (model: Model, target: Target, seed: number, rare = RARE): Failure | undefined => {
  const description = target.describe()
  const { scope, bounds } = model.scope?.(description) ?? { scope: 'played' }
  const machine = model.machine.at(scope, bounds)
  const runner = new Runner(model, machine, target)
  const { step, save, synchronous } = description.can
  const drawer = new Drawer(machine, {
    played: model.played,
    unavailable: new Set(Object.keys(runner.unavailable)),
    steps: step,
    synchronous: synchronous && !step,
    saves: save,
  })
  for (let run = 0; run < RUNS; run++) {
    const plan = drawer.draw(runSeed(seed, machine.name, run), run === rare)
    const result = runner.run(plan)
    if (result.verdict !== 'conforms') return { runner, plan, result }
  }
  return undefined
}

const told = (failure: Failure | undefined): string =>
  failure === undefined
    ? 'conforms'
    : `${failure.result.verdict} ${failure.result.finding?.law ?? failure.result.trouble?.message}`

for (const example of examples) {
  const reason = missing(example)
  if (reason !== undefined) console.log(`skipped: campaigns on the ${example.name} example: ${reason}`)
  describe.skipIf(reason !== undefined)(`the ${example.name} example in a campaign`, { timeout: 60_000 }, () => {
    const honest = reason === undefined ? prepare(example) : undefined
    afterAll(() => honest?.remove())

    test('conforms', async () => {
      const target = await open(example, honest!)
      try {
        // Nothing changes its configuration, so that there is nothing to ask of that.
        expect(configSpaceModel.notApplicable(target.describe())).toContain('resize')
        for (const model of [...queueModels, deviceStatusModel])
          expect(
            `${model.machine.name}: ${told(firstFailure(model, target, 1, example.name === 'python' ? -1 : RARE))}`,
          ).toBe(`${model.machine.name}: conforms`)
      } finally {
        target.close()
      }
    })

    test.each(reason === undefined ? mutationsOf(example) : [])('%s is caught', async (mutation) => {
      const mutated = prepare(example, mutation)
      const target = await open(example, mutated)
      try {
        let found: Failure | undefined
        for (const seed of SEEDS) for (const model of queueModels) found ??= firstFailure(model, target, seed)
        expect(told(found)).toMatch(/^violates /)
        const { runner, plan, result } = found!
        const options = { maxExecutions: SHRINK_EXECUTIONS }
        const shrunk = shrink(runner.machine, plan, (smaller) => runner.run(smaller), sameFailure(result), options)
        expect(shrunk.reproduced).toEqual({ times: 1, of: 1 })
        expect(shrunk.result.finding?.clause?.id).toBe(result.finding?.clause?.id)
        expect(lengthOf(shrunk.plan)).toBeLessThanOrEqual(lengthOf(plan))
        // Start, chains, publish, kick, and little else, unless a lap was needed.
        expect(lengthOf(shrunk.plan)).toBeLessThanOrEqual(LONGEST)
      } finally {
        target.close()
        mutated.remove()
      }
    })
  })
}
