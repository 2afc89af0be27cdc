/** The card: registers in pages, remote DMA through the data port, transmission, and the ring of received packets. */
import {
  NE_COMMAND,
  NE_HEADER,
  NE_INTACT,
  NE_INTERRUPT,
  NE_PAGE1,
  NE_PAGE2,
  NE_READ,
  NE_RECEIVE,
  NE_WRITE,
  NE2000,
  NE2000_MEMORY,
} from '../../layout/ne2000.ts'

const PAGE_BYTES = NE2000_MEMORY.pageBytes
const PAGE_SHIFT = Math.log2(PAGE_BYTES)
const ADDRESS_BYTES = 6

export interface Ne2000State {
  command: number
  /** Write-only and other registers of page 0, by their offset as written. */
  registers: number[]
  interrupts: number
  mask: number
  address: number[]
  multicast: number[]
  current: number
  remoteAddress: number
  remoteCount: number
  line: boolean
  /** Overflow has stopped reception until the next start. */
  overflowed: boolean
  /** A transmission that has not ended. */
  transmitting: boolean
  /** Pages of the card's memory that were written. */
  pages: Record<string, Uint8Array>
  /** Packets at the peer, which sends each back. */
  peer: { holding: boolean; packets: Uint8Array[]; releasing: number }
}

export const freshNe2000 = (): Ne2000State => ({
  command: NE_COMMAND.STOP | NE_COMMAND.REMOTE_ABORT,
  registers: new Array<number>(16).fill(0),
  interrupts: NE_INTERRUPT.RESET,
  mask: 0,
  address: [0x52, 0x54, 0, 0x12, 0x34, 0x56],
  multicast: new Array<number>(8).fill(0),
  current: 0,
  remoteAddress: 0,
  remoteCount: 0,
  line: false,
  overflowed: false,
  transmitting: false,
  pages: {},
  peer: { holding: false, packets: [], releasing: 0 },
})

/** The decisions that a seeded fault can replace. */
export interface Ne2000Parts {
  /** The interrupt status after a byte was written to it. */
  afterClear(interrupts: number, written: number): number
  isAsserted(state: Ne2000State): boolean
  /** Does the end of remote DMA set RDC? `left`: bytes that are left; `before`: bytes there were before this access. */
  isRemoteDone(left: number, before: number): boolean
  /** The next address of remote DMA. */
  nextAddress(address: number, width: number): number
  tellsTransmission(): boolean
  tellsReception(): boolean
  /** Is a packet for this card? */
  accepts(state: Ne2000State, packet: Uint8Array): boolean
  mayReceive(state: Ne2000State): boolean
  /** Pages that a packet can use before the boundary. */
  room(current: number, boundary: number, pages: number): number
  tellsOverflow(): boolean
  /** The page behind `page` as data is stored. */
  nextPage(state: Ne2000State, page: number): number
  /** The page that CURR and the header name. */
  nextPacket(state: Ne2000State, page: number): number
  headerCount(bytes: number): number
  /** Registers after a reset. */
  afterReset(state: Ne2000State): void
}

export const wrapped = ({ registers }: Ne2000State, page: number): number => {
  const start = registers[NE_WRITE.ringStart]!
  const stop = registers[NE_WRITE.ringStop]!
  return stop > start && page >= stop ? start + ((page - stop) % (stop - start)) : page
}

export const correctNe2000 = (): Ne2000Parts => ({
  afterClear: (interrupts, written) => interrupts & ~(written & 0x7f),
  isAsserted: ({ interrupts, mask }) => (interrupts & mask & 0x7f) !== 0,
  isRemoteDone: (left) => left === 0,
  nextAddress: (address, width) => (address + width) & 0xffff,
  tellsTransmission: () => true,
  tellsReception: () => true,
  accepts({ registers, address }, packet) {
    const receive = registers[NE_WRITE.receive]!
    if ((receive & NE_RECEIVE.PROMISCUOUS) !== 0) return true
    const to = packet.subarray(0, ADDRESS_BYTES)
    if (to.every((byte) => byte === 0xff)) return (receive & NE_RECEIVE.BROADCAST) !== 0
    return to.every((byte, at) => byte === address[at])
  },
  mayReceive: ({ command, overflowed }) => (command & NE_COMMAND.STOP) === 0 && !overflowed,
  room: (current, boundary, pages) => (boundary - current + pages) % pages,
  tellsOverflow: () => true,
  nextPage: (state, page) => wrapped(state, page + 1),
  nextPacket: (state, page) => wrapped(state, page),
  headerCount: (bytes) => bytes + NE_HEADER.bytes,
  afterReset(state) {
    state.interrupts |= NE_INTERRUPT.RESET
    state.mask = 0
  },
})

