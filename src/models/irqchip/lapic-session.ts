/** Local APICs, driven by the software of their CPUs and by messages; what their CPUs are given is read back. */
import { EVERYBODY, NOBODY } from '../../../spec/interrupt/lapic-state.ts'
import type { DeviceDescription, Target, TargetEvent } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  CAN_SUPPRESS,
  COMMAND,
  DELIVERIES,
  ERROR,
  FORMAT,
  LAPIC,
  LVT,
  MESSAGE,
  MESSAGE_DATA,
  MSR,
  SHORTHANDS,
  SPURIOUS,
  TIMER_MODES,
} from '../../layout/lapic.ts'
import { LapicDriver } from '../guest/lapic.ts'

/** Vectors come in pairs of one priority class, far from each other; task priorities likewise. */
const CLASSES = [0, 0x30, 0x80, 0xe0] as const
const vectorOf = (index: number): number => CLASSES[(index >> 1) + 1]! + 1 + 8 * (index & 1)
const priorityOf = (tpr: number): number => CLASSES[tpr >> 1]! + 0xf * (tpr & 1)
const SPURIOUS_VECTOR = 0xff
const ILLEGAL_VECTOR = 0x0c
/** A physical destination that no CPU has, and those of everybody. */
const NOWHERE = 0x20
const ALL = 0xff
const ALL_WIDE = 0xffff_ffff
/** Where a processor starts, as a start-up message says it. */
const START_PAGE = 0x9a
const RESERVED_REGISTER = 0x040
/** A unit of time. */
const UNIT_NS = 1000
const BY_ONE = 0b1011
const BY_TWO = 0b0000
/** More ends than there can be interrupts in service. */
const DRAIN = 16

const LINT_MODES = { fixed: 'fixed', external: 'extint', nmi: 'nmi' } as const
const LINTS = [LAPIC.lint0, LAPIC.lint1] as const
const TABLE = [LAPIC.timer, LAPIC.lint0, LAPIC.lint1, LAPIC.error] as const
const ERRORS = [ERROR.sendIllegal, ERROR.receiveIllegal, ERROR.illegalRegister] as const
const deliveryBits = (delivery: (typeof DELIVERIES)[number]): number => DELIVERIES.indexOf(delivery) << LVT.delivery

export class LapicSession implements Session {
  readonly device: string
  readonly unavailable: Readonly<Record<string, string>>
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #ids: readonly string[]
  readonly #apicIds: readonly number[]
  readonly #drivers: readonly LapicDriver[]
  readonly #vectors: number
  readonly #external: unknown
  readonly #ticks: number
  #target: Target
  #off = false
  /** CPUs that were reset and not started since. */
  readonly #waiting = new Set<number>()

