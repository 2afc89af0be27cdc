/** I/O APIC and local APICs: known answers of the reference, no false alarm on it, and faults found. */
import { describe, expect, it } from 'vitest'
import type { Target, TargetEvent } from '../../src/contract/target.ts'
import { ENTRY } from '../../src/layout/ioapic.ts'
import { LAPIC, LVT, SPURIOUS } from '../../src/layout/lapic.ts'
import { ioapicModel } from '../../src/models/ioapic.ts'
import { lapicModel } from '../../src/models/lapic.ts'
import { ioapicFaults } from '../../src/reference/faults/ioapic.ts'
import { lapicFaults } from '../../src/reference/faults/lapic.ts'
import { ioapicBoard } from '../../src/reference/irqchip/ioapic-board.ts'
import { lapicBoard } from '../../src/reference/irqchip/lapic-board.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const FRESH = Date.now() & 0x7fff_ffff
const MESSAGES = 0xfee0_0000

const vectorsOf = (events: readonly TargetEvent[]): number[] =>
  events.flatMap((event) => (event.kind === 'interrupt' || event.kind === 'eoi' ? [event.vector] : []))

class Io {
  readonly target = openReference({ board: ioapicBoard })
  #at(offset: number) {
    return { space: 'mmio', address: 0xfec0_0000 + offset } as const
  }
  write(index: number, value: number): void {
    this.target.write(this.#at(0), 4, BigInt(index))
    this.target.write(this.#at(0x10), 4, BigInt(value >>> 0))
  }
  read(index: number): number {
    this.target.write(this.#at(0), 4, BigInt(index))
    return Number(this.target.read(this.#at(0x10), 4))
  }
  line(pin: number, level: boolean): number[] {
    this.target.setLine!('ioapic', pin, level)
    return this.sent()
  }
  end(vector: number): number[] {
    this.target.endOfInterrupt!(vector)
    return this.sent()
  }
  sent(): number[] {
    this.target.settle(0)
    return vectorsOf(this.target.events())
  }
}

describe('the I/O APIC of the reference', () => {
  it('comes up masked, and says what it is', () => {
    const io = new Io()
    expect([io.read(0x10), io.read(0x11), io.read(1)]).toEqual([0x1_0000, 0, 0x17_0020])
    io.write(0, 0xffff_ffff)
    io.write(1, 0xffff_ffff)
    expect([io.read(0), io.read(1), io.read(2)]).toEqual([0x0f00_0000, 0x17_0020, 0x0f00_0000])
  })

  it('keeps what software cannot write', () => {
    const io = new Io()
    io.write(0x10, 0xffff_ffff)
    expect(io.read(0x10)).toBe(0x1_afff)
    io.write(0x11, 0xffff_ffff)
    expect(io.read(0x11)).toBe(0xff00_0000)
    io.write(0x70, 0xffff_ffff)
    expect(io.read(0x70)).toBe(0)
  })

  it('sends a level once until its end, again while it is asserted, and never for a masked edge', () => {
    const io = new Io()
    io.write(0x14, ENTRY.level | 0x31)
    expect(io.line(2, true)).toEqual([0x31])
    expect(io.read(0x14) & ENTRY.remoteIrr).not.toBe(0)
    expect(io.end(0x32)).toEqual([])
    expect(io.end(0x31)).toEqual([0x31])
    expect(io.line(2, false)).toEqual([])
    expect(io.end(0x31)).toEqual([])
    io.write(0x14, ENTRY.masked | 0x31)
    io.line(2, true)
    io.write(0x14, 0x31)
    expect(io.sent()).toEqual([])
  })

  it('takes vectors below 16, reserved delivery modes and other widths without complaint', () => {
    const io = new Io()
    io.write(0x14, 0x05)
    expect(io.line(2, true)).toEqual([0x05])
    io.write(0x16, (3 << ENTRY.delivery) | 0x41)
    expect(io.line(3, true)).toEqual([])
    for (const width of [1, 2] as const) io.target.write({ space: 'mmio', address: 0xfec0_0010 }, width, 0xffn)
    expect(io.read(0x16) & ENTRY.vector).toBe(0x41)
  })
})

class Local {
  readonly target = openReference({ board: lapicBoard })
  constructor() {
    for (const cpu of [0, 1]) this.write(cpu, LAPIC.spurious, SPURIOUS.enabled | 0xff)
  }
  write(cpu: number, register: number, value: number): void {
    this.target.write({ space: 'mmio', address: MESSAGES + register, cpu }, 4, BigInt(value >>> 0))
  }
  read(cpu: number, register: number): number {
    return Number(this.target.read({ space: 'mmio', address: MESSAGES + register, cpu }, 4))
  }
  message(cpu: number, vector: number, level = false): void {
    this.target.message!(0, MESSAGES + cpu * 0x1000, vector | (level ? 0xc000 : 0x4000))
  }
  take(cpu: number): number | undefined {
    return this.target.acknowledge!(cpu)
  }
}

describe('the local APICs of the reference', () => {
  it('deliver by class: task priority, service and their processor priority', () => {
    const local = new Local()
    local.write(0, LAPIC.taskPriority, 0x40)
    local.message(0, 0x45)
    expect([local.take(0), local.read(0, LAPIC.processorPriority)]).toEqual([undefined, 0x40])
    local.write(0, LAPIC.taskPriority, 0x3f)
    expect([local.take(0), local.read(0, LAPIC.processorPriority)]).toEqual([0x45, 0x40])
    local.message(0, 0x4f)
    expect(local.take(0)).toBeUndefined()
    local.message(0, 0x51)
    expect(local.take(0)).toBe(0x51)
    local.write(0, LAPIC.endOfInterrupt, 0)
    local.write(0, LAPIC.endOfInterrupt, 0)
    expect(local.take(0)).toBe(0x4f)
  })

  it('tell the ends of level interrupts and of no others', () => {
    const local = new Local()
    for (const level of [true, false]) {
      local.message(0, 0x61, level)
      expect(local.take(0)).toBe(0x61)
      local.write(0, LAPIC.endOfInterrupt, 0)
      expect(vectorsOf(local.target.events())).toEqual(level ? [0x61] : [])
    }
  })

  it('count time: once, in periods, by the divide register, and not at all from zero', () => {
    const local = new Local()
    const { target } = local
    local.write(0, LAPIC.divide, 0b1011)
    local.write(0, LAPIC.timer, 0x81)
    local.write(0, LAPIC.initialCount, 100)
    target.advance!(99)
    expect([local.read(0, LAPIC.currentCount), local.take(0)]).toEqual([1, undefined])
    target.advance!(1)
    expect([local.read(0, LAPIC.currentCount), local.take(0)]).toEqual([0, 0x81])
    local.write(0, LAPIC.endOfInterrupt, 0)
    local.write(0, LAPIC.timer, 0x81 | (1 << LVT.timerMode))
    local.write(0, LAPIC.divide, 0)
    local.write(0, LAPIC.initialCount, 100)
    target.advance!(450)
    expect([local.read(0, LAPIC.currentCount), local.take(0)]).toEqual([75, 0x81])
    local.write(0, LAPIC.endOfInterrupt, 0)
    local.write(0, LAPIC.initialCount, 0)
    target.advance!(1e9)
    expect(local.take(0)).toBeUndefined()
  })

  it('latch errors when told to, and deliver no vector below 16', () => {
    const local = new Local()
    local.message(1, 0x0f)
    expect([local.take(1), local.read(1, LAPIC.errorStatus)]).toEqual([undefined, 0])
    local.write(1, LAPIC.errorStatus, 0)
    expect(local.read(1, LAPIC.errorStatus)).toBe(0x40)
    local.write(1, LAPIC.errorStatus, 0)
    expect(local.read(1, LAPIC.errorStatus)).toBe(0)
  })
})

const RUNS = 40
const named = [
  ['ioapic', ioapicModel, () => openReference({ board: ioapicBoard })],
  ['lapic', lapicModel, () => openReference({ board: lapicBoard })],
] as const

describe.each(named)('%s', (_name, model, open) => {
  it(`raises no false alarm on the reference, also from seed ${FRESH}`, () => {
    for (const seed of [1, FRESH]) {
      const result = campaign(model, open(), { runs: RUNS, seed })
      expect(result.first).toBeUndefined()
      expect(result.hardening).toEqual({})
    }
  })
})

describe('faults', () => {
  // Shallow ones and one each that shows only between two steps; all of them are measured by the score.
  const FOUND = [
    'irq-ioapic-masked-edge-latched',
    'irq-ioapic-eoi-window-double-inject',
    'irq-ioapic-polarity-ignored',
    'irq-apic-tpr-per-vector-instead-of-class',
    'irq-apic-irr-set-before-tmr',
    'irq-apic-lowest-priority-to-all',
  ]
  const seeded = (id: string): Target => openReference({ fault: id })
  it.each([...ioapicFaults, ...lapicFaults].filter(({ id }) => FOUND.includes(id)).map(({ id }) => id))(
    '%s is found',
    (id) => {
      const model = id.includes('ioapic') ? ioapicModel : lapicModel
      expect(campaign(model, seeded(id), { runs: 200, untilFound: true }).found).not.toEqual({})
    },
  )
})
