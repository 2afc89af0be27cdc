/** MSI-X, INTx and interrupt remapping: the reference against the standards, and the machines against the reference. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import type { Model } from '../../src/kernel/model.ts'
import { intxModel, msixModel } from '../../src/models/pci-function.ts'
import { remappingModel } from '../../src/models/remapping.ts'
import { msiDeviceFaults } from '../../src/reference/faults/msi-device.ts'
import { remappingFaults } from '../../src/reference/faults/remapping.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const board = (name: string) => boards.find((each) => each.name === name)!

const BASE = 0xfed9_0000
const TABLE = 0x3000
const QUEUE = 0x1000
const STATUS = 0x2000

/** A unit with a table of four entries, remapping on, the queue on. */
const unit = (): Target => {
  const target = openReference({ board: board('remapping') })
  poke(target, 0xb8, TABLE + 1)
  poke(target, 0x18, 1 << 24)
  poke(target, 0x90, QUEUE)
  poke(target, 0x18, 1 << 26)
  poke(target, 0x18, (1 << 26) + (1 << 25))
  return target
}
const poke = (target: Target, register: number, value: number): void =>
  target.write({ space: 'mmio', address: BASE + register }, 4, BigInt(value >>> 0))
const peek = (target: Target, register: number): number =>
  Number(target.read({ space: 'mmio', address: BASE + register }, 4))
const store = (target: Target, gpa: number, ...dwords: number[]): void =>
  target.store(gpa, new Uint8Array(Uint32Array.from(dwords).buffer))
/** An entry for CPU 9: fixed, edge, physical. */
const entry = (target: Target, index: number, vector: number, source = 0, first = 1): void =>
  store(target, TABLE + 16 * index, first + vector * 2 ** 16, 9 << 8, source, 0)
/** What leaves for a request: the vectors. */
const send = (target: Target, requester: number, address: number, data = 0): readonly number[] => {
  target.message!(requester, address, data)
  return target.events().flatMap((event) => (event.kind === 'interrupt' ? [event.vector] : []))
}
const handle = (index: number): number => 0xfee0_0010 + index * 32
/** The fault record: reason, requester, index; then it is cleared. */
const fault = (target: Target): readonly number[] | undefined => {
  const last = peek(target, 0x22c)
  if (last < 2 ** 31) return undefined
  const found = [last & 0xff, peek(target, 0x228) & 0xffff, peek(target, 0x224) >>> 16]
  poke(target, 0x22c, 2 ** 31)
  poke(target, 0x34, 1)
  return found
}

