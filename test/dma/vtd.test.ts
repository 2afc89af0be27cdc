/** Known answers of the VT-d style unit: what VT-d 4.1 says comes of one access, one invalidation, one fault. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/index.ts'
import { openBoardOf } from '../../src/reference/boards.ts'
import type { Fault } from '../../src/reference/faults/fault.ts'
import { vtdFaults } from '../../src/reference/faults/vtd.ts'
import { vtdBoard, vtdCachingModeBoard, vtdScalableBoard } from '../../src/reference/iommu/vtd-board.ts'

const BASE = 0xfed9_0000
const NIC = 0x0018
const OTHER = 0x0020
const SLOW = 0x0028
const ATS = 0x0030
const GIB = 0x4000_0000
const [R, W, RW] = [1n, 2n, 3n]
const LARGE = 0x80n

const ROOT = 0x1000
const CONTEXTS = 0x2000
/** Four levels of tables, one page each. */
const TABLES = [0x3000, 0x4000, 0x5000, 0x6000] as const
const QUEUE = 0x8000
const STATUS = 0x9000

class Rig {
  readonly target: Target
  tail = 0
  constructor(target: Target) {
    this.target = target
  }
  put(gpa: number, ...values: bigint[]): void {
    const data = new DataView(new ArrayBuffer(8 * values.length))
    values.forEach((value, index) => void data.setBigUint64(8 * index, value, true))
    this.target.store(gpa, new Uint8Array(data.buffer))
  }
  reg(at: number): number {
    return Number(this.target.read({ space: 'mmio', address: BASE + at }, 4))
  }
  set(at: number, value: number | bigint, width: 4 | 8 = 4): void {
    this.target.write({ space: 'mmio', address: BASE + at }, width, BigInt(value))
  }
  context(requester: number, low: bigint, high: bigint): void {
    this.put(ROOT + 16 * (requester >> 8), BigInt(CONTEXTS) | 1n)
    this.put(CONTEXTS + 16 * (requester & 0xff), low, high)
  }
  /** `requester` is led by `TABLES` of four levels as domain `domain`. */
  attach(requester: number, domain = 1, low = 0n): void {
    this.context(requester, BigInt(TABLES[0]) | low | 1n, 2n | (BigInt(domain) << 8n))
  }
  /** Entries from the top on along `iova`; the last one is at `level`. */
  map(iova: bigint, entry: bigint, level = 1, above = RW): void {
    for (let at = 4; at > level; at--) this.put(TABLES[4 - at]! + 8 * index(iova, at), BigInt(TABLES[5 - at]!) | above)
    this.put(TABLES[4 - level]! + 8 * index(iova, level), entry)
  }
  start(): this {
    this.set(0x20, ROOT, 8)
    this.set(0x18, 1 << 30)
    this.set(0x90, QUEUE, 8)
    this.set(0x18, 1 << 26)
    this.set(0x18, (1 << 26) | (1 << 31))
    return this
  }
  push(low: bigint, high = 0n): void {
    this.put(QUEUE + this.tail, low, high)
    this.tail += 16
    this.set(0x88, this.tail)
  }
  /** A queued invalidation, worked off. */
  flush(low: bigint, high = 0n): void {
    this.push(low, high)
    this.target.settle(100)
  }
  write(iova: bigint, ...bytes: number[]): number | undefined {
    return this.dma(NIC, iova, bytes)
  }
  dma(requester: number, iova: bigint, bytes: readonly number[], more: object = {}): number | undefined {
    const data = Uint8Array.from(bytes)
    return this.target.dma!(requester, { access: 'write', iova, bytes: data.length, data, ...more }).moved
  }
  read(iova: bigint, bytes: number, requester = NIC): number | undefined {
    return this.target.dma!(requester, { access: 'read', iova, bytes }).moved
  }
  at(gpa: number, bytes = 1): number[] {
    return [...this.target.load(gpa, bytes)]
  }
  /** Reason, requester, page and kind of a fault record. */
  fault(record = 0): { reason: number; requester: number; page: number; read: boolean } | undefined {
    const at = 0x220 + 16 * record
    const last = this.reg(at + 12)
    if (last < 2 ** 31) return undefined
    return {
      reason: last & 0xff,
      requester: this.reg(at + 8) & 0xffff,
      page: this.reg(at + 4) * 2 ** 20 + (this.reg(at) >>> 12),
      read: (last & (1 << 30)) !== 0,
    }
  }
  /** The reason of the only fault since the last look. */
  reason(): number | undefined {
    const records = [0, 1, 2, 3].filter((record) => this.fault(record) !== undefined)
    const found = records[0] === undefined ? undefined : this.fault(records[0])
    for (const record of records) this.set(0x22c + 16 * record, 2 ** 31)
    expect(records.length).toBeLessThan(2)
    return found?.reason
  }
}

