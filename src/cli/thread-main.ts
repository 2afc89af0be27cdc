/** Entry of the thread that `thread.ts` starts: does one job. */
import { mkdirSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { UsageError } from '../campaign/exit.ts'
import { postError } from '../campaign/messages.ts'
import { loadModels } from '../campaign/models.ts'
import { compiled } from '../campaign/package.ts'
import { checkTarget } from '../contract/check.ts'
import type { OpenOptions } from '../contract/target.ts'
import type { ExploreOptions } from '../kernel/explore/index.ts'
import { openTarget, parseAddress } from '../targets/index.ts'
import { openStdioWire } from '../targets/stdio/index.ts'
import { machineOf, within } from './machine-of.ts'
import {
  type Answers,
  BEATS,
  type ExploreJob,
  type FromThread,
  type Jobs,
  STOP,
  type TargetJob,
} from './thread-jobs.ts'

const { kind, job, cells } = workerData as { kind: keyof Jobs; job: never; cells: Int32Array }

const tell = (message: FromThread): void => parentPort!.postMessage(message)
const stopped = (): boolean => Atomics.load(cells, STOP) === 1
const beat = (): void => {
  Atomics.add(cells, BEATS, 1)
}

const openOptions = ({ directory, timeoutMs }: TargetJob): OpenOptions => {
  mkdirSync(directory, { recursive: true })
  return { directory, timeoutMs, heartbeat: beat, onProcessGroup: (group) => tell({ group }) }
}

/** Below this, what the program itself takes outweighs the states. */
const ENOUGH_STATES = 100_000

const exploreOptions = ({
  hostile,
  maxStates,
  memoryBytes,
  liveness = true,
  symmetry = true,
}: ExploreJob): ExploreOptions => ({
  ...{ hostile, interrupted: stopped },
  ...(maxStates === undefined ? {} : { maxStates }),
  ...{ liveness, symmetry },
  ...(memoryBytes === undefined ? {} : { memoryBytes }),
})

const work: { readonly [K in keyof Jobs]: (job: Jobs[K]) => Promise<Answers[K]['result']> } = {
  async explore(job) {
    const { exploreWithWorkers } = await import('../kernel/explore/index.ts')
    const origin = { url: pathToFileURL(compiled('src/cli/machine-of.js')).href, make: 'machineOf', argument: job }
    const before = process.memoryUsage.rss()
    let peak = before
    const look = (): void => void (peak = Math.max(peak, process.memoryUsage.rss()))
    const found = await exploreWithWorkers(
      { origin, threads: job.workers },
      {
        ...exploreOptions(job),
        onProgress: (progress) => {
          look()
          tell({ progress })
        },
      },
    )
    look()
    const { states, seconds } = found
    return {
      ...found,
      statesPerSecond: states / Math.max(seconds, 0.001),
      bytesPerState: states < ENOUGH_STATES ? null : (peak - before) / states,
    }
  },
  async wayTo(job) {
    const [machine, { wayTo }] = await Promise.all([machineOf(job), import('../kernel/explore/way-to.ts')])
    return wayTo(machine, job.goal, { ...exploreOptions(job), onProgress: (progress) => tell({ progress }) })
  },
  async graph(job) {
    const [machine, { graphOf }] = await Promise.all([machineOf(job), import('../kernel/explore/graph.ts')])
    const graph = graphOf(machine, job.maxStates, job.hostile)
    if (graph !== undefined) return graph
    throw new UsageError(
      `--dot: ${machine.name} has more than ${job.maxStates} states in this scope, which no picture shows; give --scope smaller bounds`,
    )
  },
  async simulate(job) {
    const { simulate } = await import('../kernel/simulate/index.ts')
    const machine = await machineOf(job)
    const { steps, seed, hostile, coverage } = job
    const onProgress = (progress: Answers['simulate']['progress']): void => tell({ progress })
    const explored = coverage
      ? (await import('../kernel/explore/index.ts')).explore(machine, {
          ...exploreOptions(job),
          // Walks are counted in states of their own.
          ...{ liveness: false, symmetry: false },
          onProgress,
        })
      : null
    const result = simulate(machine, {
      ...{ steps, seed, hostile, distinct: coverage, interrupted: stopped, onProgress },
    })
    if (explored === null) return { ...result, explored }
    const { states, cutShort } = explored
    return { ...result, explored: { states, ...(cutShort === undefined ? {} : { cutShort }) } }
  },
  async walk(job) {
    const [models, { walkTarget }] = await Promise.all([
      loadModels(job.modelsFrom),
      import('../campaign/walk-target.ts'),
    ])
    const model = models.find(({ machine }) => machine.name === job.machine)!
    const { address, depth, maxStates, saves, hostile, only, seconds } = job
    const options = openOptions(job)
    return walkTarget({
      ...{ model, address, depth, maxStates, saves, hostile, only, heartbeat: beat, interrupted: stopped },
      ...(seconds === undefined ? {} : { seconds }),
      small: within(model.machine, job.scope, job.bounds),
      open: () => openTarget(address, options),
      onProgress: (progress) => tell({ progress }),
    })
  },
  async check(target) {
    const options = openOptions(target)
    const { door, rest } = parseAddress(target.address)
    return checkTarget(
      () => openTarget(target.address, options),
      door.scheme === 'stdio' ? () => openStdioWire(rest, options) : undefined,
    )
  },
  async describe(target) {
    const opened = await openTarget(target.address, openOptions(target))
    try {
      return opened.describe()
    } finally {
      opened.close()
    }
  },
  async score(options) {
    const { score } = await import('../campaign/score.ts')
    return score({ ...options, onProgress: (progress) => tell({ progress }), interrupted: stopped })
  },
}

try {
  tell({ result: await work[kind](job) })
} catch (error) {
  // A machine that cannot be explored as it is written is a file that cannot be used, and is told in one line.
  const isOfMachine = error instanceof Error && error.name === 'ExploreError'
  tell({
    error: postError(isOfMachine ? new UsageError(error.message.replaceAll('\n  in state ', '; in state ')) : error),
  })
}
