/**
 * The local APICs of all CPUs, and the bus between them. Everything takes effect at once. Time is counted in nanoseconds
 * since the reset: one tick of the timers, and of the time stamp.
 */
import type { Delivery, DeviceDescription, Space, TargetEvent } from '../../contract/index.ts'
import {
  APIC_BASE,
  COMMAND,
  DELIVERIES,
  ERROR,
  FIRST_VECTOR,
  LAPIC,
  LVT,
  MESSAGE,
  MESSAGE_DATA,
  MSR,
  SHORTHANDS,
} from '../../layout/lapic.ts'
import type { BoardPart } from '../board.ts'
import { readRegister, writeRegister } from './lapic-registers.ts'
import { type EntryName, freshLapic, isEnabled, type LapicParts, type LapicState, modeOf } from './lapic-state.ts'
import { addVector, highestVector, removeVector } from './vectors.ts'

export interface LapicOptions {
  readonly parts: LapicParts
  readonly cpus: number
  emit(event: TargetEvent): void
  /** The vector that the controller behind LINT0 gives in an acknowledge cycle. */
  readonly external?: () => number | undefined
  /** Told of the ends of level interrupts. */
  readonly ended?: (vector: number) => void
  /** Facts for the description of each. */
  readonly facts?: DeviceDescription['facts']
}

/** A fixed or other interrupt on its way to some of them. */
export interface Interrupt {
  readonly delivery: Delivery
  readonly vector: number
  readonly level: boolean
}

interface LapicsState {
  now: number
  apics: LapicState[]
}

const LINTS = ['lint0', 'lint1'] as const
const BROADCAST = 0xff
const WIDE_BROADCAST = 0xffff_ffff

export class Lapics implements BoardPart {
  readonly describes: readonly DeviceDescription[]
  readonly options: LapicOptions
  #state: LapicsState

  constructor(options: LapicOptions) {
    this.options = options
    this.#state = this.#fresh()
    this.describes = Array.from({ length: options.cpus }, (_, cpu) => ({
      id: `lapic${cpu}`,
      kind: 'local-apic',
      transport: { kind: 'chip', inputs: LINTS.length, base: MESSAGE.base },
      facts: { apicId: cpu, x2apic: true, ...options.facts },
    }))
  }