const index = (iova: bigint, level: number): number => Number((iova >> BigInt(12 + 9 * (level - 1))) & 511n)
/** What the units that are opened have wrong. */
let wrong: Fault | undefined
const opened = new Map<string, Target>()
/** The same unit again, reset: two of them at once are made by `another`. */
const fresh = (board = vtdBoard): Rig => {
  const key = `${board.name} ${wrong?.id}`
  const target = opened.get(key) ?? another(board)
  opened.set(key, target)
  target.events()
  target.reset('system')
  return new Rig(target)
}
const another = (board = vtdBoard): Target =>
  openBoardOf(board, board.name, (parts) => void (wrong?.board === board && wrong.install(parts as never)))
/** `iova` 0x1000 to 0x2fff are the pages 0x10000 and 0x20000. */
const simple = (board = vtdBoard, rig = fresh(board)): Rig => {
  rig.attach(NIC)
  rig.map(0x1000n, 0x1_0000n | RW)
  rig.map(0x2000n, 0x2_0000n | RW)
  return rig.start()
}

/** Known answers: a fault has to change one of them. */
const known: (() => void)[] = []
const scene = (name: string, play: () => void): void => {
  known.push(play)
  it(name, play)
}
const scenes =
  <T extends readonly unknown[]>(cases: readonly (readonly [string, ...T])[]) =>
  (name: string, play: (name: string, ...args: T) => void): void => {
    for (const each of cases) scene(name.replace('%s', each[0]), () => play(...each))
  }

const GLOBAL = 0x12n
const PAGES = 0x32n | (1n << 16n)
const CONTEXT_GLOBAL = 0x11n

