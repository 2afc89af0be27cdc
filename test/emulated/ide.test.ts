/** The IDE channel: the reference against the texts, and the machines against the reference. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import { ideModel } from '../../src/models/emulated/ide.ts'
import { ideDmaModel } from '../../src/models/emulated/ide-dma.ts'
import { ideBoard } from '../../src/reference/emulated/ide-board.ts'
import { ideFaults } from '../../src/reference/faults/ide.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const STATUS = 0x1f7
const ALTERNATE = 0x3f6
const BUS_MASTER = 0xc000
let target: Target

const write = (port: number, ...values: number[]): void => {
  for (const value of values) target.write({ space: 'port', address: port }, 1, BigInt(value))
}
const read = (port: number): number => Number(target.read({ space: 'port', address: port }, 1))
const readWords = (count: number): number[] =>
  Array.from({ length: count }, () => Number(target.read({ space: 'port', address: 0x1f0 }, 2)))
const command = (code: number, lba = 0, count = 1, features = 0): void => {
  for (const [at, value] of [0xe0, features, count, lba, 0, 0].entries()) write(at === 0 ? 0x1f6 : 0x1f0 + at, value)
  write(STATUS, code)
}
const lines = (): boolean[] => target.events().flatMap((event) => (event.kind === 'line' ? [event.level] : []))

beforeEach(() => {
  target = openReference({ board: ideBoard })
})

describe('an IDE channel', () => {
  it('interrupts for each block of a read, and Status clears what Alternate Status leaves', () => {
    command(0x20, 5, 2)
    expect(read(ALTERNATE)).toBe(0x80)
    target.settle(0)
    expect([read(ALTERNATE), lines()]).toEqual([0x58, [true]])
    expect([read(STATUS), lines()]).toEqual([0x58, [false]])
    expect(new Set(readWords(256))).toEqual(new Set([5, 0]))
    target.settle(0)
    expect(lines()).toEqual([true])
    expect(readWords(2)).toEqual([6, 0])
    readWords(254)
    expect([read(STATUS), lines()]).toEqual([0x50, [false]])
  })

  it('takes the first block of a write without an interrupt', () => {
    command(0x30, 7)
    expect([read(ALTERNATE), lines()]).toEqual([0x58, []])
    for (let at = 0; at < 256; at++) target.write({ space: 'port', address: 0x1f0 }, 2, BigInt(at))
    target.settle(0)
    expect([read(STATUS), lines()]).toEqual([0x50, [true, false]])
    command(0x20, 7)
    target.settle(0)
    expect(readWords(256)[255]).toBe(255)
  })

  it('keeps an interrupt for the time after nIEN', () => {
    write(ALTERNATE, 2)
    command(0xe7)
    target.settle(0)
    expect(lines()).toEqual([])
    write(ALTERNATE, 0)
    expect(lines()).toEqual([true])
  })

  it('shows its signature after a reset, in the middle of a transfer, too', () => {
    command(0x20)
    target.settle(0)
    write(ALTERNATE, 4)
    expect([read(STATUS), lines()]).toEqual([0x80, [true, false]])
    write(ALTERNATE, 0)
    target.settle(0)
    expect([1, 2, 3, 4, 5, 7].map((at) => read(0x1f0 + at))).toEqual([1, 1, 1, 0, 0, 0x50])
  })

  it('refuses what it does not know and what it does not have', () => {
    for (const [code, lba, error] of [
      [0x00, 0, 4],
      [0x20, 63, 0x10],
    ] as const) {
      command(code, lba, 2)
      expect([read(STATUS), read(0x1f1)]).toEqual([0x51, error])
    }
    write(0x1f6, 0xb0)
    expect(read(STATUS)).toBe(0)
  })

  it('moves sectors along a table, and tells by its active bit how the table ended', () => {
    target.write({ space: 'config', address: 0x8020 }, 4, BigInt(BUS_MASTER))
    target.write({ space: 'config', address: 0x8004 }, 2, 5n)
    for (const [count, status] of [
      [0x200, 4],
      [0, 5],
      [0x100, 0],
    ] as const) {
      target.store(0x1000, Uint8Array.from([0, 0, 1, 0, count & 0xff, count >> 8, 0, 0x80]))
      target.write({ space: 'port', address: BUS_MASTER + 4 }, 4, 0x1000n)
      write(BUS_MASTER + 2, 6)
      command(0xc8, 9)
      write(BUS_MASTER, 9)
      target.settle(0)
      expect(read(BUS_MASTER + 2)).toBe(status)
      expect(target.load(0x1_0000, 1)[0]).toBe(9)
      write(BUS_MASTER, 0)
      read(STATUS)
    }
  })
})

const MODELS = [ideModel, ideDmaModel] as const

describe.each(MODELS.map((model) => [model.machine.name, model] as const))('the machine %s', (_name, model) => {
  it('finds nothing wrong with the reference, whatever is drawn', () => {
    const seed = Date.now() & 0x7fff_ffff
    for (const each of [1, seed]) {
      const { found, first } = campaign(model, openReference({ board: ideBoard }), { runs: 25, seed: each })
      expect(found, `seed ${each}: ${first}`).toEqual({})
    }
  })

  it('reaches all of its goals', () => {
    const { goals } = campaign(model, openReference({ board: ideBoard }), { runs: 200, seed: 3, hostile: 0 })
    expect(Object.keys(goals).filter((name) => goals[name] === 0)).toEqual([])
  })
})

describe('the machines', () => {
  it.each(ideFaults.map((fault) => [fault.id, fault] as const))('find %s', (_id, fault) => {
    const options = { runs: 100, hostile: 0, untilFound: true }
    const finds = (seed: number): boolean =>
      MODELS.some(
        (model) => Object.keys(campaign(model, openReference({ fault }), { ...options, seed }).found).length > 0,
      )
    expect([1, 2, 3].some(finds)).toBe(true)
  })
})
