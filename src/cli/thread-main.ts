/** Entry of the thread that `thread.ts` starts: does one job. */
import { mkdirSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { UsageError } from '../campaign/exit.ts'
import { postError } from '../campaign/messages.ts'
import { loadMachines, loadModels } from '../campaign/models.ts'
import { checkTarget } from '../contract/check.ts'
import type { OpenOptions } from '../contract/target.ts'
import type { ExploreOptions } from '../kernel/explore/index.ts'
import type { Machine, ScopedMachine } from '../kernel/language/index.ts'
import { openTarget, parseAddress } from '../targets/index.ts'
import { openStdioWire } from '../targets/stdio/index.ts'
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

/** The machine in a scope; a bound that it cannot have is a mistake of whoever gave it. */
const within = (machine: ScopedMachine, scope: string, bounds: Jobs['explore']['bounds']): Machine => {
  try {
    return machine.at(scope, bounds)
  } catch (error) {
    if (!(error instanceof RangeError) || Object.keys(bounds).length === 0) throw error
    throw new UsageError(`--scope: ${error.message}`)
  }
}

/** Below this, what the program itself takes outweighs the states. */
const ENOUGH_STATES = 100_000

const machineOf = async ({ machine, modelsFrom, scope, bounds }: ExploreJob): Promise<Machine> => {
  const machines = await loadMachines(modelsFrom)
  return within(machines.find(({ name }) => name === machine)!, scope, bounds)
}

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
    const [machine, { explore }] = await Promise.all([machineOf(job), import('../kernel/explore/index.ts')])
    const before = process.memoryUsage.rss()
    let peak = before
    const look = (): void => void (peak = Math.max(peak, process.memoryUsage.rss()))
    const found = explore(machine, {
      ...exploreOptions(job),
      onProgress: (progress) => {
        look()
        tell({ progress })
      },
    })
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
    const { address, depth, maxStates, hostile, only, seconds } = job
    const options = openOptions(job)
    return walkTarget({
      ...{ model, address, depth, maxStates, hostile, only, heartbeat: beat, interrupted: stopped },
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
  tell({ error: postError(error) })
}