describe('translation', () => {
  scene('is off until the command, and then leads by requester', () => {
    const rig = fresh()
    expect(rig.write(0x1234n, 7)).toBe(1)
    expect(rig.at(0x1234)).toEqual([7])
    rig.attach(NIC)
    rig.map(0x1000n, 0x1_0000n | RW)
    rig.start()
    expect(rig.write(0x1234n, 8)).toBe(1)
    expect(rig.at(0x1_0234)).toEqual([8])
    expect(rig.dma(OTHER, 0x1000n, [1])).toBe(0)
    expect(rig.fault()).toEqual({ reason: 2, requester: OTHER, page: 1, read: false })
    expect(rig.dma(0x500, 0x1000n, [1])).toBe(0)
    expect(rig.fault(1)).toEqual({ reason: 1, requester: 0x500, page: 1, read: false })
  })

  scene('moves what precedes the page that is refused', () => {
    const rig = simple()
    expect(rig.write(0x1ffen, 1, 2, 3, 4)).toBe(4)
    expect([rig.at(0x1_0ffe, 2), rig.at(0x2_0000, 2)]).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(rig.write(0x2ffen, 5, 6, 7, 8)).toBe(2)
    expect(rig.fault()).toEqual({ reason: 5, requester: NIC, page: 3, read: false })
  })

  scenes([
    ['a page of 2 MiB', 2, 0x20_0000n, 0x7f_fff0, 0x60_0000n],
    ['a page of 1 GiB', 3, BigInt(GIB), GIB + 0x1f_fff0, BigInt(GIB)],
  ])('maps %s', (_name, level, iova, host, base) => {
    const rig = fresh()
    rig.attach(NIC)
    rig.map(iova, base | LARGE | RW, level)
    rig.start()
    expect(rig.write(iova + BigInt(host) - base, 9)).toBe(1)
    expect(rig.at(host)).toEqual([9])
  })

  scenes<[bigint, number | undefined, number | undefined]>([
    ['nothing there', 0n, 6, 5],
    ['read alone', R, undefined, 5],
    ['write alone', W, 6, undefined],
    ['both', RW, undefined, undefined],
  ])('allows what all levels allow: %s', (_name, rights, onRead, onWrite) => {
    for (const level of [1, 2, 3, 4]) {
      const rig = fresh()
      rig.attach(NIC)
      rig.map(0x1000n, 0x1_0000n | RW)
      rig.put(TABLES[4 - level]! + 8 * index(0x1000n, level), BigInt(TABLES[5 - level] ?? 0x1_0000) | rights)
      rig.start()
      rig.read(0x1000n, 4)
      expect(rig.reason()).toBe(onRead)
      rig.write(0x1000n, 4)
      expect(rig.reason()).toBe(onWrite)
    }
  })

  scenes([
    ['root, lower half', ROOT, 0x2n, 0n, 0xa],
    ['root, upper half', ROOT, 0n, 1n, 0xa],
    ['context, type 3', CONTEXTS + 16 * NIC, 0xcn, 0n, 3],
    ['context, no width', CONTEXTS + 16 * NIC, 0n, 2n, 3],
    ['context, reserved', CONTEXTS + 16 * NIC, 0x10n, 0n, 0xb],
    ['context, past the machine', CONTEXTS + 16 * NIC, 1n << 50n, 0n, 0xb],
    ['table in a table', TABLES[1], 0x800n, 0n, 0xc],
    ['large at the top', TABLES[0], LARGE, 0n, 0xc],
    ['page past the machine', TABLES[3] + 8, 1n << 50n, 0n, 0xc],
    ['table where no memory is', TABLES[2], 1n << 40n, 0n, 7],
    ['contexts where no memory is', ROOT, 1n << 40n, 0n, 9],
  ])('refuses what is malformed: %s', (_name, gpa, low, high, reason) => {
    const rig = simple()
    const before = rig.target.load(gpa, 16)
    const view = new DataView(before.buffer, before.byteOffset, 16)
    rig.put(gpa, view.getBigUint64(0, true) ^ low, view.getBigUint64(8, true) ^ high)
    expect(rig.write(0x1000n, 1)).toBe(0)
    expect(rig.reason()).toBe(reason)
  })

  scene('maps each part of a page of 1 GiB, and each is aligned', () => {
    const rig = fresh()
    rig.attach(NIC)
    rig.map(0x4000_0000n, LARGE | RW, 3)
    rig.map(0x20_0000n, 0x40_1000n | LARGE | RW, 2)
    rig.start()
    expect(rig.write(0x4040_0010n, 9)).toBe(1)
    expect(rig.at(0x40_0010)).toEqual([9])
    expect(rig.write(0x20_0000n, 1)).toBe(0)
    expect(rig.reason()).toBe(0xc)
  })

  scene('walks three levels where the context says three', () => {
    const rig = fresh()
    rig.map(0x1000n, 0x1_0000n | RW)
    rig.context(NIC, BigInt(TABLES[1]) | 1n, 1n | (1n << 8n))
    rig.start()
    expect(rig.write(0x1000n, 9)).toBe(1)
    expect(rig.at(0x1_0000)).toEqual([9])
  })

  scene('ends at the width of the tables and of an address', () => {
    const rig = fresh()
    rig.context(NIC, BigInt(TABLES[1]) | 1n, 1n | (1n << 8n))
    rig.start()
    for (const [iova, reason] of [
      [2n ** 39n - 1n, 5],
      [2n ** 39n, 4],
      [2n ** 39n + 0x1000n, 4],
      [2n ** 63n, 4],
      [2n ** 64n - 1n, 4],
    ] as const) {
      expect(rig.write(iova, 1)).toBe(0)
      expect(rig.reason()).toBe(reason)
    }
    expect(rig.write(2n ** 64n - 1n, 1, 2, 3)).toBe(0)
  })

  scene('passes what passes through, and keeps the protected regions', () => {
    const rig = fresh()
    rig.attach(NIC, 1, 2n << 2n)
    rig.start()
    expect(rig.write(0x40_1000n, 1)).toBe(1)
    rig.set(0x68, 0x40_0000)
    rig.set(0x6c, 0x40_0000)
    rig.set(0x70, 0x60_0000, 8)
    rig.set(0x64, 2 ** 31)
    expect(rig.reg(0x64) & 1).toBe(1)
    expect([0x3f_ffffn, 0x40_0000n, 0x5f_ffffn, 0x60_0000n].map((iova) => rig.write(iova, 2))).toEqual([1, 0, 0, 1])
    expect(rig.reason()).toBeUndefined()
  })

  scene('takes a write to the interrupt window for an interrupt, whatever the tables map', () => {
    const rig = simple()
    rig.map(0xfee0_1000n, 0x3_0000n | RW)
    rig.map(0x5000n, 0xfee0_0000n | RW)
    rig.target.events()
    expect(rig.write(0xfee0_1000n, 0x31, 0, 0, 0)).toBe(4)
    expect(rig.target.events()).toEqual([{ kind: 'msi', device: 'nic0', address: 0xfee0_1000, data: 0x31 }])
    expect([rig.read(0xfee0_1000n, 4), rig.write(0x5000n, 1, 2, 3, 4)]).toEqual([0, 0])
    expect(rig.at(0x3_0000, 4)).toEqual([0, 0, 0, 0])
    expect([rig.fault()?.reason, rig.fault(1)?.reason]).toEqual([0xe, 0xe])
  })
})

