/** The ne2000 machine on an NE2000: registers, packets by remote DMA, a peer that sends back what it was sent. */
import { ne2000 } from '../../../spec/emulated/ne2000.ts'
import type { Description, DeviceDescription, Location, Target } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  NE_COMMAND,
  NE_DATA,
  NE_HEADER,
  NE_INTACT,
  NE_INTERRUPT,
  NE_LOOPBACK,
  NE_PAGE1,
  NE_PAGE2,
  NE_READ,
  NE_RECEIVE,
  NE_WRITE,
  NE2000,
  NE2000_MEMORY,
} from '../../layout/ne2000.ts'
import { Guest, place } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'

/** Followed interrupts, in the order of the machine. */
const INTERRUPTS = [
  NE_INTERRUPT.RECEIVED,
  NE_INTERRUPT.TRANSMITTED,
  NE_INTERRUPT.OVERFLOW,
  NE_INTERRUPT.REMOTE_DONE,
] as const
/** Bytes of packets of one page, two and three: with and without a checksum in memory. */
const LENGTHS = [60, 400, 700] as const
const ADDRESSES = {
  me: [0x02, 0x10, 0x20, 0x30, 0x40, 0x50],
  other: [0x02, 0x10, 0x20, 0x30, 0x40, 0x51],
  all: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
} as const
const ADDRESS_BYTES = 6
const TRANSMIT_PAGE = NE2000_MEMORY.start / NE2000_MEMORY.pageBytes
const RING_PAGE = TRANSMIT_PAGE + 6
const NO_MULTICAST = 8
const IDLE = NE_COMMAND.START | NE_COMMAND.REMOTE_ABORT

