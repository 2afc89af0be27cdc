/** An I/O APIC, driven line by line and register by register; its messages are read back as those of entries. */
import type { DeviceDescription, Target, TargetEvent } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { DELIVERIES, DESTINATION, DIRECTED_EOI, ENTRY, INDEX, IOAPIC } from '../../layout/ioapic.ts'
import { Guest } from '../guest/access.ts'
import { destinationOf, type Halves, IoapicDriver } from '../guest/ioapic.ts'
import { notesOf } from '../guest/notes.ts'

type Message = Extract<TargetEvent, { kind: 'interrupt' }>

/** Inputs that are played with, in the order in which they are taken. */
const INPUTS = [5, 23, 18] as const
/** Of each input, physical and logical: every bit of either, of which a physical one has four in the original part. */
const DESTINATIONS = [
  [0x9, 0x82],
  [0x3, 0x44],
  [0x6, 0x39],
] as const
/** Played vectors: one in each priority class where a CPU takes them, else with a class and a sub-class in common. */
const CLASSES = [0x41, 0x51, 0x61] as const
const RELATED = [0x41, 0x51, 0x5e] as const
/** More ends in a row than an implementation may have to give way after. */
const STORM = 12_000
/** What an interrupt may be held back for after a storm. */
const HOLD_MS = 20
/** Bits of an entry that software cannot write, and some that mean nothing. */
const ONES = ENTRY.pending | ENTRY.remoteIrr | (0x7fff << 17)
/** The writable bits of the id; registers beyond the last entry. */
const ID = 0x0f00_0000
const BEYOND = [0x03, 0x0f, 0x70, 0xff] as const

interface Programmed {
  masked: boolean
  level: boolean
  low: boolean
  vector: number
  route: number
}

export class IoapicSession implements Session {
  readonly device: string
  readonly unavailable: Readonly<Record<string, string>>
  readonly #guest: Guest
  readonly #driver: IoapicDriver
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #pins: readonly number[]
  readonly #exact: boolean
  readonly #vectors: readonly number[]
  #entries: Programmed[] = []
  /** What an entry held between the writes of its halves, until what came meanwhile was told. */
  #halfway: { readonly index: number; readonly halves: Halves } | undefined

