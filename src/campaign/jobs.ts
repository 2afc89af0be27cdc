/** What a campaign has done on a bench, in this thread or in a worker: jobs and their answers, all of them cloneable. */

import type { Verdict } from '../kernel/judge/verdict.ts'
import type { Basis, Strength } from '../kernel/language/clause.ts'
import type { PlanStepJson } from '../kernel/play/plan.ts'
import type { Failing } from '../kernel/shrink/index.ts'
import type { Counterexample, TraceStepJson } from './counterexample.ts'
import type { Followed } from './deviations.ts'
import type { ReplayResult } from './replay.ts'
import type { Tally } from './tally.ts'
import type { Reproduced } from './types.ts'

/** What a bench is set up with. */
export interface BenchOptions {
  readonly address: string
  readonly directory: string
  readonly seed: number
  readonly timeoutMs: number
  readonly graceMs?: number
  readonly hostile?: number
  readonly maxSteps?: number
  readonly shrinkExecutions: number
  readonly minimality: boolean
  readonly modelsFrom?: string
  readonly profile?: string
  /** Profiles that targets are known to follow; `profile` goes before. */
  readonly followed?: readonly Followed[]
}

/** A law as the ledger counts it. */
export interface LawInfo {
  readonly clause: string
  /** Why it cannot be asked on this target; undefined when it can. */
  readonly reason: string | undefined
}

/** A machine made ready for a target. */
export interface Prepared {
  readonly machine: string
  readonly scope: { readonly name: string; readonly bounds: Readonly<Record<string, number>> }
  /** The behaviour in use that it is judged by; absent for the data sheet. */
  readonly profile?: string
  /** Why the target cannot be asked. */
  readonly notApplicable: string | undefined
  readonly laws: readonly LawInfo[]
  readonly clauses: Readonly<Record<string, { readonly basis: Basis; readonly strength: Strength }>>
  readonly goals: readonly string[]
  readonly unreachable: Readonly<Record<string, string>>
  /** In-process and quick to open: each chunk of runs gets a fresh target. */
  readonly cheap: boolean
}

/** One run: drawn by its number, or given as a plan. */
export interface RunItem {
  readonly run: number
  readonly plan?: readonly PlanStepJson[]
  /** A goal that the drawn plan is to reach. It is part of the item, so that the same plan can be drawn again alone. */
  readonly toward?: string
}

export interface PlayJob {
  readonly machine: string
  readonly items: readonly RunItem[]
  /** Laws to overlook, as `law@clause`. */
  readonly tolerated: readonly string[]
  /** No new run starts after this moment, in ms since the epoch. */
  readonly untilMs?: number
  /** On a fresh target that is believed to hang after so long. */
  readonly timeoutMs?: number
}

export interface Failure extends Failing {
  readonly item: RunItem
  /** Runs before it on the same target, the last one last. */
  readonly before: readonly RunItem[]
  readonly message: string
  readonly lastWords: string
  readonly timed: boolean
  /** The run took its worker with it. */
  readonly lost?: true
}

export interface PlayAnswer {
  readonly tally: Tally
  readonly failures: readonly Failure[]
  /** Items that were not run: after a hang, after an interrupt, or when the time was over. */
  readonly rest: readonly RunItem[]
  readonly interrupted: boolean
  /** Plans of the corpus that the machine does not understand any more. */
  readonly warnings: readonly string[]
  /** Why no target could be had for the rest. */
  readonly stopped: { readonly message: string; readonly lastWords: string } | undefined
}

export interface ExamineJob {
  readonly machine: string
  readonly failure: Failure
  readonly tolerated: readonly string[]
  /** The counterexample is to break the law of the failure, and no other one that breaks with less. */
  readonly keepLaw?: true
}

export type Examined =
  | { readonly outcome: 'counterexample'; readonly counterexample: Counterexample }
  /** It did not come again. */
  | { readonly outcome: 'unconfirmed'; readonly reproduced: Reproduced }
  | { readonly outcome: 'interrupted' }

export interface ReplayJob {
  readonly counterexample: Counterexample
}

export interface PerformJob {
  readonly machine: string
  readonly plan: readonly PlanStepJson[]
  /** Runs that come before it, on the same target. */
  readonly prelude: readonly (readonly PlanStepJson[])[]
}

/** A plan, performed within the bounds that fit the target. */
export interface Performed {
  readonly scope: Prepared['scope']
  readonly trace: readonly TraceStepJson[]
  readonly verdict: Verdict
  readonly law: string | undefined
  readonly clause: string | undefined
  readonly requirement: string | undefined
  /** Behaviours in use that allow the trace, where the machine does not. */
  readonly profiles: readonly string[]
}

/** Does jobs, one after the other. */
export interface Executor {
  /** Names of all machines. */
  machines(): Promise<readonly string[]>
  /** Opens the target for the first time. */
  identify(): Promise<{ readonly name: string; readonly version: string }>
  prepare(machine: string): Promise<Prepared>
  play(job: PlayJob): Promise<PlayAnswer>
  examine(job: ExamineJob): Promise<Examined>
  /** The plan of a run, as far as that many of its steps. */
  planOf(job: { readonly machine: string; readonly item: RunItem; readonly steps: number }): Promise<PlanStepJson[]>
  /** The counterexample of a plan that nothing more can be learnt from, since it takes the worker with it. */
  sketch(job: ExamineJob): Promise<Counterexample>
  replay(job: ReplayJob): Promise<ReplayResult>
  perform(job: PerformJob): Promise<Performed>
  close(): Promise<void>
}

/** A worker was lost in the middle of a job: it stood still, or it ended. */
export class WorkerLost extends Error {
  override readonly name = 'WorkerLost'
  readonly verdict: 'hangs' | 'crashes'
  readonly run: number
  readonly step: number

  constructor(verdict: 'hangs' | 'crashes', run: number, step: number, message: string) {
    super(message)
    this.verdict = verdict
    this.run = run
    this.step = step
  }
}
