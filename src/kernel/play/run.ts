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
import type { Plan, PlanStep } from './plan.ts'
import { resolve } from './resolve.ts'

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
  /** The steps that were performed, with resolved arguments; where the target ended in the middle of one, that one too. */
  readonly performed: readonly PlanStep[]
  readonly skipped: number
  /** Actions performed and observed, and device steps. */
  readonly commands: number
  /** The finding rests on silence of a target that cannot say that it is quiet. */
  readonly timed: boolean
  /** Before and after the failing step. */
  readonly states: { readonly before: Int32Array; readonly after: Int32Array } | undefined
  /**
   * With the option `fingerprint`: target, session and judge after the last planned step, and the state of the judge
   * there. Absent when the run ended earlier.
   */
  readonly reached?: string
  readonly reachedCells?: Int32Array
}

export interface RunOptions extends JudgeOptions {
  /** How long an asynchronous target may take before its silence counts a tenth. */
  readonly graceMs?: number
  /** Told once a step, for the watchdog. */
  readonly heartbeat?: () => void
  /** Told in the middle of a step that takes long, for the watchdog. */
  readonly alive?: () => void
  /** Tells where each run led to; for targets with a fingerprint. */
  readonly fingerprint?: boolean
}

const GRACE_MS = 20
/** A device that shows nothing for so many steps is not waited for. */
const UNSEEN_MAX = 64
/** Looks at a target that works by itself before time is given to it. */
const TURNS = 3
/** Rounds of waiting: each doubles, together ten times the grace period. */
const PATIENCE = 10

