/**
 * The interrupt chips of a QEMU PC, bare: their inputs are ours, their registers are reached by qtest, and the agent
 * makes the accesses and acknowledge cycles that only a CPU can make.
 */

import { readSync, writeSync } from 'node:fs'
import {
  type Control,
  type Delivery,
  type Description,
  type Gpa,
  type Location,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../../contract/index.ts'
import { readAt, writeAt } from '../access.ts'
import { FULL_RESET, RESET_PORT } from '../drain.ts'
import { MESSAGE_SLOT_BYTES } from '../machine.ts'
import { Monitor } from '../monitor.ts'
import type { QemuProcess } from '../process.ts'
import { Qtest } from '../qtest.ts'
import { Agent } from './agent.ts'
import { type ChipPaths, chipsOf } from './chips.ts'
import { FREE_MEMORY, IOAPIC_BASE, LAPIC_BASE, LAPIC_BYTES, PC_MESSAGE_GPA, type PcMachine } from './machine.ts'
import { Trace } from './trace.ts'

/** Turns of the main loop that a completion needs after its request: one to finish it, one to notify. */
const TURNS = 2
const SLEEP_MS = 0.2
const IOAPIC_EOI = 0x40
/** LVT entry of LINT0, and its value for interrupts of an 8259. */
const LINT0 = 0x350
const EXTINT = 0x700
const DELIVERIES: readonly Delivery[] = ['fixed', 'lowest', 'smi', 'fixed', 'nmi', 'init', 'startup', 'extint']

export class PcTarget implements Target {
  readonly #process: QemuProcess
  readonly #machine: PcMachine
  readonly #qtest: Qtest
  readonly #monitor: Monitor
  readonly #agent: Agent
  readonly #trace: Trace
  readonly #chips: ChipPaths
  /** The CPU has worked since the pipe was last read, and what that did to INT may stand in it. */
  #stirred = false
  /** INT of the 8259 pair. */
  #requested = false
  /** Somebody has set up the local APIC since the last reset: its guest, or we. */
  #localWritten = false
  /** Lines of devices that are up, by the input of the board that they drive. */
  readonly #up = new Set<number>()
  /** Inputs that are high, as `set_irq_in` names them. */
  readonly #high = new Set<string>()
  /** What is read of the message page, and how it looks without a message. */
  readonly #page: Buffer
  readonly #empty: Buffer
  #events: TargetEvent[] = []
  /** Messages and broadcasts of the trace that are our own doing and not a chip's. */
  #ownMessages = 0
  #ownBroadcasts = 0

  constructor(process: QemuProcess, machine: PcMachine, timeoutMs: number) {
    this.#process = process
    this.#machine = machine
    this.#qtest = new Qtest(process.qtest)
    this.#trace = new Trace(process.trace!)
    this.#monitor = new Monitor(process.monitor)
    this.#page = Buffer.alloc((machine.function?.vectors ?? 0) * MESSAGE_SLOT_BYTES)
    this.#empty = Buffer.from(this.#page)
    this.#chips = chipsOf(this.#monitor)
    this.#agent = new Agent(process, this.#qtest, timeoutMs, () => {
      this.#ownMessages++
      this.#stirred = true
    })
    this.#qtest.ask(`irq_intercept_out ${this.#chips.master}`)
    this.reset('system')
    this.#events = []
  }

  describe(): Description {
    const { name, devices, synchronous, function: pciFunction } = this.#machine
    const isFunction = pciFunction !== undefined
    return {
      name: `QEMU, ${name}`,
      version: this.#process.version,
      issues: 'https://gitlab.com/qemu-project/qemu/-/issues',
      vms: 1,
      cpus: 1,
      memory: FREE_MEMORY,
      devices,
      observes: {
        dma: 'none',
        msi: isFunction ? 'at-least-once' : 'none',
        line: 'exact',
        fault: 'none',
        interrupt: 'exact',
      },
      can: {
        step: false,
        save: false,
        migrate: false,
        fingerprint: false,
        resets: ['system'],
        controls: isFunction ? ['resize'] : [],
        synchronous,
        lines: true,
        message: true,
        acknowledge: true,
        endOfInterrupt: true,
      },
    }
  }

  reset(kind: ResetKind): void {
    this.#alive()
    if (kind !== 'system') throw new TargetError('protocol', `qemu: expected a reset of kind system, found ${kind}`)
    for (const input of this.#high) this.#qtest.post(`set_irq_in ${input} 0`)
    this.#high.clear()
    this.#qtest.drain()
    this.#agent.forget()
    this.#qtest.post(`outb ${RESET_PORT} ${FULL_RESET}`)
    this.#qtest.drain()
    this.#agent.awaitStart()
    const { function: pciFunction } = this.#machine
    if (pciFunction !== undefined) {
      // Firmware routes the lines of slots; ours does not, and what is routed nowhere cannot be seen.
      this.write({ space: 'config', address: pciFunction.route }, 1, BigInt(pciFunction.gsi))
      this.#qtest.drain()
    }
    this.#stirred = true
    this.#collect()
    // That INT fell with the reset is an event like any other.
    this.#ownMessages = this.#ownBroadcasts = 0
    this.#localWritten = false
  }

  read(at: Location, width: Width): bigint {
    this.#alive()
    if (at.space === 'hypercall') return BigInt.asUintN(8 * width, this.#readMsr(at.address))
    // Chips have registers of 32 bits.
    if (width === 8) return this.read(at, 4) | (this.read({ ...at, address: at.address + 4 }, 4) << 32n)
    return isLocal(at) ? BigInt(this.#agent.load(at.address, width).value) : readAt(this.#qtest, at, width)
  }

  write(at: Location, width: Width, value: bigint): void {
    this.#alive()
    const data = BigInt.asUintN(8 * width, value)
    if (at.space === 'hypercall') {
      this.#agent.writeMsr(at.address, Number(data & 0xffff_ffffn), Number(data >> 32n))
    } else if (width === 8) {
      this.write(at, 4, data & 0xffff_ffffn)
      this.write({ ...at, address: at.address + 4 }, 4, data >> 32n)
    } else if (isLocal(at)) {
      this.#localWritten = true
      this.#agent.store(at.address, width, Number(data))
    } else writeAt(this.#qtest, at, width, value)
  }

  load(gpa: Gpa, bytes: number): Uint8Array {
    this.#settleRam(gpa, bytes)
    const data = new Uint8Array(bytes)
    readSync(this.#process.ram, data, 0, bytes, gpa)
    return data
  }

  store(gpa: Gpa, data: Uint8Array): void {
    this.#settleRam(gpa, data.length)
    writeSync(this.#process.ram, data, 0, data.length, gpa)
  }

  setLine(chip: string, pin: number, level: boolean): void {
    this.#alive()
    const input = this.#inputOf(chip, pin)
    if (level) this.#high.add(input)
    else this.#high.delete(input)
    this.#qtest.post(`set_irq_in ${input} ${level ? 1 : 0}`)
  }

  message(_requester: number, address: number, data: number): void {
    this.#alive()
    writeAt(this.#qtest, { space: 'mmio', address }, 4, BigInt(data >>> 0))
    // What arrives at the local APICs by it left no chip.
    if (address >= LAPIC_BASE && address < LAPIC_BASE + 0x10_0000) this.#ownMessages++
    this.#qtest.drain()
  }

  acknowledge(cpu: number): number | undefined {
    this.#alive()
    if (cpu !== 0) return undefined
    this.#takeRequests()
    // A local APIC that no guest has touched is left as firmware leaves it: the 8259's interrupts pass through.
    if (this.#requested && !this.#localWritten) {
      this.#localWritten = true
      this.#agent.store(LAPIC_BASE + LINT0, 4, EXTINT)
    }
    return this.#agent.accept()
  }

  endOfInterrupt(vector: number): void {
    this.#alive()
    this.#qtest.post(`writel ${IOAPIC_BASE + IOAPIC_EOI} ${vector & 0xff}`)
    this.#qtest.drain()
    this.#ownBroadcasts++
  }

  /** Carried out, with all that follows from it, when this returns. */
  control(device: string, control: Control): void {
    this.#alive()
    const { function: pciFunction } = this.#machine
    if (device !== pciFunction?.id || control.do !== 'resize')
      throw new TargetError(
        'refused',
        `qemu: expected a resize of ${pciFunction?.id}, found ${control.do} of ${device}`,
      )
    this.#qtest.drain()
    this.#monitor.run('block_resize', { 'node-name': pciFunction.node, size: control.sectors * 512 })
    // The device is told in a later turn of the main loop.
    for (let turn = 0; turn < TURNS; turn++) this.#qtest.ask(`readb ${FREE_MEMORY[0].start}`)
  }

  events(): TargetEvent[] {
    this.#alive()
    this.#collect()
    if (this.#events.length === 0) return []
    const events = this.#events
    this.#events = []
    return events
  }

  /** Chips are quiet at once. Devices get until the deadline, or until a line has changed. */
  settle(deadlineMs: number): Settled {
    try {
      this.#alive()
      this.#qtest.drain()
      if (this.#machine.synchronous) return 'quiet'
      const before = this.#events.length
      const untilMs = performance.now() + deadlineMs
      for (let turn = 1; ; turn++) {
        // A read of memory has no other effect than to give the main loop of QEMU a turn.
        this.#qtest.ask(`readb ${FREE_MEMORY[0].start}`)
        this.#collect()
        if (this.#events.length > before || (turn >= TURNS && performance.now() >= untilMs)) return 'quiet'
        if (turn >= TURNS) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLEEP_MS)
      }
    } catch (error) {
      if (error instanceof TargetError && error.reason === 'dead') return 'dead'
      throw error
    }
  }

  close(): void {
    this.#process.close()
  }

  #readMsr(register: number): bigint {
    const { value, high, vector } = this.#agent.readMsr(register)
    return vector === undefined ? BigInt(value) | (BigInt(high) << 32n) : 0xffff_ffff_ffff_ffffn
  }

  #inputOf(chip: string, pin: number): string {
    const { master, slave, ioapic } = this.#chips
    if (chip === 'pic' && pin >= 0 && pin < 16 && pin !== 2)
      return `${pin < 8 ? master : slave} unnamed-gpio-in ${pin & 7}`
    if (chip === 'ioapic' && pin >= 0 && pin < 24) return `${ioapic} unnamed-gpio-in ${pin}`
    throw new TargetError('refused', `qemu: there is no free input ${pin} of a chip '${chip}'`)
  }

  #takeRequests(): void {
    if (this.#stirred) this.#qtest.ask(`readb ${FREE_MEMORY[0].start}`)
    else this.#qtest.drain()
    this.#stirred = false
    for (const { level } of this.#qtest.takeEdges()) {
      this.#requested = level
      if (this.#machine.devices.some(({ id }) => id === 'pic'))
        this.#events.push({ kind: 'line', device: 'pic', pin: 0, level })
    }
  }

  /** INT of the 8259 pair is intercepted, messages of a PCI function are in memory; everything else is traced. */
  #collect(): void {
    this.#takeRequests()
    this.#takeMessages()
    for (const traced of this.#trace.take()) {
      switch (traced.kind) {
        case 'message': {
          if (this.#ownMessages > 0) {
            this.#ownMessages--
            break
          }
          const { destination, logical, level, vector } = traced
          const delivery = DELIVERIES[traced.delivery]!
          this.#events.push({ kind: 'interrupt', device: 'ioapic', destination, logical, delivery, level, vector })
          break
        }
        case 'eoi':
          if (this.#ownBroadcasts > 0) this.#ownBroadcasts--
          else this.#events.push({ kind: 'eoi', device: 'lapic0', vector: traced.vector })
          break
        case 'gsi':
          this.#line(traced.gsi, traced.level)
      }
    }
  }

  #takeMessages(): void {
    const { function: pciFunction } = this.#machine
    if (pciFunction === undefined) return
    const page = this.#page
    readSync(this.#process.ram, page, 0, page.length, PC_MESSAGE_GPA)
    if (page.equals(this.#empty)) return
    writeSync(this.#process.ram, this.#empty, 0, page.length, PC_MESSAGE_GPA)
    for (let offset = 0; offset < page.length; offset += 4) {
      const data = page.readUInt32LE(offset)
      if (data === 0) continue
      const vector = Math.floor(offset / MESSAGE_SLOT_BYTES)
      this.#events.push({ kind: 'msi', device: pciFunction.id, address: PC_MESSAGE_GPA + offset, data, vector })
    }
  }

  /** A line is driven whenever its device thinks of it; only changes are events. */
  #line(gsi: number, level: boolean): void {
    if (this.#up.has(gsi) === level) return
    if (level) this.#up.add(gsi)
    else this.#up.delete(gsi)
    const { devices, function: pciFunction } = this.#machine
    const device =
      pciFunction?.gsi === gsi
        ? pciFunction
        : devices.find(({ transport }) => transport.kind === 'port' && transport.irq === gsi)
    if (device !== undefined) this.#events.push({ kind: 'line', device: device.id, pin: 0, level })
  }

  #alive(): void {
    if (this.#process.closed) throw new TargetError('poisoned', 'qemu: the target has been closed')
  }

  #settleRam(gpa: Gpa, bytes: number): void {
    this.#alive()
    if (!FREE_MEMORY.some(({ start, end }) => gpa >= start && gpa + bytes <= end))
      throw new RangeError(`qemu: expected bytes of guest memory that is free, found ${bytes} bytes at ${gpa}`)
    this.#qtest.drain()
  }
}

function isLocal({ space, address }: Location): boolean {
  return space === 'mmio' && address >= LAPIC_BASE && address < LAPIC_BASE + LAPIC_BYTES
}
