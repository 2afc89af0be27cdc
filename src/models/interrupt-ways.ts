/** Joins the interrupt-ways machine to a board on which lines, messages and a CPU core can be driven: only handlers are watched. */
import { interruptWays } from '../../spec/interrupt/ways.ts'
import type { Description, DeviceDescription, Instruction, Target, TargetEvent } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import { CASCADE_INPUT, I8259_PORTS, ICW1, ICW3, ICW4, IS_ICW1, OCW2 } from '../layout/i8259.ts'
import { INDEX, IOAPIC, ENTRY as IOAPIC_ENTRY } from '../layout/ioapic.ts'
import { DEFAULT_BASE, DELIVERIES, LAPIC, LVT, MESSAGE, SPURIOUS } from '../layout/lapic.ts'
import { VTD, VTD_COMMAND } from '../layout/vtd.ts'
import { ENTRY, REQUEST } from '../layout/vtd-interrupts.ts'

/** Of the sources, by number. Those of the 8259s follow from their bases and lines. */
const VECTORS = [0x23, 0x2a, 0x41, 0x52, 0x63, 0x74] as const
const BASES = { master: 0x20, slave: 0x28 } as const
const LINES = [3, 10, 5, 6] as const
const LEVEL_LINE = 10
const FIRST_OF_IOAPIC = 2
const REMAPPED = 5
/** Handlers of no source. */
const OF_NOTHING = VECTORS.length
const UNKNOWN = OF_NOTHING + 1
const SPURIOUS_LEVEL = 7
const SPURIOUS_VECTOR = 0xff
/** The class of the first source at the local APIC. */
const FIRST_CLASS = 4

/** Where the remapping table is, of two entries; the first is used. */
const TABLE = 0

const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  'guest.nop': 'nop',
  'guest.sti': 'sti',
  'guest.cli': 'cli',
  'guest.hlt': 'hlt',
}

const KINDS = { core: 'cpu-core', pic: 'i8259-pair', ioapic: 'ioapic', remapping: 'vt-d-interrupts' } as const
const find = (target: Description, kind: string): DeviceDescription | undefined =>
  target.devices.find((device) => device.kind === kind)
const baseOf = (device: DeviceDescription): number =>
  (device.transport.kind === 'chip' ? device.transport.base : undefined) ?? 0

const chipsOf = (target: Description) => {
  const core = find(target, KINDS.core)
  const pic = find(target, KINDS.pic)
  const ioapic = find(target, KINDS.ioapic)
  const remapping = find(target, KINDS.remapping)
  if (core === undefined || pic === undefined || ioapic === undefined || remapping === undefined) return undefined
  return { core: core.id, pic: pic.id, ioapic: ioapic.id, entries: baseOf(ioapic), remapping: baseOf(remapping) }
}

class InterruptWaysSession implements Session {
  readonly device: string
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #chips: NonNullable<ReturnType<typeof chipsOf>>
  #target: Target
  /** Lines that are up, and what is masked at the 8259s. */
  readonly #up = new Set<number>()
  #masks = 0xffff
  /** Lines of the 8259s whose handlers began and did not end, the last one last. */
  readonly #begun: number[] = []

  constructor(target: Target, machine: Machine, sink: Sink) {
    const chips = chipsOf(target.describe())
    if (chips === undefined)
      throw new ModelError('expected a CPU core, both interrupt controllers and a remapping unit')
    this.#chips = chips
    this.device = chips.core
    this.#target = target
    this.#machine = machine
    this.#sink = sink
  }

  start(): void {
    for (const source of this.#up) this.#drive(source, false)
    this.#target.reset('system')
    this.#setUpPic()
    for (const source of [FIRST_OF_IOAPIC, FIRST_OF_IOAPIC + 1]) this.#program(source, true)
    this.#setUpRemapping()
    this.#apic(LAPIC.spurious, SPURIOUS_VECTOR | SPURIOUS.enabled)
    this.#lint(true)
    this.#target.events()
  }

  #setUpPic(): void {
    for (const chip of ['master', 'slave'] as const) {
      const { command, data, trigger } = I8259_PORTS[chip]
      this.#port(command, IS_ICW1 | ICW1.ICW4)
      for (const word of [BASES[chip], ICW3[chip], ICW4.MODE_8086]) this.#port(data, word)
      this.#port(trigger, chip === 'slave' ? 1 << (LEVEL_LINE - 8) : 0)
    }
    this.#masks = 0xffff & ~(1 << CASCADE_INPUT)
    this.#writeMask('master')
    this.#writeMask('slave')
    this.#begun.length = 0
  }

