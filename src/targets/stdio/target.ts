/** A target in another process, over the wire protocol. */

import type { Codec } from '../../contract/codec.ts'
import { decode } from '../../contract/explain.ts'
import {
  type Abilities,
  type Control,
  type Description,
  type DmaAccess,
  type DmaOutcome,
  type Instruction,
  type Location,
  type OpenOptions,
  type ResetKind,
  type Schedule,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../contract/target.ts'
import {
  type Call,
  CHUNK_BYTES_MAX,
  failure,
  LINE_BYTES_MAX,
  lineOf,
  PROTOCOL,
  type Request,
  replies,
  unsupported,
} from '../../contract/wire.ts'
import { LineProcess, quoted } from './line-process.ts'

/** Posted requests are sent together when they reach this size; a pipe holds twice as much. */
const BATCH_BYTES_MAX = 24 << 10
/** How long a program may take to end after `bye`. */
const GOODBYE_MS = 500

type ReplyOf<C extends Call> = (typeof replies)[C]['_A']

/** A posted request whose reply is still to come. */
interface Posted {
  readonly id: number
  readonly call: Call
  readonly what: string
}

export class StdioTarget implements Target {
  readonly #process: LineProcess
  readonly #options: OpenOptions
  #description!: Description
  #id = 0
  #batch = ''
  #posted: Posted[] = []
  /** Set by the first error after which the two sides no longer agree; every later call repeats it. */
  #broken: TargetError | undefined
  #closed = false

  declare step?: (device: string) => boolean
  declare control?: (device: string, control: Control) => void
  declare save?: () => Uint8Array
  declare restore?: (state: Uint8Array) => void
  declare fingerprint?: () => string
  declare setLine?: (chip: string, pin: number, level: boolean) => void
  declare message?: (requester: number, address: number, data: number) => void
  declare acknowledge?: (cpu: number) => number | undefined
  declare endOfInterrupt?: (vector: number) => void
  declare execute?: (cpu: number, instruction: Instruction) => void
  declare schedule?: (cpu: number, to: Schedule, host: number) => void
  declare advance?: (ns: number) => void
  declare dma?: (requester: number, access: DmaAccess) => DmaOutcome

  private constructor(process: LineProcess, options: OpenOptions) {
    this.#process = process
    this.#options = options
  }

  static async open(words: readonly string[], options: OpenOptions): Promise<StdioTarget> {
    const process = await LineProcess.start(words, options, LINE_BYTES_MAX)
    const target = new StdioTarget(process, options)
    try {
      await target.#handshake()
      return target
    } catch (error) {
      process.close(0)
      throw error
    }
  }

  async #handshake(): Promise<void> {
    const id = ++this.#id
    let line: string
    try {
      this.#process.send(lineOf.any({ id, call: 'hello', protocol: PROTOCOL }))
      line = await this.#process.receiveAsync()
    } catch (error) {
      if (error instanceof TargetError && (error.reason === 'dead' || error.reason === 'hang'))
        throw new TargetError('start', `${error.message}, before it answered \`hello\``, error.lastWords)
      throw error
    }
    // The version comes first: a reply of another version may look different in every other respect.
    const version = (parse(line) as { protocol?: unknown } | undefined)?.protocol
    if (Number.isInteger(version) && version !== PROTOCOL)
      throw this.#protocol(`expected protocol version ${PROTOCOL}, found ${version}`)
    const { id: _, protocol: __, ...description } = this.#understand('hello', id, line, 'hello')
    this.#description = description
    const { can } = description
    if (can.step) this.step = (device) => this.#ask('step', { device }).worked
    if (can.controls.length > 0) this.control = (device, control) => void this.#ask('control', { device, ...control })
    if (can.save) {
      this.save = () => this.#ask('save', {}).state
      this.restore = (state) => void this.#ask('restore', { state })
    }
    if (can.fingerprint) this.fingerprint = () => this.#ask('fingerprint', {}).fingerprint
    this.#offerInterrupts(can)
  }

  #offerInterrupts(can: Abilities): void {
    if (can.lines) this.setLine = (chip, pin, level) => void this.#ask('setLine', { chip, pin, level })
    if (can.message)
      this.message = (requester, address, data) => void this.#ask('message', { requester, address, data })
    if (can.acknowledge) this.acknowledge = (cpu) => this.#ask('acknowledge', { cpu }).vector
    if (can.endOfInterrupt) this.endOfInterrupt = (vector) => void this.#ask('endOfInterrupt', { vector })
    if (can.execute) this.execute = (cpu, instruction) => void this.#ask('execute', { cpu, instruction })
    if (can.schedule) this.schedule = (cpu, to, host) => void this.#ask('schedule', { cpu, to, host })
    if (can.advance) this.advance = (ns) => void this.#ask('advance', { ns })
    if (can.dma)
      this.dma = (requester, access) => {
        const { id: _, ...outcome } = this.#ask('dma', { requester, ...access })
        return this.#outcome(access, outcome)
      }
  }

  #outcome(access: DmaAccess, outcome: DmaOutcome): DmaOutcome {
    const { moved = 0, data } = outcome
    if (moved > access.bytes)
      throw this.#break(`expected at most ${access.bytes} bytes moved by \`dma\`, found ${moved}`)
    if (data !== undefined && data.length !== access.bytes)
      throw this.#break(`expected ${access.bytes} bytes from \`dma\`, found ${data.length}`)
    return outcome
  }

  describe(): Description {
    return this.#description
  }

  read(at: Location, width: Width): bigint {
    const id = this.#nextId()
    const { value } = this.#exchange('read', id, lineOf.read(id, at, width), () => `read ${place(at)}`)
    if (value >> BigInt(8 * width) !== 0n)
      throw this.#break(`expected at most ${width} bytes from \`read ${place(at)}\`, found 0x${value.toString(16)}`)
    return value
  }

  write(at: Location, width: Width, value: bigint): void {
    const id = this.#nextId()
    this.#post('write', id, lineOf.write(id, at, width, value), `write ${place(at)}`)
  }

  load(gpa: number, bytes: number): Uint8Array {
    const out = new Uint8Array(bytes)
    for (let offset = 0; offset < bytes; offset += CHUNK_BYTES_MAX) {
      const count = Math.min(CHUNK_BYTES_MAX, bytes - offset)
      const { data } = this.#ask('load', { gpa: gpa + offset, bytes: count })
      if (data.length !== count) throw this.#break(`expected ${count} bytes from \`load\`, found ${data.length}`)
      out.set(data, offset)
    }
    return out
  }

  store(gpa: number, data: Uint8Array): void {
    for (let offset = 0; offset < data.length; offset += CHUNK_BYTES_MAX) {
      const id = this.#nextId()
      const piece = data.subarray(offset, offset + CHUNK_BYTES_MAX)
      const line = lineOf.any({ id, call: 'store', gpa: gpa + offset, data: piece })
      this.#post('store', id, line, `store 0x${(gpa + offset).toString(16)}`)
    }
  }

  reset(kind: ResetKind): void {
    this.#ask('reset', { kind })
  }

  events(): TargetEvent[] {
    return [...this.#ask('events', {}).events]
  }

  settle(deadlineMs: number): Settled {
    if (this.#description.can.synchronous) {
      this.#flush()
      return 'quiet'
    }
    return this.#ask('settle', { deadlineMs }).state
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    let graceMs = 0
    try {
      if (!this.#broken) {
        this.#process.send(this.#batch + lineOf.any({ id: this.#nextId(), call: 'bye' }))
        graceMs = Math.min(GOODBYE_MS, this.#options.timeoutMs)
      }
    } catch {
      // It is going anyway.
    }
    this.#broken ??= new TargetError('poisoned', `\`${this.#process.title}\` is closed`)
    this.#process.close(graceMs)
  }

  #nextId(): number {
    if (this.#broken) throw this.#broken
    return ++this.#id
  }

  /** Sends a request with the next lot; its reply is looked at before the next answer is used. */
  #post(call: Call, id: number, line: string, what: string): void {
    this.#posted.push({ id, call, what })
    this.#batch += line
    if (this.#batch.length >= BATCH_BYTES_MAX) this.#send()
  }

  #ask<C extends Call>(call: C, fields: Omit<Extract<Request, { call: C }>, 'id' | 'call'>): ReplyOf<C> {
    const id = this.#nextId()
    return this.#exchange(call, id, lineOf.any({ ...fields, id, call } as unknown as Request), () => call)
  }

  #exchange<C extends Call>(call: C, id: number, line: string, what: () => string): ReplyOf<C> {
    this.#batch += line
    this.#send()
    return this.#guard(() => {
      const refusal = this.#collectPosted()
      const reply = this.#process.receive()
      if (refusal) throw refusal
      return this.#understand(call, id, reply, what())
    })
  }

  /** Waits until everything posted has been carried out. */
  #flush(): void {
    if (this.#posted.length === 0) return
    this.#send()
    const refusal = this.#guard(() => this.#collectPosted())
    if (refusal) throw refusal
  }

  #send(): void {
    const lines = this.#batch
    this.#batch = ''
    this.#guard(() => this.#process.send(lines))
  }

  /** All replies are read before the first refusal is reported: it does not upset the order of what follows. */
  #collectPosted(): TargetError | undefined {
    const posted = this.#posted
    this.#posted = []
    let refusal: TargetError | undefined
    for (const { id, call, what } of posted) {
      const line = this.#process.receive()
      if (line === `{"id":${id}}`) continue
      try {
        this.#understand(call, id, line, what)
      } catch (error) {
        if (!(error instanceof TargetError) || error.reason !== 'refused') throw error
        refusal ??= error
      }
    }
    return refusal
  }

  /** Decodes one reply line; everything that is not the expected reply becomes a `TargetError` that names the line. */
  #understand<C extends Call>(call: C, id: number, line: string, what: string): ReplyOf<C> {
    const message = parse(line)
    if (message === undefined)
      throw this.#protocol(`expected a JSON object as the reply to \`${what}\`, found the line ${quoted(line)}`)
    const found = (message as { id?: unknown }).id
    if (found !== id) {
      const other = found === undefined ? 'no id' : `id ${quoted(String(found))}`
      throw this.#protocol(`expected the reply to \`${what}\` with id ${id}, found ${other} in ${quoted(line)}`)
    }
    const reply = decode(replies[call] as unknown as Codec<ReplyOf<C>, unknown>, message)
    if (!reply.ok) {
      const refused = decode(failure, message)
      if (refused.ok) throw this.#refused(`refused \`${what}\`: ${quoted(refused.value.error)}`)
      if (unsupported.is(message)) throw this.#refused(`does not support \`${what}\``)
      throw this.#protocol(`reply to \`${what}\`: ${reply.why}`)
    }
    return reply.value
  }

  #guard<T>(body: () => T): T {
    if (this.#broken) throw this.#broken
    try {
      return body()
    } catch (error) {
      if (error instanceof TargetError && error.reason !== 'refused') this.#broken = error
      throw error
    }
  }

  #break(message: string): TargetError {
    return (this.#broken = this.#protocol(message))
  }

  #protocol(message: string): TargetError {
    return new TargetError('protocol', `\`${this.#process.title}\`: ${message}`, this.#process.lastWords())
  }

  #refused(message: string): TargetError {
    return new TargetError('refused', `\`${this.#process.title}\` ${message}`, this.#process.lastWords())
  }
}

const place = (at: Location): string => `${at.space} 0x${at.address.toString(16)}`

function parse(line: string): object | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