describe('what is cached', () => {
  scene('is used until an invalidation of its pages, of its domain or of all', () => {
    for (const [low, high = 0n] of [
      [GLOBAL, 0n],
      [0x22n | (1n << 16n), 0n],
      [PAGES, 0x1000n],
      [PAGES, 0x0000n | 4n],
    ] as const) {
      const rig = simple()
      rig.write(0x1000n, 1)
      rig.map(0x1000n, 0x3_0000n | RW)
      rig.flush(0x22n | (2n << 16n))
      rig.flush(PAGES, 0x2000n)
      rig.flush(PAGES, 0x0n)
      rig.write(0x1000n, 2)
      expect([rig.at(0x1_0000), rig.at(0x3_0000)]).toEqual([[2], [0]])
      rig.flush(low, high)
      rig.write(0x1000n, 3)
      expect([rig.at(0x1_0000), rig.at(0x3_0000)]).toEqual([[2], [3]])
    }
  })

  scene('is of one domain, and keeps the rights of every level', () => {
    const rig = simple()
    rig.map(0x2000n, 0x2_0000n | RW, 1, R)
    rig.context(OTHER, 0xa001n, 2n | (2n << 8n))
    expect([rig.read(0x1000n, 1), rig.read(0x1000n, 1, OTHER)]).toEqual([1, 0])
    expect([rig.write(0x1000n, 1), rig.write(0x2000n, 1)]).toEqual([0, 0])
    expect(rig.read(0x2000n, 1)).toBe(1)
    expect(rig.write(0x2000n, 1)).toBe(0)
  })

  scene('is large where the page is, and goes with any invalidation that holds it', () => {
    for (const flush of [0x20_0000n | 9n, 0x30_0000n | 9n, 10n, undefined]) {
      const rig = simple()
      rig.map(0x20_0000n, 0x40_0000n | LARGE | RW, 2)
      rig.write(0x3f_f000n, 1)
      rig.map(0x20_0000n, 0n, 2)
      expect(rig.write(0x20_0000n, 1)).toBe(1)
      if (flush === undefined) rig.flush(0x22n | (1n << 16n))
      else rig.flush(PAGES, flush)
      expect(rig.write(0x3f_f000n, 1)).toBe(0)
    }
    const rig = simple()
    rig.write(0x2000n, 1)
    rig.map(0x2000n, 0n)
    rig.flush(PAGES, 2n)
    expect(rig.write(0x2000n, 1)).toBe(0)
  })

  scene('is the directories too, unless the hint says that they stay', () => {
    const rig = simple()
    rig.write(0x1000n, 1)
    rig.put(TABLES[2], 0x7000n | RW)
    rig.put(0x7000 + 8, 0x3_0000n | RW)
    rig.flush(PAGES, 0x1000n | 0x40n)
    rig.write(0x1000n, 2)
    expect([rig.at(0x1_0000), rig.at(0x3_0000)]).toEqual([[2], [0]])
    rig.flush(PAGES, 0x1000n)
    rig.write(0x1000n, 3)
    expect(rig.at(0x3_0000)).toEqual([3])
  })

  scene('is the context, by device, function mask and domain', () => {
    for (const flush of [
      CONTEXT_GLOBAL,
      0x21n | (1n << 16n),
      0x31n | (0x18n << 32n),
      0x31n | (0x1fn << 32n) | (3n << 48n),
    ]) {
      const rig = simple()
      rig.write(0x1000n, 1)
      rig.context(NIC, 0n, 0n)
      rig.flush(0x31n | (0x20n << 32n))
      rig.flush(0x31n | (0x1fn << 32n))
      expect(rig.write(0x1000n, 2)).toBe(1)
      rig.flush(flush)
      expect(rig.write(0x1000n, 3)).toBe(0)
      expect(rig.reason()).toBe(2)
    }
  })

  scene('is not that nothing is there', () => {
    const rig = simple()
    expect(rig.write(0x3000n, 1)).toBe(0)
    rig.map(0x3000n, 0x3_0000n | RW)
    expect(rig.write(0x3000n, 1)).toBe(1)
  })

  scene('is flushed by registers, which tell what was done', () => {
    const rig = simple()
    rig.write(0x1000n, 1)
    rig.map(0x1000n, 0n)
    rig.set(0x100, 0x1000, 8)
    rig.set(0x108, (3n << 60n) | (2n << 32n) | (1n << 63n), 8)
    expect([rig.reg(0x10c) >>> 31, (rig.reg(0x10c) >>> 25) & 3]).toEqual([0, 3])
    expect(rig.write(0x1000n, 2)).toBe(1)
    rig.set(0x108, (3n << 60n) | (1n << 32n) | (1n << 63n), 8)
    expect(rig.write(0x1000n, 2)).toBe(0)
    rig.set(0x100, 0x1000 | 19, 8)
    rig.set(0x108, (3n << 60n) | (1n << 63n), 8)
    expect((rig.reg(0x10c) >>> 25) & 3).toBe(0)

    rig.context(NIC, 0n, 0n)
    rig.set(0x28, (1n << 63n) | (2n << 61n) | 1n, 8)
    expect([rig.reg(0x2c) >>> 31, (rig.reg(0x2c) >>> 27) & 3]).toEqual([0, 2])
    rig.reason()
    rig.write(0x1000n, 3)
    expect(rig.reason()).toBe(2)
  })

  scene('is not affected by a root table before the command', () => {
    const rig = simple()
    rig.set(0x20, 0xa000, 8)
    rig.flush(CONTEXT_GLOBAL)
    expect(rig.write(0x1000n, 1)).toBe(1)
    rig.set(0x18, (1 << 26) | (1 << 31) | (1 << 30))
    rig.flush(CONTEXT_GLOBAL)
    expect(rig.write(0x1000n, 1)).toBe(0)
    expect(rig.reason()).toBe(1)
  })
})

