/**
 * One example device: a short read that passes the exam, keeps the contract and conforms in a campaign; and each of its
 * documented mutations, which fails the exam and is caught by a campaign, with a short counterexample.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkTarget } from '../../src/contract/check.ts'
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
import { examine } from './exam.ts'
import { type Example, folderOf, missing, mutationsOf, open, prepare } from './examples.ts'

/** Runs in which a mutation has to be caught, and a mutation has to be caught with one of these seeds. */
const RUNS = 100
const SEEDS = [1, 2]
/** The run of a hundred that laps the ring, as in a campaign. */
const RARE = 11
/** Of a counterexample: a ring of eight that goes round once, and a start. */
const LONGEST = 40
const queueModels = [splitQueueModel, virtioBlkModel]

interface Failure {
  readonly runner: Runner
  readonly plan: Plan
  readonly result: RunResult
}

/** The first run of a campaign that does not conform. */
const firstFailure = (model: Model, target: Target, seed: number, runs: number, rare: number): Failure | undefined => {
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
  for (let run = 0; run < runs; run++) {
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

const brokenChecks = async (...how: Parameters<typeof checkTarget>): Promise<string[]> =>
  (await checkTarget(...how)).flatMap(({ name, verdict }) => (verdict === 'broken' ? [name] : []))

/** Registers the tests of an example; they are skipped where the program that it needs is missing. */
export const exampleSuite = (example: Example): void => {
  const reason = missing(example)
  if (reason !== undefined) console.log(`skipped: the ${example.name} example: ${reason}`)
  describe.skipIf(reason !== undefined)(`the ${example.name} example`, { timeout: 60_000 }, () => {
    const honest = reason === undefined ? prepare(example) : undefined
    afterAll(() => honest?.remove())

    test('is a short read', () => {
      const lines = readFileSync(path.join(folderOf(example), example.file), 'utf8').split('\n')
      expect(lines.length - 1).toBeLessThan(example.linesMax)
      expect(lines.filter((line) => line.length > 130)).toEqual([])
    })

    test('has three documented mutations', () => {
      const readme = readFileSync(path.join(folderOf(example), 'README.md'), 'utf8')
      expect(mutationsOf(example).length).toBe(3)
      for (const mutation of mutationsOf(example)) expect(readme).toContain(`mutations/${mutation}`)
    })

    test('passes the adapter check', async () => {
      const { address, options } = honest!
      const { wire } = example
      const how = [() => open(example, honest!), wire && (() => wire(address, options))] as const
      expect(await brokenChecks(...how)).toEqual([])
    })

    test('passes the exam, and conforms', async () => {
      const target = await open(example, honest!)
      try {
        expect(examine(target)).toEqual([])
        // Nothing changes its configuration, so that there is nothing to ask of that.
        expect(configSpaceModel.notApplicable(target.describe())).toContain('resize')
        const { runs, laps } = example.honest
        for (const model of [...queueModels, deviceStatusModel]) {
          const rare = laps && model === splitQueueModel ? RARE : -1
          const { name } = model.machine
          expect(`${name}: ${told(firstFailure(model, target, 1, runs, rare))}`).toBe(`${name}: conforms`)
        }
      } finally {
        target.close()
      }
    })

    test.each(reason === undefined ? mutationsOf(example) : [])('%s is caught', async (mutation) => {
      const mutated = prepare(example, mutation)
      const target = await open(example, mutated)
      try {
        expect(examine(target)).not.toEqual([])
        expect(await brokenChecks(() => open(example, mutated))).toEqual([])
        let found: Failure | undefined
        for (const seed of SEEDS)
          for (const model of queueModels) found ??= firstFailure(model, target, seed, RUNS, RARE)
        expect(told(found)).toMatch(/^violates /)
        const { runner, plan, result } = found!
        const options = { maxExecutions: example.shrinkExecutions }
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