  /** One entry of the remapped format, for fixed edges of any requester; requests in compatibility format pass. */
  #setUpRemapping(): void {
    const entry = new Uint8Array(ENTRY.bytes)
    new DataView(entry.buffer).setUint32(0, (VECTORS[REMAPPED] << ENTRY.VECTOR_SHIFT) | ENTRY.PRESENT, true)
    this.#target.store(TABLE, entry)
    const write = (register: number, value: number) => this.#mmio(this.#chips.remapping + register, value)
    write(VTD.tableAddress, TABLE)
    write(VTD.tableAddress + 4, 0)
    write(VTD.command, VTD_COMMAND.SET_TABLE)
    write(VTD.command, VTD_COMMAND.COMPATIBILITY)
    write(VTD.command, VTD_COMMAND.REMAP | VTD_COMMAND.COMPATIBILITY)
  }

  perform(action: Action, args: Args): void {
    const source = args.source as number
    if (action.name === 'device.raise' || action.name === 'device.lower')
      this.#drive(source, action.name === 'device.raise')
    else if (action.name === 'device.send') this.#send(source)
    else if (action.name === 'hypervisor.reset') this.start()
    else this.#execute(action.name, source, args)
  }

  #drive(source: number, up: boolean): void {
    if (up) this.#up.add(source)
    else this.#up.delete(source)
    const { pic, ioapic } = this.#chips
    this.#target.setLine!(source < FIRST_OF_IOAPIC ? pic : ioapic, LINES[source]!, up)
  }

  #send(source: number): void {
    if (source === REMAPPED) this.#target.message!(0, REQUEST.base + REQUEST.REMAPPABLE, 0)
    else this.#target.message!(0, MESSAGE.base, VECTORS[source]!)
  }

  /** What was to be taken comes before the instruction. */
  #execute(name: string, source: number, args: Args): void {
    const instruction = INSTRUCTIONS[name]
    if (instruction !== undefined) this.#target.execute!(0, instruction)
    else if (name === 'guest.mask' || name === 'guest.unmask') this.#mask(source, name === 'guest.mask')
    else if (name === 'guest.closeLint' || name === 'guest.openLint') this.#lint(name === 'guest.closeLint')
    else if (name === 'guest.endAtApic') this.#apic(LAPIC.endOfInterrupt, 0)
    else if (name === 'guest.endAtPic') this.#endAtPic()
    else if (name === 'guest.setPriority') {
      const priority = args.priority as number
      this.#apic(LAPIC.taskPriority, priority === 0 ? 0 : (FIRST_CLASS + priority - 1) << 4)
    } else throw new TypeError(`${name}: not an action that is played`)
    this.collect()
    this.#sink(this.#machine.action('cpu.retire'), {})
  }

  #mask(source: number, masked: boolean): void {
    if (source >= FIRST_OF_IOAPIC) {
      this.#program(source, masked)
      return
    }
    const bit = 1 << LINES[source]!
    this.#masks = masked ? this.#masks | bit : this.#masks & ~bit
    this.#writeMask(LINES[source]! < 8 ? 'master' : 'slave')
  }

  #writeMask(chip: 'master' | 'slave'): void {
    this.#port(I8259_PORTS[chip].data, chip === 'master' ? this.#masks & 0xff : this.#masks >> 8)
  }

  /** Pins of odd sources carry levels. */
  #program(source: number, masked: boolean): void {
    const low = VECTORS[source]! | (source % 2 === 1 ? IOAPIC_ENTRY.level : 0) | (masked ? IOAPIC_ENTRY.masked : 0)
    this.#mmio(this.#chips.entries + IOAPIC.select, INDEX.entries + 2 * LINES[source]!)
    this.#mmio(this.#chips.entries + IOAPIC.window, low)
  }

  #lint(masked: boolean): void {
    this.#apic(LAPIC.lint0, (DELIVERIES.indexOf('extint') << LVT.delivery) | (masked ? LVT.masked : 0))
  }

  /** The line whose handler began last; one of the slave is ended at both chips, and nothing passes in between. */
  #endAtPic(): void {
    if ((this.#begun.pop() ?? 0) >= 8) this.#port(I8259_PORTS.slave.command, OCW2.EOI)
    this.#port(I8259_PORTS.master.command, OCW2.EOI)
  }

  #port(address: number, value: number): void {
    this.#target.write({ space: 'port', address }, 1, BigInt(value))
  }

  #mmio(address: number, value: number): void {
    this.#target.write({ space: 'mmio', address, cpu: 0 }, 4, BigInt(value >>> 0))
  }

  #apic(register: number, value: number): void {
    this.#mmio(DEFAULT_BASE + register, value)
  }

  collect(): void {
    for (const event of this.#target.events()) this.#tell(event)
  }

  #tell(event: TargetEvent): void {
    if (event.kind !== 'taken') return
    const { vector } = event
    const source = VECTORS.indexOf(vector as (typeof VECTORS)[number])
    if (source >= 0 && source < FIRST_OF_IOAPIC) this.#begun.push(LINES[source]!)
    // A spurious interrupt of the slave leaves its input of the master in service.
    if (vector === BASES.slave + SPURIOUS_LEVEL)
      this.#port(I8259_PORTS.master.command, OCW2.SPECIFIC_EOI | CASCADE_INPUT)
    this.#sink(this.#machine.action('cpu.take'), { handler: handlerOf(vector) })
  }

  remembers(): string {
    return `${this.#begun.join()} ${this.#masks}`
  }

  move(target: Target): void {
    this.#target = target
  }
}

const handlerOf = (vector: number): number => {
  const source = VECTORS.indexOf(vector as (typeof VECTORS)[number])
  if (source >= 0) return source
  const isSpurious =
    vector === SPURIOUS_VECTOR || vector === BASES.master + SPURIOUS_LEVEL || vector === BASES.slave + SPURIOUS_LEVEL
  return isSpurious ? OF_NOTHING : UNKNOWN
}

export const interruptWaysModel: Model = {
  machine: interruptWays,
  played: ['device', 'guest', 'hypervisor'],
  notApplicable(target) {
    const { can, observes } = target
    if (chipsOf(target) === undefined)
      return 'it has no CPU core that could be driven between both interrupt controllers and a remapping unit'
    if (!can.lines || !can.message || !can.execute)
      return 'its lines and messages cannot be driven while its CPU is told what to execute'
    return observes.interrupt === 'exact' && can.step
      ? undefined
      : 'it does not show, step by step, which interrupts its CPU takes'
  },
  open: (target, machine, sink) => new InterruptWaysSession(target, machine, sink),
}
