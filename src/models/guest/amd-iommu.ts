/**
 * An AMD-Vi unit as a guest drives it (AMD IOMMU 3.08, chapters 2 and 3). It pokes and reads and checks nothing: entries,
 * commands and events are dwords, in any shape.
 */
import type { Gpa } from '../../contract/target.ts'
import {
  AMD,
  AMD_COMMAND,
  AMD_CONTROL,
  AMD_EVENT,
  AMD_EVENT_FLAGS,
  AMD_PAGE,
  AMD_PAGE_HIGH,
  AMD_RANGE,
  AMD_STATUS,
  AMD_WAIT,
  DEVICE_ENTRY,
  DEVICE_ENTRY_FLAGS,
  DEVICE_ENTRY_HIGH,
  RING,
} from '../../layout/amd-iommu.ts'
import { type Guest, place } from './access.ts'
import { type Dwords, storeDwords } from './vtd-registers.ts'

const PAGE_BYTES = 4096
/** Rings of one page: the shortest that there are. */
const RING_ENTRIES = 2 ** RING.LENGTH_MIN
const RING_BYTES = RING_ENTRIES * RING.entryBytes

interface EntryFields {
  readonly valid?: boolean
  readonly translates?: boolean
  readonly levels?: number
  readonly table?: Gpa
  readonly domain?: number
  readonly read?: boolean
  readonly write?: boolean
  readonly deviceTlb?: boolean
  readonly quiet?: boolean
  readonly reserved?: boolean
}
/** An entry of the device table. */
export const deviceEntry = ({ table = 0, domain = 0, levels = 0, ...flags }: EntryFields): Dwords => [
  ((table % 2 ** 32) |
    (flags.valid === false ? 0 : DEVICE_ENTRY.VALID) |
    (flags.translates === false ? 0 : DEVICE_ENTRY.TRANSLATION) |
    (flags.reserved === true ? DEVICE_ENTRY.RESERVED & -DEVICE_ENTRY.RESERVED : 0) |
    (levels << DEVICE_ENTRY.MODE_SHIFT)) >>>
    0,
  Math.floor(table / 2 ** 32) |
    (flags.read === false ? 0 : DEVICE_ENTRY_HIGH.READ) |
    (flags.write === false ? 0 : DEVICE_ENTRY_HIGH.WRITE),
  domain,
  (flags.deviceTlb === true ? DEVICE_ENTRY_FLAGS.DEVICE_TLB : 0) |
    (flags.quiet === true ? DEVICE_ENTRY_FLAGS.SUPPRESS_ALL : 0),
  ...[0, 0, 0, 0],
]

interface PageFields {
  readonly address: Gpa
  /** `AMD_PAGE.NEXT_MASK`. */
  readonly next?: number
  readonly read?: boolean
  readonly write?: boolean
  readonly reserved?: boolean
}
/** An entry of a page table. */
export const pageEntry = ({ address, next = 0, ...flags }: PageFields): Dwords => [
  ((address % 2 ** 32) | AMD_PAGE.PRESENT | (next << AMD_PAGE.NEXT_SHIFT)) >>> 0,
  Math.floor(address / 2 ** 32) |
    (flags.read === false ? 0 : AMD_PAGE_HIGH.READ) |
    (flags.write === false ? 0 : AMD_PAGE_HIGH.WRITE) |
    (flags.reserved === true ? 1 << 20 : 0),
]
export const ABSENT_PAGE: Dwords = [0, 0]

/** The address of an aligned block of `bytes`, at least 8 KiB, which tells its size: all bits below its upper half but the offset. */
export const sizedAddress = (address: number, bytes: number): number => address + bytes / 2 - PAGE_BYTES

/** The third and the fourth dword of an invalidation of `bytes` from `address`; undefined: of everything. */
const rangeOf = (range: { readonly address: number; readonly bytes: number } | undefined): [number, number] => {
  if (range === undefined) return [0xffff_f000 | AMD_RANGE.SIZED, 0x7fff_ffff]
  const isSized = range.bytes > PAGE_BYTES
  const at = isSized ? sizedAddress(range.address, range.bytes) : range.address
  return [(at % 2 ** 32) + (isSized ? AMD_RANGE.SIZED : 0), Math.floor(at / 2 ** 32)]
}

