/**
 * A child process that is spoken to in lines, synchronously.
 *
 * Its standard input and output are FIFOs whose names are gone as soon as both sides have them open, so nothing is
 * left behind however this process ends. Our ends do not block: waiting is a few quick looks and then naps that get
 * longer. That is three times faster than a blocking read (70 against 23 thousand round trips a second with `cat`,
 * since a sleeping thread need not be woken), a full pipe cannot deadlock the two sides, a silent child is noticed by
 * ourselves, and the thread can be ended while it waits. Standard error goes to a file: an undrained pipe would block.
 */

import { isUtf8 } from 'node:buffer'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { threadId } from 'node:worker_threads'
import { clip, escapeText } from '../../contract/explain.ts'
import { type OpenOptions, TargetError } from '../../contract/target.ts'

/** Looks at the pipe before the first nap; each costs about 3 us, a reply takes 15 us or more. */
const QUICK_LOOKS = 20
const NAP_MS_MAX = 1
/** How long after a nap began the process itself is looked at, for it may have died with a grandchild on its pipe. */
const LOOK_AT_PROCESS_MS = 20
const LAST_WORDS_BYTES = 4096
/** A child that floods its standard error does not fill the disk. */
const STDERR_BYTES_MAX = 8 << 20
const READ_BYTES = 1 << 16

const napCell = new Int32Array(new SharedArrayBuffer(4))
/** Process groups to kill when this thread ends without having closed them. */
const alive = new Set<number>()
let serial = 0

export class LineProcess {
  readonly pid: number
  /** What error messages call it. */
  readonly title: string
  readonly #child: ChildProcess
  readonly #options: OpenOptions
  readonly #lineBytesMax: number
  readonly #toChild: number
  readonly #fromChild: number
  readonly #stderr: { readonly fd: number; readonly file: string }
  readonly #chunk = Buffer.allocUnsafe(READ_BYTES)
  #partial: Buffer[] = []
  #partialBytes = 0
  #lines: Buffer[] = []
  #next = 0
  #ended = false
  #closed = false
  #waits = 0

  private constructor(child: ChildProcess, title: string, pipes: Pipes, options: OpenOptions, lineBytesMax: number) {
    this.pid = child.pid!
    this.title = title
    this.#child = child
    this.#options = options
    this.#lineBytesMax = lineBytesMax
    this.#toChild = pipes.toChild
    this.#fromChild = pipes.fromChild
    this.#stderr = pipes.stderr
  }

  /** Starts `words[0]` in a process group of its own. */
  static async start(words: readonly string[], options: OpenOptions, lineBytesMax: number): Promise<LineProcess> {
    const title = clip(escapeText(words.join(' ')), 80)
    const pipes = openPipes(options.directory)
    try {
      const child = spawn(words[0]!, words.slice(1), { stdio: [...pipes.childEnds, pipes.stderr.fd], detached: true })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
      child.on('error', () => {}) // a failed kill; `close` does not depend on it
      child.unref()
      const started = new LineProcess(child, title, pipes, options, lineBytesMax)
      if (alive.size === 0) process.on('exit', killAll)
      alive.add(started.pid)
      options.onProcessGroup?.(started.pid)
      return started
    } catch (error) {
      for (const fd of [pipes.toChild, pipes.fromChild, pipes.stderr.fd]) fs.closeSync(fd)
      fs.rmSync(pipes.stderr.file, { force: true })
      const missing = isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')
      throw new TargetError(
        missing ? 'address' : 'start',
        `cannot start \`${title}\`: ${startTrouble(error, words[0]!)}`,
      )
    } finally {
      for (const fd of pipes.childEnds) fs.closeSync(fd)
    }
  }