/** The card, as its parts see it. */
export interface Card {
  readonly parts: Ne2000Parts
  readonly state: Ne2000State
  settleLine(): void
}

const tell = (card: Card, interrupt: number): void => {
  card.state.interrupts |= interrupt
  card.settleLine()
}

const load = ({ pages }: Ne2000State, at: number): number => pages[at >>> PAGE_SHIFT]?.[at % PAGE_BYTES] ?? 0

function store({ pages }: Ne2000State, at: number, value: number): void {
  if (at < NE2000_MEMORY.start || at >= NE2000_MEMORY.end) return
  const page = (pages[at >>> PAGE_SHIFT] ??= new Uint8Array(PAGE_BYTES))
  page[at % PAGE_BYTES] = value
}

export function resetCard(card: Card): void {
  const { state } = card
  state.command = NE_COMMAND.STOP | NE_COMMAND.REMOTE_ABORT
  state.transmitting = state.overflowed = false
  state.remoteCount = 0
  card.parts.afterReset(state)
  card.settleLine()
}

const pageOf = ({ command }: Ne2000State): number => (command >> NE_COMMAND.PAGE) & 3

export function readCard({ state }: Card, register: number): number {
  if (register === NE2000.command) return state.command
  switch (pageOf(state)) {
    case 0:
      if (register === NE_READ.boundary) return state.registers[NE_WRITE.boundary]!
      if (register === NE_READ.transmitStatus) return NE_INTACT
      if (register === NE_READ.interrupts) return state.interrupts
      return register === NE_READ.receiveStatus ? NE_INTACT : 0
    case 1:
      if (register < NE_PAGE1.current) return state.address[register - NE_PAGE1.address]!
      return register === NE_PAGE1.current ? state.current : state.multicast[register - NE_PAGE1.multicast]!
    default:
      if (register === NE_PAGE2.ringStart) return state.registers[NE_WRITE.ringStart]!
      return register === NE_PAGE2.ringStop ? state.registers[NE_WRITE.ringStop]! : 0
  }
}

export function writeCard(card: Card, register: number, value: number): void {
  const { state } = card
  if (register === NE2000.command) command(card, value)
  else if (pageOf(state) === 0) writePage0(card, register, value)
  else if (pageOf(state) === 1) {
    if (register < NE_PAGE1.current) state.address[register - NE_PAGE1.address] = value
    else if (register === NE_PAGE1.current) state.current = value
    else state.multicast[register - NE_PAGE1.multicast] = value
  }
}

function writePage0(card: Card, register: number, value: number): void {
  const { state, parts } = card
  if (register === NE_WRITE.interrupts) state.interrupts = parts.afterClear(state.interrupts, value)
  else if (register === NE_WRITE.mask) state.mask = value & 0x7f
  else if (register === NE_WRITE.remoteAddressLow) state.remoteAddress = (state.remoteAddress & 0xff00) | value
  else if (register === NE_WRITE.remoteAddressHigh) state.remoteAddress = (state.remoteAddress & 0xff) | (value << 8)
  else if (register === NE_WRITE.remoteCountLow) state.remoteCount = (state.remoteCount & 0xff00) | value
  else if (register === NE_WRITE.remoteCountHigh) state.remoteCount = (state.remoteCount & 0xff) | (value << 8)
  else state.registers[register] = value
  card.settleLine()
}

