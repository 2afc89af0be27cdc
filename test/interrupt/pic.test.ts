/** The pair of 8259s: the reference against the data sheet, and the machine against the reference. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { picModel } from '../../src/models/pic.ts'
import { picFaults } from '../../src/reference/faults/pic.ts'
import { picBoard } from '../../src/reference/irqchip/pic-board.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const MASTER = 0x20
const SLAVE = 0xa0
let target: Target

const write = (port: number, ...values: number[]): void => {
  for (const value of values) target.write({ space: 'port', address: port }, 1, BigInt(value))
}
const read = (port: number): number => Number(target.read({ space: 'port', address: port }, 1))
const raise = (line: number): void => target.setLine!('pic', line, true)
const lower = (line: number): void => target.setLine!('pic', line, false)
const acknowledge = (): number | undefined => target.acknowledge!(0)
const initialise = (port: number, base: number, icw4 = 1, icw1 = 0x11): void => {
  write(port, icw1)
  write(port + 1, base, port === MASTER ? 4 : 2, icw4)
}
const select = (port: number, register: 'irr' | 'isr'): void => write(port, register === 'irr' ? 0x0a : 0x0b)
const inService = (port: number): number => {
  select(port, 'isr')
  return read(port)
}
/** The level of INT after all that happened. */
const int = (): boolean | undefined =>
  target
    .events()
    .reduce<boolean | undefined>((level, event) => (event.kind === 'line' ? event.level : level), undefined)

beforeEach(() => {
  target = openReference({ board: picBoard })
  initialise(MASTER, 0x08)
  initialise(SLAVE, 0x70)
})

describe('a pair of 8259s', () => {
  it('nests by priority, and its EOI ends the highest in service', () => {
    raise(5)
    expect([int(), acknowledge(), int()]).toEqual([true, 0x0d, false])
    raise(3)
    expect([int(), acknowledge()]).toEqual([true, 0x0b])
    expect(inService(MASTER)).toBe(0x28)
    write(MASTER, 0x20)
    expect(inService(MASTER)).toBe(0x20)
  })

  it('gives vectors of the slave, and needs an end of both chips', () => {
    raise(12)
    expect([acknowledge(), inService(MASTER), inService(SLAVE)]).toEqual([0x74, 0x04, 0x10])
    raise(9)
    expect(int()).toBe(false)
    write(MASTER, 0x20)
    expect([int(), acknowledge()]).toEqual([true, 0x71])
  })

  it('says 7 where a request was withdrawn, and enters no service', () => {
    raise(4)
    lower(4)
    expect([int(), acknowledge(), inService(MASTER)]).toEqual([false, 0x0f, 0])
  })

  it('answers a poll once, on either port, and enters service', () => {
    raise(6)
    write(MASTER, 0x0c)
    expect([read(MASTER + 1), read(MASTER + 1), inService(MASTER)]).toEqual([0x86, 0, 0x40])
    write(MASTER, 0x0c)
    expect(read(MASTER)).toBe(0)
  })

  it('rotates on EOI, and in automatic EOI mode', () => {
    raise(0)
    acknowledge()
    write(MASTER, 0xa0)
    lower(0)
    raise(0)
    raise(1)
    expect(acknowledge()).toBe(0x09)
    initialise(MASTER, 0x08, 3)
    write(MASTER, 0x80)
    for (const line of [0, 1]) {
      lower(line)
      raise(line)
    }
    expect([acknowledge(), acknowledge(), inService(MASTER)]).toEqual([0x08, 0x09, 0])
  })

  it('lets lower levels past masked ones in special mask mode, and spares those at an EOI', () => {
    raise(3)
    acknowledge()
    write(MASTER + 1, 0x08)
    write(MASTER, 0x68)
    raise(5)
    expect(acknowledge()).toBe(0x0d)
    write(MASTER, 0x20)
    expect(inService(MASTER)).toBe(0x08)
  })

  it('lets a second request of the slave through in special fully nested mode, and nothing below it', () => {
    initialise(MASTER, 0x08, 0x11)
    raise(9)
    acknowledge()
    raise(3)
    expect(int()).toBe(false)
    raise(8)
    expect([int(), acknowledge()]).toEqual([true, 0x70])
  })

  it('is triggered by levels where ICW1 or the ELCR says so, and never on lines that are always edges', () => {
    write(0x4d0, 0xff)
    write(0x4d1, 0xff)
    expect([read(0x4d0), read(0x4d1)]).toEqual([0xf8, 0xde])
    raise(5)
    expect(acknowledge()).toBe(0x0d)
    write(MASTER, 0x20)
    expect(acknowledge()).toBe(0x0d)
    initialise(SLAVE, 0x70, 1, 0x19)
    raise(8)
    write(MASTER, 0x20, 0x20)
    lower(5)
    expect(acknowledge()).toBe(0x70)
    write(SLAVE, 0x20)
    write(MASTER, 0x20)
    expect(acknowledge()).toBe(0x70)
  })

  it('takes sequences of two, three and four words, and begins anew in the middle of one', () => {
    write(MASTER + 1, 0xff)
    write(MASTER, 0x12)
    write(MASTER + 1, 0x40, 0xa5)
    expect(read(MASTER + 1)).toBe(0xa5)
    write(MASTER, 0x10)
    write(MASTER + 1, 0x40, 0x04, 0x5a)
    expect(read(MASTER + 1)).toBe(0x5a)
    write(MASTER, 0x11)
    write(MASTER + 1, 0x40)
    initialise(MASTER, 0x47)
    expect(read(MASTER + 1)).toBe(0)
    raise(1)
    expect(acknowledge()).toBe(0x41)
  })

  it('takes any byte on any port, and accesses of any width', () => {
    for (let value = 0; value < 256; value++)
      for (const port of [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1]) write(port, value, value ^ 0xff)
    target.write({ space: 'port', address: 0x20 }, 4, 0xffff_ffffn)
    expect(target.read({ space: 'port', address: 0x1f }, 4) & 0xff00_00ffn).toBe(0xff00_00ffn)
    for (let line = 0; line < 16; line++) raise(line)
    expect(acknowledge()).toBeTypeOf('number')
  })
})

describe('the machine', () => {
  it('finds nothing wrong with the reference, whatever is drawn', () => {
    const seed = Date.now() & 0x7fff_ffff
    for (const each of [1, seed]) {
      const { found, first } = campaign(picModel, openReference({ board: picBoard }), { runs: 60, seed: each })
      expect(found, `seed ${each}: ${first}`).toEqual({})
    }
  })

  it('has goals that plans can be led to, each of them', () => {
    const machine = picModel.machine.at('played')
    const ledger = new Ledger(machine)
    const runner = new Runner(picModel, machine, openReference({ board: picBoard }), { ledger })
    const drawer = new Drawer(machine, { played: picModel.played, synchronous: true, hostile: 0 })
    const names = [...machine.goals, ...machine.stepGoals].map(({ name }) => name)
    const missed = names.filter((name, goal) => {
      for (let seed = 1; seed <= 20 && ledger.goals[goal] === 0; seed++) runner.run(drawer.draw(seed, false, name))
      return ledger.goals[goal] === 0
    })
    expect(missed).toEqual([])
  })

  it.each(picFaults.map((fault) => [fault.id, fault] as const))('finds %s', (_id, fault) => {
    const options = { runs: 200, hostile: 0, untilFound: true }
    const seeds = [1, 2, 3, 4, 5]
    expect(
      seeds.some(
        (seed) => Object.keys(campaign(picModel, openReference({ fault }), { ...options, seed }).found).length > 0,
      ),
    ).toBe(true)
  })
})
