/**
 * A bench in a worker thread, watched from here.
 *
 * A thread in a blocking call cannot be terminated, and a loop of a target answers no message. So to end a hang the
 * process group of the target is killed first, which turns the blocking call into an end of file; only a thread that
 * stands still even then is terminated.
 */
import { Worker } from 'node:worker_threads'
import { clip, escapeText } from '../contract/explain.ts'
import type { PlanStepJson } from '../kernel/play/plan.ts'
import type { Counterexample } from './counterexample.ts'
import {
  type BenchOptions,
  type Examined,
  type ExamineJob,
  type Executor,
  type Performed,
  type PerformJob,
  type PlayAnswer,
  type PlayJob,
  type Prepared,
  type ReplayJob,
  WorkerLost,
} from './jobs.ts'
import { type Reply, receiveError } from './messages.ts'
import { compiled } from './package.ts'
import { Interrupted, Pulse } from './pulse.ts'
import type { ReplayResult } from './replay.ts'

const LOOK_MS = 50
/** The doors know their own timeouts; the watchdog is for those that cannot, and comes so much later. */
const MARGIN_MS = 50
const MARGIN_SHARE = 0.2
/** After its process group was killed a thread gets so long to notice. */
const AFTER_KILL_MS = 1000
/** After a request to stop. */
const STOP_MS = 700
const OUTPUT_MAX = 2000

interface Pending {
  readonly id: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export class RemoteBench implements Executor {
  readonly pulse = new Pulse()
  private readonly options: BenchOptions
  private readonly onOutput: (text: string) => void
  private worker: Worker | undefined
  private pending: Pending | undefined
  private serial = 0
  private watch: NodeJS.Timeout | undefined
  private beats = -1
  private since = 0
  private killedAt: number | undefined
  private stopAt: number | undefined

  constructor(options: BenchOptions, onOutput: (text: string) => void = () => {}) {
    this.options = options
    this.onOutput = onOutput
  }

  machines(): Promise<readonly string[]> {
    return this.call('machines')
  }
  identify(): Promise<{ readonly name: string; readonly version: string }> {
    return this.call('identify')
  }
  prepare(machine: string): Promise<Prepared> {
    return this.call('prepare', machine)
  }
  play(job: PlayJob): Promise<PlayAnswer> {
    return this.call('play', job)
  }
  examine(job: ExamineJob): Promise<Examined> {
    return this.call('examine', job)
  }
  planOf(job: Parameters<Executor['planOf']>[0]): Promise<PlanStepJson[]> {
    return this.call('planOf', job)
  }
  sketch(job: ExamineJob): Promise<Counterexample> {
    return this.call('sketch', job)
  }
  replay(job: ReplayJob): Promise<ReplayResult> {
    return this.call('replay', job)
  }
  perform(job: PerformJob): Promise<Performed> {
    return this.call('perform', job)
  }

  /** Stops at the next step, or soon after by force. */
  interrupt(): void {
    this.pulse.interrupt()
    this.stopAt ??= performance.now() + STOP_MS
  }

  async close(): Promise<void> {
    const worker = this.worker
    if (worker !== undefined && this.pending === undefined) await this.call('close').catch(() => {})
    await this.abandon()
  }

  private call<T>(call: string, argument?: unknown): Promise<T> {
    if (this.pending !== undefined) throw new TypeError(`${call}: the worker has a job already`)
    const worker = (this.worker ??= this.start())
    const id = ++this.serial
    return new Promise<T>((resolve, reject) => {
      this.pending = { id, resolve: resolve as (value: unknown) => void, reject }
      this.beats = -1
      this.killedAt = undefined
      this.watch = setInterval(() => this.look(), LOOK_MS)
      worker.postMessage({ id, call, argument })
    })
  }

  private start(): Worker {
    const workerData = { options: this.options, buffer: this.pulse.buffer }
    const worker = new Worker(compiled('src/campaign/worker.js'), {
      workerData,
      stdout: true,
      stderr: true,
      execArgv: [],
    })
    for (const stream of [worker.stdout, worker.stderr])
      stream.on('data', (data: Buffer) => this.onOutput(clip(escapeText(data.toString('utf8').trimEnd()), OUTPUT_MAX)))
    worker.on('message', (reply: Reply) => {
      if (reply.id !== this.pending?.id) return
      if ('error' in reply) this.settle(({ reject }) => reject(receiveError(reply.error)))
      else this.settle(({ resolve }) => resolve(reply.value))
    })
    worker.on('error', (error) => this.lost(worker, `an uncaught error: ${escapeText(String(error))}`))
    worker.on('exit', (code) => this.lost(worker, `its thread ended with exit code ${code}`))
    return worker
  }

  private settle(how: (pending: Pending) => void): void {
    clearInterval(this.watch)
    const { pending } = this
    this.pending = undefined
    if (pending !== undefined) how(pending)
  }

  /** The thread is gone by itself: a target that ended it, or a mistake of ours. */
  private lost(worker: Worker, message: string): void {
    if (worker !== this.worker) return
    const { busy, run, step } = this.pulse.look()
    void this.abandon()
    this.settle(({ reject }) => reject(busy ? new WorkerLost('crashes', run, step, message) : new Error(message)))
  }

  private look(): void {
    const now = performance.now()
    if (this.stopAt !== undefined && now > this.stopAt) {
      void this.abandon()
      this.settle(({ reject }) => reject(new Interrupted('stopped')))
      return
    }
    const { beats, busy, group, run, step, timeoutMs } = this.pulse.look()
    if (!busy || beats !== this.beats) {
      this.beats = beats
      this.since = now
      this.killedAt = undefined
      return
    }
    if (now - this.since < timeoutMs * (1 + MARGIN_SHARE) + MARGIN_MS) return
    if (group !== 0 && this.killedAt === undefined) {
      this.killedAt = now
      this.pulse.willKill(group)
      killGroup(group)
      return
    }
    if (this.killedAt !== undefined && now - this.killedAt < AFTER_KILL_MS) return
    void this.abandon()
    const message = `no answer for ${Math.round(now - this.since)} ms, so it was stopped`
    this.settle(({ reject }) => reject(new WorkerLost('hangs', run, step, message)))
  }

  /** Gives the worker up, with everything that it has started. */
  private async abandon(): Promise<void> {
    const { worker } = this
    this.worker = undefined
    for (const group of this.pulse.groups()) killGroup(group)
    this.pulse.clear()
    await worker?.terminate()
  }
}

const killGroup = (group: number): void => {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
