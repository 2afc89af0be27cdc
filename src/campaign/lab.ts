/**
 * Executes plans for somebody who cannot wait (a shrinker), on targets that can only be opened by waiting.
 *
 * When no fresh target is at hand, the search is given up, targets are opened, and the search starts over: it depends on
 * nothing but the results, and those it has had already are kept. So each execution happens once.
 */
import type { Plan } from '../kernel/play/plan.ts'
import { planToJson } from '../kernel/play/plan.ts'
import type { RunResult } from '../kernel/play/run.ts'
import type { Slot } from './slots.ts'

/** Fresh targets that are opened together where opening is cheap. */
const BATCH = 16

class OutOfTargets extends Error {}

export interface LabOptions {
  /** Opens a fresh target with the machine on it. */
  readonly open: () => Promise<Slot>
  /** Each execution gets a fresh target. Else a target serves until it breaks. */
  readonly cheap: boolean
  /** Number of the run that is examined, for the watchdog. */
  readonly run: number
  /** Runs that come before each execution, on the same target. */
  readonly prelude: readonly Plan[]
}

/** Whether a target can be used after such a run. */
const survived = ({ trouble, verdict }: RunResult): boolean => trouble === undefined && verdict !== 'spec-error'

export class Lab {
  private readonly options: LabOptions
  private readonly fresh: Slot[] = []
  private used: Slot | undefined
  /** Laws that were overlooked in the last execution, as `law@clause`. */
  met: readonly string[] = []

  constructor(options: LabOptions) {
    this.options = options
  }

  /** One execution on a fresh target. */
  async once(plan: Plan): Promise<RunResult> {
    const slot = this.fresh.pop() ?? (await this.options.open())
    try {
      return this.on(slot, plan)
    } finally {
      slot.close()
    }
  }

  /** A search whose executions are synchronous. */
  async search<T>(body: (execute: (plan: Plan) => RunResult) => T): Promise<T> {
    const known = new Map<string, RunResult[]>()
    for (;;) {
      const seen = new Map<string, number>()
      const execute = (plan: Plan): RunResult => {
        const key = `${plan.patient === true} ${JSON.stringify(planToJson(plan))}`
        const results = known.get(key) ?? []
        known.set(key, results)
        const index = seen.get(key) ?? 0
        seen.set(key, index + 1)
        return (results[index] ??= this.now(plan))
      }
      try {
        return body(execute)
      } catch (error) {
        if (!(error instanceof OutOfTargets)) throw error
        await this.restock()
      }
    }
  }

  private now(plan: Plan): RunResult {
    const slot = this.used ?? this.fresh.pop()
    this.used = undefined
    if (slot === undefined) throw new OutOfTargets()
    let keep = false
    try {
      const result = this.on(slot, plan)
      keep = !this.options.cheap && this.options.prelude.length === 0 && survived(result)
      return result
    } finally {
      if (keep) this.used = slot
      else slot.close()
    }
  }

  private on(slot: Slot, plan: Plan): RunResult {
    const { prelude, run } = this.options
    for (const before of prelude) {
      const result = slot.run(before, run)
      if (!survived(result)) return result
    }
    slot.runner.judge.met.clear()
    const result = slot.run(plan, run)
    this.met = [...slot.runner.judge.met.keys()]
    return result
  }

  private async restock(): Promise<void> {
    const count = this.options.cheap ? BATCH : 1
    while (this.fresh.length < count) this.fresh.push(await this.options.open())
  }

  close(): void {
    this.used?.close()
    for (const slot of this.fresh) slot.close()
    this.fresh.length = 0
    this.used = undefined
  }
}