  constructor(target: Target, machine: Machine, sink: Sink, devices: readonly DeviceDescription[]) {
    const { cpus = 1, vectors = 2 } = machine.scope
    const used = devices.slice(0, cpus)
    const [first] = used
    if (first === undefined || used.length < cpus)
      throw new ModelError(`expected ${cpus} local APICs, found ${devices.length}`)
    this.device = first.id
    this.#target = target
    this.#machine = machine
    this.#sink = sink
    this.#vectors = vectors
    this.#ids = used.map(({ id }) => id)
    this.#apicIds = used.map(({ facts }, cpu) => (typeof facts?.apicId === 'number' ? facts.apicId : cpu))
    this.#drivers = used.map(({ id, transport }, cpu) => {
      if (transport.kind !== 'chip' || transport.base === undefined)
        throw new ModelError(`${id}: expected the base of its registers`)
      return new LapicDriver(target, cpu, transport.base)
    })
    this.#external = first.facts?.external
    this.#ticks = (Number(first.facts?.timerHz ?? 0) / 1e9) * UNIT_NS
    this.unavailable =
      (this.#at(0).read(LAPIC.version) & CAN_SUPPRESS) === 0
        ? { 'driver.suppressEnds': 'its version says that it cannot suppress broadcasts' }
        : {}
  }

  start(): void {
    if (this.#external !== undefined)
      for (const id of this.#ids) for (const pin of LINTS.keys()) this.#target.setLine!(id, pin, false)
    this.#target.reset('system')
    this.#off = false
    this.#waiting.clear()
    for (const driver of this.#drivers) driver.wide = false
    for (let cpu = 1; cpu < this.#drivers.length; cpu++) {
      this.#command(0, 'init', cpu, 0)
      this.#command(0, 'startup', cpu, 0)
    }
    // A time stamp of zero has no past.
    if (this.#target.describe().can.advance === true) this.#target.advance!(UNIT_NS)
    this.#setUp()
    this.#target.settle(0)
    this.#target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action that is played`)
    // Every argument is a number, a flag or a name; the machine has checked which.
    perform(args as unknown as Plain)
  }

  readonly #performers: Readonly<Record<string, (args: Plain) => void>> = {
    'bus.message': ({ to, vector, level }) => {
      this.#message(this.#physical(to, ALL), vectorOf(vector), 'fixed', level)
      this.#answerAccepted('message', vector)
    },
    'driver.sendIpi': ({ cpu, logical, to, vector }) => {
      const driver = this.#at(cpu)
      const everybody = driver.wide ? ALL_WIDE : ALL
      const destination = logical && to !== EVERYBODY ? logicalOf(to) : this.#physical(to, everybody)
      driver.command(vectorOf(vector) | COMMAND.assert | (logical ? COMMAND.logical : 0), destination)
      this.#answerAccepted(logical && to === EVERYBODY ? 'broadcast' : 'command', vector)
    },
    'driver.sendShorthand': ({ cpu, to, vector }) => {
      this.#shorthand(cpu, to as unknown as Shorthand, vectorOf(vector))
      this.#answerAccepted('shorthand', vector)
    },
    'bus.seek': ({ to, vector }) => {
      const before = this.#requesting(vector)
      const data = vectorOf(vector) | deliveryBits('lowest') | MESSAGE_DATA.assert
      const address = MESSAGE.base | (logicalOf(to) << MESSAGE.destination) | MESSAGE.redirect | MESSAGE.logical
      this.#target.message!(0, address >>> 0, data)
      this.#tell('irqchip.answerSeek', { who: this.#requesting(vector).minus(before) })
    },
    'bus.advance': ({ units }) => {
      this.#target.advance!(units * UNIT_NS)
      if (!this.#off) for (const cpu of this.#drivers.keys()) this.#answerTimer(cpu)
    },
    'driver.armTimer': ({ cpu, mode, masked, vector, initial, slow }) => {
      this.#writeTimer(cpu, mode as unknown as TimerMode, masked, vector)
      this.#at(cpu).write(LAPIC.divide, slow ? BY_TWO : BY_ONE)
      this.#at(cpu).write(LAPIC.initialCount, initial * this.#ticks)
    },
    'driver.armDeadline': ({ cpu, masked, vector, initial }) => {
      this.#writeTimer(cpu, 'deadline', masked, vector)
      const now = this.#at(cpu).readMsr(MSR.timeStamp)
      this.#at(cpu).writeMsr(MSR.deadline, initial === 0 ? 0n : now + BigInt(initial * this.#ticks))
    },
    'driver.armPastDeadline': ({ cpu, masked, vector }) => {
      this.#writeTimer(cpu, 'deadline', masked, vector)
      this.#at(cpu).writeMsr(MSR.deadline, 1n)
      this.#answerTimer(cpu)
    },
    'driver.switchTimer': ({ cpu, mode, masked, vector }) => {
      this.#writeTimer(cpu, mode as unknown as TimerMode, masked, vector)
      this.#answerTimer(cpu)
    },
    'driver.writeOtherCount': ({ cpu }) => {
      const driver = this.#at(cpu)
      if (this.#isForDeadlines(cpu)) driver.write(LAPIC.initialCount, this.#ticks)
      else driver.writeMsr(MSR.deadline, driver.readMsr(MSR.timeStamp) + BigInt(this.#ticks))
      this.#answerTimer(cpu)
    },
    'driver.readTimer': ({ cpu }) => this.#answerTimer(cpu),
    'device.drive': ({ cpu, pin, level }) => this.#target.setLine!(this.#ids[cpu]!, pin, level),
    'driver.setLint': ({ cpu, pin, mode, masked, vector }) => {
      const delivery = deliveryBits(LINT_MODES[mode as unknown as LintMode])
      this.#at(cpu).write(LINTS[pin as Pin], vectorOf(vector) | delivery | (masked ? LVT.masked : 0))
      this.#answerLint(cpu, pin as Pin)
    },
    'driver.openExternal': ({ cpu }) => this.#at(cpu).write(LAPIC.lint0, vectorOf(0) | deliveryBits('extint')),
    'driver.readLint': ({ cpu, pin }) => this.#answerLint(cpu, pin as Pin),
    'bus.messageNmi': ({ cpu }) => this.#message(this.#apicIds[cpu]!, 0, 'nmi', false),
    'driver.sendNmi': ({ cpu, to }) => this.#command(cpu, 'nmi', to, 0),
    'cpu.acknowledge': ({ cpu }) => this.#acknowledge(cpu),
    'cpu.acknowledgeIdly': ({ cpu }) => {
      const before = this.#setOf(cpu, LAPIC.inService)
      this.#acknowledge(cpu)
      const entered = !before.contains(this.#setOf(cpu, LAPIC.inService))
      this.#tell('irqchip.answerIdleService', { entered })
    },
    'cpu.endOfInterrupt': ({ cpu }) => this.#at(cpu).write(LAPIC.endOfInterrupt, 0),
    'cpu.endIdly': ({ cpu }) => this.#at(cpu).write(LAPIC.endOfInterrupt, 0),
    'driver.suppressEnds': ({ cpu, on }) => this.#changeSpurious(cpu, SPURIOUS.suppressBroadcast, on),
    'driver.setEnabled': ({ cpu, on }) => {
      this.#changeSpurious(cpu, SPURIOUS.enabled, on)
      for (const pin of [0, 1] as const) this.#answerLint(cpu, pin)
    },
    'driver.setPriority': ({ cpu, tpr }) => this.#at(cpu).write(LAPIC.taskPriority, priorityOf(tpr)),
    'driver.readPriority': ({ cpu }) =>
      this.#tell('irqchip.answerPriority', {
        cpu,
        tpr: this.#known(this.#at(cpu).read(LAPIC.taskPriority)),
        ppr: this.#known(this.#at(cpu).read(LAPIC.processorPriority)),
      }),
    'driver.readVectors': ({ cpu }) =>
      this.#tell('irqchip.answerVectors', {
        cpu,
        irr: this.#setOf(cpu, LAPIC.request),
        isr: this.#setOf(cpu, LAPIC.inService),
        tmr: this.#setOf(cpu, LAPIC.triggerMode),
      }),
    'driver.setLogicalId': ({ cpu, logical }) =>
      this.#at(cpu).write(LAPIC.logicalDestination, logicalOf(logical) << 24),
    'driver.setModel': ({ cluster }) => {
      // A CPU that waits for its start writes nothing.
      for (const [cpu, driver] of this.#drivers.entries())
        if (!this.#waiting.has(cpu)) driver.write(LAPIC.destinationFormat, cluster ? FORMAT.cluster : FORMAT.flat)
    },
    'driver.enterX2': () => this.#switchMode('x2apic'),
    'driver.switchOff': () => this.#switchMode('off'),
    'driver.restart': () => this.#restart(),
    'driver.readNames': ({ cpu }) => this.#answerNames(cpu),
    'driver.sendInit': ({ cpu }) => {
      this.#command(0, 'init', cpu, 0)
      this.#waiting.add(cpu)
    },
    'driver.sendDeassert': ({ cpu }) => this.#at(0).command(deliveryBits('init') | COMMAND.level, this.#apicIds[cpu]!),
    'driver.sendStartup': ({ cpu }) => this.#start(cpu),
    'driver.sendIllegal': ({ cpu }) => {
      this.#at(cpu).command(ILLEGAL_VECTOR | COMMAND.assert, this.#apicIds[cpu]!)
      this.#answerErrors(cpu)
      this.#answerErrorEntry(cpu)
    },
    'bus.messageIllegal': ({ cpu }) => {
      this.#message(this.#apicIds[cpu]!, ILLEGAL_VECTOR, 'fixed', false)
      this.#answerErrors(cpu)
      this.#answerErrorEntry(cpu)
    },
    'driver.touchReserved': ({ cpu }) => {
      this.#at(cpu).write(RESERVED_REGISTER, 0)
      this.#answerErrors(cpu)
      this.#answerErrorEntry(cpu)
    },
    'driver.setErrorEntry': ({ cpu, masked, vector }) =>
      this.#at(cpu).write(LAPIC.error, vectorOf(vector) | (masked ? LVT.masked : 0)),
    'driver.writeErrors': ({ cpu }) => {
      this.#at(cpu).write(LAPIC.errorStatus, 0)
      this.#answerErrors(cpu)
    },
    'driver.readErrors': ({ cpu }) => this.#answerErrors(cpu),
  }

  collect(): void {
    for (const event of this.#target.events()) {
      const cpu = 'device' in event ? this.#ids.indexOf(event.device) : -1
      if (cpu >= 0) this.#tellEvent(cpu, event)
    }
  }

  #tellEvent(cpu: number, event: TargetEvent): void {
    if (event.kind === 'eoi')
      this.#tell(
        'irqchip.broadcast',
        { cpu, vector: this.#indexOf(event.vector) },
        `vector 0x${event.vector.toString(16)}`,
      )
    else if (event.kind === 'interrupt' && event.delivery === 'nmi') this.#tell('irqchip.nmi', { cpu })
    else if (event.kind === 'interrupt' && event.delivery === 'startup')
      this.#tell('irqchip.start', { cpu, right: event.vector === START_PAGE }, `page 0x${event.vector.toString(16)}`)
  }

  move(target: Target): void {
    this.#target = target
    for (const driver of this.#drivers) driver.target = target
  }

  #at(cpu: number): LapicDriver {
    return this.#drivers[cpu]!
  }

  #physical(to: number, everybody: number): number {
    if (to === EVERYBODY) return everybody
    return to === NOBODY ? NOWHERE : this.#apicIds[to % this.#apicIds.length]!
  }

  #message(destination: number, vector: number, delivery: 'fixed' | 'nmi', level: boolean): void {
    const data = vector | deliveryBits(delivery) | MESSAGE_DATA.assert | (level ? MESSAGE_DATA.level : 0)
    this.#target.message!(0, (MESSAGE.base | (destination << MESSAGE.destination)) >>> 0, data)
  }

  #command(from: number, delivery: 'nmi' | 'init' | 'startup', to: number, vector: number): void {
    this.#at(from).command(vector | deliveryBits(delivery) | COMMAND.assert, this.#apicIds[to]!)
  }

  #shorthand(cpu: number, to: Shorthand, vector: number): void {
    const driver = this.#at(cpu)
    // In x2APIC mode there is a register for it.
    if (to === 'self' && driver.wide) driver.write(LAPIC.selfIpi, vector)
    else driver.command(vector | COMMAND.assert | (SHORTHANDS.indexOf(to) << COMMAND.shorthand), 0)
  }

  /** Registers of an APIC that is off cannot be read. */
  #answerAccepted(by: string, vector: number): void {
    if (this.#off) return
    const who = this.#requesting(vector)
    const marked = [...this.#drivers.keys()].filter((cpu) => this.#at(cpu).has(LAPIC.triggerMode, vectorOf(vector)))
    const level = Bits.from(marked)
    this.#tell('irqchip.answerAccepted', { by, vector, who, level })
  }

  #requesting(vector: number): Bits {
    const wanted = vectorOf(vector)
    return Bits.from(this.#drivers.flatMap((driver, cpu) => (driver.has(LAPIC.request, wanted) ? [cpu] : [])))
  }

  #setOf(cpu: number, base: number): Bits {
    const words: number[] = []
    let mask = 0
    for (let index = 0; index < this.#vectors; index++) {
      const vector = vectorOf(index)
      const word = (words[vector >> 5] ??= this.#at(cpu).read(base + 16 * (vector >> 5)))
      mask |= ((word >>> (vector & 31)) & 1) << index
    }
    return Bits.of(mask)
  }

  #indexOf(vector: number): number | undefined {
    for (let index = 0; index < this.#vectors; index++) if (vectorOf(index) === vector) return index
    return undefined
  }

  #known(priority: number): number | undefined {
    for (let tpr = 0; tpr < this.#vectors + 2; tpr++) if (priorityOf(tpr) === priority) return tpr
    return undefined
  }

  #acknowledge(cpu: number): void {
    const given = this.#target.acknowledge!(cpu)
    const vector = given === undefined ? undefined : this.#indexOf(given)
    const gives =
      given === undefined
        ? 'nothing'
        : vector !== undefined
          ? 'vector'
          : given === this.#external
            ? 'external'
            : given === SPURIOUS_VECTOR
              ? 'spurious'
              : 'other'
    const note = gives === 'other' ? `vector 0x${given?.toString(16)}` : undefined
    this.#tell('irqchip.answerAcknowledge', { gives, vector: vector ?? 0 }, note)
  }

  #answerLint(cpu: number, pin: Pin): void {
    this.#tell('irqchip.answerLint', { cpu, pin, masked: (this.#at(cpu).read(LINTS[pin]) & LVT.masked) !== 0 })
  }

  /** Whose IRR has the vector of the entry for errors. */
  #answerErrorEntry(cpu: number): void {
    const vector = this.#indexOf(this.#at(cpu).read(LAPIC.error) & LVT.vector)
    if (vector !== undefined) this.#answerAccepted('error', vector)
  }

  #answerNames(cpu: number): void {
    const driver = this.#at(cpu)
    const id = this.#apicIds[cpu]!
    const read = driver.read(LAPIC.id)
    const name = driver.read(LAPIC.logicalDestination)
    if (driver.wide) {
      const own = read === id && name === (((id >> 4) << 16) | (1 << (id & 15)))
      this.#tell('irqchip.answerNames', { cpu, own, logical: undefined, cluster: false })
      return
    }
    const played = Array.from({ length: 8 }, (_, logical) => logicalOf(logical)).indexOf(name >>> 24)
    this.#tell('irqchip.answerNames', {
      cpu,
      own: read >>> 24 === id,
      logical: played < 0 ? undefined : played,
      cluster: driver.read(LAPIC.destinationFormat) >>> 28 === 0,
    })
  }

  #errorsOf(cpu: number): Bits {
    const status = this.#at(cpu).read(LAPIC.errorStatus)
    return Bits.from(ERRORS.flatMap((bit, kind) => ((status & bit) !== 0 ? [kind] : [])))
  }

  #answerErrors(cpu: number): void {
    this.#tell('irqchip.answerErrors', { cpu, bits: this.#errorsOf(cpu) })
  }

  #changeSpurious(cpu: number, bit: number, on: boolean): void {
    const driver = this.#at(cpu)
    const now = driver.read(LAPIC.spurious)
    driver.write(LAPIC.spurious, ((on ? now | bit : now & ~bit) & ~0xff) | SPURIOUS_VECTOR)
  }

  #writeTimer(cpu: number, mode: TimerMode, masked: boolean, vector: number): void {
    const bits = TIMER_MODES.indexOf(mode) << LVT.timerMode
    this.#at(cpu).write(LAPIC.timer, vectorOf(vector) | bits | (masked ? LVT.masked : 0))
  }

  #answerTimer(cpu: number): void {
    const driver = this.#at(cpu)
    const by = driver.read(LAPIC.divide) === BY_TWO ? 2 : 1
    const left = (driver.read(LAPIC.currentCount) * by) / this.#ticks
    const type = this.#machine.action('irqchip.answerTimer').args.find(({ name }) => name === 'left')!.type
    const vector = driver.read(LAPIC.timer) & LVT.vector
    this.#tell('irqchip.answerTimer', {
      cpu,
      vector: this.#indexOf(vector),
      left: Number.isInteger(left) && left < type.of!.cells ? left : undefined,
      requested: driver.has(LAPIC.request, vector),
      deadline: !this.#isForDeadlines(cpu) ? 'unknown' : driver.readMsr(MSR.deadline) === 0n ? 'none' : 'some',
    })
  }

  #isForDeadlines(cpu: number): boolean {
    return ((this.#at(cpu).read(LAPIC.timer) >>> LVT.timerMode) & 3) === TIMER_MODES.indexOf('deadline')
  }

  #switchMode(mode: 'off' | 'xapic' | 'x2apic'): void {
    for (const driver of this.#drivers) driver.switchMode(mode)
    this.#off = mode === 'off'
  }

  #restart(): void {
    // What was told before belongs to the time before.
    this.collect()
    this.#switchMode('xapic')
    this.#waiting.clear()
    for (let cpu = 1; cpu < this.#drivers.length; cpu++) this.#command(0, 'startup', cpu, 0)
    this.#setUp()
    for (const cpu of this.#drivers.keys()) this.#drain(cpu)
    this.#target.settle(0)
    this.#target.events()
  }

  /** As the machine begins: enabled by software, everything local masked, logical ids of one bit each. */
  #setUp(): void {
    for (const [cpu, driver] of this.#drivers.entries()) {
      driver.write(LAPIC.spurious, SPURIOUS.enabled | SPURIOUS_VECTOR)
      for (const entry of TABLE) driver.write(entry, LVT.masked)
      driver.write(LAPIC.initialCount, 0)
      driver.write(LAPIC.destinationFormat, FORMAT.flat)
      driver.write(LAPIC.logicalDestination, (1 << cpu) << 24)
      driver.write(LAPIC.taskPriority, 0)
      for (let twice = 0; twice < 2; twice++) driver.write(LAPIC.errorStatus, 0)
    }
  }

  /** What was requested or in service before may be there still. */
  #drain(cpu: number): void {
    const end = (): void => this.#at(cpu).write(LAPIC.endOfInterrupt, 0)
    for (let count = 0; count < DRAIN; count++) end()
    // What is in service holds the rest back.
    for (let count = 0; count < DRAIN && this.#target.acknowledge!(cpu) !== undefined; count++) end()
  }

  #start(cpu: number): void {
    const driver = this.#at(cpu)
    this.#waiting.delete(cpu)
    this.#command(0, 'startup', cpu, START_PAGE)
    const sets = [LAPIC.request, LAPIC.inService, LAPIC.triggerMode].every((base) => this.#setOf(cpu, base).isEmpty)
    const masks = TABLE.every((entry) => (driver.read(entry) & LVT.masked) !== 0)
    const enabled = (driver.read(LAPIC.spurious) & SPURIOUS.enabled) !== 0
    // Its name follows from its id in x2APIC mode.
    const nameless =
      driver.wide ||
      (driver.read(LAPIC.logicalDestination) === 0 && driver.read(LAPIC.destinationFormat) === FORMAT.flat)
    const zero = [LAPIC.taskPriority, LAPIC.errorStatus, LAPIC.initialCount, LAPIC.currentCount, LAPIC.divide]
    const clean = sets && masks && !enabled && nameless && zero.every((register) => driver.read(register) === 0)
    this.#tell('irqchip.answerReset', { cpu, clean })
    if (this.#machine.scope.errors !== 1) return
    // What was gathered before shows only now.
    driver.write(LAPIC.errorStatus, 0)
    this.#tell('irqchip.answerFirstErrors', { cpu, bits: this.#errorsOf(cpu) })
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

type Pin = 0 | 1
type Shorthand = (typeof SHORTHANDS)[number]
type TimerMode = (typeof TIMER_MODES)[number]
type LintMode = keyof typeof LINT_MODES
interface Plain extends Readonly<Record<string, unknown>> {
  readonly cpu: number
  readonly to: number
  readonly vector: number
  readonly level: boolean
  readonly logical: number
  readonly units: number
  readonly mode: number
  readonly masked: boolean
  readonly initial: number
  readonly slow: boolean
  readonly pin: number
  readonly on: boolean
  readonly tpr: number
  readonly cluster: boolean
}

/** Two members and the lowest bit of the cluster, as the registers have them. */
const logicalOf = (played: number): number => (played & 3) | ((played & 4) << 2)
