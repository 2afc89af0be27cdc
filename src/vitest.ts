/**
 * The entry `iospec/vitest`: a project registers its target and gets one test for each machine.
 *
 *     import { conformance } from 'iospec/vitest'
 *     conformance({ target: 'module:./device.ts' })
 *
 * A test is called after its machine and nothing else, so its id stays the same. The seed is an annotation.
 */
import { describe, test } from 'vitest'
import { runCampaign } from './campaign/main-side.ts'
import { chooseMachines } from './campaign/models.ts'
import type { CampaignOptions } from './campaign/types.ts'
import { models } from './models/index.ts'
import { look, styleOf, summaryLines } from './report/index.ts'

export interface ConformanceOptions {
  /** Address of the target: `stdio:./device`, `module:./device.ts`, ... Relative paths start at the project's root. */
  readonly target: string
  /** Names of machines; default: all. */
  readonly machines?: readonly string[]
  /** Runs of each machine. Default 300. */
  readonly runs?: number
  /** What everything is drawn from. Default 1. */
  readonly seed?: number
  /** Upper bound of one test, in ms. Default ten minutes. */
  readonly timeoutMs?: number
  /** Further options of a campaign: `hostile`, `deviations`, `directory`, ... */
  readonly campaign?: Partial<Omit<CampaignOptions, 'target' | 'machines' | 'runs' | 'seed'>>
}

const RUNS = 300
const SEED = 1
const TEN_MINUTES = 600_000

/** Registers a suite `iospec` with one test for each machine. */
export const conformance = (options: ConformanceOptions): void => {
  const { target, machines = 'all', runs = RUNS, seed = SEED, timeoutMs = TEN_MINUTES, campaign = {} } = options
  const known = models.map(({ machine }) => machine.name)
  describe('iospec', () => {
    for (const machine of chooseMachines(machines, known))
      test(machine, { timeout: timeoutMs }, async ({ annotate, signal, skip }) => {
        await annotate(`seed ${seed}, ${runs} runs`)
        const result = await runCampaign({ ...campaign, target, machines: [machine], runs, seed }, { signal })
        const [only] = result.machines
        if (only?.verdict === 'not-applicable') skip(only.reason)
        if (result.exit !== 0) throw new NonConformance(summaryLines(result, look, styleOf(false)).join('\n'))
      })
  })
}

/** What a campaign found, as its summary. */
class NonConformance extends Error {
  override readonly name = 'NonConformance'

  constructor(summary: string) {
    super(summary)
    // Where it was thrown says nothing about the device.
    this.stack = `${this.name}: ${summary}`
  }
}
