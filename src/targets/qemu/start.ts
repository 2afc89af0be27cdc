/**
 * Starting QEMU: its files, its pipes, its first answer.
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
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { type OpenOptions, TargetError } from '../../contract/index.ts'
import { killGroup, lastWords, oneLine } from './ending.ts'
import type { MachineFiles } from './machine.ts'

/** What to start. */
export interface Launch {
  readonly binary: string
  readonly ramBytes: number
  readonly image: Uint8Array
  /** What the CPU finds at its reset vector, 64 KiB; default: a halt. */
  readonly firmware?: Uint8Array
  /** QEMU writes its trace into a file of ours. */
  readonly trace?: boolean
  arguments(files: MachineFiles): string[]
}

/** What has been started. */
export interface Started {
  readonly child: ChildProcess
  readonly version: string
  readonly ram: number
  /** The trace, to be read; undefined when none was asked for. */
  readonly trace: number | undefined
  /** qtest in, qtest out, monitor in, monitor out; "in" is what QEMU reads. */
  readonly pipes: readonly [number, number, number, number]
  readonly stdoutFile: string
  readonly stderrFile: string
}

/** A start may take so many times as long as an answer: on a busy machine it takes seconds. */
const START_SHARE = 4

export const FIRMWARE_BYTES = 65536
/** Where the CPU starts, from the start of the BIOS: `cli; hlt; jmp` back to the halt. */
export const RESET_VECTOR = 0xfff0
const HALT = [0xfa, 0xf4, 0xeb, 0xfd]

let starts = 0

/** Starts QEMU and waits until it answers; fails with its last words when it does not. */
export async function start(launch: Launch, options: OpenOptions): Promise<Started> {
  const binary = find(launch.binary)
  if (binary === undefined) {
    const what = launch.binary.includes('/') ? `no program ${launch.binary}` : `${launch.binary} is not in PATH`
    throw new TargetError('address', `qemu: ${what}; install QEMU (Debian: apt-get install qemu-system-x86)`)
  }
  const run = `qemu-${process.pid}-${threadId}-${++starts}`
  const stdoutFile = join(options.directory, `${run}.stdout`)
  const stderrFile = join(options.directory, `${run}.stderr`)
  const folder = mkdtempSync(join(memoryFolder(), `iospec-qemu-${process.pid}-`))
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  process.on('exit', removeFolder)
  const opened: number[] = []
  let child: ChildProcess | undefined
  try {
    const at = (name: string): string => join(folder, name)
    const names = ['qtest.in', 'qtest.out', 'monitor.in', 'monitor.out'].map(at)
    makePipes(names)
    writeFileSync(at('bios'), launch.firmware ?? halting())
    writeFileSync(at('image'), launch.image)
    const ram = openSync(at('ram'), 'w+')
    opened.push(ram)
    ftruncateSync(ram, launch.ramBytes)
    const trace = launch.trace === true ? openSync(at('trace'), 'w+') : undefined
    if (trace !== undefined) opened.push(trace)
    // Both directions of each pipe at first: an open that names one direction waits for the other end.
    const both = names.map((name) => openSync(name, constants.O_RDWR | constants.O_NONBLOCK))
    opened.push(...both)
    child = launchChild(
      binary,
      [
        ...['-display', 'none', '-nodefaults', '-no-user-config', '-accel', 'tcg', '-bios', at('bios')],
        ...['-qtest', `pipe:${at('qtest')}`, '-qtest-log', '/dev/null'],
        ...['-chardev', `pipe,id=monitor,path=${at('monitor')}`, '-mon', 'chardev=monitor,mode=control'],
        ...launch.arguments({ bios: at('bios'), ram: at('ram'), image: at('image'), trace: at('trace') }),
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
    return { child, version, ram, trace, pipes, stdoutFile, stderrFile }
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
  const patienceMs = START_SHARE * options.timeoutMs
  const untilMs = performance.now() + patienceMs
  let text = ''
  for (;;) {
    options.heartbeat?.()
    text += readAvailable(from, chunk)
    if (text.includes('"return"')) break
    const words = lastWords(stderrFile)
    if (failure !== undefined) throw new TargetError('start', `qemu: cannot be started: ${failure.message}`, words)
    if (ended !== undefined) throw new TargetError('start', `qemu: ${ended} before it answered${oneLine(words)}`, words)
    if (performance.now() > untilMs) {
      throw new TargetError('start', `qemu: no answer within ${patienceMs} ms of its start${oneLine(words)}`, words)
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

function halting(): Buffer {
  const image = Buffer.alloc(FIRMWARE_BYTES, HALT[1])
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
