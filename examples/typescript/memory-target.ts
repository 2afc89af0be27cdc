/**
 * What every synchronous target in one process does alike: guest memory, events, and its state as bytes.
 * Copy this file beside a device; nothing in it knows what the device is, and nothing of iospec is imported but types.
 */

import { createHash } from 'node:crypto'
import type { TargetEvent } from 'iospec/target'

/** The driver asked for what no device can carry out, for example to use an address that is no memory. */
export class BrokenDriver extends Error {}

/** `State` is plain data; bigints are welcome. Bytes that are not guest memory go into `media`. */
export abstract class MemoryTarget<State extends object> {
  protected abstract state: State
  protected readonly ram: Buffer
  protected readonly media: Buffer
  readonly #events: TargetEvent[] = []

  constructor(ramBytes: number, mediaBytes: number) {
    this.ram = Buffer.alloc(ramBytes)
    this.media = Buffer.alloc(mediaBytes)
  }

  load = (gpa: number, bytes: number): Uint8Array => Uint8Array.from(this.memory(gpa, bytes))
  store = (gpa: number, data: Uint8Array): void => this.memory(gpa, data.length).set(data)
  events = (): TargetEvent[] => this.#events.splice(0)
  settle = () => 'quiet' as const
  close(): void {}

  save(): Uint8Array {
    const state = JSON.stringify(this.state, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
    return Buffer.concat([this.ram, this.media, Buffer.from(state)])
  }

  restore(saved: Uint8Array): void {
    const bytes = Buffer.from(saved)
    const stateAt = this.ram.length + this.media.length
    bytes.copy(this.ram, 0, 0, this.ram.length)
    bytes.copy(this.media, 0, this.ram.length, stateAt)
    this.state = JSON.parse(bytes.toString('utf8', stateAt), (_, value) =>
      typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
    )
    this.#events.length = 0
  }

  fingerprint = (): string => createHash('sha256').update(this.save()).digest('hex')

  /** Guest memory as the device sees it; a range that leaves it is the driver's fault. */
  protected memory(gpa: number, bytes: number): Buffer {
    if (gpa + bytes > this.ram.length) throw new BrokenDriver(`expected memory, found 0x${gpa.toString(16)}+${bytes}`)
    return this.ram.subarray(gpa, gpa + bytes)
  }

  protected happened(event: TargetEvent): void {
    this.#events.push(event)
  }
}
