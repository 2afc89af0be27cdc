/** The part of the adapter check that looks at the lines themselves. */

import type { CheckResult } from './check.ts'
import { decode, preview } from './explain.ts'
import { failure, lineOf, PROTOCOL, type Request, replies, unsupported } from './wire.ts'

/** An adapter, spoken to in lines. */
export interface RawWire {
  /** Sends text that consists of whole lines. */
  send(text: string): void
  /** The next line; throws when none comes in time or the adapter has ended. */
  receive(): string
  /** Closes its input; whether it ended by itself within `graceMs`, and how. Kills it otherwise. */
  close(graceMs: number): string | undefined
}

export type OpenRaw = () => Promise<RawWire>

/** How long an adapter may take to end. */
const END_MS = 2000
/** Requests that are sent before the first reply is read. */
const PIPELINED = 500

/** Lines that are no request, with what is wrong with each. */
const MALFORMED: readonly (readonly [line: string, what: string])[] = [
  ['garbage', 'no JSON'],
  ['{"id":', 'cut JSON'],
  ['[]', 'a list'],
  ['7', 'a number'],
  ['{}', 'no field at all'],
  ['', 'an empty line'],
  ['{"id":5}', 'no call'],
  ['{"id":6,"call":7}', 'a call that is a number'],
  ['{"call":"events"}', 'no id'],
  ['{"id":8,"call":"read","space":"mmio"}', 'missing fields'],
  ['{"id":9,"call":"load","gpa":"zero","bytes":1}', 'an address that is none'],
  ['{"id":10,"call":"store","gpa":"0x0","data":"?"}', 'bytes that are no base64'],
]

type Look = (wire: RawWire) => string

const LOOKS: readonly (readonly [name: string, look: Look])[] = [
  ['wire: ids are echoed', idsAreEchoed],
  ['wire: an unknown request is unsupported', unknownRequest],
  ['wire: a malformed line is refused, and the adapter goes on', malformedLines],
  ['wire: many requests may be sent at once', pipelining],
  ['wire: bye ends it', byeEnds],
  ['wire: the end of input ends it', endOfInputEnds],
]

/** One fresh adapter per look; `told` puts an error into one line. */
export async function checkWire(open: OpenRaw, told: (error: unknown) => string): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for (const [name, look] of LOOKS) {
    let wire: RawWire | undefined
    try {
      wire = await open()
      greet(wire)
      results.push({ name, verdict: 'ok', detail: look(wire) })
    } catch (error) {
      results.push({ name, verdict: 'broken', detail: error instanceof WireBroken ? error.message : told(error) })
    } finally {
      wire?.close(0)
    }
  }
  return results
}

class WireBroken extends Error {}

function broken(expected: string, line: string): never {
  throw new WireBroken(`expected ${expected}, found the line ${preview(line)}`)
}

function ask(wire: RawWire, message: Request): string {
  wire.send(lineOf.any(message))
  return wire.receive()
}

const greet = (wire: RawWire): string => {
  const line = ask(wire, { id: 1, call: 'hello', protocol: PROTOCOL })
  if (!decode(replies.hello, json(line)).ok) broken('the reply to `hello`', line)
  return line
}

function expectEvents(wire: RawWire, id: number): void {
  const line = ask(wire, { id, call: 'events' })
  const reply = decode(replies.events, json(line))
  if (!reply.ok || reply.value.id !== id) broken(`the reply to \`events\` with id ${id}`, line)
}

function idsAreEchoed(wire: RawWire): string {
  const ids = [17, 4, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]
  for (const id of ids) expectEvents(wire, id)
  return ids.join(', ')
}

function unknownRequest(wire: RawWire): string {
  wire.send('{"id":23,"call":"no-such-call","some":"0x1","more":true}\n')
  const line = wire.receive()
  const reply = decode(unsupported, json(line))
  if (!reply.ok || reply.value.id !== 23) broken('`{"id":23,"unsupported":true}`', line)
  expectEvents(wire, 24)
  return 'unsupported'
}

function malformedLines(wire: RawWire): string {
  for (const [malformed, what] of MALFORMED) {
    wire.send(`${malformed}\n`)
    const line = wire.receive()
    if (!decode(failure, json(line)).ok) broken(`an \`error\` for ${what}`, line)
    expectEvents(wire, 99)
  }
  return `${MALFORMED.length} malformed lines`
}

function pipelining(wire: RawWire): string {
  wire.send(Array.from({ length: PIPELINED }, (_, i) => lineOf.any({ id: i + 2, call: 'events' })).join(''))
  for (let id = 2; id < PIPELINED + 2; id++) {
    const line = wire.receive()
    if ((json(line) as { id?: unknown } | undefined)?.id !== id) broken(`the reply with id ${id}`, line)
  }
  return `${PIPELINED} replies in order`
}

function byeEnds(wire: RawWire): string {
  const line = ask(wire, { id: 2, call: 'bye' })
  if (!decode(replies.bye, json(line)).ok) broken('the reply to `bye`', line)
  return ended(wire, 'after `bye`')
}

function endOfInputEnds(wire: RawWire): string {
  return ended(wire, 'after its input was closed')
}

function ended(wire: RawWire, when: string): string {
  const how = wire.close(END_MS)
  if (how === undefined) throw new WireBroken(`expected the adapter to end ${when}, found it still running`)
  if (!/status 0$/.test(how)) throw new WireBroken(`expected exit status 0 ${when}, found that it ${how}`)
  return how
}

function json(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
