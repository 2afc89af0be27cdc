/** One blocking byte stream in each direction, to a process that may die at any moment. */

import { readSync, writeSync } from 'node:fs'

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
  #text = ''

  /** `input` is read from, `output` is written to. */
  constructor(input: number, output: number, peer: Peer) {
    this.#in = input
    this.#out = output
    this.#peer = peer
  }

  send(text: string): void {
    // A short text, as nearly all are, needs no buffer of its own.
    const short = text.length <= this.#written.length
    const bytes = short ? this.#written : Buffer.from(text, 'latin1')
    const length = short ? bytes.write(text, 'latin1') : bytes.length
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
      const end = this.#text.indexOf('\n')
      if (end >= 0) {
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 1)
        return line
      }
      const startMs = performance.now()
      this.#peer.heartbeat()
      const count = readSync(this.#in, this.#chunk, 0, this.#chunk.length, null)
      this.#peer.heartbeat()
      if (count === 0) throw this.#peer.gone(startMs)
      this.#text += this.#chunk.toString('latin1', 0, count)
    }
  }
}
