/** Timer and clock against their data sheets, and the way from devices through the controllers of a PC to its CPU. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import { pcBoard } from '../../src/reference/irqchip/pc-board.ts'
import { openReference } from '../../src/targets/reference.ts'

const LAPIC = 0xfee0_0000
const IOAPIC = 0xfec0_0000
const MS = 1_000_000
let target: Target

const out = (port: number, ...values: number[]): void => {
  for (const value of values) target.write({ space: 'port', address: port }, 1, BigInt(value))
}
const read = (port: number): number => Number(target.read({ space: 'port', address: port }, 1))
const store = (address: number, value: number): void => target.write({ space: 'mmio', address }, 4, BigInt(value))
const clock = (register: number, value?: number): number => {
  out(0x70, register)
  if (value !== undefined) out(0x71, value)
  return value ?? read(0x71)
}
/** Levels of a line, in order. */
const levels = (device: string): boolean[] =>
  target.events().flatMap((event) => (event.kind === 'line' && event.device === device ? [event.level] : []))

beforeEach(() => {
  target = openReference({ board: pcBoard })
})

describe('an 8254', () => {
  const counter = (n: number): number => read(0x40 + n) + read(0x40 + n) * 256
  /** Lets so many clocks go by. */
  const clocks = (n: number): void => target.advance!((n * 1e9) / 1_193_182 + 1)

  it('divides: a pulse of one clock, or a square wave whose longer half is high', () => {
    out(0x43, 0x34)
    out(0x40, 10, 0)
    target.events()
    clocks(9)
    expect(levels('pit')).toEqual([false])
    clocks(1)
    expect(levels('pit')).toEqual([true])
    out(0x43, 0x36)
    out(0x40, 5, 0)
    target.events()
    clocks(3)
    expect(levels('pit')).toEqual([false])
    clocks(2)
    expect(levels('pit')).toEqual([true])
  })

  it('counts down once, and stops while its count is being written', () => {
    out(0x43, 0x30)
    out(0x40, 100, 0)
    clocks(40)
    out(0x43, 0x00)
    clocks(10)
    expect([counter(0), counter(0)]).toEqual([60, 50])
    out(0x43, 0xe2, 0xe2)
    expect(read(0x40)).toBe(0x30)
    clocks(50)
    expect(levels('pit')).toContain(true)
    out(0x43, 0xe2)
    expect(read(0x40)).toBe(0xb0)
  })

  it('takes a new count when the period is over, in binary or in decimal', () => {
    out(0x43, 0x35)
    out(0x40, 0x20, 0)
    clocks(5)
    expect(counter(0)).toBe(0x15)
    out(0x40, 0x50, 0)
    clocks(15)
    expect(counter(0)).toBe(0x50)
  })

  it('gates counter 2 by port 0x61, where its output is seen', () => {
    out(0x61, 0)
    out(0x43, 0xb0)
    out(0x42, 20, 0)
    clocks(30)
    expect([counter(2), read(0x61) & 0x23]).toEqual([20, 0])
    out(0x61, 1)
    clocks(20)
    expect(read(0x61) & 0x23).toBe(0x21)
  })

  it('stays in step over a long time', () => {
    out(0x43, 0x34)
    out(0x40, 2, 0)
    target.advance!(10e9)
    expect(levels('pit').length).toBeLessThan(3_000)
    for (let value = 0; value < 256; value++) for (const port of [0x43, 0x40, 0x41, 0x42, 0x61]) out(port, value)
    target.advance!(1e9)
  })
})

