/**
 * A QEMU process: its files, its start and its end.
 *
 * Guest memory, image, BIOS and pipes live in one folder on a memory file system, and the folder is removed as soon as
 * QEMU has opened everything in it, so that nothing is left behind however the run ends.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  accessSync,
  closeSync,
  constants,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { constants as signalNumbers, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type OpenOptions, TargetError } from '../../contract/index.ts'
import type { MachineFiles } from './machine.ts'
import { LinePipe, type Peer } from './pipe.ts'

/** What to start. */
export interface Launch {
  readonly binary: string
  readonly ramBytes: number
  readonly image: Uint8Array
  arguments(files: MachineFiles): string[]
}

/** How a process ended. */
interface Ending {
  readonly code: number
  readonly signal: number
}

const BIOS_BYTES = 65536
/** Where the CPU starts, from the start of the BIOS: `cli; hlt; jmp` back to the halt. */
const RESET_VECTOR = 0xfff0
const HALT = [0xfa, 0xf4, 0xeb, 0xfd]
const LAST_WORDS_BYTES = 2000
/** How long the kernel may take to turn a process whose pipes are closed into one that has ended. */
const ENDING_MS = 500

const live = new Set<ChildProcess>()
let files = 0

/** A running QEMU. */
export class QemuProcess implements Peer {
  readonly version: string
  readonly qtest: LinePipe
  readonly monitor: LinePipe
  /** File descriptor of guest memory: offset is GPA. */
  readonly ram: number
  /** What QEMU prints, in a file. */
  readonly stdoutFile: string
  readonly #child: ChildProcess
  readonly #stderrFile: string
  readonly #descriptors: readonly number[]
  readonly #options: OpenOptions
  #closed = false

