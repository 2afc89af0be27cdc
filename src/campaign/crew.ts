/** Several executors that share the runs of a machine. What comes out does not depend on how many there are. */

import { TROUBLE_CLAUSES } from './failures.ts'
import {
  type Examined,
  type ExamineJob,
  type Executor,
  type Failure,
  type PlayAnswer,
  type PlayJob,
  type RunItem,
  WorkerLost,
} from './jobs.ts'
import { examineLost } from './lost.ts'
import { Interrupted } from './pulse.ts'
import { addTally, type Tally } from './tally.ts'

/** Runs that share a target; where opening is cheap each chunk starts with a fresh one. */
const CHUNK = 25

export interface Played {
  readonly failures: readonly Failure[]
  readonly warnings: readonly string[]
  readonly interrupted: boolean
  /** Items that were not run. */
  readonly unplayed: number
  readonly stopped: PlayAnswer['stopped']
}

/** Told as work goes on. */
export interface CrewEvents {
  /** After each chunk. */
  readonly onChunk?: () => void
  readonly onPhase?: (phase: 'playing' | 'examining') => void
  readonly onRestart?: (run: number, message: string) => void
}

export class Crew {
  private readonly executors: readonly Executor[]
  private readonly events: CrewEvents

  constructor(executors: readonly Executor[], events: CrewEvents = {}) {
    this.executors = executors
    this.events = events
  }

  /** Plays all items, adds up, and returns what failed in the order of the items. `hangsMax`: more are not waited for. */
  async play(job: PlayJob, tally: Tally, hangsMax: number): Promise<Played> {
    const order = new Map(job.items.map(({ run }, i) => [run, i]))
    const chunks: RunItem[][] = []
    for (let i = 0; i < job.items.length; i += CHUNK) chunks.push(job.items.slice(i, i + CHUNK))
    const failures: Failure[] = []
    const warnings: string[] = []
    let unplayed = 0
    let hangs = 0
    let interrupted = false
    let stopped: PlayAnswer['stopped']
    let next = 0

    const playChunk = async (executor: Executor, chunk: readonly RunItem[]): Promise<void> => {
      for (let items = chunk; items.length > 0; ) {
        if (interrupted || stopped !== undefined || hangs >= hangsMax) {
          unplayed += items.length
          return
        }
        try {
          const answer = await executor.play({ ...job, items })
          addTally(tally, answer.tally)
          failures.push(...answer.failures)
          warnings.push(...answer.warnings)
          interrupted ||= answer.interrupted
          stopped ??= answer.stopped
          const hung = answer.failures.at(-1)?.verdict === 'hangs'
          if (hung) hangs++
          for (const { verdict, item, message } of answer.failures)
            if (verdict !== 'violates') this.events.onRestart?.(item.run, message)
          // The time is over.
          if (!hung && answer.rest.length > 0) {
            unplayed += answer.rest.length
            return
          }
          items = answer.rest
        } catch (error) {
          if (error instanceof Interrupted) {
            interrupted = true
            continue
          }
          if (!(error instanceof WorkerLost)) throw error
          const lost = items.find(({ run }) => run === error.run)
          if (lost === undefined) throw error
          hangs++
          this.events.onRestart?.(error.run, error.message)
          failures.push({
            verdict: error.verdict,
            law: error.verdict,
            clause: TROUBLE_CLAUSES[error.verdict],
            hardening: false,
            item: lost,
            before: [],
            message: error.message,
            lastWords: '',
            timed: false,
            lost: true,
          })
          tally.runs++
          // What the lost worker had counted is lost with it: the others of the chunk are run again.
          items = items.filter(({ run }) => run !== error.run)
        }
      }
    }
    const work = async (executor: Executor): Promise<void> => {
      for (;;) {
        const chunk = chunks[next++]
        if (chunk === undefined) return
        await playChunk(executor, chunk)
        this.events.onChunk?.()
      }
    }
    await Promise.all(this.executors.map(work))
    failures.sort(
      (a, b) => order.get(a.item.run)! - order.get(b.item.run)! || Number(a.hardening) - Number(b.hardening),
    )
    return { failures, warnings, interrupted, unplayed, stopped }
  }

  /** Looks into one failure. */
  async examine(job: ExamineJob): Promise<Examined> {
    const [executor] = this.executors
    this.events.onPhase?.('examining')
    try {
      return job.failure.lost === true ? await examineLost(executor!, job) : await executor!.examine(job)
    } catch (error) {
      if (error instanceof Interrupted) return { outcome: 'interrupted' }
      if (!(error instanceof WorkerLost)) throw error
      // It did not take the worker with it when it was played, and does now.
      return { outcome: 'unconfirmed', reproduced: { times: 0, of: 1 } }
    } finally {
      this.events.onPhase?.('playing')
    }
  }
}