describe('an MC146818', () => {
  it('keeps time over the end of a year, in decimal and in binary, with 12 and 24 hours', () => {
    for (const [register, value] of [
      [0, 0x59],
      [2, 0x59],
      [4, 0x23],
      [7, 0x31],
      [8, 0x12],
      [9, 0x27],
    ] as const)
      clock(register, value)
    target.advance!(1000 * MS)
    expect([0, 2, 4, 6, 7, 8, 9].map((register) => clock(register))).toEqual([0, 0, 0, 7, 1, 1, 0x28])
    clock(11, 0x84)
    for (const [register, value] of [
      [0, 59],
      [2, 59],
      [4, 12],
      [7, 28],
      [8, 2],
    ] as const)
      clock(register, value)
    clock(4, 12 | 0x80)
    clock(11, 0x04)
    target.advance!(1000 * MS)
    expect([0, 2, 4, 7].map((register) => clock(register))).toEqual([0, 0, 1 | 0x80, 28])
  })

  it('interrupts periodically, at its alarm and after updates, until its flags are read', () => {
    clock(10, 0x26)
    clock(11, 0x42)
    target.advance!(1 * MS)
    expect(levels('rtc')).toEqual([true])
    expect([clock(12), clock(12), levels('rtc')]).toEqual([0xc0, 0, [false]])
    clock(11, 0x22)
    clock(1, 0x05)
    clock(3, 0xff)
    clock(5, 0xff)
    target.advance!(4000 * MS)
    expect(levels('rtc')).toEqual([])
    target.advance!(1000 * MS)
    expect([levels('rtc'), clock(12) & 0xb0]).toEqual([[true], 0xb0])
    clock(11, 0x12)
    target.advance!(1000 * MS)
    expect(clock(12) & 0x90).toBe(0x90)
  })

  it('announces an update, keeps its memory, and stands while it is set', () => {
    clock(0x55, 0xa5)
    target.advance!(999.9 * MS)
    expect(clock(10) & 0x80).toBe(0x80)
    clock(11, 0x82)
    target.advance!(5000 * MS)
    target.reset('system')
    expect([clock(0), clock(0x55), clock(13)]).toEqual([0, 0xa5, 0x80])
  })
})

describe('a PC', () => {
  const enableLocal = (lint0: number): void => {
    store(LAPIC + 0xf0, 0x1ff)
    store(LAPIC + 0x350, lint0)
  }

  it('takes line 0 of the timer through the 8259s', () => {
    enableLocal(0x700)
    out(0x20, 0x11)
    out(0x21, 0x20, 4, 1, 0xfe)
    out(0x43, 0x34)
    out(0x40, 0x9c, 0x2e)
    target.advance!(11 * MS)
    expect([target.acknowledge!(0), target.acknowledge!(0)]).toEqual([0x20, undefined])
    out(0x20, 0x20)
    target.advance!(11 * MS)
    expect(target.acknowledge!(0)).toBe(0x20)
  })

  it('takes it at input 2 of the I/O APIC, and a serial port at input 4 as a level', () => {
    enableLocal(0x1_0000)
    const entry = (pin: number, low: number): void => {
      store(IOAPIC, 0x10 + 2 * pin)
      store(IOAPIC + 0x10, low)
    }
    entry(2, 0x31)
    entry(4, 0x8041)
    out(0x43, 0x34)
    out(0x40, 0x9c, 0x2e)
    target.advance!(11 * MS)
    expect(target.acknowledge!(0)).toBe(0x31)
    store(LAPIC + 0xb0, 0)
    out(0x3fc, 8)
    out(0x3f9, 2)
    expect(target.acknowledge!(0)).toBe(0x41)
    store(LAPIC + 0xb0, 0)
    target.settle(0)
    // Its line is still up.
    expect(target.acknowledge!(0)).toBe(0x41)
    expect(read(0x3fa)).toBe(2)
    store(LAPIC + 0xb0, 0)
    target.settle(0)
    expect(target.acknowledge!(0)).toBeUndefined()
  })

  it('moves as a whole', () => {
    out(0x43, 0x34)
    out(0x40, 100, 0)
    target.advance!(10_000)
    clock(0x33, 0x77)
    const before = target.fingerprint!()
    const moved = target.migrate!()
    expect(moved.fingerprint!()).toBe(before)
    target = moved
    expect(clock(0x33)).toBe(0x77)
  })
})
