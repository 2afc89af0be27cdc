/**
 * An I/O APIC: inputs become messages as its redirection entries say. A level interrupt is sent once until its end
 * comes; the end clears remote IRR at once, and what follows from it is worked off step by step.
 */
import type { DeviceDescription, Space, TargetEvent } from '../../contract/index.ts'
import { DESTINATION, DIRECTED_EOI, ENTRY, INDEX, IOAPIC, WRITABLE } from '../../layout/ioapic.ts'
import type { BoardPart } from '../board.ts'
import {
  deliveryOf,
  type Entry,
  freshEntry,
  type IoapicParts,
  type IoapicState,
  isAsserted,
  isLevel,
  isMasked,
  REST_NS,
} from './ioapic-state.ts'

export type InterruptMessage = Extract<TargetEvent, { kind: 'interrupt' }>

export interface IoapicOptions {
  readonly parts: IoapicParts
  /** Where its messages go. */
  send(message: InterruptMessage): void
  /**
   * Inputs of sources that hold their line back while their interrupt is in service, until they are told of its end: devices of a
   * host, passed through to a guest, whose own interrupts stay masked meanwhile.
   */
  readonly masking?: readonly number[]
  readonly id?: string
  readonly base?: number
  readonly inputs?: number
  /** 0x11 is the original part; 0x20 has an EOI register. */
  readonly version?: number
}

/** Bytes that its registers take. */
const SPAN = 0x100
const ID_BITS = 0x0f00_0000

export class Ioapic implements BoardPart {
  readonly describes: readonly DeviceDescription[]
  readonly #options: IoapicOptions
  readonly #id: string
  readonly #base: number
  readonly #inputs: number
  readonly #version: number
  #state: IoapicState

  constructor(options: IoapicOptions) {
    const { id = 'ioapic', base = 0xfec0_0000, inputs = 24, version = DIRECTED_EOI } = options
    this.#options = options
    this.#id = id
    this.#base = base
    this.#inputs = inputs
    this.#version = version
    this.#state = this.#fresh()
    this.describes = [
      {
        id,
        kind: 'ioapic',
        transport: { kind: 'chip', inputs, base },
        // Lines carry voltages: an entry that is active low asserts at `false`.
        facts: { polarity: 'electrical', version },
      },
    ]
  }

