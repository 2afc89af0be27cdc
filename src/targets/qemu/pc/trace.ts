/**
 * What QEMU's own trace shows of its interrupt chips: each message as it arrives at the local APICs, each broadcast of
 * an end of interrupt, each change of a line of the board. It is a bus analyser: exact, and in order.
 */

import { ftruncateSync, readSync } from 'node:fs'

/** One line of the trace. */
export type Traced =
  | {
      readonly kind: 'message'
      readonly destination: number
      readonly logical: boolean
      readonly delivery: number
      readonly vector: number
      readonly level: boolean
    }
  | { readonly kind: 'eoi'; readonly vector: number }
  | { readonly kind: 'gsi'; readonly gsi: number; readonly level: boolean }

/** The events that are switched on. */
export const TRACE_EVENTS = ['apic_deliver_irq', 'ioapic_eoi_broadcast', 'x86_gsi_interrupt'] as const

const MESSAGE = /apic_deliver_irq dest (\d+) dest_mode (\d+) delivery_mode (\d+) vector (\d+) trigger_mode (\d+)/
const BROADCAST = /ioapic_eoi_broadcast EOI broadcast for vector (\d+)/
const GSI = /x86_gsi_interrupt GSI interrupt #(\d+) level:(\d+)/

/** The file is emptied when it has grown by so much. */
const KEPT_BYTES = 1 << 20

export class Trace {
  readonly #file: number
  readonly #chunk = Buffer.allocUnsafe(16384)
  #position = 0
  #emptied = 0
  #text = ''

  constructor(file: number) {
    this.#file = file
  }

  /** What was traced since the last call. */
  take(): Traced[] {
    for (;;) {
      const count = readSync(this.#file, this.#chunk, 0, this.#chunk.length, this.#position)
      if (count === 0) break
      this.#position += count
      this.#text += this.#chunk.toString('latin1', 0, count)
    }
    if (this.#text === '') return []
    const lines = this.#text.split('\n')
    this.#text = lines.pop()!
    if (this.#position - this.#emptied > KEPT_BYTES) {
      // QEMU goes on where it was: what it has written becomes a hole.
      this.#emptied = this.#position
      ftruncateSync(this.#file, 0)
    }
    return lines.flatMap((line) => read(line) ?? [])
  }
}

function read(line: string): Traced | undefined {
  const message = MESSAGE.exec(line)
  if (message !== null) {
    const [destination, mode, delivery, vector, trigger] = message.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ]
    return { kind: 'message', destination, logical: mode === 1, delivery, vector, level: trigger === 1 }
  }
  const broadcast = BROADCAST.exec(line)
  if (broadcast !== null) return { kind: 'eoi', vector: Number(broadcast[1]) }
  const gsi = GSI.exec(line)
  return gsi === null ? undefined : { kind: 'gsi', gsi: Number(gsi[1]), level: gsi[2] !== '0' }
}
