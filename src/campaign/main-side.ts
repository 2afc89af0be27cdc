/** Campaigns as the main thread sees them: workers that do the work, and one that watches and can be stopped. */
import path from 'node:path'
import { preview } from '../contract/explain.ts'
import { parseAddress } from '../targets/index.ts'
import { Bench, type BenchParts } from './bench.ts'
import { conduct } from './conduct.ts'
import { type Counterexample, counterexample } from './counterexample.ts'
import { type Followed, knownLists } from './deviations.ts'
import { UsageError } from './exit.ts'
import { expectWritableFolder, readJsonFile, withFolder } from './files.ts'
import { loadModels } from './models.ts'
import { judgeLog } from './observe.ts'
import { benchOptions, checkOptions, type FullOptions } from './options.ts'
import { expectProfile } from './profiles.ts'
import { RemoteBench } from './remote.ts'
import type { ReplayResult } from './replay.ts'
import type { CampaignOptions, CampaignResult, Listener } from './types.ts'

export interface CampaignHooks {
  readonly listener?: Listener
  /** Stops the campaign within a second; what there is up to then is returned. */
  readonly signal?: AbortSignal
}

const followedIn = (options: FullOptions): readonly Followed[] =>
  knownLists(options).flatMap(({ profiles }) => profiles)

/** Runs a campaign in workers. A `log:` is judged at once. */
export const runCampaign = async (given: CampaignOptions, hooks: CampaignHooks = {}): Promise<CampaignResult> => {
  const options = checkOptions(given)
  const { door, rest } = parseAddress(options.target)
  if (options.profile !== undefined)
    expectProfile(await loadModels(options.modelsFrom), options.machines, options.profile)
  if (door.scheme === 'log') return judgeLog(rest, options, hooks)
  if (options.write) expectWritableFolder(path.join(options.directory, 'counterexamples'))
  if (options.corpus) expectWritableFolder(path.join(options.directory, 'corpus'))
  return withFolder(async (directory) => {
    const { listener, signal } = hooks
    const bench = benchOptions(options, directory, followedIn(options))
    const output = (text: string): void => listener?.({ kind: 'output', text })
    const crew = Array.from({ length: options.workers }, () => new RemoteBench(bench, output))
    const stop = (): void => {
      for (const each of crew) each.interrupt()
    }
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    try {
      return await conduct(options, crew, {
        interrupted: () => signal?.aborted ?? false,
        ...(listener === undefined ? {} : { listener }),
      })
    } finally {
      signal?.removeEventListener('abort', stop)
      await Promise.all(crew.map((each) => each.close()))
    }
  })
}

/** Runs a campaign in this thread, without a watchdog: for targets and models that are at hand as values. */
export const runHere = (given: CampaignOptions, parts: BenchParts, listener?: Listener): Promise<CampaignResult> =>
  withFolder(async (directory) => {
    const options = checkOptions(given)
    const bench = new Bench(benchOptions(options, directory, followedIn(options)), parts)
    try {
      return await conduct(given, [bench], listener === undefined ? {} : { listener })
    } finally {
      await bench.close()
    }
  })

/** Reads a counterexample file; throws a `UsageError` of one line. */
export const readCounterexample = (file: string): Counterexample =>
  readJsonFile(file, counterexample, 'a counterexample')

export interface ReplayOptions {
  readonly file: string
  /** Where to replay it. A file never names a target by itself. */
  readonly target: string
  readonly timeoutMs?: number
  readonly graceMs?: number
  readonly modelsFrom?: string
}

/** Does a counterexample again, step by step, in a worker. */
export const replayCounterexample = (
  { file, ...given }: ReplayOptions,
  { signal }: Pick<CampaignHooks, 'signal'> = {},
): Promise<ReplayResult> => {
  const found = readCounterexample(file)
  const options = checkOptions({ ...given, machines: [found.machine], runs: 0, seed: found.seed })
  parseAddress(options.target)
  return withFolder(async (directory) => {
    const bench = new RemoteBench(benchOptions(options, directory))
    const stop = (): void => bench.interrupt()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await bench.replay({ counterexample: found }).catch((error: unknown) => {
        throw error instanceof UsageError ? new UsageError(`${preview(file)}: ${error.message}`) : error
      })
    } finally {
      signal?.removeEventListener('abort', stop)
      await bench.close()
    }
  })
}
