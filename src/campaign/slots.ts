/** Open targets with a machine playing on them. */
import { mkdirSync } from 'node:fs'
import type { OpenOptions, Target } from '../contract/target.ts'
import type { Ledger } from '../kernel/judge/ledger.ts'
import type { Machine } from '../kernel/language/machine.ts'
import type { Model } from '../kernel/model.ts'
import type { Plan } from '../kernel/play/plan.ts'
import { Runner, type RunResult } from '../kernel/play/run.ts'
import { Interrupted, type Pulse } from './pulse.ts'

/** Opens a target at the address of a campaign. */
export type Opener = (options: OpenOptions) => Promise<Target>

/** Below this, opening counts as cheap: each chunk of runs and each execution gets a fresh target. */
const CHEAP_MS = 3

/** How a runner is set up on a target. */
export interface SlotOptions {
  readonly ledger?: Ledger
  readonly tolerated: ReadonlySet<string>
  readonly graceMs?: number
  readonly timeoutMs: number
  readonly fingerprint?: boolean
  /** Other work for the time in which the target is busy. */
  readonly meanwhile?: () => void
  /** Each run gets a session of its own, so that nothing depends on what the runs before it left in one. */
  readonly afresh?: boolean
}

/** One open target. */
export interface Slot {
  readonly runner: Runner
  run(plan: Plan, number: number): RunResult
  close(): void
}

/** Makes slots, and measures what that costs. */
export class Slots {
  readonly pulse: Pulse
  private readonly opener: Opener
  private readonly directory: string
  /** The fastest opening so far. */
  private openMs = Number.POSITIVE_INFINITY
  private synchronous = false

  constructor(opener: Opener, directory: string, pulse: Pulse) {
    this.opener = opener
    this.directory = directory
    this.pulse = pulse
  }

  /** Known after the first opening. */
  get cheap(): boolean {
    return this.synchronous && this.openMs < CHEAP_MS
  }

  async target(
    timeoutMs: number,
    meanwhile?: () => void,
  ): Promise<{ target: Target; group: number; close: (last?: Target) => void }> {
    mkdirSync(this.directory, { recursive: true })
    const { pulse } = this
    let group = 0
    const start = performance.now()
    const target = await this.opener({
      directory: this.directory,
      timeoutMs,
      heartbeat: pulse.beat,
      ...(meanwhile === undefined ? {} : { meanwhile }),
      onProcessGroup: (pid) => {
        group = pid
        pulse.opened(pid)
      },
      killed: () => pulse.killed(group),
    })
    this.openMs = Math.min(this.openMs, performance.now() - start)
    this.synchronous = target.describe().can.synchronous && group === 0
    // A migration may have put another target in its place.
    const close = (last: Target = target): void => {
      closeQuietly(last)
      pulse.closed(group)
    }
    return { target, group, close }
  }

  async open(model: Model, machine: Machine, options: SlotOptions): Promise<Slot> {
    const { target, group, close } = await this.target(options.timeoutMs, options.meanwhile)
    const { pulse } = this
    let runner: Runner
    try {
      runner = guardedly(pulse, 0, group, options.timeoutMs, () => newRunner(model, machine, target, pulse, options))
    } catch (error) {
      close()
      throw error
    }
    return {
      get runner() {
        return runner
      },
      run: (plan, number) =>
        guardedly(pulse, number, group, options.timeoutMs, () => {
          if (options.afresh === true) runner = newRunner(model, machine, runner.target, pulse, options)
          return runWith(runner, plan)
        }),
      close: () => close(runner.target),
    }
  }
}

const newRunner = (model: Model, machine: Machine, target: Target, pulse: Pulse, options: SlotOptions): Runner =>
  new Runner(model, machine, target, {
    tolerated: options.tolerated,
    heartbeat: pulse.step,
    alive: pulse.beat,
    ...(options.ledger === undefined ? {} : { ledger: options.ledger }),
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
  })

const guardedly = <T>(pulse: Pulse, run: number, group: number, timeoutMs: number, body: () => T): T => {
  pulse.begin(run, group, timeoutMs)
  try {
    return body()
  } finally {
    pulse.end()
  }
}

/** An exception that is no trouble of the target is a mistake in a spec or a model: a verdict, too. */
const runWith = (runner: Runner, plan: Plan): RunResult => {
  try {
    return runner.run(plan)
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const told = error instanceof Error ? error : new Error(String(error))
    return {
      verdict: 'spec-error',
      finding: undefined,
      trouble: { message: `${told.name}: ${told.message}`, lastWords: told.stack ?? '' },
      hardening: [],
      trace: [],
      performed: [],
      skipped: 0,
      commands: 0,
      timed: false,
      states: undefined,
    }
  }
}

const closeQuietly = (target: Target): void => {
  try {
    target.close()
  } catch {
    // What cannot be closed has ended already.
  }
}