describe('the remapping unit of the reference', () => {
  it('finds the entry by handle, or by handle and sub-handle, and takes all attributes from it', () => {
    const target = unit()
    for (const index of [0, 1, 2, 3]) entry(target, index, 0x50 + index)
    expect(send(target, 8, handle(2), 0xdead_beef)).toEqual([0x52])
    expect(send(target, 8, handle(1) + 8, 2)).toEqual([0x53])
    entry(target, 0, 0x61, 0, 1 + 4 + 16 + (1 << 5))
    poke(target, 0xb8, TABLE + 1 + (1 << 11))
    poke(target, 0x18, (1 << 26) + (1 << 25) + (1 << 24))
    target.message!(8, handle(0), 0)
    expect(target.events()).toEqual([
      {
        kind: 'interrupt',
        device: 'remapping',
        vector: 0x61,
        destination: 9 << 8,
        logical: true,
        level: true,
        delivery: 'lowest',
      },
    ])
  })

  it('blocks what it has to, and records reason, requester and index', () => {
    const target = unit()
    entry(target, 1, 0x51, 0, 1 + (1 << 12))
    entry(target, 2, 0x52, 0x0528 + (1 << 18))
    entry(target, 3, 0x53, 0x0406 + (2 << 18))
    const cases = [
      [handle(0) + 8, 0x1_0000, 8, [0x20, 8, 0]],
      [handle(4), 0, 8, [0x21, 8, 4]],
      [handle(0) + 4, 0, 8, [0x21, 8, 0x8000]],
      [handle(0), 0, 8, [0x22, 8, 0]],
      [handle(1), 0, 8, [0x24, 8, 1]],
      [0xfee0_1000, 0x40, 8, [0x25, 8, 0]],
      [handle(2), 0, 0x0529, [0x26, 0x0529, 2]],
      [handle(3), 0, 0x03ff, [0x26, 0x03ff, 3]],
      [handle(3), 0, 0x0700, [0x26, 0x0700, 3]],
    ] as const
    for (const [address, data, requester, record] of cases) {
      expect(send(target, requester, address, data)).toEqual([])
      expect(fault(target)).toEqual(record)
    }
    expect(send(target, 0x0528, handle(2))).toEqual([0x52])
    expect([0x0400, 0x06ff].flatMap((requester) => send(target, requester, handle(3)))).toEqual([0x53, 0x53])
    expect(fault(target)).toBeUndefined()
  })

  it.each([
    [0, 0xffff],
    [1, 0xfffb],
    [2, 0xfff9],
    [3, 0xfff8],
  ])('compares the bits that qualifier %i leaves', (qualifier, compared) => {
    const target = unit()
    entry(target, 0, 0x50, 0x0528 + (qualifier << 16) + (1 << 18))
    for (let bit = 0; bit < 16; bit++)
      expect(send(target, 0x0528 ^ (1 << bit), handle(0))).toHaveLength((compared >> bit) & 1 ? 0 : 1)
  })

  it('uses a cached entry until its invalidation is worked off, and never caches one that is absent', () => {
    const target = unit()
    expect(send(target, 8, handle(3))).toEqual([])
    entry(target, 3, 0x53)
    expect(send(target, 8, handle(3))).toEqual([0x53])
    entry(target, 3, 0x63)
    // Entries 0 to 3 by index, then a wait.
    store(target, QUEUE, 4 + 16 + (2 << 27), 1, 0, 0)
    store(target, QUEUE + 16, 5 + 32, 0x1234, STATUS, 0)
    poke(target, 0x88, 32)
    expect(send(target, 8, handle(3))).toEqual([0x53])
    expect(target.step!('remapping')).toBe(true)
    expect(send(target, 8, handle(3))).toEqual([0x63])
    expect(target.load(STATUS, 2)).toEqual(Uint8Array.of(0, 0))
    target.settle(0)
    expect(target.load(STATUS, 2)).toEqual(Uint8Array.of(0x34, 0x12))
  })

  it('records a posted request in its descriptor, and tells of it unless that is outstanding or suppressed', () => {
    const target = unit()
    const descriptor = 0x2040
    store(target, TABLE, 1 + (1 << 15) + (0x47 << 16), descriptor, 0, 0)
    const post = (control: number): readonly number[] => {
      store(target, descriptor + 32, control + (0xf2 << 16), 5 << 8)
      return send(target, 8, handle(0))
    }
    expect(post(0)).toEqual([0xf2])
    expect([target.load(descriptor + 8, 1)[0], target.load(descriptor + 32, 1)[0]]).toEqual([0x80, 1])
    expect([post(1), post(2)]).toEqual([[], []])
  })

  it('takes any write to any register, of any width, without losing its footing', () => {
    const target = unit()
    for (let at = 0; at < 0x240; at++)
      for (const width of [1, 2, 4, 8] as const) {
        target.write({ space: 'mmio', address: BASE + at }, width, 0xffff_ffff_ffff_ffffn)
        target.read({ space: 'mmio', address: BASE + at }, width)
      }
    expect(target.settle(0)).toBe('quiet')
    send(target, 0xffff, 0xfeef_ffff, 0xffff_ffff)
  })
})

/** Another seed each time; the name of the test tells it. */
const FRESH = Date.now() & 0xffff
const soaks: readonly (readonly [name: string, model: Model, board: string])[] = [
  ['remapping', remappingModel, 'remapping'],
  ['msix', msixModel, 'msi-device'],
  ['intx', intxModel, 'msi-device'],
]

describe('no false alarm', () => {
  it.each(soaks.flatMap(([name, model, on]) => [1, FRESH].map((seed) => [name, seed, model, on] as const)))(
    '%s, seed %i',
    (_name, seed, model, on) => {
      const { first, commands } = campaign(model, openReference({ board: board(on) }), { runs: 40, seed })
      expect(first).toBeUndefined()
      expect(commands).toBeGreaterThan(500)
    },
  )
})

/** A third of them each day: `iospec score` measures all. */
const today = Math.floor(Date.now() / 86_400_000)
const seeded = [...remappingFaults, ...msiDeviceFaults].filter((_fault, i) => (i + today) % 3 === 0)

describe('a seeded fault is found', () => {
  it.each(seeded.map((fault) => [fault.id, fault] as const))('%s', (_id, fault) => {
    const target = openReference({ fault })
    const models = [remappingModel, intxModel, msixModel].filter(
      (model) => model.notApplicable(target.describe()) === undefined,
    )
    const isFound = models.some((model) => {
      const { found } = campaign(model, openReference({ fault }), { runs: 600, untilFound: true })
      return Object.keys(found).length > 0
    })
    expect(isFound).toBe(true)
  })
})