describe('the queue', () => {
  const WAIT = 5n | (1n << 5n) | (0xcafen << 32n)

  scene('is worked off a descriptor at a step, and a wait answers in its turn', () => {
    const rig = simple()
    rig.set(0xa8, 0xfee0_0000)
    rig.set(0xa4, 0x41)
    rig.push(GLOBAL)
    rig.push(WAIT | 0x10n, BigInt(STATUS))
    expect(rig.target.step!('iommu')).toBe(true)
    expect([rig.reg(0x80), rig.at(STATUS, 2)]).toEqual([16, [0, 0]])
    rig.target.step!('iommu')
    expect([rig.reg(0x80), rig.at(STATUS, 2), rig.reg(0x9c), rig.reg(0xa0) >>> 30]).toEqual([32, [0xfe, 0xca], 1, 3])
    rig.target.events()
    rig.set(0xa0, 0)
    expect(rig.target.events()).toEqual([{ kind: 'msi', device: 'iommu', address: 0xfee0_0000, data: 0x41 }])
    expect(rig.target.step!('iommu')).toBe(false)
  })

  scene('wraps', () => {
    const rig = simple()
    for (let at = 0; at < 255; at++) rig.push(GLOBAL)
    rig.target.settle(100)
    rig.put(QUEUE + 16 * 255, GLOBAL)
    rig.put(QUEUE, WAIT, BigInt(STATUS))
    rig.set(0x88, 16)
    rig.target.settle(100)
    expect([rig.reg(0x80), rig.at(STATUS, 2)]).toEqual([16, [0xfe, 0xca]])
  })

  scenes([
    ['no type', 0n, 0n],
    ['a type of later', 15n, 0n],
    ['reserved bits', GLOBAL | (1n << 40n), 0n],
    ['no granularity', 2n, 0n],
    ['too large a mask', PAGES, 19n],
    ['PASIDs without scalable mode', 7n, 0n],
    ['upper half of a context', CONTEXT_GLOBAL, 1n],
  ])('stops at what is no descriptor: %s', (_name, low, high) => {
    const rig = simple()
    rig.set(0x40, 0xfee0_0000)
    rig.set(0x38, 0)
    rig.push(GLOBAL)
    rig.push(low, high)
    rig.push(WAIT, BigInt(STATUS))
    rig.target.events()
    expect(rig.target.settle(100)).toBe('quiet')
    expect([rig.reg(0x80), rig.reg(0x34), rig.at(STATUS)]).toEqual([16, 0x10, [0]])
    expect(rig.target.events()).toEqual([{ kind: 'msi', device: 'iommu', address: 0xfee0_0000, data: 0 }])
    rig.put(QUEUE + 16, GLOBAL)
    rig.set(0x34, 0x10)
    rig.target.settle(100)
    expect([rig.reg(0x80), rig.reg(0x34), rig.at(STATUS, 2)]).toEqual([48, 0, [0xfe, 0xca]])
  })

  scene('drains before it goes on, where that is asked for', () => {
    const rig = simple()
    rig.attach(SLOW)
    expect(rig.dma(SLOW, 0x1000n, [5])).toBeUndefined()
    rig.map(0x1000n, 0n)
    rig.push(GLOBAL)
    rig.push(GLOBAL | 0xc0n)
    rig.target.step!('iommu')
    expect(rig.at(0x1_0000)).toEqual([0])
    rig.target.step!('iommu')
    expect(rig.at(0x1_0000)).toEqual([5])
    rig.dma(SLOW, 0x2000n, [6])
    expect(rig.target.step!('nic0')).toBe(false)
    expect([rig.target.step!('slow0'), rig.at(0x2_0000)]).toEqual([true, [6]])
  })
})

describe('a fault', () => {
  scene('is recorded in order while there is room, and then it is an overflow', () => {
    const rig = simple()
    rig.set(0x40, 0xfee0_0000)
    for (let page = 3; page < 8; page++) rig.write(BigInt(page * 4096), 1)
    expect([0, 1, 2, 3].map((record) => rig.fault(record)?.page)).toEqual([3, 4, 5, 6])
    expect([rig.reg(0x34), rig.reg(0x38) >>> 30]).toEqual([3, 3])
    rig.set(0x22c, 2 ** 31)
    rig.write(0x9000n, 1)
    expect(rig.fault()).toBeUndefined()
    rig.target.events()
    rig.set(0x38, 0)
    expect(rig.target.events().map(({ kind }) => kind)).toEqual(['msi'])
    rig.set(0x34, 1)
    rig.read(0xa000n, 1)
    expect(rig.fault()).toEqual({ reason: 6, requester: NIC, page: 10, read: true })
    expect(rig.reg(0x34) & 0xff).toBe(2)
    expect(rig.target.events().filter(({ kind }) => kind === 'msi')).toEqual([])
  })

  scene('is not recorded where the entry says so, and blocks all the same', () => {
    const rig = simple()
    rig.attach(NIC, 1, 2n)
    expect(rig.write(0x3000n, 1)).toBe(0)
    expect(rig.reason()).toBeUndefined()
  })
})

