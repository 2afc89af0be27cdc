/** The MSI-X entries of a function as its driver programs them: each has two messages, of which it holds one. */
import type { Args } from '../../kernel/language/index.ts'
import { NO_VECTOR } from '../../layout/virtio.ts'
import type { Message, Msix } from '../guest/msix.ts'
import type { Subject } from './subject.ts'

/** All 64 bits of the address and all 32 of the data are sent. */
const ABOVE_4_GIB = 0x21_0000_0008
const DATA_HIGH = 0x8001_0100

export class Messages {
  readonly msix: Msix
  readonly #subject: Subject
  /** Entries that events are mapped to. */
  readonly #count: number
  /** Both messages of each vector, and which of them the entry holds. */
  #messages: Message[][] = []
  #editions: number[] = []
  #mode = { enabled: false, masked: false }

  constructor(subject: Subject, msix: Msix, count: number) {
    this.#subject = subject
    this.msix = msix
    this.#count = count
  }

  /** Every entry gets its first message; those of events are masked, and MSI-X is off. */
  program(): void {
    const { msix } = this
    this.#messages = Array.from({ length: this.#count }, (_, v) => {
      const address = msix.placeOf(v)
      return [
        { address, data: v + 1 },
        { address: address + (msix.inMemory ? 8 : ABOVE_4_GIB), data: DATA_HIGH + v + 1 },
      ]
    })
    this.#editions = this.#messages.map(() => 0)
    this.switchOff()
    for (let v = 0; v < this.#count; v++) {
      msix.mask(v, true)
      msix.setMessage(v, this.#messages[v]![0]!)
    }
    // No event is ever mapped to the others: what they send is a stray.
    for (let v = this.#count; v < msix.vectors; v++) {
      msix.setMessage(v, { address: msix.placeOf(v), data: v + 1 })
      msix.mask(v, false)
    }
  }

  switchOff(): void {
    this.control({ enabled: false, masked: false })
  }
  control(change: { readonly enabled?: boolean; readonly masked?: boolean }): void {
    this.#mode = { ...this.#mode, ...change }
    this.msix.control(this.#mode.enabled, this.#mode.masked)
  }

  /** What it remembers of a run. */
  notes(): readonly unknown[] {
    return [this.#editions, this.#mode]
  }

  /** Gives an entry its other message. */
  rewrite(vector: number): void {
    this.#editions[vector] = 1 - this.#editions[vector]!
    this.msix.setMessage(vector, this.#messages[vector]![this.#editions[vector]!]!)
  }

  /** The same by accesses of eight bytes: whether they work. */
  rewriteWide(vector: number): Args {
    this.#editions[vector] = 1 - this.#editions[vector]!
    return { same: this.msix.setMessageWide(vector, this.#messages[vector]![this.#editions[vector]!]!) }
  }

  /** Writes where software has nothing to write: whether table and pending bits read as before. */
  trespass(write: () => void): Args {
    const before = this.msix.contents()
    write()
    return { kept: this.msix.contents() === before }
  }

  /** Maps the event to a vector, to none, or to one beyond the table: what the register reads after that. */
  map(vector: number): Args {
    const read = this.#subject.map(vector)
    const isSame = read === vector && (vector < this.msix.vectors || vector === NO_VECTOR)
    return { reads: isSame ? 'asWritten' : read === NO_VECTOR ? 'noVector' : 'other' }
  }

  /** What a driver finds after a reset. */
  fresh(): Args {
    const all = Array.from({ length: this.msix.vectors }, (_, v) => v)
    return {
      enabled: this.msix.isEnabled(),
      masked: all.every((v) => this.msix.isMasked(v)),
      pending: all.some((v) => this.msix.pending(v)),
    }
  }

  /** What the table holds for an entry. */
  entry(vector: number): Args {
    const held = this.msix.readMessage(vector)
    const edition = this.#messages[vector]!.findIndex((each) => isSame(each, held))
    return { vector, masked: this.msix.isMasked(vector), edition: edition < 0 ? undefined : edition }
  }

  /** Which entry sends such a message, and in which edition. */
  recognise(message: Message): Args {
    const vector = this.#messages.findIndex((editions) => editions.some((each) => isSame(each, message)))
    if (vector < 0) return { vector: 0, edition: 0, stray: true }
    return { vector, edition: this.#messages[vector]!.findIndex((each) => isSame(each, message)), stray: false }
  }
}

const isSame = (a: Message, b: Message): boolean => a.address === b.address && a.data === b.data
