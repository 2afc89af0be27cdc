/** Recorded traces: JSON lines, a header and then what happened, read one line at a time. */
import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { fields, integer, mapOf, matching, oneOf, text } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import { actionName, scalarJson } from './counterexample.ts'
import { UsageError } from './exit.ts'
import { decodeText } from './files.ts'
import { SCHEMA_VERSION } from './types.ts'

/** The first line. */
const logHeader = fields(
  {
    schemaVersion: oneOf(SCHEMA_VERSION),
    machine: matching('a machine such as "split-queue"', /^[a-z][a-z0-9-]*$/),
    target: fields({ name: text, version: text }),
  },
  { kind: oneOf('log'), scope: fields({ name: text }, { bounds: mapOf(integer(0)) }) },
)
export type LogHeader = (typeof logHeader)['_A']

/** Something that was done or seen; the action says by whom. `by` is for people. */
const logAction = fields(
  { action: actionName, args: mapOf(scalarJson) },
  { by: oneOf('us', 'target', 'driver', 'device', 'backend'), note: text, at: text },
)
/** Nothing is under way: whatever is owed should have come. */
const logQuiet = fields({ quiet: oneOf(true) })
/** Everything starts anew, as after power-on. */
const logRestart = fields({ restart: oneOf(true) })
/** Steps of a schedule, as in the trace of a counterexample: a rest is quiet. */
const logSchedule = fields({ by: oneOf('schedule'), do: oneOf('step', 'settle', 'save') }, { count: integer(0) })

type LogEntry =
  | { readonly kind: 'action'; readonly action: string; readonly args: Readonly<Record<string, unknown>> }
  | { readonly kind: 'quiet' | 'restart' | 'nothing' }

export interface LogLine {
  /** From 1. */
  readonly number: number
  readonly entry: LogEntry
}

/** A line longer than this is no line of a log. */
const LINE_MAX = 1 << 20

/** Opens a log; the lines are decoded as they are taken. A bad one is a `UsageError` with its number. */
export const readLog = (file: string): { readonly header: LogHeader; readonly lines: Generator<LogLine> } => {
  const raw = rawLines(file)
  const first = raw.next()
  if (first.done) throw new UsageError(`${preview(file)}: expected a header and lines after it, found an empty file`)
  const header = decodeText(`${preview(file)}, line 1`, first.value.text, logHeader, 'the header of a log')
  return { header, lines: entries(file, raw) }
}

function* entries(file: string, raw: Generator<{ number: number; text: string }>): Generator<LogLine> {
  for (const { number, text: line } of raw) {
    if (line.trim() === '') continue
    yield { number, entry: entryOf(`${preview(file)}, line ${number}`, line) }
  }
}

const entryOf = (where: string, line: string): LogEntry => {
  const what = 'a line of a log'
  if (line.includes('"quiet"') && !line.includes('"action"')) {
    decodeText(where, line, logQuiet, what)
    return { kind: 'quiet' }
  }
  if (line.includes('"restart"') && !line.includes('"action"')) {
    decodeText(where, line, logRestart, what)
    return { kind: 'restart' }
  }
  if (/"by"\s*:\s*"schedule"/.test(line)) {
    const step = decodeText(where, line, logSchedule, what)
    return { kind: step.do === 'settle' ? 'quiet' : 'nothing' }
  }
  const { action, args } = decodeText(where, line, logAction, what)
  return { kind: 'action', action, args }
}

function* rawLines(file: string): Generator<{ number: number; text: string }> {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${preview(file)}: expected a log, found ${code === 'ENOENT' ? 'no file' : String(code)}`)
  }
  try {
    const chunk = Buffer.allocUnsafe(1 << 16)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    let number = 0
    for (;;) {
      const count = readChunk(file, descriptor, chunk)
      if (count === 0) break
      const lines = (rest + decoder.write(chunk.subarray(0, count))).split('\n')
      rest = lines.pop()!
      for (const line of lines) yield { number: ++number, text: line }
      if (rest.length > LINE_MAX)
        throw new UsageError(
          `${preview(file)}, line ${number + 1}: expected at most ${LINE_MAX} characters, found more`,
        )
    }
    rest += decoder.end()
    if (rest !== '') yield { number: number + 1, text: rest }
  } finally {
    closeSync(descriptor)
  }
}

const readChunk = (file: string, descriptor: number, chunk: Buffer): number => {
  try {
    return readSync(descriptor, chunk, 0, chunk.length, null)
  } catch (error) {
    throw new UsageError(`${preview(file)}: cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
}