scene('a fault holds all of the page', () => {
  const rig = simple()
  rig.write(2n ** 40n, 1)
  expect(rig.fault()?.page).toBe(2 ** 28)
})

describe('a device TLB', () => {
  scene('is asked to forget by requester and range, and only what may be translated passes', () => {
    const rig = simple()
    rig.attach(ATS, 1, 1n << 2n)
    expect(rig.dma(ATS, 0x1000n, [1])).toBe(1)
    rig.map(0x1000n, 0n)
    rig.flush(GLOBAL)
    expect(rig.dma(ATS, 0x1000n, [2])).toBe(1)
    rig.flush(3n | (BigInt(NIC) << 32n), 0x1000n)
    rig.flush(3n | (BigInt(ATS) << 32n), 0x2000n)
    expect(rig.dma(ATS, 0x1000n, [3])).toBe(1)
    rig.flush(3n | (BigInt(ATS) << 32n), 0x7fff_ffff_ffff_f001n)
    expect(rig.dma(ATS, 0x1000n, [4])).toBe(0)
    expect([rig.reason(), rig.at(0x1_0000)]).toEqual([undefined, [3]])
    expect(rig.dma(NIC, 0x3_0000n, [5], { translated: true })).toBe(0)
    expect(rig.reason()).toBe(0xd)
    expect(rig.dma(ATS, 0x3_0000n, [5], { translated: true })).toBe(1)
  })
})

describe('caching mode', () => {
  scene('maps and unmaps with the invalidation, whatever the tables say before', () => {
    const rig = simple(vtdCachingModeBoard)
    expect(rig.reg(0x08) & 0x80).toBe(0x80)
    rig.flush(GLOBAL)
    expect(rig.write(0x1000n, 1)).toBe(1)
    rig.map(0x3000n, 0x3_0000n | RW)
    expect(rig.write(0x3000n, 1)).toBe(0)
    rig.flush(PAGES, 0x3000n)
    expect(rig.write(0x3000n, 1)).toBe(1)
    rig.put(TABLES[1], 0n)
    expect(rig.write(0x3000n, 2)).toBe(1)
    rig.flush(PAGES, 0x3000n)
    expect(rig.write(0x3000n, 3)).toBe(0)
    rig.context(NIC, 0n, 0n)
    rig.flush(CONTEXT_GLOBAL)
    rig.flush(GLOBAL)
    expect(rig.write(0x1000n, 4)).toBe(0)
    expect(rig.at(0x1_0000)).toEqual([1])
  })

  scene('has no hole while all of a domain is looked at', () => {
    const rig = simple(vtdCachingModeBoard)
    rig.map(0xfef0_0000n, 0x3_0000n | RW)
    rig.flush(GLOBAL)
    rig.push(0x22n | (1n << 16n))
    do expect([rig.write(0x1000n, 1), rig.write(0xfef0_0000n, 1)]).toEqual([1, 1])
    while (rig.target.step!('iommu'))
  })

  scene('unmaps all when the context is gone', () => {
    const rig = simple(vtdCachingModeBoard)
    rig.flush(GLOBAL)
    rig.context(NIC, 0n, 0n)
    rig.flush(CONTEXT_GLOBAL)
    expect(rig.write(0x1000n, 1)).toBe(0)
    expect(rig.reason()).toBe(2)
  })

  it('comes to an end where tables contain themselves', () => {
    const rig = simple(vtdCachingModeBoard)
    for (let at = 0; at < 512; at++) rig.put(TABLES[0] + 8 * at, BigInt(TABLES[0]) | RW)
    rig.flush(GLOBAL)
    expect(rig.reg(0x80)).toBe(16)
  })
})