function command(card: Card, value: number): void {
  const { state } = card
  const started = (value & NE_COMMAND.STOP) === 0 && (value & NE_COMMAND.START) !== 0
  state.command = value & ~NE_COMMAND.TRANSMIT
  if ((value & NE_COMMAND.STOP) !== 0) {
    state.overflowed = false
    state.interrupts |= NE_INTERRUPT.RESET
  } else if (started) {
    state.interrupts &= ~NE_INTERRUPT.RESET
    if ((value & NE_COMMAND.TRANSMIT) !== 0) {
      state.command |= NE_COMMAND.TRANSMIT
      state.transmitting = true
    }
  }
  const remote = value & NE_COMMAND.REMOTE
  const transfers = remote === NE_COMMAND.REMOTE_READ || remote === NE_COMMAND.REMOTE_WRITE
  if (transfers && state.remoteCount === 0) tell(card, NE_INTERRUPT.REMOTE_DONE)
  card.settleLine()
}

/** The data port, `width` bytes at once. */
export function readData(card: Card, width: number): number {
  const { state } = card
  if ((state.command & NE_COMMAND.REMOTE) !== NE_COMMAND.REMOTE_READ || state.remoteCount === 0) return 0
  let value = 0
  for (let byte = 0; byte < width; byte++) value |= load(state, state.remoteAddress + byte) << (8 * byte)
  advance(card, width)
  return value >>> 0
}

export function writeData(card: Card, width: number, value: number): void {
  const { state } = card
  if ((state.command & NE_COMMAND.REMOTE) !== NE_COMMAND.REMOTE_WRITE || state.remoteCount === 0) return
  for (let byte = 0; byte < width; byte++) store(state, state.remoteAddress + byte, (value >>> (8 * byte)) & 0xff)
  advance(card, width)
}

function advance(card: Card, width: number): void {
  const { state, parts } = card
  const before = state.remoteCount
  state.remoteAddress = parts.nextAddress(state.remoteAddress, width)
  state.remoteCount = Math.max(0, before - width)
  if (parts.isRemoteDone(state.remoteCount, before)) tell(card, NE_INTERRUPT.REMOTE_DONE)
}

/** One step: a transmission ends, or the peer sends a packet back. */
export function stepCard(card: Card): boolean {
  const { state, parts } = card
  const { peer } = state
  if (state.transmitting) {
    state.transmitting = false
    state.command &= ~NE_COMMAND.TRANSMIT
    peer.packets.push(transmitted(state))
    if (!peer.holding) peer.releasing = peer.packets.length
    if (parts.tellsTransmission()) tell(card, NE_INTERRUPT.TRANSMITTED)
    return true
  }
  if (peer.releasing === 0) return false
  peer.releasing--
  receive(card, peer.packets.shift()!)
  return true
}

function transmitted(state: Ne2000State): Uint8Array {
  const { registers } = state
  const start = registers[NE_WRITE.transmitPage]! * PAGE_BYTES
  const bytes = registers[NE_WRITE.transmitCountLow]! + registers[NE_WRITE.transmitCountHigh]! * 2 ** 8
  const packet = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at++) packet[at] = load(state, start + at)
  return packet
}

function receive(card: Card, packet: Uint8Array): void {
  const { state, parts } = card
  if (!parts.mayReceive(state) || !parts.accepts(state, packet)) return
  const { registers } = state
  const ring = registers[NE_WRITE.ringStop]! - registers[NE_WRITE.ringStart]!
  // The checksum is stored, too.
  const needed = Math.ceil((NE_HEADER.bytes + packet.length + 4) / PAGE_BYTES)
  if (ring <= 0 || needed >= parts.room(state.current, registers[NE_WRITE.boundary]!, ring)) {
    state.overflowed = true
    if (parts.tellsOverflow()) tell(card, NE_INTERRUPT.OVERFLOW)
    return
  }
  const next = parts.nextPacket(state, state.current + needed)
  const count = parts.headerCount(packet.length)
  const header = [NE_INTACT, next, count & 0xff, count >> 8]
  let page = state.current
  for (let at = 0; at < header.length + packet.length; at++) {
    if (at > 0 && at % PAGE_BYTES === 0) page = parts.nextPage(state, page)
    store(state, page * PAGE_BYTES + (at % PAGE_BYTES), header[at] ?? packet[at - header.length]!)
  }
  state.current = next
  if (parts.tellsReception()) tell(card, NE_INTERRUPT.RECEIVED)
}