  constructor(target: Target, machine: Machine, sink: Sink, device: DeviceDescription) {
    const { transport } = device
    if (transport.kind !== 'chip' || transport.base === undefined)
      throw new ModelError(`${device.id}: expected the base of its registers`)
    this.device = device.id
    this.#guest = new Guest(target)
    this.#driver = new IoapicDriver(this.#guest, transport.base)
    this.#machine = machine
    this.#sink = sink
    const { pins = 1, exact = 1 } = machine.scope
    this.#pins = INPUTS.slice(0, pins)
    this.#exact = exact === 1
    this.#vectors = this.#exact ? RELATED : CLASSES
    if (transport.inputs <= Math.max(...this.#pins))
      throw new ModelError(
        `${device.id}: expected an input ${Math.max(...this.#pins)}, found ${transport.inputs} inputs`,
      )
    const { version } = this.#driver
    this.unavailable =
      version < DIRECTED_EOI
        ? { 'driver.endDirectly': `version 0x${version.toString(16)} of the chip has no EOI register` }
        : {}
  }

  start(): void {
    const { target } = this.#guest
    for (const pin of this.#pins) target.setLine!(this.device, pin, false)
    target.reset('system')
    target.settle(0)
    target.events()
    this.#entries = this.#pins.map(() => ({ masked: true, level: false, low: false, vector: 0, route: 0 }))
    const masked = this.#pins.every((pin) => this.#driver.isMasked(pin))
    this.#tell('irqchip.answerFresh', { masked })
    for (const [index, pin] of this.#pins.entries()) this.#driver.program(pin, this.#halvesOf(index))
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action that is played`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.program': ({ pin, masked, level, low, vector, route, ones }) => {
      const programmed = { masked, level, low, vector, route } as unknown as Programmed
      this.#program(pin as number, programmed, ones ? ONES : 0)
    },
    'driver.writeUpper': ({ pin }) =>
      this.#driver.writeUpper(this.#pins[pin as number]!, this.#halvesOf(pin as number).high),
    'driver.mask': ({ pin }) => this.#rewrite(pin as number, { masked: true }),
    'driver.unmask': ({ pin }) => this.#rewrite(pin as number, { masked: false }),
    'driver.switchTrigger': ({ pin }) => this.#rewrite(pin as number, { level: !this.#entries[pin as number]!.level }),
    'device.raise': ({ pin }) => this.#drive(pin as number, true),
    'device.lower': ({ pin }) => this.#drive(pin as number, false),
    'cpu.end': ({ vector }) => this.#guest.target.endOfInterrupt!(this.#vectors[vector as number]!),
    'driver.endDirectly': ({ vector }) => this.#driver.endDirectly(this.#vectors[vector as number]!),
    'cpu.storm': ({ pin, vector }) => this.#storm(pin as number, vector as number),
    'bus.wait': () => this.#wait(),
    'driver.readEntry': ({ pin }) => this.#answerEntry(pin as number),
    'driver.writeReserved': () => this.#writeReserved(),
    'driver.identify': () => this.#identify(),
  }

  collect(): void {
    for (const event of this.#guest.target.events())
      if (event.kind === 'interrupt' && event.device === this.device) this.#tellMessage(event)
    this.#halfway = undefined
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf(
      this.#entries.flatMap(({ masked, level, low, vector, route }) => [masked, level, low, vector, route]),
    )
  }

  /** Each entry addresses its messages in ways of its own, where that can be seen: it tells whose they are. */
  #halvesOf(index: number, route = this.#entries[index]!.route): Halves {
    const { masked, level, low, vector } = this.#entries[index]!
    const destination = this.#exact ? DESTINATIONS[index]![route]! : 0
    return {
      low:
        (masked ? ENTRY.masked : 0) |
        (level ? ENTRY.level : 0) |
        (low ? ENTRY.activeLow : 0) |
        // The second way is a logical destination, to whom of them it suits best.
        (route === 1 ? ENTRY.logical | (DELIVERIES.indexOf('lowest') << ENTRY.delivery) : 0) |
        this.#vectors[vector]!,
      high: (destination << DESTINATION) >>> 0,
    }
  }

  #rewrite(index: number, change: Partial<Programmed>): void {
    this.#entries[index] = { ...this.#entries[index]!, ...change }
    this.#driver.writeLow(this.#pins[index]!, this.#halvesOf(index).low)
  }

  #program(index: number, programmed: Programmed, ones = 0): void {
    const { low: before } = this.#halvesOf(index)
    this.#entries[index] = programmed
    const { low, high } = this.#halvesOf(index)
    // The upper half is written first: what was still to be sent may leave with it.
    this.#halfway = { index, halves: { low: before, high } }
    this.#driver.program(this.#pins[index]!, { low: low | ones, high })
  }

  #drive(index: number, level: boolean): void {
    this.#guest.target.setLine!(this.device, this.#pins[index]!, level)
  }

  #wait(): void {
    const { target } = this.#guest
    if (target.describe().can.advance === true) target.advance!(HOLD_MS * 1e6)
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HOLD_MS)
  }

  /** Goes on until the interrupt is not sent again at once, or until it is clear that it always will be. */
  #storm(index: number, vector: number): void {
    const { target } = this.#guest
    this.#program(index, { masked: false, level: true, low: false, vector, route: 0 })
    this.#drive(index, true)
    const wanted = this.#vectors[vector]!
    const again = (event: TargetEvent): boolean =>
      event.kind === 'interrupt' && event.device === this.device && event.vector === wanted
    let rounds = 0
    for (; rounds < STORM; rounds++) {
      target.endOfInterrupt!(wanted)
      target.settle(0)
      if (!target.events().some(again)) break
    }
    this.#tell('irqchip.answerStorm', { vector, gaveWay: rounds < STORM })
  }

  #answerEntry(index: number): void {
    const halves = this.#driver.entry(this.#pins[index]!)
    const { low } = halves
    const { vectors = 1 } = this.#machine.scope
    const vector = this.#vectors.indexOf(low & ENTRY.vector)
    this.#tell('irqchip.answerEntry', {
      pin: index,
      masked: (low & ENTRY.masked) !== 0,
      level: (low & ENTRY.level) !== 0,
      low: (low & ENTRY.activeLow) !== 0,
      vector: vector >= 0 && vector < vectors ? vector : undefined,
      route: this.#routeOf(index, halves),
      remote: (low & ENTRY.remoteIrr) !== 0,
    })
  }

  /** Which of its ways of addressing an entry holds; undefined: none of them. */
  #routeOf(index: number, { low, high }: Halves): number | undefined {
    const { routes = 1 } = this.#machine.scope
    const addressing = ENTRY.logical | (7 << ENTRY.delivery)
    for (let route = 0; route < routes; route++) {
      const expected = this.#halvesOf(index, route)
      if (high === expected.high && (low & addressing) === (expected.low & addressing)) return route
    }
    return undefined
  }

  #writeReserved(): void {
    const before = this.#all()
    for (const index of BEYOND) this.#driver.write(index, 0xffff_ffff)
    this.#guest.write32(this.#driver.at(IOAPIC.select + 4), 0xffff_ffff)
    this.#tell('irqchip.answerReserved', { kept: this.#all() === before })
  }

  /** All entries as they read, but for what may change by itself. */
  #all(): string {
    return this.#pins
      .map((pin) => this.#driver.entry(pin))
      .map(({ low, high }) => `${low & ~(ENTRY.pending | ENTRY.remoteIrr)} ${high}`)
      .join()
  }

  #identify(): void {
    const version = this.#driver.read(INDEX.version)
    const id = this.#driver.read(INDEX.id)
    for (const index of [INDEX.version, INDEX.arbitration, INDEX.id]) this.#driver.write(index, 0xffff_ffff)
    const arbitration = this.#driver.read(INDEX.arbitration)
    const written = this.#driver.read(INDEX.id)
    this.#driver.write(INDEX.id, id)
    this.#tell('irqchip.answerIdentity', {
      kept: this.#driver.read(INDEX.version) === version && arbitration !== 0xffff_ffff,
      id: (written & ID) === ID && ((written & ~ID) === 0 || (version & 0xff) >= DIRECTED_EOI),
    })
  }

  #tellMessage(message: Message): void {
    const held = this.#entries.flatMap((_entry, index) => (this.#holds(index, message) ? [index] : []))
    const note = `vector 0x${message.vector.toString(16)}, ${message.logical ? 'logical' : 'physical'} destination 0x${message.destination.toString(16)}, ${message.delivery}`
    const { routes = 1 } = this.#machine.scope
    const astray = this.#exact && routes > 1 && held.length === 0 ? this.#astray(message) : undefined
    if (astray !== undefined) this.#tell('irqchip.misdirect', { pin: astray }, note)
    else
      this.#tell(
        'irqchip.message',
        { pins: Bits.from(held), level: message.level },
        held.length === 0 ? note : undefined,
      )
  }

  /** An entry that says all of a message but where it goes. */
  #astray({ vector, delivery }: Message): number | undefined {
    const index = this.#entries.findIndex((_entry, i) => {
      const { low } = this.#halvesOf(i)
      return (low & ENTRY.vector) === vector && delivery === DELIVERIES[(low >>> ENTRY.delivery) & 7]
    })
    return index < 0 ? undefined : index
  }

  #holds(index: number, message: Message): boolean {
    return (
      this.#says(this.#halvesOf(index), message) ||
      (this.#halfway?.index === index && this.#says(this.#halfway.halves, message))
    )
  }

  #says(halves: Halves, { vector, destination, logical, delivery }: Message): boolean {
    if ((halves.low & ENTRY.vector) !== vector) return false
    if (!this.#exact) return true
    return (
      destination === destinationOf(halves) &&
      logical === ((halves.low & ENTRY.logical) !== 0) &&
      delivery === DELIVERIES[(halves.low >>> ENTRY.delivery) & 7]
    )
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}
