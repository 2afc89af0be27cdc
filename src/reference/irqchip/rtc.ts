/** The MC146818 of a PC: a clock, an alarm, a periodic interrupt, and memory that lasts; it drives line 8. */
import {
  AFTERNOON,
  ANY,
  CLOCK,
  DIVIDER,
  FLAG,
  FLAGS,
  RATE,
  REGISTER_B,
  REQUEST,
  RTC,
  RTC_BYTES,
  UPDATING,
  VALID,
} from '../../layout/rtc.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { readPorts, writePorts } from '../emulated/ports.ts'
import { decode } from '../plain.ts'

const ID = 'rtc'
const NS_PER_S = 1_000_000_000
const BASE_HZ = 32_768
/** The update is announced so long before it comes, in nanoseconds. */
const NOTICE_NS = 244_000
const INDEX_MASK = 0x7f

interface RtcState {
  bytes: Uint8Array
  index: number
  /** Time since the last update, and since the divider was started, in nanoseconds. */
  sinceUpdateNs: number
  sinceStartNs: number
  flags: number
  level: boolean
}

/** Midnight before Thursday, 1 January 2026, in BCD with 24 hours. */
const fresh = (): RtcState => {
  const bytes = new Uint8Array(RTC_BYTES)
  bytes[CLOCK.weekday] = 5
  bytes[CLOCK.day] = 1
  bytes[CLOCK.month] = 1
  bytes[CLOCK.year] = 0x26
  bytes[CLOCK.a] = DIVIDER.running | 6
  bytes[CLOCK.b] = REGISTER_B.hours24
  return { bytes, index: 0, sinceUpdateNs: 0, sinceStartNs: 0, flags: 0, level: false }
}

const periodNs = (rate: number): number => {
  // The two fastest settings are those of two slower ones.
  const shift = rate < 3 ? rate + 6 : rate - 1
  return rate === 0 ? Infinity : (NS_PER_S * 2 ** shift) / BASE_HZ
}

export class Rtc implements BoardPart {
  readonly describes = [{ id: ID, kind: 'mc146818', transport: { kind: 'port', base: RTC.index, irq: 8 } }] as const
  readonly base = RTC.index
  readonly count = 2
  readonly #emit: BoardServices['emit']
  #state = fresh()

  constructor({ emit }: Pick<BoardServices, 'emit'>) {
    this.#emit = emit
  }

  read(space: string, address: number, width: number): number | undefined {
    return readPorts(this, space, address, width)
  }

  write(space: string, address: number, width: number, value: number): boolean {
    return writePorts(this, space, address, width, value)
  }

