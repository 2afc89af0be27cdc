/** Threads that share the faults of a score, one fault at a time each. */
import { Worker } from 'node:worker_threads'
import { receiveError } from './messages.ts'
import { compiled } from './package.ts'
import type { ScoreJob } from './score.ts'
import type { FaultScore } from './score-row.ts'
import type { FromScorer, ScorerData } from './score-worker.ts'

const WATCH_MS = 20

export interface Threading {
  readonly job: ScoreJob
  /** How many faults there are. */
  readonly faults: number
  readonly threads: number
  /** Told the row of a fault whenever there is more of it. */
  readonly take: (index: number, row: FaultScore) => void
  readonly interrupted: () => boolean
}

/** Resolves when all rows are whole, or at once when it is interrupted: what was told up to then is what there is. */
export const rowsOfThreads = async ({ job, faults, threads, take, interrupted }: Threading): Promise<void> => {
  const workers: Worker[] = []
  let watch: NodeJS.Timeout | undefined
  let next = 0
  /** Works until no fault is left. */
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(compiled('src/campaign/score-worker.js'), {
        workerData: { job } satisfies ScorerData,
        execArgv: [],
      })
      workers.push(worker)
      const goOn = (): void => {
        if (next < faults) worker.postMessage(next++)
        else resolve()
      }
      worker.on('message', (message: FromScorer) => {
        if ('row' in message) take(message.index, message.row)
        else if ('error' in message) reject(receiveError(message.error))
        else goOn()
      })
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new Error(`a thread of the score ended by itself, with ${code}`)))
      goOn()
    })
  const stopped = new Promise<void>((resolve) => {
    watch = setInterval(() => {
      if (interrupted()) resolve()
    }, WATCH_MS)
  })
  try {
    await Promise.race([Promise.all(Array.from({ length: threads }, work)), stopped])
  } finally {
    clearInterval(watch)
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}
