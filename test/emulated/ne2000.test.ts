/** The NE2000: the reference against the data sheet, and the machine against the reference. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import { ne2000Model } from '../../src/models/emulated/ne2000.ts'
import { ne2000Board } from '../../src/reference/emulated/ne2000-board.ts'
import { ne2000Faults } from '../../src/reference/faults/ne2000.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const BASE = 0x300
const DATA = 0x10
const RESET = 0x1f
let target: Target

const write = (at: number, value: number, width: 1 | 2 = 1): void =>
  target.write({ space: 'port', address: BASE + at }, width, BigInt(value))
const read = (at: number, width: 1 | 2 = 1): number => Number(target.read({ space: 'port', address: BASE + at }, width))
const remote = (address: number, bytes: number, direction: number): void => {
  for (const [at, value] of [address & 0xff, address >> 8, bytes & 0xff, bytes >> 8].entries()) write(8 + at, value)
  write(0, 0x02 | direction)
}
/** To the card itself, of so many bytes: sent, and come back. */
const send = (bytes: number): void => {
  const words = [0x5452, 0x1200, 0x5634, ...new Array<number>(bytes / 2 - 3).fill(bytes)]
  remote(0x4000, bytes, 0x10)
  for (const word of words) write(DATA, word, 2)
  write(4, 0x40)
  write(5, bytes & 0xff)
  write(6, bytes >> 8)
  write(0, 0x26)
  target.settle(0)
}
const current = (): number => {
  write(0, 0x62)
  const page = read(7)
  write(0, 0x22)
  return page
}
const lines = (): boolean[] => target.events().flatMap((event) => (event.kind === 'line' ? [event.level] : []))

beforeEach(() => {
  target = openReference({ board: ne2000Board })
  // A ring of four pages, the first of which is the boundary.
  for (const [at, value] of [
    [0, 0x21],
    [14, 0x49],
    [1, 0x46],
    [2, 0x4a],
    [3, 0x46],
    [0, 0x61],
    [7, 0x47],
    [0, 0x22],
  ] as const)
    write(at, value)
})

describe('an NE2000', () => {
  it('stores packets behind a header, and goes round at the end of its ring', () => {
    send(60)
    expect([read(7), current()]).toEqual([0x43, 0x48])
    remote(0x4700, 4, 0x08)
    expect([read(DATA, 2), read(DATA, 2)]).toEqual([0x4801, 64])
    write(3, 0x47)
    send(400)
    expect(current()).toBe(0x46)
    remote(0x4800, 4, 0x08)
    expect([read(DATA, 2), read(DATA, 2)]).toEqual([0x4601, 404])
  })

  it('gives a packet up that would reach the boundary, and takes none until it is started again', () => {
    for (const [bytes, page, status] of [
      [400, 0x49, 0x43],
      [400, 0x49, 0x53],
      [60, 0x49, 0x53],
    ] as const) {
      send(bytes)
      expect([current(), read(7)]).toEqual([page, status])
    }
  })

  it('tells the end of remote DMA with the last word', () => {
    remote(0x4000, 4, 0x10)
    write(DATA, 0x1234, 2)
    expect(read(7)).toBe(0)
    write(DATA, 0x5678, 2)
    expect(read(7)).toBe(0x40)
    remote(0x4000, 4, 0x08)
    expect([read(DATA, 2), read(DATA, 2)]).toEqual([0x1234, 0x5678])
  })

  it('asserts its line for what is pending and not masked, and clears bits by ones', () => {
    send(60)
    expect(lines()).toEqual([])
    write(15, 0x01)
    write(7, 0x02)
    expect([read(7), lines()]).toEqual([0x41, [true]])
    write(7, 0x01)
    expect([read(7), lines()]).toEqual([0x40, [false]])
  })

  it('tells a reset until it is started', () => {
    read(RESET)
    expect(read(7) & 0x80).toBe(0x80)
    write(0, 0x22)
    expect(read(7) & 0x80).toBe(0)
  })
})

describe('the machine', () => {
  it('finds nothing wrong with the reference, whatever is drawn', () => {
    const seed = Date.now() & 0x7fff_ffff
    for (const each of [1, seed]) {
      const { found, first } = campaign(ne2000Model, openReference({ board: ne2000Board }), { runs: 40, seed: each })
      expect(found, `seed ${each}: ${first}`).toEqual({})
    }
  })

  it('reaches all of its goals', () => {
    const { goals } = campaign(ne2000Model, openReference({ board: ne2000Board }), { runs: 150, seed: 3, hostile: 0 })
    expect(Object.keys(goals).filter((name) => goals[name] === 0)).toEqual([])
  })

  it.each(ne2000Faults.map((fault) => [fault.id, fault] as const))('finds %s', (_id, fault) => {
    const options = { runs: 100, hostile: 0, untilFound: true }
    const finds = (seed: number): boolean =>
      Object.keys(campaign(ne2000Model, openReference({ fault }), { ...options, seed }).found).length > 0
    expect([1, 2, 3].some(finds)).toBe(true)
  })
})
