/** One blocking byte stream in each direction, to a process that may die at any moment. */

import { readSync, writeSync } from 'node:fs'

const NEWLINE = 0x0a
const [LETTER_O, LETTER_K] = [0x4f, 0x4b]

/** What a pipe needs to know about the other end. */
export interface Peer {
  /** Called before and after each call that may block. */
  heartbeat(): void
  /** The error to throw: the other end is gone, after a call that blocked since `startMs`. */
  gone(startMs: number): Error
}

/** Lines of text over two file descriptors that block. */
export class LinePipe {
  readonly #in: number
  readonly #out: number
  readonly #peer: Peer
  readonly #chunk = Buffer.allocUnsafe(65536)
  readonly #written = Buffer.allocUnsafe(4096)
  /** What is left of the chunk: `[from, to)`. */
  #from = 0
  #to = 0
  /** Of a line whose end is still to come. */
  #begun = ''

  /** `input` is read from, `output` is written to. */
  constructor(input: number, output: number, peer: Peer) {
    this.#in = input
    this.#out = output
    this.#peer = peer
  }

  send(text: string): void {
    // A short text, as nearly all are, needs no buffer of its own.
    const { length } = text
    const short = length <= this.#written.length
    const bytes = short ? this.#written : Buffer.from(text, 'latin1')
    // The encoders of Node cost more than so few letters.
    if (short) for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i)
    const startMs = performance.now()
    this.#peer.heartbeat()
    try {
      for (let sent = 0; sent < length; ) sent += writeSync(this.#out, bytes, sent, length - sent)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') throw this.#peer.gone(startMs)
      throw error
    } finally {
      this.#peer.heartbeat()
    }
  }

  /** The next line without its end; waits for it. */
  line(): string {
    for (;;) {
      for (let end = this.#from; end < this.#to; end++) {
        if (this.#chunk[end] !== NEWLINE) continue
        const line = this.#upTo(end)
        this.#from = end + 1
        this.#begun = ''
        return line
      }
      this.#begun = this.#upTo(this.#to)
      this.#from = this.#to = 0
      const startMs = performance.now()
      this.#peer.heartbeat()
      const count = readSync(this.#in, this.#chunk, 0, this.#chunk.length, null)
      this.#peer.heartbeat()
      if (count === 0) throw this.#peer.gone(startMs)
      this.#to = count
    }
  }

  /** What was begun, and the chunk up to `end`. */
  #upTo(end: number): string {
    const { length } = this.#begun
    // Nearly all lines are these two letters.
    if (length === 0 && end - this.#from === 2 && this.#chunk[this.#from] === LETTER_O) {
      if (this.#chunk[this.#from + 1] === LETTER_K) return 'OK'
    }
    return this.#from === end ? this.#begun : this.#begun + this.#chunk.toString('latin1', this.#from, end)
  }
}