class Ne2000Session implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #base: number
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #ports: readonly Location[]
  readonly #ring: number
  /** The packet in the transmit buffer; what it is sent to; words of it that are written. */
  #packet: Uint8Array = new Uint8Array(0)
  #written = 0
  /** The page to be read next, and how many pages a packet of each kind has. */
  #next = 0
  #tags: number

  constructor(target: Target, machine: Machine, sink: Sink) {
    const device = deviceOf(target.describe())
    if (device?.transport.kind !== 'port') throw new ModelError('expected an NE2000 at ports, found none')
    this.device = device.id
    this.#guest = new Guest(target)
    this.#base = device.transport.base
    this.#machine = machine
    this.#sink = sink
    this.#ports = Array.from({ length: NE2000.ports }, (_, at) => place('port', this.#base + at))
    this.#ring = machine.scope.ring ?? 1
    this.#tags = machine.scope.tags ?? 1
  }

  start(): void {
    const { target } = this.#guest
    target.reset('system')
    if (this.#hasPeer) target.control!(this.device, { do: 'hold' })
    this.#guest.read8(this.#ports[NE2000.reset]!)
    // A reset leaves bits of before, and an interrupt line with them.
    this.#write(NE_WRITE.interrupts, 0x7f)
    this.#write(NE_WRITE.mask, 0)
    target.settle(0)
    target.events()
    this.#packet = new Uint8Array(0)
    this.#written = this.#next = 0
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or backend`)
    perform(args)
    this.collect()
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.setUp': ({ promiscuous, broadcasts }) => this.#setUp(promiscuous as boolean, broadcasts as boolean),
    'driver.reset': () => void this.#guest.read8(this.#ports[NE2000.reset]!),
    'driver.stop': () => this.#command(NE_COMMAND.STOP | NE_COMMAND.REMOTE_ABORT),
    'driver.go': () => this.#command(IDLE),
    'driver.load': ({ size, tag, to }) => {
      this.#beginLoad(size as number, tag as number, to as keyof typeof ADDRESSES)
      this.#writeUpTo(this.#packet.length)
    },
    'driver.loadHalf': ({ size, tag }) => {
      this.#beginLoad(size as number, tag as number, 'me')
      this.#writeUpTo(this.#packet.length / 2)
    },
    'driver.loadRest': () => this.#writeUpTo(this.#packet.length),
    'driver.readBuffer': () => {
      const found = this.#readMemory(TRANSMIT_PAGE * NE2000_MEMORY.pageBytes, this.#packet.length)
      this.#tell('device.answerBuffer', { same: found.every((byte, at) => byte === this.#packet[at]) })
    },
    'driver.transmit': () => this.#transmit(),
    'driver.send': ({ size, tag }) => {
      this.#beginLoad(size as number, tag as number, 'me')
      this.#writeUpTo(this.#packet.length)
      this.#transmit()
    },
    'backend.deliver': () => this.#deliver(),
    'driver.readPacket': () => this.#readPacket(),
    'driver.giveBack': () => this.#write(NE_WRITE.boundary, RING_PAGE + ((this.#next + this.#ring - 1) % this.#ring)),
    'driver.setMask': ({ mask }) => this.#write(NE_WRITE.mask, maskOf(mask as Bits)),
    'driver.clearInterrupts': ({ bits }) => this.#write(NE_WRITE.interrupts, maskOf(bits as Bits)),
    'driver.readInterrupts': () => {
      const status = this.#read(NE_READ.interrupts)
      const bits = Bits.from(INTERRUPTS.flatMap((bit, index) => ((status & bit) !== 0 ? [index] : [])))
      const reset = (status & NE_INTERRUPT.RESET) !== 0
      this.#tell('device.answerInterrupts', { bits, reset }, `interrupt status 0x${status.toString(16)}`)
    },
    'driver.readBoundary': () =>
      this.#tell('device.answerBoundary', { page: this.#pageOf(this.#read(NE_READ.boundary)) }),
    'driver.readBounds': () => {
      this.#select(2)
      const [start, stop] = [this.#read(NE_PAGE2.ringStart), this.#read(NE_PAGE2.ringStop)]
      this.#select(0)
      this.#tell('device.answerBounds', { same: start === RING_PAGE && stop === RING_PAGE + this.#ring })
    },
  }

  collect(): void {
    for (const event of this.#guest.target.events())
      if (event.kind === 'line' && event.device === this.device)
        this.#tell(event.level ? 'device.raise' : 'device.lower', {})
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf([this.#packet, this.#written, this.#next, this.#running])
  }

  get #hasPeer(): boolean {
    return (this.#machine.scope.wire ?? 0) > 0
  }
  /** What the command register says beside page and remote DMA. */
  #running: number = NE_COMMAND.STOP

  #command(value: number): void {
    this.#running = value & (NE_COMMAND.START | NE_COMMAND.STOP)
    this.#write(NE2000.command, value)
  }
  #select(page: number): void {
    this.#write(NE2000.command, this.#running | NE_COMMAND.REMOTE_ABORT | (page << NE_COMMAND.PAGE))
  }
  #read(register: number): number {
    return this.#guest.read8(this.#ports[register]!)
  }
  #write(register: number, value: number): void {
    this.#guest.write8(this.#ports[register]!, value)
  }

  /** As the data sheet asks: stopped and in loopback until all is set. */
  #setUp(promiscuous: boolean, broadcasts: boolean): void {
    this.#command(NE_COMMAND.STOP | NE_COMMAND.REMOTE_ABORT)
    this.#write(NE_WRITE.data, NE_DATA.WORDS | NE_DATA.NORMAL | NE_DATA.THRESHOLD)
    this.#write(NE_WRITE.remoteCountLow, 0)
    this.#write(NE_WRITE.remoteCountHigh, 0)
    this.#write(NE_WRITE.receive, (promiscuous ? NE_RECEIVE.PROMISCUOUS : 0) | (broadcasts ? NE_RECEIVE.BROADCAST : 0))
    this.#write(NE_WRITE.transmit, NE_LOOPBACK)
    this.#write(NE_WRITE.ringStart, RING_PAGE)
    this.#write(NE_WRITE.ringStop, RING_PAGE + this.#ring)
    this.#write(NE_WRITE.boundary, RING_PAGE)
    this.#write(NE_WRITE.interrupts, 0xff)
    this.#write(NE_WRITE.mask, 0)
    this.#select(1)
    for (const [at, byte] of ADDRESSES.me.entries()) this.#write(NE_PAGE1.address + at, byte)
    for (let at = 0; at < NO_MULTICAST; at++) this.#write(NE_PAGE1.multicast + at, 0)
    this.#next = 1 % this.#ring
    this.#write(NE_PAGE1.current, RING_PAGE + this.#next)
    this.#select(0)
    this.#command(IDLE)
    this.#write(NE_WRITE.transmit, 0)
  }

  #beginLoad(size: number, tag: number, to: keyof typeof ADDRESSES): void {
    this.#packet = packetOf(size, tag, ADDRESSES[to])
    this.#written = 0
    this.#beginRemote(TRANSMIT_PAGE * NE2000_MEMORY.pageBytes, this.#packet.length, NE_COMMAND.REMOTE_WRITE)
  }

  #writeUpTo(end: number): void {
    const data = this.#ports[NE2000.data]!
    for (; this.#written < end; this.#written += 2)
      this.#guest.write16(data, this.#packet[this.#written]! | (this.#packet[this.#written + 1]! << 8))
  }

  #beginRemote(address: number, bytes: number, remote: number): void {
    this.#write(NE_WRITE.remoteAddressLow, address & 0xff)
    this.#write(NE_WRITE.remoteAddressHigh, address >> 8)
    this.#write(NE_WRITE.remoteCountLow, bytes & 0xff)
    this.#write(NE_WRITE.remoteCountHigh, bytes >> 8)
    this.#write(NE2000.command, this.#running | remote)
  }

  #readMemory(address: number, bytes: number): Uint8Array {
    const found = new Uint8Array(bytes)
    this.#beginRemote(address, bytes, NE_COMMAND.REMOTE_READ)
    const data = this.#ports[NE2000.data]!
    for (let at = 0; at < bytes; at += 2) {
      const word = this.#guest.read16(data)
      found[at] = word & 0xff
      found[at + 1] = word >> 8
    }
    return found
  }

  #transmit(): void {
    this.#write(NE_WRITE.transmitPage, TRANSMIT_PAGE)
    this.#write(NE_WRITE.transmitCountLow, this.#packet.length & 0xff)
    this.#write(NE_WRITE.transmitCountHigh, this.#packet.length >> 8)
    this.#write(NE2000.command, IDLE | NE_COMMAND.TRANSMIT)
    this.#guest.target.settle(0)
  }

  #deliver(): void {
    const { target } = this.#guest
    target.control!(this.device, { do: 'release-one', index: 0 })
    target.settle(0)
    this.#select(1)
    const current = this.#pageOf(this.#read(NE_PAGE1.current))
    this.#select(0)
    const status = this.#read(NE_READ.interrupts)
    this.#tell('device.answerReception', {
      current,
      received: (status & NE_INTERRUPT.RECEIVED) !== 0,
      overflow: (status & NE_INTERRUPT.OVERFLOW) !== 0,
    })
  }

  /** The header first; of the packet as much as a packet of its pages has, page by page, so that the ring is ours to wrap. */
  #readPacket(): void {
    const { pageBytes } = NE2000_MEMORY
    const header = this.#readMemory((RING_PAGE + this.#next) * pageBytes, NE_HEADER.bytes)
    const count = header[NE_HEADER.count]! | (header[NE_HEADER.count + 1]! << 8)
    const size = LENGTHS.findIndex((length) => length + NE_HEADER.bytes === count)
    const next = this.#pageOf(header[NE_HEADER.next]!)
    const stored = new Uint8Array(size < 0 ? 0 : count)
    for (let done = 0, page = this.#next; done < stored.length; done += pageBytes, page = (page + 1) % this.#ring) {
      const bytes = Math.min(pageBytes, stored.length - done)
      stored.set(this.#readMemory((RING_PAGE + page) * pageBytes, bytes), done)
    }
    const kind = this.#kindOf(size, stored.subarray(NE_HEADER.bytes))
    this.#tell(
      'device.answerPacket',
      { intact: (header[NE_HEADER.status]! & NE_INTACT) !== 0, next, kind, count: size >= 0 },
      `header ${[...header].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
    )
    if (next !== undefined) this.#next = next
  }

  #kindOf(size: number, packet: Uint8Array): number | undefined {
    for (let tag = 0; tag < this.#tags && size >= 0; tag++) {
      const wanted = packetOf(size, tag, ADDRESSES.me)
      if (packet.every((byte, at) => at < ADDRESS_BYTES || byte === wanted[at])) return size * this.#tags + tag
    }
    return undefined
  }

  #pageOf(page: number): number | undefined {
    return page >= RING_PAGE && page < RING_PAGE + this.#ring ? page - RING_PAGE : undefined
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const packets = new Map<string, Uint8Array>()

