/**
 * One run: a plan performed on a target, watched and judged step by step.
 *
 * A planned step that is not possible in the judged state is skipped. What was performed is kept as a literal plan, and
 * everything that was done and seen as a literal trace.
 */
import { type Target, TargetError } from '../../contract/target.ts'
import { Judge, type JudgeOptions } from '../judge/judge.ts'
import type { Finding, Verdict } from '../judge/verdict.ts'
import type { Action, Args, Machine } from '../language/machine.ts'
import { type Model, ModelError, type Session, type Sink } from '../model.ts'
import { resolve } from './draw.ts'
import type { Plan, PlanStep } from './plan.ts'

/** One thing that was done or seen. */
export type TraceStep =
  | { readonly by: 'us' | 'target'; readonly action: Action; readonly args: Args; readonly note?: string }
  | { readonly by: 'schedule'; readonly do: 'step' | 'settle' | 'save'; readonly count?: number }

/** A target that crashed, hung or would not rest: what happened, in its own words. */
export interface Trouble {
  readonly message: string
  /** Untrusted text. */
  readonly lastWords: string
}

export interface RunResult {
  readonly verdict: Verdict
  readonly finding: Finding | undefined
  readonly trouble: Trouble | undefined
  /** What robust devices do otherwise; no violation of the standard. */
  readonly hardening: readonly Finding[]
  readonly trace: readonly TraceStep[]
  /** The steps that were in fact performed, with resolved arguments. */
  readonly performed: readonly PlanStep[]
  readonly skipped: number
  /** Actions performed and observed, and device steps. */
  readonly commands: number
  /** The finding rests on silence of a target that cannot say that it is quiet. */
  readonly timed: boolean
  /** Before and after the failing step. */
  readonly states: { readonly before: Int32Array; readonly after: Int32Array } | undefined
}

export interface RunOptions extends JudgeOptions {
  /** How long an asynchronous target may take before its silence counts a tenth. */
  readonly graceMs?: number
  /** Told once a step, for the watchdog. */
  readonly heartbeat?: () => void
}

const GRACE_MS = 20
/** Rounds of waiting: each doubles, together ten times the grace period. */
const PATIENCE = 10

/** Performs plans on one target; keeps the session between runs. */
export class Runner {
  readonly machine: Machine
  readonly judge: Judge
  target: Target
  private readonly session: Session
  private readonly options: RunOptions
  private readonly canStep: boolean
  private readonly synchronous: boolean
  private finding: Finding | undefined
  private trace: TraceStep[] = []
  private commands = 0
  private timed = false
  private readonly earlier: Int32Array

  constructor(model: Model, machine: Machine, target: Target, options: RunOptions = {}) {
    this.machine = machine
    this.options = options
    this.target = target
    this.judge = new Judge(machine, options)
    this.earlier = this.judge.cells.slice()
    const { can } = target.describe()
    this.canStep = can.step
    this.synchronous = can.synchronous
    this.session = model.open(target, machine, this.sink)
  }

  /** Takes what the session saw. After a finding nothing more is judged. */
  private readonly sink: Sink = (action, args, note) => {
    if (this.finding !== undefined) return
    this.trace.push(note === undefined ? { by: 'target', action, args } : { by: 'target', action, args, note })
    this.commands++
    this.earlier.set(this.judge.cells)
    this.finding = this.judge.observe(action, args)
  }