const kind = (code: number): number => (code << AMD_COMMAND.KIND_SHIFT) >>> 0
export interface AmdWait {
  readonly store?: { readonly at: Gpa; readonly value: number }
  readonly interrupt?: boolean
  readonly flush?: boolean
}
export const waitCommand = ({ store, interrupt = false, flush = false }: AmdWait): Dwords => [
  (((store?.at ?? 0) % 2 ** 32) |
    (store === undefined ? 0 : AMD_WAIT.STORE) |
    (interrupt ? AMD_WAIT.INTERRUPT : 0) |
    (flush ? AMD_WAIT.FLUSH : 0)) >>>
    0,
  kind(AMD_COMMAND.WAIT) + Math.floor((store?.at ?? 0) / 2 ** 32),
  store?.value ?? 0,
  0,
]
export const entryCommand = (requester: number): Dwords => [requester, kind(AMD_COMMAND.ENTRY), 0, 0]
export interface PagesScope {
  readonly domain: number
  /** Aligned to its size, a power of two; all pages otherwise. */
  readonly range?: { readonly address: number; readonly bytes: number }
  readonly directories?: boolean
}
export const pagesCommand = ({ domain, range, directories = true }: PagesScope): Dwords => {
  const [low, high] = rangeOf(range)
  return [0, kind(AMD_COMMAND.PAGES) + domain, (low | (directories ? AMD_RANGE.DIRECTORIES : 0)) >>> 0, high]
}
/** Of the TLB of a device: all that it holds. */
export const deviceTlbCommand = (requester: number, queue = 0): Dwords => {
  const [low, high] = rangeOf(undefined)
  return [(requester | (1 << 24)) >>> 0, kind(AMD_COMMAND.DEVICE_TLB) + queue, low >>> 0, high]
}
export const allCommand: Dwords = [0, kind(AMD_COMMAND.ALL), 0, 0]

/** An event, as it was logged. */
export interface AmdEventSeen {
  /** `AMD_EVENT`. */
  readonly kind: number
  readonly requester: number
  readonly domain: number
  readonly write: boolean
  readonly page: number
  /** The whole address. */
  readonly address: number
}

export class AmdUnit {
  readonly #guest: Guest
  readonly #base: Gpa
  readonly #commands: Gpa
  readonly #events: Gpa
  #tail = 0
  #seen = 0
  #given = 0

  /** Rings of one page each. */
  constructor(guest: Guest, base: Gpa, commands: Gpa, events: Gpa) {
    this.#guest = guest
    this.#base = base
    this.#commands = commands
    this.#events = events
  }