/** Performs plans on one target; keeps the session between runs. */
export class Runner {
  readonly machine: Machine
  readonly judge: Judge
  target: Target
  private readonly session: Session
  private readonly unperformable: Readonly<Record<string, string>>
  /** By number of the action: whether it is one of them. */
  private readonly refused: Uint8Array
  private readonly options: RunOptions
  private readonly canStep: boolean
  private readonly synchronous: boolean
  private finding: Finding | undefined
  private trace: TraceStep[] = []
  private performed: PlanStep[] = []
  private commands = 0
  private timed = false
  /** Nothing was done since the target was last given time to come to rest. */
  private rested = false
  /** It has come to rest: what it has not shown by now does not come. */
  private silent = false
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
    this.session = model.open(target, machine, this.sink, options.alive)
    this.unperformable = { ...model.unavailable?.(target.describe()), ...this.session.unavailable }
    this.refused = Uint8Array.from(machine.actions, ({ name }) => Number(name in this.unperformable))
  }

  /** What was seen so far. */
  private seen = 0

  /** Takes what the session saw. After a finding nothing more is judged. */
  private readonly sink: Sink = (action, args, note) => {
    this.seen++
    if (this.finding !== undefined) return
    this.trace.push(note === undefined ? { by: 'target', action, args } : { by: 'target', action, args, note })
    this.commands++
    this.earlier.set(this.judge.cells)
    this.finding = this.judge.observe(action, args)
  }

  /** Actions that cannot be performed on this target, each with the reason. */
  get unavailable(): Readonly<Record<string, string>> {
    return this.unperformable
  }

  run(plan: Plan): RunResult {
    this.finding = undefined
    this.trace = []
    this.commands = 0
    this.timed = false
    this.judge.restart()
    this.performed = []
    this.rested = false
    let waiting: PlanStep[] = []
    let skipped = 0
    let reached: string | undefined
    let reachedCells: Int32Array | undefined
    let trouble: { verdict: Verdict; what: Trouble } | undefined
    try {
      this.session.start()
      for (const step of plan.steps) {
        // Also what was seen while the session started can be a finding.
        if (this.found) break
        if (!this.perform(step)) {
          skipped++
          if (plan.patient) waiting.push(step)
        } else if (waiting.length > 0) {
          const still = this.catchUp(waiting)
          skipped -= waiting.length - still.length
          waiting = still
        }
        this.options.heartbeat?.()
      }
      if (this.finding === undefined && this.options.fingerprint === true) {
        reachedCells = this.judge.cells.slice()
        reached = [this.target.fingerprint!(), this.session.remembers?.() ?? '', reachedCells.join()].join(' ')
      }
      if (this.finding === undefined && this.performed.at(-1)?.do !== 'settle') this.performed.push({ do: 'settle' })
      if (this.finding === undefined && !this.rested) this.settle(true)
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
      performed: this.performed,
      skipped,
      commands: this.commands,
      timed: this.timed,
      states: finding === undefined ? undefined : { before: this.earlier.slice(), after: this.judge.cells.slice() },
      ...(reached === undefined || reachedCells === undefined ? {} : { reached, reachedCells }),
    }
  }

  // Read through a method: a call may have changed it.
  private findingOf(): Finding | undefined {
    return this.finding
  }
  private get found(): boolean {
    return this.finding !== undefined
  }

  /** Performs the steps that have become possible, in their order; returns the others. */
  private catchUp(waiting: readonly PlanStep[]): PlanStep[] {
    const still = waiting.slice()
    for (let i = 0; i < still.length && !this.found; )
      if (this.perform(still[i]!)) {
        still.splice(i, 1)
        i = 0
      } else i++
    return still
  }

  /** False when the step is not possible. A step counts as performed before the target feels it: it may not survive. */
  private perform(step: PlanStep): boolean {
    switch (step.do) {
      case 'act': {
        if (this.refused[step.action.index] === 1) return false
        const args = resolve(this.judge.state, step.action, step.args, step.hostile)
        if (args === undefined) return false
        this.performed.push(args === step.args ? step : { do: 'act', action: step.action, args, hostile: step.hostile })
        this.trace.push({ by: 'us', action: step.action, args })
        this.commands++
        this.earlier.set(this.judge.cells)
        this.finding = this.judge.perform(step.action, args)
        if (this.found) return true
        this.rested = false
        this.session.perform(step.action, args)
        // What a poke brings about at once (a pending message of a vector that is unmasked) is seen before the next one.
        this.session.collect()
        return true
      }
      case 'step': {
        this.step(step)
        return true
      }
      case 'settle': {
        this.performed.push(step)
        this.settle()
        return true
      }
      case 'save': {
        this.performed.push(step)
        this.save()
        return true
      }
    }
  }

  /** After each step the target is looked at, so that steps that are counted otherwise lead to the same. */
  private step({ count, seen }: PlanStep & { readonly do: 'step' }): void {
    const performed = this.performed.push({ do: 'step', count }) - 1
    const traced = this.trace.push({ by: 'schedule', do: 'step', count }) - 1
    if (!this.canStep) {
      this.session.collect()
      return
    }
    let taken = 0
    let unseen = 0
    for (let left = count; left > 0 && !(seen === true && unseen === UNSEEN_MAX) && !this.found; ) {
      // It may not survive the next one.
      this.performed[performed] = { do: 'step', count: taken + 1 }
      if (!this.target.step!(this.session.device)) break
      taken++
      this.commands++
      const before = this.seen
      this.session.collect()
      unseen = this.seen === before ? unseen + 1 : 0
      if (seen !== true || unseen === 0) left--
    }
    if (taken > 0) {
      this.performed[performed] = { do: 'step', count: taken }
      this.trace[traced] = { by: 'schedule', do: 'step', count: taken }
      return
    }
    this.session.collect()
    this.performed.pop()
    this.trace.splice(traced, 1)
  }

  /** A target that works by itself is waited for only while something is expected of it, and at the end of a run. */
  private settle(toTheEnd = this.synchronous): void {
    this.trace.push({ by: 'schedule', do: 'settle' })
    this.rested = toTheEnd || this.judge.expecting
    if (this.synchronous || this.judge.expecting) this.rest(0, toTheEnd)
    else this.session.collect(toTheEnd ? 'end' : undefined)
    if (this.finding !== undefined) return
    if (!this.synchronous) {
      for (let turn = 0; turn < TURNS && this.judge.expecting; turn++) {
        this.rest(0)
        if (this.finding !== undefined) return
      }
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
    if (this.finding === undefined) {
      if (this.silent) this.judge.refrained(this.unperformable)
    } else if (!this.synchronous) this.timed = true
  }

  private rest(deadlineMs: number, toTheEnd = false): void {
    const state = this.target.settle(deadlineMs)
    if (state === 'dead') throw new TargetError('dead', 'the target ended while it was working')
    this.silent = this.synchronous && state === 'quiet'
    this.session.collect(toTheEnd ? 'end' : 'rest')
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
    address: 'adapter-error',
    start: 'adapter-error',
    protocol: 'adapter-error',
    refused: 'adapter-error',
    poisoned: 'adapter-error',
  }
  return { verdict: verdicts[error.reason], what: { message: error.message, lastWords: error.lastWords } }
}
