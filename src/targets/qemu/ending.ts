/** How a child ends, and what it said last. */

import type { ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { constants } from 'node:os'

/** How a process ended: its exit status, or the number of the signal. */
interface Ending {
  readonly code: number
  readonly signal: number
}

const LAST_WORDS_BYTES = 2000
/** How long the kernel may take to turn a process whose pipes are closed into one that has ended. */
const ENDING_MS = 500

/**
 * Waits for the end of a child that is known to be ending, and says how it ended. Node's own `exit` event would need an
 * event loop that turns.
 */
export function endOf(child: ChildProcess): string {
  return describe(waitForEnd(child))
}

function waitForEnd(child: ChildProcess): Ending | undefined {
  const untilMs = performance.now() + ENDING_MS
  for (;;) {
    const { exitCode, signalCode } = child
    if (exitCode !== null) return { code: exitCode, signal: 0 }
    if (signalCode !== null) return { code: 0, signal: constants.signals[signalCode] }
    const ending = fromProcessTable(child.pid!)
    if (ending !== 'running') return ending
    if (performance.now() > untilMs) return undefined
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
  }
}

/** From the process table: a process that ended stays there until Node's event loop has collected it. */
function fromProcessTable(pid: number): Ending | undefined | 'running' {
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

function describe(ending: Ending | undefined): string {
  if (ending === undefined) return 'ended'
  return ending.signal !== 0 ? `was ended by signal ${ending.signal}` : `exited with status ${ending.code}`
}

/** The end of what a child printed into `file`. */
export function lastWords(file: string): string {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return ''
  }
  try {
    const tail = Buffer.alloc(LAST_WORDS_BYTES)
    const count = readSync(descriptor, tail, 0, tail.length, Math.max(0, fstatSync(descriptor).size - tail.length))
    // A file that was emptied while it is written has a hole before what was written since.
    return tail.toString('utf8', 0, count).replaceAll('\0', '').trim()
  } finally {
    closeSync(descriptor)
  }
}

/** The last line of that, made fit for an error message: what a target prints may contain control sequences. */
export function oneLine(words: string): string {
  const line = words.split('\n').at(-1)!
  return line === '' ? '' : `: ${line.slice(0, 300).replaceAll(/[^\x20-\x7e]/g, '?')}`
}

/** A child that Node has collected is left alone: its number may belong to somebody else by now. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