  #fresh(): LapicsState {
    return { now: 0, apics: Array.from({ length: this.options.cpus }, (_, cpu) => freshLapic(cpu > 0)) }
  }

  get now(): number {
    return this.#state.now
  }

  /** Whether the processor is told that an interrupt is pending. */
  signals(cpu: number): boolean {
    return this.#state.apics[cpu]?.signal ?? false
  }

  read(space: Space, address: number, _width: number, cpu: number): number | undefined {
    const apic = this.#state.apics[cpu]
    if (apic === undefined) return undefined
    const offset = this.#offset(space, address, apic)
    return offset === undefined ? undefined : readRegister(this, apic, cpu, offset)
  }

  write(space: Space, address: number, width: number, value: number, cpu: number): boolean {
    const apic = this.#state.apics[cpu]
    if (apic === undefined) return false
    const offset = this.#offset(space, address, apic)
    if (offset === undefined) return false
    // The registers are 32 bits wide; narrower accesses are not defined, and do nothing here.
    if (width === 4) writeRegister(this, apic, cpu, offset, value)
    this.#refresh()
    return true
  }

  #offset(space: Space, address: number, apic: LapicState): number | undefined {
    const offset = address - MESSAGE.base
    return space === 'mmio' && apic.mode === 'xapic' && offset >= 0 && offset < 0x400 ? offset : undefined
  }

  /** Model-specific registers. What faults on a processor reads as if nobody were there. */
  readWide(space: Space, register: number, cpu: number): bigint | undefined {
    const apic = this.#state.apics[cpu]
    if (space !== 'hypercall' || apic === undefined) return undefined
    if (register === MSR.timeStamp) return BigInt(this.#state.now)
    if (register === MSR.apicBase) return BigInt(MESSAGE.base + baseBits(apic, cpu))
    if (register === MSR.deadline) return modeOf(apic) === 'deadline' ? BigInt(apic.expires) : 0n
    const offset = x2Offset(apic, register)
    if (offset === undefined) return undefined
    const low = BigInt(readRegister(this, apic, cpu, offset) >>> 0)
    return offset === LAPIC.command ? low | (BigInt(apic.commandHigh) << 32n) : low
  }

  writeWide(space: Space, register: number, value: bigint, cpu: number): boolean {
    const apic = this.#state.apics[cpu]
    if (space !== 'hypercall' || apic === undefined) return false
    const low = Number(BigInt.asUintN(32, value))
    const offset = x2Offset(apic, register)
    if (register === MSR.apicBase) this.#writeBase(cpu, low)
    else if (register === MSR.deadline) {
      if (modeOf(apic) === 'deadline') apic.expires = Number(value)
      this.#expire()
    } else if (offset !== undefined) {
      // The command is one register of 64 bits: its destination is there before it takes effect.
      if (offset === LAPIC.command) apic.commandHigh = Number(value >> 32n)
      writeRegister(this, apic, cpu, offset, low)
    } else return false
    this.#refresh()
    return true
  }

  /** From off to on it comes up as after a reset; what is not a legal transition is left out. */
  #writeBase(cpu: number, value: number): void {
    const apic = this.#state.apics[cpu]!
    const enabled = (value & APIC_BASE.enabled) !== 0
    const wide = (value & APIC_BASE.x2apic) !== 0
    const mode = enabled ? (wide ? 'x2apic' : 'xapic') : 'off'
    if ((wide && !enabled) || (apic.mode === 'x2apic' && mode === 'xapic') || (apic.mode === 'off' && wide)) return
    if (mode === apic.mode) return
    const { lines, waiting } = apic
    if (mode === 'off' || apic.mode === 'off') this.#state.apics[cpu] = { ...freshLapic(waiting), lines, mode }
    else apic.mode = mode
  }

  message(_requester: number, address: number, data: number): boolean {
    if (address < MESSAGE.base || address >= MESSAGE.base + 0x10_0000) return false
    const delivery = DELIVERIES[(data >>> MESSAGE_DATA.delivery) & 7]
    if (delivery === undefined) return true
    this.send(
      (address >>> MESSAGE.destination) & 0xff,
      (address & MESSAGE.logical) !== 0,
      { delivery, vector: data & MESSAGE_DATA.vector, level: (data & MESSAGE_DATA.level) !== 0 },
      (address & MESSAGE.redirect) !== 0 || delivery === 'lowest',
    )
    return true
  }

  /** A message on the bus; `one`: for one of those that it names. */
  send(destination: number, logical: boolean, interrupt: Interrupt, one: boolean): void {
    const named = this.#state.apics.flatMap((apic, cpu) =>
      apic.mode !== 'off' && this.#isNamed(apic, cpu, destination, logical) ? [cpu] : [],
    )
    this.deliver(one ? this.#chosen(named) : named, interrupt)
  }

  #isNamed(apic: LapicState, cpu: number, destination: number, logical: boolean): boolean {
    if (!logical) return destination === cpu || destination === BROADCAST || destination === WIDE_BROADCAST
    if (apic.mode === 'xapic') return this.options.parts.isNamed(apic, destination)
    // The logical id follows from the id: sixteen of them in a cluster.
    return (
      destination === WIDE_BROADCAST || (destination >>> 16 === cpu >> 4 && ((destination >>> (cpu & 15)) & 1) === 1)
    )
  }

  #chosen(named: readonly number[]): readonly number[] {
    const candidates = named
      .map((cpu) => ({ cpu, apic: this.#state.apics[cpu]! }))
      .filter(({ apic }) => isEnabled(apic))
    return this.options.parts.arbitrate(candidates)
  }

  /** What an interrupt does to those that it is for. */
  deliver(cpus: readonly number[], { delivery, vector, level }: Interrupt): void {
    for (const cpu of cpus) {
      const apic = this.#state.apics[cpu]!
      if (apic.mode === 'off') continue
      if (delivery === 'fixed' || delivery === 'lowest') this.accept(apic, vector, level)
      else if (delivery === 'init') {
        this.#state.apics[cpu] = this.options.parts.initialised(apic)
        if (cpu === 0) this.#state.apics[cpu]!.waiting = false
        this.#tellCpu(cpu, delivery, 0)
      } else if (delivery === 'startup') {
        if (!apic.waiting) continue
        apic.waiting = false
        this.#tellCpu(cpu, delivery, vector)
      } else if (delivery !== 'extint') this.#tellCpu(cpu, delivery, 0)
    }
    this.#refresh()
  }

  /** Fixed interrupts: of messages, of other CPUs, and of its own sources. */
  accept(apic: LapicState, vector: number, level: boolean): void {
    if (!this.options.parts.accepts(apic)) return
    if (vector < FIRST_VECTOR) this.fail(apic, ERROR.receiveIllegal)
    else this.options.parts.accept(apic, vector, level)
  }

  fail(apic: LapicState, error: number): void {
    apic.errors |= error
    const { vector, masked } = { vector: apic.error & LVT.vector, masked: (apic.error & LVT.masked) !== 0 }
    if (!masked && vector >= FIRST_VECTOR && isEnabled(apic)) this.options.parts.accept(apic, vector, false)
  }

  command(apic: LapicState, cpu: number, low: number, destination: number): void {
    const { parts, cpus } = this.options
    const delivery = DELIVERIES[(low >>> COMMAND.delivery) & 7]
    const shorthand = SHORTHANDS[(low >>> COMMAND.shorthand) & 3]!
    const vector = low & COMMAND.vector
    if (delivery === undefined || delivery === 'extint') return
    // The de-assertion of an INIT level only matters to buses of old.
    if (delivery === 'init' && (low & COMMAND.assert) === 0) return
    const isVector = delivery === 'fixed' || delivery === 'lowest'
    if (isVector && vector < FIRST_VECTOR) this.fail(apic, ERROR.sendIllegal)
    const interrupt = { delivery, vector, level: false }
    if (shorthand === 'none') this.send(destination, (low & COMMAND.logical) !== 0, interrupt, delivery === 'lowest')
    else this.deliver(parts.shorthand(shorthand, cpu, cpus), interrupt)
  }

  endOfInterruptOf(apic: LapicState, cpu: number): void {
    const vector = this.options.parts.ended(apic)
    if (vector < 0) return
    removeVector(apic.isr, vector)
    if (!this.options.parts.broadcasts(apic, vector)) return
    this.options.emit({ kind: 'eoi', device: `lapic${cpu}`, vector })
    this.options.ended?.(vector)
  }

  setLine(id: string, pin: number, level: boolean): boolean {
    const cpu = this.describes.findIndex((each) => each.id === id)
    const apic = this.#state.apics[cpu]
    const name = LINTS[pin]
    if (apic === undefined || name === undefined) return false
    const rises = level && !apic.lines[pin]
    apic.lines[pin] = level
    const entry = apic[name]
    if ((entry & LVT.masked) !== 0 && apic.mode !== 'off') {
      apic.signal = this.options.parts.signalAfterMasked(apic)
      return true
    }
    if (rises) this.#local(apic, cpu, name)
    this.#refresh()
    return true
  }

  /** An entry of the local vector table has something to tell. ExtINT follows the line, see `isExternal`. */
  #local(apic: LapicState, cpu: number, name: EntryName): void {
    const entry = apic[name]
    if ((entry & LVT.masked) !== 0 || apic.mode === 'off') return
    const delivery = name === 'timer' ? 'fixed' : DELIVERIES[(entry >>> LVT.delivery) & 7]
    if (delivery === 'fixed') this.accept(apic, entry & LVT.vector, false)
    else if (delivery === 'nmi' || delivery === 'smi') this.#tellCpu(cpu, delivery, 0)
  }

  /** LINT0 carries interrupts of an external controller, past IRR and priorities; so it does while the APIC is off. */
  #isExternal(apic: LapicState): boolean {
    if (!apic.lines[0]) return false
    if (apic.mode === 'off') return true
    return (apic.lint0 & LVT.masked) === 0 && DELIVERIES[(apic.lint0 >>> LVT.delivery) & 7] === 'extint'
  }

  #tellCpu(cpu: number, delivery: Delivery, vector: number): void {
    const device = `lapic${cpu}`
    this.options.emit({ kind: 'interrupt', device, destination: cpu, logical: false, delivery, level: false, vector })
  }

  acknowledge(cpu: number): number | undefined {
    const apic = this.#state.apics[cpu]
    if (apic === undefined) return undefined
    if (!apic.signal) {
      this.options.parts.giveNothing(apic)
      return undefined
    }
    const given = this.#give(apic)
    this.#refresh()
    return given
  }

  #give(apic: LapicState): number | undefined {
    if (this.#isExternal(apic)) return this.options.external?.()
    const vector = this.#deliverable(apic)
    if (vector < 0) {
      this.options.parts.giveNothing(apic)
      return apic.spurious & 0xff
    }
    removeVector(apic.irr, vector)
    addVector(apic.isr, vector)
    return vector
  }

  #deliverable(apic: LapicState): number {
    const { parts } = this.options
    if (!isEnabled(apic)) return -1
    const vector = highestVector(apic.irr)
    return vector >= 0 && parts.precedes(vector, parts.priority(apic)) ? vector : -1
  }

  #refresh(): void {
    for (const apic of this.#state.apics) apic.signal = this.#isExternal(apic) || this.#deliverable(apic) >= 0
  }

  startTimer(apic: LapicState): void {
    if (modeOf(apic) !== 'deadline')
      apic.expires =
        apic.initialCount === 0 ? 0 : this.#state.now + apic.initialCount * this.options.parts.divisor(apic.divide)
  }

  /** Counts until the timer runs out. */
  countLeft(apic: LapicState): number {
    if (apic.expires === 0 || modeOf(apic) === 'deadline') return 0
    return Math.ceil((apic.expires - this.#state.now) / this.options.parts.divisor(apic.divide))
  }

  advance(ns: number): void {
    this.#state.now += ns
    this.#expire()
    this.#refresh()
  }

  #expire(): void {
    const { now, apics } = this.#state
    const { parts } = this.options
    for (const [cpu, apic] of apics.entries()) {
      if (apic.expires === 0 || apic.expires > now) continue
      const period = apic.initialCount * parts.divisor(apic.divide)
      apic.expires = parts.expiresNext(modeOf(apic) === 'periodic', apic.expires, period, now)
      this.#local(apic, cpu, 'timer')
    }
  }

  /** What a wrong order left for later. */
  step(): boolean {
    const apic = this.#state.apics.find(({ unnoted }) => unnoted.length > 0)
    if (apic === undefined) return false
    addVector(apic.tmr, apic.unnoted.shift()!)
    return true
  }

  reset(): void {
    const lines = this.#state.apics.map((apic) => apic.lines)
    this.#state = this.#fresh()
    for (const [cpu, apic] of this.#state.apics.entries()) apic.lines = lines[cpu]!
  }

  save(): unknown {
    return this.#state
  }

  restore(state: unknown): void {
    this.#state = state as LapicsState
  }
}

/** The register that a model-specific one is in x2APIC mode. */
const x2Offset = ({ mode }: LapicState, register: number): number | undefined =>
  mode === 'x2apic' && register >= MSR.x2apic && register < MSR.x2apic + 0x40 ? (register - MSR.x2apic) * 16 : undefined

const baseBits = ({ mode }: LapicState, cpu: number): number =>
  (cpu === 0 ? APIC_BASE.bootstrap : 0) |
  (mode === 'off' ? 0 : APIC_BASE.enabled) |
  (mode === 'x2apic' ? APIC_BASE.x2apic : 0)