describe('scalable mode', () => {
  const DIRECTORY = 0xb000
  const PASIDS = 0xc000
  const scalable = (): Rig => {
    const rig = fresh(vtdScalableBoard)
    rig.put(ROOT, BigInt(CONTEXTS) | 1n)
    rig.put(CONTEXTS + 32 * NIC, BigInt(DIRECTORY) | 9n, 5n)
    rig.put(DIRECTORY, BigInt(PASIDS) | 1n)
    rig.put(PASIDS + 64 * 5, BigInt(TABLES[0]) | 1n | (2n << 2n) | (2n << 6n), 7n)
    rig.put(PASIDS + 64 * 6, 1n | (2n << 2n) | (4n << 6n), 8n)
    rig.map(0x1000n, 0x1_0000n | RW)
    rig.start()
    rig.set(0x20, ROOT | 0x400, 8)
    rig.set(0x18, (1 << 26) | (1 << 31) | (1 << 30))
    return rig
  }

  scene('leads by PASID', () => {
    const rig = scalable()
    expect(rig.write(0x1000n, 1)).toBe(1)
    expect(rig.at(0x1_0000)).toEqual([1])
    expect(rig.dma(NIC, 0x1000n, [2], { pasid: 6 })).toBe(1)
    // Itself is the root table.
    expect(rig.at(0x1000)).toEqual([2])
  })

  scenes([
    ['no entry', 7, 0x59],
    ['no directory', 64, 0x51],
    ['past the directory', 0x2000, 0x46],
    ['nothing mapped', 5, 0x85],
  ])('refuses with its own reasons: %s', (_name, pasid, reason) => {
    const rig = scalable()
    expect(rig.dma(NIC, 0x9000n, [1], { pasid })).toBe(0)
    expect(rig.reg(0x228) >>> 31).toBe(1)
    expect((rig.reg(0x22c) >>> 8) & 0xf_ffff).toBe(pasid)
    expect(rig.reason()).toBe(reason)
  })

  scene('keeps an entry until its invalidation', () => {
    const rig = scalable()
    rig.write(0x1000n, 1)
    rig.put(PASIDS + 64 * 5, 0n)
    rig.flush(0x17n | (7n << 16n) | (6n << 32n))
    expect(rig.write(0x1000n, 2)).toBe(1)
    rig.flush(0x17n | (7n << 16n) | (5n << 32n))
    expect(rig.write(0x1000n, 3)).toBe(0)
    expect(rig.reason()).toBe(0x59)
  })
})

scene('can be saved in the middle of anything', () => {
  const rig = simple()
  rig.attach(SLOW)
  rig.attach(ATS, 1, 1n << 2n)
  rig.dma(ATS, 0x1000n, [1])
  rig.dma(SLOW, 0x2000n, [2])
  rig.write(0x9000n, 1)
  rig.push(GLOBAL)
  const copy = new Rig(another())
  copy.target.restore!(rig.target.save!())
  expect(copy.target.fingerprint!()).toBe(rig.target.fingerprint!())
  for (const one of [rig, copy]) one.target.settle(100)
  expect(copy.target.fingerprint!()).toBe(rig.target.fingerprint!())
  expect(copy.at(0x2_0000)).toEqual([2])
})

describe('a fault of the unit', () => {
  it.each(vtdFaults)('$id changes a known answer', (fault) => {
    wrong = fault
    try {
      expect(known.some((play) => isChanged(play))).toBe(true)
    } finally {
      wrong = undefined
    }
  })
})
const isChanged = (play: () => void): boolean => {
  try {
    play()
    return false
  } catch {
    return true
  }
}

