/**
 * Runs that take their worker with them: a target that loops in our own process, or ends it. Each try costs a worker and
 * often a timeout, so they are made smaller by a few bold tries.
 */
import type { PlanStepJson } from '../kernel/play/plan.ts'
import { type Examined, type ExamineJob, type Executor, WorkerLost } from './jobs.ts'

const TRIES = 20
/** A hang that was seen before is believed sooner. */
const TIMEOUT_MS = 500

type Steps = readonly PlanStepJson[]

export const examineLost = async (
  executor: Executor,
  { machine, failure, tolerated }: ExamineJob,
): Promise<Examined> => {
  const { item, verdict } = failure
  let tries = 0
  /** How many steps of the plan were over when the worker was lost; undefined when it was not. */
  const losesAt = async (plan: Steps): Promise<number | undefined> => {
    tries++
    try {
      await executor.play({ machine, tolerated, items: [{ run: item.run, plan }], timeoutMs: TIMEOUT_MS })
      return undefined
    } catch (error) {
      if (!(error instanceof WorkerLost)) throw error
      return error.verdict === verdict ? error.step : undefined
    }
  }
  const whole = await executor.planOf({ machine, item, steps: Number.POSITIVE_INFINITY })
  const lostAt = await losesAt(whole)
  if (lostAt === undefined) return { outcome: 'unconfirmed', reproduced: { times: 0, of: 1 } }

  let plan: Steps = whole.slice(0, lostAt + 1)
  for (let size = Math.ceil(plan.length / 2); size >= 1 && tries < TRIES; size = size === 1 ? 0 : Math.ceil(size / 2))
    // The last step is the one that it happens in.
    for (let end = plan.length - 1; end > 0 && tries < TRIES; end -= size) {
      const start = Math.max(0, end - size)
      const fewer = [...plan.slice(0, start), ...plan.slice(end)]
      const at = await losesAt(fewer)
      if (at !== undefined) plan = fewer.slice(0, at + 1)
      end = Math.min(end, plan.length - 1 + size)
    }
  const counterexample = await executor.sketch({
    machine,
    tolerated,
    failure: { ...failure, item: { run: item.run, plan } },
  })
  return {
    outcome: 'counterexample',
    counterexample: { ...counterexample, shrink: { executions: tries, from: whole.length, exhausted: tries >= TRIES } },
  }
}
