/** The 8254 of a PC: counter 0 drives line 0, counter 2 the speaker, whose gate and output are in port 0x61. */
import { GATE, NO_COUNT, NO_STATUS, PIT, PIT_COUNTERS, PIT_HZ } from '../../layout/pit.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import {
  type CounterState,
  freshCounter,
  latchCount,
  latchStatus,
  outputOf,
  program,
  readCount,
  run,
  setGate,
  writeCount,
} from './pit-counter.ts'

const ID = 'pit'
const NS_PER_S = 1e9
/** Between two refreshes of memory, in nanoseconds. */
const REFRESH_NS = 15_085

interface PitState {
  counters: CounterState[]
  /** What was written to port 0x61. */
  port61: number
  nowNs: number
  /** Clocks that are over. */
  clocks: number
  level: boolean
}

const fresh = (): PitState => ({
  // The gate of counter 2 is a bit of port 0x61, the others are always open.
  counters: Array.from({ length: PIT_COUNTERS }, (_, i) => freshCounter(i < 2)),
  port61: 0,
  nowNs: 0,
  clocks: 0,
  level: false,
})

export class Pit implements BoardPart {
  readonly describes = [{ id: ID, kind: 'i8254', transport: { kind: 'port', base: PIT.counters, irq: 0 } }] as const
  readonly #emit: BoardServices['emit']
  #state = fresh()

  constructor({ emit }: Pick<BoardServices, 'emit'>) {
    this.#emit = emit
  }

  /** Registers are a byte wide: of a wider access the rest reads as ones. */
  read(space: string, address: number, width: number): number | undefined {
    const value = space === 'port' ? this.#read(address) : undefined
    return value === undefined ? undefined : value + (2 ** (8 * width) - 0x100)
  }

  #read(port: number): number | undefined {
    const { counters, port61, nowNs } = this.#state
    if (port === PIT.gate)
      return (
        (port61 & GATE.written) |
        (Math.floor(nowNs / REFRESH_NS) % 2 === 1 ? GATE.refresh : 0) |
        (outputOf(counters[2]!) ? GATE.output2 : 0)
      )
    // The control port is only written.
    if (port === PIT.control) return 0xff
    const counter = counters[port - PIT.counters]
    return counter === undefined ? undefined : readCount(counter)
  }

  write(space: string, address: number, _width: number, value: number): boolean {
    if (space !== 'port') return false
    const byte = value & 0xff
    const counter = this.#state.counters[address - PIT.counters]
    if (address === PIT.gate) {
      this.#state.port61 = byte & GATE.written
      setGate(this.#state.counters[2]!, (byte & GATE.counter2) !== 0)
    } else if (address === PIT.control) this.#command(byte)
    else if (counter !== undefined) writeCount(counter, byte)
    else return false
    this.#update()
    return true
  }

  #command(word: number): void {
    const { counters } = this.#state
    // A command that names no counter is a read-back.
    const named = counters[word >> 6]
    if (named !== undefined) {
      program(named, word)
      return
    }
    for (const [i, counter] of counters.entries()) {
      if (((word >> (i + 1)) & 1) === 0) continue
      if ((word & NO_COUNT) === 0) latchCount(counter)
      if ((word & NO_STATUS) === 0) latchStatus(counter)
    }
  }

  advance(ns: number): void {
    const s = this.#state
    s.nowNs += ns
    const clocks = Math.floor((s.nowNs / NS_PER_S) * PIT_HZ)
    for (const [i, counter] of s.counters.entries())
      run(counter, clocks - s.clocks, i === 0 ? () => this.#update() : () => {})
    s.clocks = clocks
  }

  #update(): void {
    const s = this.#state
    const level = outputOf(s.counters[0]!)
    if (level === s.level) return
    s.level = level
    this.#emit({ kind: 'line', device: ID, pin: 0, level })
  }

  reset(): void {
    this.#state = { ...fresh(), level: this.#state.level }
    this.#update()
  }

  save(): unknown {
    // Plain data has no undefined: what is absent is null.
    const counters = this.#state.counters.map((counter) =>
      Object.fromEntries(Object.entries(counter).map(([name, value]) => [name, value ?? null])),
    )
    return { ...this.#state, counters }
  }

  restore(saved: unknown): void {
    const state = saved as PitState
    const counters = state.counters.map(
      (counter) =>
        Object.fromEntries(Object.entries(counter).map(([name, value]) => [name, value ?? undefined])) as never,
    )
    this.#state = { ...state, counters }
  }
}