/** What a guest and its devices do at random, near what makes sense; what they see of it. */
const play = (rig: Rig, seed: number, steps: number): string[] => {
  let state = seed * 2 + 1
  const below = (count: number): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9
    return ((state ^ (state >>> 13)) >>> 0) % count
  }
  const one = <T>(list: readonly T[]): T => list[below(list.length)]!
  const bit = (): bigint => 1n << BigInt(below(64))
  const rarely = (value: bigint): bigint => (below(12) === 0 ? value : 0n)
  const iova = (): bigint => one(IOVAS) + BigInt(4096 * below(2))
  const requester = (): number => one([NIC, NIC, OTHER, SLOW, ATS])
  const pasid = (): number => one([5, 5, 6, 7, 0x2000])
  const seen: string[] = []
  const moves: readonly (() => unknown)[] = [
    () => {
      const level = one([1, 1, 1, 2, 3])
      const frame =
        level === 3 ? BigInt(GIB) : level === 2 ? 0x40_0000n : BigInt(one([0x1_0000, 0x2_0000, 0x1fff_0000]))
      const entry = (frame + rarely(bit())) | one([RW, RW, R, W, 0n]) | (level > 1 ? LARGE : 0n)
      rig.map(iova(), entry, level, one([RW, RW, RW, R, W]) | rarely(bit()))
    },
    () => rig.put(TABLES[below(3)]! + 8 * index(iova(), 2 + below(3)), one([0n, bit(), 0x6003n])),
    () => {
      const width = one([2n, 2n, 2n, 1n, 3n])
      const type = BigInt(one([0, 0, 0, 1, 1, 2, 3])) << 2n
      const low = BigInt(TABLES[width === 1n ? 1 : 0]) | type | rarely(2n) | rarely(bit())
      rig.context(requester(), low | one([1n, 1n, 1n, 0n]), width | (BigInt(1 + below(2)) << 8n) | rarely(bit()))
    },
    () => {
      const type = one([2n, 2n, 4n, 1n])
      rig.put(
        0xc000 + 64 * pasid(),
        BigInt(TABLES[0]) | one([1n, 1n, 0n]) | (2n << 2n) | (type << 6n),
        BigInt(1 + below(2)),
      )
      rig.put(0xb000, 0xc001n)
      for (const each of [NIC, OTHER]) rig.put(CONTEXTS + 32 * each, 0xb009n | rarely(2n), 5n)
    },
    () => rig.put(ROOT, BigInt(CONTEXTS) | one([1n, 1n, 1n, 0n]) | rarely(bit()), rarely(bit())),
    ...Array.from({ length: 4 }, () => () => {
      const to = requester()
      const more = below(8) === 0 ? { translated: true } : below(6) === 0 ? { pasid: pasid() } : {}
      seen.push(`${rig.dma(to, iova() + BigInt(one([0, 0, 4094])), [1, 2, 3, seen.length & 255], more)}`)
    }),
    () => seen.push(`${rig.read(iova(), 8, requester())}`),
    () => {
      const domain = BigInt(1 + below(2)) << 16n
      const at = iova() & ~((1n << 12n) - 1n)
      const device = (BigInt(one([NIC, 0x1f, OTHER, ATS])) << 32n) | (BigInt(below(4)) << 48n)
      const [low, high] = one([
        [GLOBAL, 0n],
        [0x22n | domain, 0n],
        [0x32n | domain, at | BigInt(one([0, 0, 1, 9, 18, 19])) | rarely(0x40n)],
        [0x32n | domain, at | 9n],
        [0xc2n | 0x10n, 0n],
        [0x21n | domain, 0n],
        [CONTEXT_GLOBAL, 0n],
        [0x31n | device, 0n],
        [3n | (BigInt(ATS) << 32n), one([at, at | 0x1001n, 0x7fff_ffff_ffff_f001n])],
        [0x17n | domain | (5n << 32n), 0n],
        [5n | 0x20n | (BigInt(seen.length) << 32n), BigInt(STATUS)],
        [bit() | bit(), rarely(bit())],
      ] as const)
      rig.put(QUEUE + rig.tail, low, high)
      rig.tail = (rig.tail + 16) % 4096
      rig.set(0x88, rig.tail)
    },
    () => rig.target.step!(one(['iommu', 'iommu', 'slow0'])),
    () => rig.target.settle(0),
    () => {
      rig.set(0x28, one([1n, 2n]) | (BigInt(one([NIC, 0x1f])) << 16n) | (BigInt(below(4)) << 32n), 8)
      rig.set(0x2c, 2 ** 31 + below(4) * 2 ** 29 + below(4))
    },
    () => {
      rig.set(0x100, iova() | BigInt(one([0, 1, 9, 18, 30])), 8)
      rig.set(0x108, (1n << 63n) | (BigInt(below(4)) << 60n) | (one([1n, 2n]) << 32n) | rarely(3n << 48n), 8)
    },
    () => rig.set(0x20, one([ROOT, ROOT, ROOT | 0x400, 0xa000]), 8),
    () => rig.set(0x18, (1 << 26) | (1 << 31) | (1 << 30)),
    () => rig.set(0x34, 0x7f),
    () => rig.set(0x22c + 16 * below(4), 2 ** 31),
    () => rig.set(0x38, one([0, 2 ** 31])),
    () => {
      rig.set(0x68, one([0, 0x40_0000]))
      rig.set(0x6c, one([0, 0x20_0000, 0x40_0000]))
      rig.set(0x70, 2 ** 33, 8)
      rig.set(0x64, one([0, 0, 2 ** 31]))
    },
    () => rarely(1n) === 1n && rig.set(4 * below(160), below(2 ** 31) * 2),
  ]
  for (let step = 0; step < steps; step++) {
    one(moves)()
    for (const event of rig.target.events()) seen.push(JSON.stringify(event))
  }
  for (let at = 0x18; at < 0x260; at += 4) seen.push(`${rig.reg(at)}`)
  return seen
}
const IOVAS = [
  0x1000n,
  0x1f_f000n,
  0x4000_0000n,
  2n ** 39n - 0x1000n,
  0xfedf_f000n,
  0xfee0_0000n,
  2n ** 48n - 0x1000n,
] as const

describe('whatever a guest writes', () => {
  it.each([vtdBoard, vtdCachingModeBoard, vtdScalableBoard])('has an answer: $name', (board) => {
    for (const seed of [1, 2, Date.now() % 2 ** 31]) {
      const [rig, again] = [simple(board), simple(board, new Rig(another(board)))]
      try {
        const seen = play(rig, seed, 400)
        expect(rig.target.settle(0)).toBe('quiet')
        expect(play(again, seed, 400)).toEqual(seen)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })
})