  #read(register: number): number {
    return this.#guest.read32(place('mmio', this.#base + register))
  }
  #write(register: number, value: number): void {
    this.#guest.write64(place('mmio', this.#base + register), value)
  }

  /** Rings that are empty, and a device table of so many pages; everything is on. */
  start(table: Gpa, pages: number): void {
    this.#guest.target.store(this.#events, new Uint8Array(RING_BYTES))
    this.#control(0, AMD_CONTROL.COMMANDS | AMD_CONTROL.EVENTS | AMD_CONTROL.ENABLE)
    this.setDeviceTable(table, pages)
    for (const [register, at] of [[AMD.commands, this.#commands] as const, [AMD.events, this.#events] as const])
      this.#write(register, at + RING.LENGTH_MIN * 2 ** (32 + RING.LENGTH_SHIFT))
    for (const register of [AMD.commandHead, AMD.commandTail, AMD.eventHead, AMD.eventTail]) this.#write(register, 0)
    this.#tail = this.#seen = this.#given = 0
    this.#control(AMD_CONTROL.COMMANDS | AMD_CONTROL.EVENTS | AMD_CONTROL.WAIT_INTERRUPT | AMD_CONTROL.ENABLE, 0)
  }
  setDeviceTable(table: Gpa, pages: number): void {
    this.#write(AMD.deviceTable, table + pages - 1)
  }
  enable(on: boolean): void {
    this.#control(on ? AMD_CONTROL.ENABLE : 0, on ? 0 : AMD_CONTROL.ENABLE)
  }
  #control(set: number, clear: number): void {
    this.#write(AMD.control, ((this.#read(AMD.control) & ~clear) | set) >>> 0)
  }

  push(command: Dwords): void {
    storeDwords(this.#guest, this.#commands + this.#tail, command)
    this.#tail = (this.#tail + RING.entryBytes) % RING_BYTES
  }
  ring(): void {
    this.#write(AMD.commandTail, this.#tail)
  }
  /** Where the next command goes. */
  get tail(): number {
    return this.#tail
  }
  commandAddress(tail: number): Gpa {
    return this.#commands + tail
  }
  /** Commands that can be pushed until the ring begins anew. */
  get ahead(): number {
    return (RING_BYTES - this.#tail) / RING.entryBytes
  }
  head(): number {
    return this.#read(AMD.commandHead) % RING_BYTES
  }
  /** Begins anew with an empty ring, after an error too. */
  restartCommands(): void {
    this.#control(0, AMD_CONTROL.COMMANDS)
    this.#write(AMD.commandHead, 0)
    this.#write(AMD.commandTail, 0)
    this.#tail = 0
    this.#control(AMD_CONTROL.COMMANDS, 0)
  }
  runsCommands(): boolean {
    return (this.#read(AMD.status) & AMD_STATUS.COMMANDS_RUN) !== 0
  }

  /** Whether a wait that asked for an interrupt is over; forgets it. */
  takeWait(): boolean {
    const over = (this.#read(AMD.status) & AMD_STATUS.WAIT) !== 0
    if (over) this.#write(AMD.status, AMD_STATUS.WAIT)
    return over
  }

  overflowed(): boolean {
    return (this.#read(AMD.status) & AMD_STATUS.OVERFLOW) !== 0
  }
  /** Events that have not been seen; the room that they take is given back later. */
  takeEvents(): readonly AmdEventSeen[] {
    const seen: AmdEventSeen[] = []
    const tail = this.#read(AMD.eventTail) % RING_BYTES
    for (; this.#seen !== tail; this.#seen = (this.#seen + RING.entryBytes) % RING_BYTES) {
      const at = this.#events + this.#seen
      const [first, second, low, high] = [0, 4, 8, 12].map((offset) => this.#guest.load32(at + offset)) as [
        number,
        number,
        number,
        number,
      ]
      seen.push({
        kind: second >>> AMD_EVENT.KIND_SHIFT,
        requester: first & 0xffff,
        domain: second & 0xffff,
        write: (second & AMD_EVENT_FLAGS.WRITE) !== 0,
        page: high * 2 ** 20 + (low >>> 12),
        address: high * 2 ** 32 + low,
      })
    }
    return seen
  }
  /** Events that were seen and take room yet. */
  get held(): number {
    return ((this.#seen - this.#given + RING_BYTES) % RING_BYTES) / RING.entryBytes
  }
  /** Gives back all room but for so many entries; undefined: all of it. */
  giveRoom(entries?: number): void {
    const behind = entries === undefined ? 0 : (entries + 1) * RING.entryBytes
    this.#given = this.#seen
    this.#write(AMD.eventHead, (this.#seen + behind) % RING_BYTES)
  }
  /** After an overflow. */
  restartEvents(): void {
    this.#control(0, AMD_CONTROL.EVENTS)
    this.#write(AMD.status, AMD_STATUS.OVERFLOW)
    this.giveRoom()
    this.#control(AMD_CONTROL.EVENTS, 0)
  }

  notes(): readonly unknown[] {
    return [this.#tail, this.#seen, this.#given]
  }
}
