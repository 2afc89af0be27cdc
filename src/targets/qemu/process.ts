/** A running QEMU: its streams, its memory and its end. */

import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { type OpenOptions, TargetError } from '../../contract/index.ts'
import { endOf, killGroup, lastWords, oneLine } from './ending.ts'
import { LinePipe, type Peer } from './pipe.ts'
import { type Launch, type Started, start } from './start.ts'

const live = new Set<ChildProcess>()

/** A running QEMU. */
export class QemuProcess implements Peer {
  readonly version: string
  readonly qtest: LinePipe
  readonly monitor: LinePipe
  /** File descriptor of guest memory: offset is GPA. */
  readonly ram: number
  /** File descriptor of QEMU's trace, where one was asked for. */
  readonly trace: number | undefined
  /** What QEMU prints, in a file. */
  readonly stdoutFile: string
  /** What QEMU complains of, in a file. */
  readonly stderrFile: string
  readonly #child: ChildProcess
  readonly #descriptors: readonly number[]
  readonly #options: OpenOptions
  #closed = false
  #end: TargetError | undefined

  private constructor(started: Started, options: OpenOptions) {
    this.version = started.version
    this.ram = started.ram
    this.trace = started.trace
    this.stdoutFile = started.stdoutFile
    this.#child = started.child
    this.stderrFile = started.stderrFile
    this.#descriptors = [started.ram, ...started.pipes, ...(started.trace === undefined ? [] : [started.trace])]
    this.#options = options
    const [qtestIn, qtestOut, monitorIn, monitorOut] = started.pipes
    this.qtest = new LinePipe(qtestOut, qtestIn, this)
    this.monitor = new LinePipe(monitorOut, monitorIn, this)
    if (live.size === 0) process.on('exit', killAll)
    live.add(this.#child)
  }

  /** Starts QEMU and waits until it answers; fails with its last words when it does not. */
  static async start(launch: Launch, options: OpenOptions): Promise<QemuProcess> {
    return new QemuProcess(await start(launch, options), options)
  }

  get pid(): number {
    return this.#child.pid!
  }

  get closed(): boolean {
    return this.#closed
  }

  heartbeat(): void {
    this.#options.heartbeat?.()
  }

  /** The first reason stays the reason. */
  gone(startMs: number): TargetError {
    if (this.#end === undefined) {
      const waitedMs = performance.now() - startMs
      const words = lastWords(this.stderrFile)
      const hung = this.#options.killed?.() ?? waitedMs >= this.#options.timeoutMs
      this.#end = hung
        ? new TargetError('hang', `qemu: no answer for ${Math.round(waitedMs)} ms, so it was killed`, words)
        : new TargetError('dead', `qemu: the process ${endOf(this.#child)}${oneLine(words)}`, words)
    }
    return this.#end
  }

  /** Kills the process group and releases everything. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    live.delete(this.#child)
    if (live.size === 0) process.off('exit', killAll)
    killGroup(this.#child)
    for (const descriptor of this.#descriptors) closeSync(descriptor)
    endOf(this.#child)
  }
}

function killAll(): void {
  for (const child of live) killGroup(child)
}
