/**
 * The wire protocol: the target contract as JSON lines over a program's standard input and output.
 *
 * One request is one line and gets exactly one reply line, in order; the harness may send several requests before it
 * reads a reply. Requests are flat objects (one level, no lists), so that a program in C reads them with a scanner of
 * fifty lines. Addresses and 64-bit values are strings `"0x..."`, bytes are base64. A line holds at most
 * `LINE_BYTES_MAX` bytes. The program writes nothing else to standard output; standard error is free.
 *
 * A reply carries the `id` of its request, and either the result, or `error` (the request was refused; the text says
 * why), or `unsupported`. A line whose id cannot be read is answered with id 0. End of input means: end.
 */

import {
  address,
  bytes,
  either,
  fields,
  finite,
  flag,
  integer,
  type JsonSchema,
  listOf,
  mapOf,
  oneOf,
  tagged,
  text,
  u64,
} from './codec.ts'
import type { Description, Location, Settled, TargetEvent, Width } from './target.ts'

/** Version of the protocol: raised by every change that an adapter could notice. */
export const PROTOCOL = 1
/** Longest line, its line feed not counted. */
export const LINE_BYTES_MAX = 1 << 20
/** The harness loads and stores at most this much with one request. */
export const CHUNK_BYTES_MAX = 1 << 16

const id = integer(0)
const u32 = integer(0, 0xffff_ffff)
const device = text
const precision = oneOf('exact', 'at-least-once', 'none')
const access = oneOf('read', 'write')
const vector = integer(0, 255)
const delivery = oneOf('fixed', 'lowest', 'smi', 'nmi', 'init', 'startup', 'extint')
const space = oneOf('port', 'mmio', 'config', 'hypercall')
const resetKind = oneOf('system', 'bus', 'function', 'power-state', 'device')

/** What names the target of a CPU access; `vm` and `cpu` are left out when they are 0. */
const at = { space, address, width: oneOf(1, 2, 4, 8) }
const cpu = { vm: integer(0), cpu: integer(0) }

const call = <N extends string>(name: N) => ({ id: integer(1), call: oneOf(name) })

/** Requests, by their `call`. */
export const requests = {
  hello: fields({ ...call('hello'), protocol: integer(1) }),
  read: fields({ ...call('read'), ...at }, cpu),
  write: fields({ ...call('write'), ...at, value: u64 }, cpu),
  load: fields({ ...call('load'), gpa: address, bytes: integer(1, CHUNK_BYTES_MAX) }),
  store: fields({ ...call('store'), gpa: address, data: bytes }),
  events: fields(call('events')),
  settle: fields({ ...call('settle'), deadlineMs: integer(0) }),
  reset: fields({ ...call('reset'), kind: resetKind }),
  step: fields({ ...call('step'), device }),
  control: fields(
    { ...call('control'), device, do: oneOf('hold', 'release', 'release-one', 'fail', 'resize') },
    { order: oneOf('fifo', 'lifo'), index: integer(0), count: integer(0), sectors: integer(0) },
  ),
  setLine: fields({ ...call('setLine'), chip: text, pin: integer(0), level: flag }),
  message: fields({ ...call('message'), requester: integer(0, 0xffff), address, data: u32 }),
  acknowledge: fields({ ...call('acknowledge'), cpu: integer(0) }),
  endOfInterrupt: fields({ ...call('endOfInterrupt'), vector }),
  execute: fields({ ...call('execute'), cpu: integer(0), instruction: oneOf('sti', 'cli', 'hlt', 'nop') }),
  schedule: fields({
    ...call('schedule'),
    cpu: integer(0),
    to: oneOf('running', 'preempted', 'blocked'),
    host: integer(0),
  }),
  advance: fields({ ...call('advance'), ns: integer(0) }),
  dma: fields(
    { ...call('dma'), requester: integer(0, 0xffff), access, iova: u64, bytes: integer(1, CHUNK_BYTES_MAX) },
    { data: bytes, pasid: integer(0, 0xf_ffff), translated: flag },
  ),
  save: fields(call('save')),
  restore: fields({ ...call('restore'), state: bytes }),
  fingerprint: fields(call('fingerprint')),
  bye: fields(call('bye')),
} as const

export type Call = keyof typeof requests
export const request = tagged('call', requests)
export type Request = (typeof request)['_A']

const memoryRange = fields({ start: address, end: address })
const transport = tagged('kind', {
  pci: fields({
    kind: oneOf('pci'),
    bus: integer(0, 255),
    device: integer(0, 31),
    function: integer(0, 7),
  }),
  mmio: fields({ kind: oneOf('mmio'), base: address }, { irq: integer(0) }),
  port: fields({ kind: oneOf('port'), base: integer(0, 0xffff) }, { irq: integer(0) }),
  chip: fields({ kind: oneOf('chip'), inputs: integer(0) }, { base: address }),
})