  /** Sends text that consists of whole lines. What the child says meanwhile is kept, so that neither side blocks. */
  send(text: string): void {
    let rest: Buffer = Buffer.from(text)
    const waiting = this.#startWaiting()
    try {
      while (rest.length > 0) {
        const written = this.#write(rest)
        if (written > 0) {
          rest = rest.subarray(written)
        } else if (this.#fill()) {
          waiting.again()
        } else {
          if (this.#ended) throw this.#dead()
          waiting.nap()
        }
      }
    } finally {
      this.#options.heartbeat?.()
    }
  }

  /** The next line, without its line feed. Waits at most `timeoutMs`. */
  receive(): string {
    let line = this.#take()
    if (line !== undefined) return line
    const waiting = this.#startWaiting()
    try {
      for (;;) {
        if (this.#fill()) {
          line = this.#take()
          if (line !== undefined) return line
        }
        if (this.#ended) throw this.#dead()
        waiting.nap()
      }
    } finally {
      this.#options.heartbeat?.()
    }
  }

  /** As `receive`, for the time before the target is open, while others still want the event loop. */
  async receiveAsync(): Promise<string> {
    const deadline = performance.now() + this.#options.timeoutMs
    for (let napMs = 1; ; napMs = Math.min(2 * napMs, 20)) {
      this.#fill()
      const line = this.#take()
      if (line !== undefined) return line
      if (this.#ended || this.#childHasDied()) throw this.#dead()
      if (performance.now() > deadline) throw this.#hang()
      await new Promise((resolve) => setTimeout(resolve, napMs))
    }
  }

  /** The end of what the child wrote to standard error: untrusted text. */
  lastWords(): string {
    if (this.#closed) return ''
    const size = fs.fstatSync(this.#stderr.fd).size
    const buffer = Buffer.alloc(Math.min(size, LAST_WORDS_BYTES))
    const got = fs.readSync(this.#stderr.fd, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, got)
  }

  /** How the child ended, or undefined while it runs. */
  exitStatus(): string | undefined {
    if (this.#child.signalCode !== null) return `ended by ${this.#child.signalCode}`
    if (this.#child.exitCode !== null) return `ended with exit status ${this.#child.exitCode}`
    return zombieStatus(this.pid)
  }

  /**
   * Closes its input and waits at most `graceMs` for its end; then kills the whole group. Never throws.
   * Returns how it ended by itself, `undefined` when it had to be killed.
   */
  close(graceMs: number): string | undefined {
    if (this.#closed) return undefined
    fs.closeSync(this.#toChild)
    let how = this.exitStatus()
    const deadline = performance.now() + Math.min(graceMs, this.#options.timeoutMs)
    for (let napMs = 0.05; how === undefined && performance.now() < deadline; napMs = Math.min(napMs * 2, NAP_MS_MAX)) {
      try {
        this.#fill()
      } catch {
        break
      }
      Atomics.wait(napCell, 0, 0, napMs)
      how = this.exitStatus()
    }
    kill(this.pid)
    alive.delete(this.pid)
    if (alive.size === 0) process.off('exit', killAll)
    fs.closeSync(this.#fromChild)
    const silent = fs.fstatSync(this.#stderr.fd).size === 0
    fs.closeSync(this.#stderr.fd)
    if (silent) fs.rmSync(this.#stderr.file, { force: true })
    this.#closed = true
    return how
  }

  /** Returns the number of bytes that fitted, 0 when the pipe is full. */
  #write(data: Buffer): number {
    try {
      return fs.writeSync(this.#toChild, data)
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return 0
      if (!isErrno(error, 'EPIPE')) throw error
      // It may have answered or complained before it went.
      while (this.#fill());
      throw this.#dead()
    }
  }

  /** Reads what is there; false when nothing is. */
  #fill(): boolean {
    if (this.#ended) return false
    let bytes: number
    try {
      bytes = fs.readSync(this.#fromChild, this.#chunk, 0, READ_BYTES, null)
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return false
      throw error
    }
    if (bytes === 0) {
      this.#ended = true
      return false
    }
    const got = this.#chunk.subarray(0, bytes)
    let start = 0
    for (let end = got.indexOf(10); end !== -1; end = got.indexOf(10, start)) {
      this.#keep(got.subarray(start, end))
      this.#lines.push(this.#partial.length === 1 ? this.#partial[0]! : Buffer.concat(this.#partial))
      this.#partial = []
      this.#partialBytes = 0
      start = end + 1
    }
    if (start < bytes) this.#keep(got.subarray(start))
    return true
  }

  #keep(piece: Buffer): void {
    this.#partialBytes += piece.length
    if (this.#partialBytes > this.#lineBytesMax) {
      const shown = Buffer.concat([...this.#partial, piece]).toString('latin1', 0, 60)
      throw this.#protocol(
        `expected lines of at most ${this.#lineBytesMax} bytes, found a longer one: ${quoted(shown)}`,
      )
    }
    this.#partial.push(Buffer.from(piece))
  }

  #take(): string | undefined {
    const line = this.#lines[this.#next]
    if (line === undefined) return undefined
    if (++this.#next === this.#lines.length) {
      this.#lines = []
      this.#next = 0
    }
    if (!isUtf8(line)) throw this.#protocol(`expected UTF-8, found the line ${quoted(line.toString('latin1'))}`)
    return line.toString('utf8')
  }

  #protocol(message: string): TargetError {
    return new TargetError('protocol', `\`${this.title}\`: ${message}`, this.lastWords())
  }

  #dead(): TargetError {
    // The pipe may close a moment before the process is gone.
    for (let i = 0; i < 50 && this.exitStatus() === undefined; i++) Atomics.wait(napCell, 0, 0, 1)
    const how = this.exitStatus() ?? 'closed its standard output and still runs'
    const cut = this.#partialBytes > 0 ? ', in the middle of a line' : ''
    return new TargetError('dead', `\`${this.title}\` ${how}${cut}`, this.lastWords())
  }

  #hang(): TargetError {
    return new TargetError(
      'hang',
      `\`${this.title}\` did not answer within ${this.#options.timeoutMs} ms`,
      this.lastWords(),
    )
  }

  /** Also true when only a grandchild still holds the pipe open. Everything it wrote has been read by then. */
  #childHasDied(): boolean {
    return this.exitStatus() !== undefined && !this.#fill() && this.#lines.length === 0
  }

  #startWaiting(): { nap(): void; again(): void } {
    this.#options.heartbeat?.()
    if ((++this.#waits & 0xfff) === 0) this.#trimStderr()
    let looks = 0
    let napMs = 0.001
    let since = 0
    let lookedAt = 0
    return {
      again: () => {
        looks = 0
      },
      nap: () => {
        if (++looks <= QUICK_LOOKS) return
        const now = performance.now()
        if (since === 0) since = lookedAt = now
        if (now - since > this.#options.timeoutMs) throw this.#hang()
        if (now - lookedAt > LOOK_AT_PROCESS_MS) {
          if (this.#childHasDied()) throw this.#dead()
          lookedAt = now
        }
        Atomics.wait(napCell, 0, 0, napMs)
        napMs = Math.min(napMs * 1.5, NAP_MS_MAX)
      },
    }
  }

  #trimStderr(): void {
    if (fs.fstatSync(this.#stderr.fd).size > STDERR_BYTES_MAX) fs.ftruncateSync(this.#stderr.fd, 0)
  }
}

interface Pipes {
  readonly toChild: number
  readonly fromChild: number
  readonly childEnds: readonly [number, number]
  readonly stderr: { readonly fd: number; readonly file: string }
}

/** Two FIFOs, all four ends open, their names already removed. */
function openPipes(directory: string): Pipes {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK, O_CREAT, O_APPEND } = fs.constants
  // Threads of one process count for themselves.
  const who = `${process.pid}-${threadId}`
  const stem = path.join(directory, `stdio-${who}-${Date.now().toString(36)}-${++serial}`)
  const names = [`${stem}.in`, `${stem}.out`] as const
  try {
    execFileSync('mkfifo', ['-m', '600', ...names], { stdio: 'ignore' })
    // Opened for both directions an end never blocks; it keeps the FIFO alive until the real ends are open.
    const holders = names.map((name) => fs.openSync(name, O_RDWR | O_NONBLOCK))
    const childEnds = [fs.openSync(names[0], O_RDONLY), fs.openSync(names[1], O_WRONLY)] as const
    const toChild = fs.openSync(names[0], O_WRONLY | O_NONBLOCK)
    const fromChild = fs.openSync(names[1], O_RDONLY | O_NONBLOCK)
    for (const fd of holders) fs.closeSync(fd)
    const file = `${stem}.stderr`
    return {
      toChild,
      fromChild,
      childEnds,
      stderr: { fd: fs.openSync(file, O_RDWR | O_CREAT | O_APPEND, 0o600), file },
    }
  } catch (error) {
    throw new TargetError('start', `cannot make pipes in ${escapeText(directory)}: ${escapeText(String(error))}`)
  } finally {
    for (const name of names) fs.rmSync(name, { force: true })
  }
}

/** Node learns of a child's end in its event loop, which a synchronous campaign never enters; Linux tells at once. */
function zombieStatus(pid: number): string | undefined {
  let stat: string
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return fs.existsSync('/proc/self/stat') ? 'ended' : undefined
  }
  const after = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (after[0] !== 'Z' && after[0] !== 'X') return undefined
  const status = Number(after[49])
  return (status & 0x7f) !== 0 ? `ended by signal ${status & 0x7f}` : `ended with exit status ${(status >> 8) & 0xff}`
}

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Already gone.
  }
}

function killAll(): void {
  for (const group of alive) kill(group)
}

function startTrouble(error: unknown, program: string): string {
  if (isErrno(error, 'ENOENT')) return `expected a program, found no file \`${clip(escapeText(program), 60)}\``
  if (isErrno(error, 'EACCES')) return 'the file is not executable (chmod +x, or name its interpreter first)'
  return escapeText(error instanceof Error ? error.message : String(error))
}

const isErrno = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException)?.code === code

/** A stranger's text, quoted, escaped and cut. */
export const quoted = (text: string): string => `\`${clip(escapeText(text), 80)}\``