  run(plan: Plan): RunResult {
    this.finding = undefined
    this.trace = []
    this.commands = 0
    this.timed = false
    this.judge.restart()
    const performed: PlanStep[] = []
    let skipped = 0
    let trouble: { verdict: Verdict; what: Trouble } | undefined
    try {
      this.session.start()
      for (const step of plan.steps) {
        const done = this.perform(step)
        if (done === undefined) skipped++
        else performed.push(done)
        if (this.finding !== undefined) break
        this.options.heartbeat?.()
      }
      if (this.finding === undefined && plan.steps.at(-1)?.do !== 'settle') {
        performed.push({ do: 'settle' })
        this.settle()
      }
    } catch (error) {
      trouble = troubleOf(error)
    }
    const finding = trouble === undefined ? this.findingOf() : undefined
    return {
      verdict: trouble?.verdict ?? finding?.verdict ?? 'conforms',
      finding,
      trouble: trouble?.what,
      hardening: this.judge.hardening.slice(),
      trace: this.trace,
      performed,
      skipped,
      commands: this.commands,
      timed: this.timed,
      states: finding === undefined ? undefined : { before: this.earlier.slice(), after: this.judge.cells.slice() },
    }
  }

  // Read through a method: a call may have changed it.
  private findingOf(): Finding | undefined {
    return this.finding
  }
  private get found(): boolean {
    return this.finding !== undefined
  }

  private perform(step: PlanStep): PlanStep | undefined {
    switch (step.do) {
      case 'act': {
        const args = resolve(this.judge.state, step.action, step.args, step.hostile)
        if (args === undefined) return undefined
        this.trace.push({ by: 'us', action: step.action, args })
        this.commands++
        this.earlier.set(this.judge.cells)
        this.finding = this.judge.perform(step.action, args)
        if (this.found) return step
        this.session.perform(step.action, args)
        if (!this.canStep) this.session.collect()
        return { do: 'act', action: step.action, args, hostile: step.hostile }
      }
      case 'step': {
        this.trace.push({ by: 'schedule', do: 'step', count: step.count })
        if (this.canStep) for (let i = 0; i < step.count && this.target.step!(this.session.device); i++) this.commands++
        this.session.collect()
        return step
      }
      case 'settle': {
        this.settle()
        return step
      }
      case 'save': {
        this.save()
        return step
      }
    }
  }

  private settle(): void {
    this.trace.push({ by: 'schedule', do: 'settle' })
    this.rest(0)
    if (this.finding !== undefined) return
    if (!this.synchronous) {
      const grace = this.options.graceMs ?? GRACE_MS
      for (
        let waited = 0, slice = 1;
        this.judge.owing && waited < grace * PATIENCE;
        waited += slice, slice = Math.min(2 * slice, grace)
      ) {
        this.options.heartbeat?.()
        this.rest(slice)
        if (this.finding !== undefined) return
      }
    }
    this.earlier.set(this.judge.cells)
    this.finding = this.judge.quiet()
    if (this.finding !== undefined && !this.synchronous) this.timed = true
  }

  private rest(deadlineMs: number): void {
    const state = this.target.settle(deadlineMs)
    if (state === 'dead') throw new TargetError('dead', 'the target ended while it was working')
    this.session.collect()
  }

  private save(): void {
    const { can } = this.target.describe()
    if (!can.migrate && !can.save) return
    this.trace.push({ by: 'schedule', do: 'save' })
    // What happened before the save belongs to the instance that is given up.
    this.session.collect()
    if (can.migrate) {
      this.target = this.target.migrate!()
      this.session.move(this.target)
    } else this.target.restore!(this.target.save!())
    this.session.collect()
  }
}

/** What an exception out of a target or a model means for the run. */
const troubleOf = (error: unknown): { verdict: Verdict; what: Trouble } => {
  if (error instanceof ModelError) return { verdict: 'adapter-error', what: { message: error.message, lastWords: '' } }
  if (!(error instanceof TargetError)) throw error
  const verdicts: Record<TargetError['reason'], Verdict> = {
    dead: 'crashes',
    hang: 'hangs',
    livelock: 'livelocks',
    start: 'adapter-error',
    protocol: 'adapter-error',
    refused: 'adapter-error',
    poisoned: 'adapter-error',
  }
  return { verdict: verdicts[error.reason], what: { message: error.message, lastWords: error.lastWords } }
}
