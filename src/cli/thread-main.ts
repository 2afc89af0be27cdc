/** Entry of the thread that `thread.ts` starts: does one job. */
import { mkdirSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { UsageError } from '../campaign/exit.ts'
import { postError } from '../campaign/messages.ts'
import { loadMachines } from '../campaign/models.ts'
import { checkTarget } from '../contract/check.ts'
import type { OpenOptions } from '../contract/target.ts'
import type { Machine, ScopedMachine } from '../kernel/language/index.ts'
import { openTarget, parseAddress } from '../targets/index.ts'
import { openStdioWire } from '../targets/stdio/index.ts'
import { type Answers, BEATS, type FromThread, type Jobs, STOP, type TargetJob } from './thread-jobs.ts'

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

const work: { readonly [K in keyof Jobs]: (job: Jobs[K]) => Promise<Answers[K]['result']> } = {
  async explore({ machine, modelsFrom, scope, bounds, maxStates, hostile }) {
    const [machines, { explore }] = await Promise.all([loadMachines(modelsFrom), import('../kernel/explore/index.ts')])
    const found = machines.find(({ name }) => name === machine)!
    return explore(within(found, scope, bounds), {
      hostile,
      ...(maxStates === undefined ? {} : { maxStates }),
      onProgress: (progress) => tell({ progress }),
      interrupted: stopped,
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