const described = {
  name: text,
  version: text,
  vms: integer(1),
  cpus: integer(1),
  memory: listOf(memoryRange, 1),
  devices: listOf(fields({ id: text, kind: text, transport }, { facts: mapOf(either(text, either(finite, flag))) })),
  observes: fields({ dma: precision, msi: precision, line: precision, fault: precision }, { interrupt: precision }),
  can: fields(
    {
      step: flag,
      save: flag,
      migrate: flag,
      fingerprint: flag,
      resets: listOf(resetKind),
      controls: listOf(oneOf('hold', 'release', 'release-one', 'fail', 'resize')),
      synchronous: flag,
    },
    {
      lines: flag,
      message: flag,
      acknowledge: flag,
      endOfInterrupt: flag,
      execute: flag,
      schedule: flag,
      advance: flag,
      dma: flag,
    },
  ),
}

/** What a target tells about itself, as in `Description`; addresses are strings. */
export const description = fields(described, { issues: text })

/** One thing that the target shows, as in `TargetEvent`. */
export const event = tagged('kind', {
  msi: fields({ kind: oneOf('msi'), device, address, data: u32 }, { vector: integer(0, 0xffff) }),
  line: fields({ kind: oneOf('line'), device, pin: integer(0), level: flag }),
  dma: fields({ kind: oneOf('dma'), device, access, gpa: address, data: bytes }),
  fault: fields({ kind: oneOf('fault'), device, access, iova: text, bytes: integer(0) }),
  interrupt: fields({
    kind: oneOf('interrupt'),
    device,
    destination: u32,
    logical: flag,
    delivery,
    level: flag,
    vector,
  }),
  eoi: fields({ kind: oneOf('eoi'), device, vector }),
  taken: fields({ kind: oneOf('taken'), cpu: integer(0), vector }),
  wake: fields({ kind: oneOf('wake'), cpu: integer(0) }),
  exit: fields({ kind: oneOf('exit'), cpu: integer(0) }),
  livelock: fields({ kind: oneOf('livelock'), device, detail: text }),
  halted: fields({ kind: oneOf('halted'), detail: text }),
})

const done = fields({ id })

/** Replies to requests that were carried out, by the `call` of the request. */
export const replies = {
  hello: fields({ id, protocol: integer(1), ...described }, { issues: text }),
  read: fields({ id, value: u64 }),
  write: done,
  load: fields({ id, data: bytes }),
  store: done,
  events: fields({ id, events: listOf(event) }),
  settle: fields({ id, state: oneOf('quiet', 'busy', 'dead') }),
  reset: done,
  step: fields({ id, worked: flag }),
  control: done,
  setLine: done,
  message: done,
  acknowledge: fields({ id }, { vector }),
  endOfInterrupt: done,
  execute: done,
  schedule: done,
  advance: done,
  dma: fields({ id }, { moved: integer(0, CHUNK_BYTES_MAX), data: bytes }),
  save: fields({ id, state: bytes }),
  restore: done,
  fingerprint: fields({ id, fingerprint: text }),
  bye: done,
} as const satisfies Record<Call, unknown>

/** The reply to a request that was refused. */
export const failure = fields({ id, error: text })
/** The reply to a request that the program does not know or does not offer. */
export const unsupported = fields({ id, unsupported: oneOf(true) })

/** A request as it is sent. The codec is not consulted for the two that are sent most. */
export const lineOf = {
  read: (id: number, at: Location, width: Width): string => `{"id":${id},"call":"read",${location(at, width)}}\n`,
  write: (id: number, at: Location, width: Width, value: bigint): string =>
    `{"id":${id},"call":"write",${location(at, width)},"value":"0x${value.toString(16)}"}\n`,
  any: (message: Request): string => `${JSON.stringify(request.encode(message))}\n`,
}

function location(at: Location, width: Width): string {
  const vm = at.vm ? `,"vm":${at.vm}` : ''
  const cpu = at.cpu ? `,"cpu":${at.cpu}` : ''
  return `"space":"${at.space}","address":"0x${at.address.toString(16)}","width":${width}${vm}${cpu}`
}

/** The published schema of the protocol: `schema/protocol.schema.json` is this, and a test keeps it so. */
export function protocolSchema(): JsonSchema {
  const one = (name: string, codec: { readonly schema: JsonSchema }) => [name, { title: name, ...codec.schema }]
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: `iospec target protocol, version ${PROTOCOL}: one JSON object per line`,
    definitions: {
      request: {
        oneOf: Object.keys(requests).map((name) => ({ $ref: `#/definitions/requests/${name}` })),
      },
      requests: Object.fromEntries(Object.entries(requests).map(([name, codec]) => one(name, codec))),
      replies: Object.fromEntries(Object.entries(replies).map(([name, codec]) => one(name, codec))),
      failure: failure.schema,
      unsupported: unsupported.schema,
    },
    allOf: [{ $ref: '#/definitions/request' }],
  }
}

// The codecs and the contract say the same: each line fails to compile when one of them moves alone.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
true satisfies Same<(typeof description)['_A'], Description>
true satisfies Same<(typeof event)['_A'], TargetEvent>
true satisfies Same<(typeof replies.settle)['_A']['state'], Settled>
