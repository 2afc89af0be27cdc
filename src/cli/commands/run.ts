/** `iospec run`: a campaign. */
import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { ExitCode } from '../../campaign/exit.ts'
import { runCampaign } from '../../campaign/main-side.ts'
import { chooseMachines, loadModels } from '../../campaign/models.ts'
import type { CampaignOptions, CampaignResult } from '../../campaign/types.ts'
import { parseAddress } from '../../targets/index.ts'
import { command } from '../command.ts'
import type { Values } from '../options.ts'
import { reporting } from '../reporters.ts'

const WORKERS_MAX = 8

const TAKEN = [
  'target',
  'runs',
  'seed',
  'workers',
  'time',
  'timeout',
  'grace',
  'hostile',
  'steps',
  'maxBugs',
  'shrink',
  'minimality',
  'directory',
  'corpus',
  'write',
  'known',
  'deviations',
  'side',
  'models',
  'profile',
  'reporters',
  'quiet',
  'json',
] as const

export const run = command({
  name: 'run',
  does: 'Play machines against a target, judge it, and shrink what fails',
  arguments: [{ name: '[machine...]', does: 'names of machines, or all; default: all' }],
  options: TAKEN,
  examples: [
    'iospec run all',
    'iospec run split-queue --target stdio:./my-device --runs 1000',
    'iospec run all --target qemu:virtio-blk --time 5m --reporter default --reporter junit=results.xml',
  ],
  async run(context, machines, values) {
    const { json, quiet, reporters = [], target, models } = values
    // Mistakes of the command line come before anything is started.
    parseAddress(target)
    const asked = machines.length === 0 ? ('all' as const) : machines
    if (models === undefined) chooseMachines(asked, await machineNames())
    const report = reporting(context, { reporters, json, quiet })
    let result: CampaignResult
    try {
      result = await runCampaign(campaignOptions(asked, values), { listener: report.listen, signal: context.signal })
    } catch (error) {
      report.abandon()
      throw error
    }
    report.finish(result)
    return result.exit as ExitCode
  },
})

const machineNames = async (): Promise<string[]> => (await loadModels()).map(({ machine }) => machine.name)

const campaignOptions = (
  machines: readonly string[] | 'all',
  values: Values<(typeof TAKEN)[number]>,
): CampaignOptions => {
  const { seed } = values
  const options = {
    target: values.target,
    machines,
    runs: values.runs,
    seed: seed === 'random' ? randomInt(2 ** 32) : seed,
    workers: values.workers ?? Math.min(WORKERS_MAX, availableParallelism()),
    seconds: values.time,
    timeoutMs: values.timeout,
    graceMs: values.grace,
    hostile: values.hostile,
    maxSteps: values.steps,
    maxBugs: values.maxBugs,
    shrinkExecutions: values.shrink,
    minimality: values.minimality,
    directory: values.directory,
    corpus: values.corpus,
    write: values.write,
    known: values.known,
    deviations: values.deviations,
    side: values.side,
    modelsFrom: values.models,
    profile: values.profile,
  }
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as CampaignOptions
}