/** Destination, source, and words that tell where they are in which packet. */
const packetOf = (size: number, tag: number, to: readonly number[]): Uint8Array => {
  const key = `${size} ${tag} ${to.join()}`
  const known = packets.get(key)
  if (known !== undefined) return known
  const words = Uint16Array.from({ length: LENGTHS[size]! / 2 }, (_, at) => ((tag + 1) << 12) | ((size + 1) << 9) | at)
  const packet = new Uint8Array(words.buffer)
  packet.set([...to, ...ADDRESSES.me])
  packets.set(key, packet)
  return packet
}

const maskOf = (bits: Bits): number => bits.toArray().reduce((mask, index) => mask | INTERRUPTS[index]!, 0)

const deviceOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind, transport }) => kind === 'ne2000' && transport.kind === 'port')

const reflects = (target: Description): boolean =>
  deviceOf(target)?.facts?.peer === 'reflects' && target.can.controls.includes('release-one')

const RECEIVING = [
  ...['aPacketRead', 'aPacketAcrossTheEnd', 'twoPackets', 'anOverflow', 'aPacketBehindAnOverflow'],
  ...['aPacketForOthers', 'aPacketForAll', 'aPacketWhileStopped'],
] as const

export const ne2000Model: Model = {
  machine: ne2000,
  played: ['driver', 'backend'],
  notApplicable(target) {
    if (deviceOf(target) === undefined) return 'it has no NE2000'
    return target.observes.line === 'exact' ? undefined : 'it does not show interrupt lines, which this is about'
  },
  scope: (target) => ({ scope: 'played', ...(reflects(target) ? {} : { bounds: { wire: 0 } }) }),
  profiles: [{ name: 'QEMU 7.2', bounds: { clearsMask: 0 } }],
  unreachableGoals: (target): Readonly<Record<string, string>> =>
    reflects(target) ? {} : Object.fromEntries(RECEIVING.map((goal) => [goal, 'nobody sends it a packet'])),
  open: (target, machine, sink) => new Ne2000Session(target, machine, sink),
}
