/** A thread of a score: takes the numbers of faults by message. */
import { parentPort, workerData } from 'node:worker_threads'
import { type PostedError, postError } from './messages.ts'
import { faultsOf, type ScoreJob, scoreFault } from './score.ts'
import type { FaultScore } from './score-row.ts'

export interface ScorerData {
  readonly job: ScoreJob
}

/** The row of a fault as far as it is; that the fault is done; or what went wrong. */
export type FromScorer =
  | { readonly index: number; readonly row: FaultScore }
  | { readonly done: number }
  | { readonly error: PostedError }

const { job } = workerData as ScorerData
const tell = (message: FromScorer): void => parentPort!.postMessage(message)
const faults = faultsOf(job)

parentPort!.on('message', async (index: number) => {
  try {
    const fault = (await faults)[index]!
    // Who is not to go on is ended.
    await scoreFault(
      fault,
      job,
      (row) => tell({ index, row }),
      () => false,
    )
    tell({ done: index })
  } catch (error) {
    tell({ error: postError(error) })
  }
})
