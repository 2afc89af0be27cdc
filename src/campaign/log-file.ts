/** Recorded traces: JSON lines, a header and then what happened, read piece by piece. */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { setImmediate as otherWork, setTimeout as sleep } from 'node:timers/promises'
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
/** Between looks at a pipe with nothing in it. */
const NAP_MS = 10

interface Log {
  readonly header: LogHeader
  /** In pieces, between which others are let in: signals, above all. */
  readonly pieces: AsyncGenerator<Iterable<LogLine>>
}

/** Opens a log; the lines are decoded as they are taken. A bad one is a `UsageError` with its number. */
export const readLog = async (file: string, signal?: AbortSignal): Promise<Log> => {
  const raw = rawPieces(file, signal)
  try {
    const first = await raw.next()
    const [line] = first.done ? [] : first.value
    if (line === undefined) {
      const found = signal?.aborted ? 'an interruption' : 'an empty file'
      throw new UsageError(`${preview(file)}: expected a header and lines after it, found ${found}`)
    }
    const header = decodeText(`${preview(file)}, line 1`, line.text, logHeader, 'the header of a log')
    return { header, pieces: pieces(file, first.value!.slice(1), raw) }
  } catch (error) {
    await raw.return(undefined)
    throw error
  }
}

async function* pieces(
  file: string,
  first: readonly RawLine[],
  others: AsyncGenerator<readonly RawLine[]>,
): Log['pieces'] {
  yield entries(file, first)
  for await (const raw of others) yield entries(file, raw)
}

function* entries(file: string, raw: readonly RawLine[]): Generator<LogLine> {
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

interface RawLine {
  readonly number: number
  readonly text: string
}

/** Whole lines, one or more at a time; ends early when it is told to. */
async function* rawPieces(file: string, signal?: AbortSignal): AsyncGenerator<readonly RawLine[]> {
  let descriptor: number
  try {
    // A pipe whose writer is slow must not keep this thread.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
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
      await otherWork()
      if (signal?.aborted) return
      const count = readChunk(file, descriptor, chunk)
      if (count === 0) break
      if (count === undefined) {
        await sleep(NAP_MS)
        continue
      }
      const lines = (rest + decoder.write(chunk.subarray(0, count))).split('\n')
      rest = lines.pop()!
      if (lines.length > 0) yield lines.map((line) => ({ number: ++number, text: line }))
      if (rest.length > LINE_MAX)
        throw new UsageError(
          `${preview(file)}, line ${number + 1}: expected at most ${LINE_MAX} characters, found more`,
        )
    }
    rest += decoder.end()
    if (rest !== '') yield [{ number: number + 1, text: rest }]
  } finally {
    closeSync(descriptor)
  }
}

/** Undefined when there is nothing yet. */
const readChunk = (file: string, descriptor: number, chunk: Buffer): number | undefined => {
  try {
    return readSync(descriptor, chunk, 0, chunk.length, null)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EAGAIN') return undefined
    throw new UsageError(`${preview(file)}: cannot be read: ${code}`)
  }
}