  private constructor(started: Started, options: OpenOptions) {
    this.version = started.version
    this.ram = started.ram
    this.stdoutFile = started.stdoutFile
    this.#child = started.child
    this.#stderrFile = started.stderrFile
    this.#descriptors = [started.ram, ...started.pipes]
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

  gone(startMs: number): TargetError {
    const waitedMs = performance.now() - startMs
    const words = lastWords(this.#stderrFile)
    if (this.#options.killed?.() ?? waitedMs >= this.#options.timeoutMs) {
      return new TargetError('hang', `qemu: no answer for ${Math.round(waitedMs)} ms, so it was killed`, words)
    }
    return new TargetError('dead', `qemu: the process ${describeEnding(this.#ending())}${oneLine(words)}`, words)
  }

  /** Kills the process group and releases everything. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    live.delete(this.#child)
    if (live.size === 0) process.off('exit', killAll)
    killGroup(this.#child)
    for (const descriptor of this.#descriptors) closeSync(descriptor)
    this.#ending()
  }

  /** Waits for the end of a process that is known to be ending. Node's own `exit` event needs an event loop that turns. */
  #ending(): Ending | undefined {
    const untilMs = performance.now() + ENDING_MS
    for (;;) {
      const { exitCode, signalCode } = this.#child
      if (exitCode !== null) return { code: exitCode, signal: 0 }
      if (signalCode !== null) return { code: 0, signal: signalNumbers.signals[signalCode] }
      const ending = endingOf(this.pid)
      if (ending !== 'running') return ending
      if (performance.now() > untilMs) return undefined
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

interface Started {
  readonly child: ChildProcess
  readonly version: string
  readonly ram: number
  /** qtest in, qtest out, monitor in, monitor out; "in" is what QEMU reads. */
  readonly pipes: readonly [number, number, number, number]
  readonly stdoutFile: string
  readonly stderrFile: string
}

async function start(launch: Launch, options: OpenOptions): Promise<Started> {
  const binary = find(launch.binary)
  if (binary === undefined) {
    const what = launch.binary.includes('/') ? `no program ${launch.binary}` : `${launch.binary} is not in PATH`
    throw new TargetError('start', `qemu: ${what}; install QEMU (Debian: apt-get install qemu-system-x86)`)
  }
  const number = ++files
  const stdoutFile = join(options.directory, `qemu-${process.pid}-${number}.stdout`)
  const stderrFile = join(options.directory, `qemu-${process.pid}-${number}.stderr`)
  const folder = mkdtempSync(join(memoryFolder(), 'iospec-qemu-'))
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  process.on('exit', removeFolder)
  const opened: number[] = []
  let child: ChildProcess | undefined
  try {
    const at = (name: string): string => join(folder, name)
    const names = ['qtest.in', 'qtest.out', 'monitor.in', 'monitor.out'].map(at)
    makePipes(names)
    writeFileSync(at('bios'), bios())
    writeFileSync(at('image'), launch.image)
    const ram = openSync(at('ram'), 'w+')
    opened.push(ram)
    ftruncateSync(ram, launch.ramBytes)
    // Both directions of each pipe at first: an open that names one direction waits for the other end.
    const both = names.map((name) => openSync(name, constants.O_RDWR | constants.O_NONBLOCK))
    opened.push(...both)
    child = launchChild(
      binary,
      [
        ...['-display', 'none', '-nodefaults', '-no-user-config', '-accel', 'tcg', '-bios', at('bios')],
        ...['-qtest', `pipe:${at('qtest')}`, '-qtest-log', '/dev/null'],
        ...['-chardev', `pipe,id=monitor,path=${at('monitor')}`, '-mon', 'chardev=monitor,mode=control'],
        ...launch.arguments({ bios: at('bios'), ram: at('ram'), image: at('image') }),
      ],
      [stdoutFile, stderrFile],
    )
    if (child.pid !== undefined) options.onProcessGroup?.(child.pid)
    const version = await greet(child, both[2]!, both[3]!, stderrFile, options)
    // One direction each from now on, so that the death of QEMU reads as the end of the file.
    const pipes = names.map((name) => {
      const descriptor = openSync(name, name.endsWith('.in') ? 'w' : 'r')
      opened.push(descriptor)
      return descriptor
    }) as [number, number, number, number]
    for (const descriptor of both) {
      closeSync(descriptor)
      opened.splice(opened.indexOf(descriptor), 1)
    }
    return { child, version, ram, pipes, stdoutFile, stderrFile }
  } catch (error) {
    if (child !== undefined) killGroup(child)
    for (const descriptor of opened) closeSync(descriptor)
    throw error
  } finally {
    process.off('exit', removeFolder)
    removeFolder()
  }
}

/** Waits for the greeting and for the first command, which is answered when everything has been opened. */
async function greet(
  child: ChildProcess,
  to: number,
  from: number,
  stderrFile: string,
  options: OpenOptions,
): Promise<string> {
  let failure: Error | undefined
  let ended: string | undefined
  child.on('error', (error) => (failure = error))
  child.on('exit', (code, signal) => (ended = signal === null ? `exited with status ${code}` : `ended by ${signal}`))
  writeSync(to, `${JSON.stringify({ execute: 'qmp_capabilities' })}\n`)
  const chunk = Buffer.alloc(65536)
  const untilMs = performance.now() + options.timeoutMs
  let text = ''
  for (;;) {
    options.heartbeat?.()
    text += readAvailable(from, chunk)
    if (text.includes('"return"')) break
    const words = lastWords(stderrFile)
    if (failure !== undefined) throw new TargetError('start', `qemu: cannot be started: ${failure.message}`, words)
    if (ended !== undefined) throw new TargetError('start', `qemu: ${ended} before it answered${oneLine(words)}`, words)
    if (performance.now() > untilMs) {
      throw new TargetError(
        'start',
        `qemu: no answer within ${options.timeoutMs} ms of its start${oneLine(words)}`,
        words,
      )
    }
    await sleep(1)
  }
  const version = /"micro": *([0-9]+), *"minor": *([0-9]+), *"major": *([0-9]+)/.exec(text)
  const distribution = /"package": *"([^"]*)"/.exec(text)?.[1] ?? ''
  const numbers = version === null ? 'unknown' : `${version[3]}.${version[2]}.${version[1]}`
  return distribution === '' ? numbers : `${numbers} (${distribution})`
}

function launchChild(binary: string, flags: readonly string[], output: readonly [string, string]): ChildProcess {
  const [stdout, stderr] = output.map((file) => openSync(file, 'w'))
  // Where there is setpriv, the kernel itself ends QEMU together with us.
  const guard = find('setpriv')
  const [program, before] = guard === undefined ? [binary, []] : [guard, ['--pdeathsig', 'KILL', binary]]
  try {
    const child = spawn(program, [...before, ...flags], { detached: true, stdio: ['ignore', stdout!, stderr!] })
    child.unref()
    return child
  } finally {
    closeSync(stdout!)
    closeSync(stderr!)
  }
}

function makePipes(names: readonly string[]): void {
  const made = spawnSync('mkfifo', names, { encoding: 'utf8' })
  if (made.status !== 0) {
    throw new TargetError('start', `qemu: mkfifo failed: ${made.error?.message ?? made.stderr.trim()}`)
  }
}

function bios(): Buffer {
  const image = Buffer.alloc(BIOS_BYTES, HALT[1])
  image.set(HALT, RESET_VECTOR)
  return image
}

/** A folder in memory where there is one. */
function memoryFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

function find(program: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const places = program.includes('/') ? [program] : folders.map((folder) => join(folder, program))
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function readAvailable(descriptor: number, chunk: Buffer): string {
  try {
    return chunk.toString('latin1', 0, readSync(descriptor, chunk, 0, chunk.length, null))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
    throw error
  }
}

/** From the process table: a process that ended stays there until Node's event loop has collected it. */
function endingOf(pid: number): Ending | undefined | 'running' {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields[0] !== 'Z' && fields[0] !== 'X') return 'running'
  const status = Number(fields.at(-1))
  return { code: (status >> 8) & 0xff, signal: status & 0x7f }
}

function describeEnding(ending: Ending | undefined): string {
  if (ending === undefined) return 'ended'
  return ending.signal !== 0 ? `was ended by signal ${ending.signal}` : `exited with status ${ending.code}`
}

function lastWords(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-LAST_WORDS_BYTES).trim()
  } catch {
    return ''
  }
}

function oneLine(words: string): string {
  const line = words.split('\n').at(-1)!
  return line === '' ? '' : `: ${line.slice(0, 300)}`
}

/** A child that Node has collected is left alone: its number may belong to somebody else by now. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function killAll(): void {
  for (const child of live) killGroup(child)
}