  readByte(offset: number): number {
    const s = this.#state
    // The index is only written.
    if (offset === 0) return 0xff
    switch (s.index) {
      case CLOCK.a:
        return s.bytes[CLOCK.a]! | (this.#isUpdating() ? UPDATING : 0)
      case CLOCK.c: {
        const value = s.flags | (this.#requests() ? REQUEST : 0)
        s.flags = 0
        this.#update()
        return value
      }
      case CLOCK.d:
        return VALID
      default:
        return s.bytes[s.index]!
    }
  }

  writeByte(offset: number, value: number): void {
    const s = this.#state
    if (offset === 0) {
      // Bit 7 masks NMI, which nothing here makes.
      s.index = value & INDEX_MASK
      return
    }
    if (s.index === CLOCK.c || s.index === CLOCK.d) return
    const ran = this.#runs()
    s.bytes[s.index] = s.index === CLOCK.a ? value & ~UPDATING : value
    // Setting the clock ends the interrupt of its updates.
    if (s.index === CLOCK.b && (value & REGISTER_B.set) !== 0) s.bytes[CLOCK.b] = value & ~FLAG.update
    if (s.index === CLOCK.a && !ran) {
      s.sinceStartNs = 0
      // The first update comes half a second after the divider is started.
      s.sinceUpdateNs = NS_PER_S / 2
    }
    this.#update()
  }

  #runs(): boolean {
    return (this.#state.bytes[CLOCK.a]! & DIVIDER.mask) === DIVIDER.running
  }

  #isSet(): boolean {
    return (this.#state.bytes[CLOCK.b]! & REGISTER_B.set) !== 0
  }

  #isUpdating(): boolean {
    return this.#runs() && !this.#isSet() && this.#state.sinceUpdateNs >= NS_PER_S - NOTICE_NS
  }

  #requests(): boolean {
    return (this.#state.flags & this.#state.bytes[CLOCK.b]! & FLAGS) !== 0
  }

  advance(ns: number): void {
    if (!this.#runs()) return
    const s = this.#state
    const period = periodNs(s.bytes[CLOCK.a]! & RATE)
    if (Math.floor((s.sinceStartNs + ns) / period) > Math.floor(s.sinceStartNs / period)) s.flags |= FLAG.periodic
    s.sinceStartNs += ns
    s.sinceUpdateNs += ns
    for (; s.sinceUpdateNs >= NS_PER_S; s.sinceUpdateNs -= NS_PER_S) if (!this.#isSet()) this.#tick()
    this.#update()
  }

  #tick(): void {
    const s = this.#state
    this.#setTime(new Date(this.#time() + 1000))
    s.flags |= FLAG.update
    const matches = [CLOCK.seconds, CLOCK.minutes, CLOCK.hours].every((at) => {
      const alarm = s.bytes[at + 1]!
      return alarm >= ANY || alarm === s.bytes[at]
    })
    if (matches) s.flags |= FLAG.alarm
  }

  /** What the ten bytes say, as milliseconds of this century. */
  #time(): number {
    const { bytes } = this.#state
    const raw = bytes[CLOCK.hours]!
    const hours =
      (bytes[CLOCK.b]! & REGISTER_B.hours24) !== 0
        ? this.#decoded(raw)
        : (this.#decoded(raw & ~AFTERNOON) % 12) + ((raw & AFTERNOON) !== 0 ? 12 : 0)
    const at = (register: number): number => this.#decoded(bytes[register]!)
    return Date.UTC(
      ...([
        2000 + at(CLOCK.year),
        at(CLOCK.month) - 1,
        at(CLOCK.day),
        hours,
        at(CLOCK.minutes),
        at(CLOCK.seconds),
      ] as const),
    )
  }

  #setTime(time: Date): void {
    const { bytes } = this.#state
    const put = (register: number, value: number): void => void (bytes[register] = this.#encoded(value))
    const hours = time.getUTCHours()
    put(CLOCK.seconds, time.getUTCSeconds())
    put(CLOCK.minutes, time.getUTCMinutes())
    if ((bytes[CLOCK.b]! & REGISTER_B.hours24) !== 0) put(CLOCK.hours, hours)
    else bytes[CLOCK.hours] = this.#encoded(hours % 12 || 12) | (hours >= 12 ? AFTERNOON : 0)
    put(CLOCK.weekday, time.getUTCDay() + 1)
    put(CLOCK.day, time.getUTCDate())
    put(CLOCK.month, time.getUTCMonth() + 1)
    put(CLOCK.year, time.getUTCFullYear() % 100)
  }

  #isBinary(): boolean {
    return (this.#state.bytes[CLOCK.b]! & REGISTER_B.binary) !== 0
  }
  #decoded(byte: number): number {
    return this.#isBinary() ? byte : (byte >> 4) * 10 + (byte & 0xf)
  }
  #encoded(value: number): number {
    return this.#isBinary() ? value : Math.floor(value / 10) * 16 + (value % 10)
  }

  #update(): void {
    const s = this.#state
    const level = this.#requests()
    if (level === s.level) return
    s.level = level
    this.#emit({ kind: 'line', device: ID, pin: 0, level })
  }

  /** Time and memory last; enables and flags do not. */
  reset(): void {
    const { bytes } = this.#state
    bytes[CLOCK.b] = bytes[CLOCK.b]! & ~(FLAGS | REGISTER_B.squareWave)
    this.#state.flags = 0
    this.#state.index = 0
    this.#update()
  }

  save(): unknown {
    return { ...this.#state, bytes: this.#state.bytes.slice() }
  }

  restore(saved: unknown): void {
    this.#state = decode(saved) as RtcState
  }
}
