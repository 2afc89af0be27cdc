/**
 * The qtest protocol (QEMU `docs/devel/qtest.rst`): one command a line, one answer a line, pipelined.
 *
 * A command whose answer does not matter is only queued; it is sent together with the next one whose answer does. So
 * order is always the program's order, and a set-up of twenty writes costs one round trip.
 */

import { TargetError } from '../../contract/index.ts'
import type { LinePipe } from './pipe.ts'

/** An edge of an intercepted interrupt line. */
export interface LineEdge {
  readonly gsi: number
  readonly level: boolean
}

/** Both directions have to fit the buffer of a pipe, or both ends could block. */
const QUEUED_BYTES_MAX = 16384
const QUEUED_COMMANDS_MAX = 512

export class Qtest {
  readonly #pipe: LinePipe
  readonly #meanwhile: (() => void) | undefined
  #queued = ''
  #owed = 0
  /** Commands that were queued so far, and those of them whose answers are told to somebody, in their order. */
  #posted = 0
  #told: { readonly number: number; readonly then: (answer: string) => void }[] = []
  #edges: LineEdge[] = []

  /** `meanwhile` is called while QEMU is at work on what it was sent. */
  constructor(pipe: LinePipe, meanwhile?: () => void) {
    this.#pipe = pipe
    this.#meanwhile = meanwhile
  }

  /** Queues a command. */
  post(command: string): void {
    this.#queue(command)
    if (this.#owed >= QUEUED_COMMANDS_MAX || this.#queued.length >= QUEUED_BYTES_MAX) this.drain()
  }

  /** Queues a command whose answer is told to `then` once it is there, as what it says after `OK`. */
  postFor(command: string, then: (answer: string) => void): void {
    this.#told.push({ number: this.#posted, then })
    this.post(command)
  }

  /** Sends a command after all that are queued, and returns what its answer says after `OK`. */
  ask(command: string): string {
    this.#queue(command)
    return this.#collect()
  }

  /** Returns when every command that was queued has been carried out. */
  drain(): void {
    if (this.#owed > 0) this.#collect()
  }

  /** Edges of intercepted lines since the last call, oldest first. */
  takeEdges(): LineEdge[] {
    if (this.#edges.length === 0) return []
    const edges = this.#edges
    this.#edges = []
    return edges
  }

  #queue(command: string): void {
    this.#queued += `${command}\n`
    this.#owed++
    this.#posted++
  }

  /** Sends what is queued, waits for all answers, and returns the last one. */
  #collect(): string {
    const text = this.#queued
    this.#queued = ''
    this.#pipe.send(text)
    this.#meanwhile?.()
    let last = ''
    while (this.#owed > 0) {
      const line = this.#pipe.line()
      if (line.startsWith('OK')) {
        if (this.#told[0]?.number === this.#posted - this.#owed) this.#told.shift()!.then(line.slice(3))
        this.#owed--
        last = line
      } else {
        this.#other(line, text)
      }
    }
    return last.slice(3)
  }

  #other(line: string, sent: string): void {
    const edge = /^IRQ (raise|lower) ([0-9]+)$/.exec(line)
    if (edge === null) {
      throw new TargetError(
        'protocol',
        `qemu: expected OK from qtest, found ${JSON.stringify(line.slice(0, 200))} after ${JSON.stringify(sent.slice(-200))}`,
      )
    }
    this.#edges.push({ gsi: Number(edge[2]), level: edge[1] === 'raise' })
  }
}