  #fresh(): IoapicState {
    return { select: 0, id: 0, entries: Array.from({ length: this.#inputs }, freshEntry), endings: [] }
  }

  /** A register answers to any width at its own address; what lies in between reads as zero. */
  read(space: Space, address: number): number | undefined {
    const offset = this.#offset(space, address)
    if (offset === undefined) return undefined
    if (offset === IOAPIC.select) return this.#state.select
    return offset === IOAPIC.window ? this.#readIndexed(this.#state.select) : 0
  }

  write(space: Space, address: number, width: number, value: number): boolean {
    const offset = this.#offset(space, address)
    if (offset === undefined) return false
    if (offset === IOAPIC.select) this.#state.select = value & 0xff
    else if (offset === IOAPIC.window && width === 4) this.#writeIndexed(this.#state.select, value >>> 0)
    else if (offset === IOAPIC.eoi && this.#version >= DIRECTED_EOI) this.endOfInterrupt(value & 0xff)
    return true
  }

  #offset(space: Space, address: number): number | undefined {
    const offset = address - this.#base
    return space === 'mmio' && offset >= 0 && offset < SPAN ? offset : undefined
  }

  #readIndexed(index: number): number {
    const { entries, id } = this.#state
    if (index === INDEX.id || index === INDEX.arbitration) return id
    if (index === INDEX.version) return ((this.#inputs - 1) << 16) | this.#version
    const entry = entries[(index - INDEX.entries) >> 1]
    if (entry === undefined) return 0
    return (index & 1) === 0 ? entry.low : entry.high
  }

  #writeIndexed(index: number, value: number): void {
    if (index === INDEX.id) this.#state.id = value & ID_BITS
    const pin = (index - INDEX.entries) >> 1
    const entry = this.#state.entries[pin]
    if (entry === undefined) return
    if ((index & 1) === 1) {
      entry.high = (value >>> DESTINATION) << DESTINATION
      return
    }
    const inService = this.#options.parts.remoteIrrAfter(entry.low, value)
    entry.low = (value & WRITABLE) | (inService ? ENTRY.remoteIrr : 0)
    // What its source waits for will not come any more.
    if (!isLevel(entry)) this.#tellOwner(pin)
    if (this.#options.parts.isServedWhenWritten()) this.#serve(pin)
  }

  setLine(id: string, pin: number, level: boolean): boolean {
    const entry = id === this.#id ? this.#state.entries[pin] : undefined
    if (entry === undefined) return false
    if (entry.line === level) return true
    entry.line = level
    if (!isAsserted(entry)) {
      entry.resends = entry.rest = 0
      return true
    }
    if (!isLevel(entry)) entry.latched ||= !isMasked(entry) || this.#options.parts.keepsMaskedEdge()
    this.#serve(pin)
    return true
  }

  endOfInterrupt(vector: number): void {
    const { entries, endings } = this.#state
    for (const pin of this.#options.parts.endedBy(entries, vector)) {
      const entry = entries[pin]!
      entry.low &= ~ENTRY.remoteIrr
      entry.ending = true
      endings.push({ pin, phase: 'tellOwner' })
    }
  }

  /** The oldest end of an interrupt is worked off a little further. Requests may come in between. */
  step(): boolean {
    const ending = this.#state.endings.shift()
    if (ending === undefined) return false
    const { pin, phase } = ending
    const entry = this.#state.entries[pin]!
    if (phase === 'tellOwner') {
      this.#state.endings.unshift({ pin, phase: 'resend' })
      this.#tellOwner(pin)
    } else {
      if (this.#options.parts.isRequestedAgain(entry)) this.#send(pin)
      entry.ending = false
    }
    return true
  }

  /** What was held back is sent when its time has come. */
  advance(ns: number): void {
    for (const [pin, entry] of this.#state.entries.entries()) {
      entry.resends = 0
      if (entry.rest === 0) continue
      entry.rest = Math.max(0, entry.rest - ns)
      if (entry.rest === 0) this.#serve(pin)
    }
  }

  #tellOwner(pin: number): void {
    const entry = this.#state.entries[pin]!
    if (!entry.held || !this.#options.parts.tellsOwner()) return
    entry.held = false
    this.#serve(pin)
  }

  #serve(pin: number): void {
    if (this.#options.parts.isRequested(this.#state.entries[pin]!)) this.#send(pin)
  }

  #send(pin: number): void {
    const entry = this.#state.entries[pin]!
    if (entry.ending && (entry.rest > 0 || this.#options.parts.givesWay(++entry.resends))) {
      entry.rest ||= REST_NS
      entry.resends = 0
      return
    }
    const level = isLevel(entry)
    entry.latched = false
    entry.rest = 0
    if (level) entry.low |= ENTRY.remoteIrr
    this.#emit(entry, level)
    entry.held = level && (this.#options.masking?.includes(pin) ?? false)
  }

  /** A reserved delivery mode is sent to nobody. */
  #emit(entry: Entry, level: boolean): void {
    const delivery = deliveryOf(entry)
    if (delivery === undefined) return
    this.#options.send({
      kind: 'interrupt',
      device: this.#id,
      ...this.#options.parts.addressed(entry),
      delivery,
      level,
      vector: entry.low & ENTRY.vector,
    })
  }

  reset(): void {
    this.#state = this.#fresh()
  }

  save(): unknown {
    return this.#state
  }

  restore(state: unknown): void {
    this.#state = state as IoapicState
  }
}
