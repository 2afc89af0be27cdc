/** Devices of the ISA bus: the reference against the data sheets, and the machines against the reference. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import type { Model } from '../../src/kernel/model.ts'
import { parallelModel } from '../../src/models/emulated/parallel.ts'
import { serialModel } from '../../src/models/emulated/serial.ts'
import { vgaTextModel } from '../../src/models/emulated/vga-text.ts'
import { parallelFaults } from '../../src/reference/faults/parallel.ts'
import { serialFaults } from '../../src/reference/faults/serial.ts'
import { vgaFaults } from '../../src/reference/faults/vga.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const boardOf = (name: string): Target => openReference({ board: boards.find((board) => board.name === name)! })

/** Bytes at ports from `base` on. */
const portsOf = (target: Target, base: number) => ({
  out: (offset: number, ...values: number[]): void => {
    for (const value of values) target.write({ space: 'port', address: base + offset }, 1, BigInt(value))
  },
  in: (offset: number): number => Number(target.read({ space: 'port', address: base + offset }, 1)),
})

/** The level of a line after all that happened; undefined: it did not change. */
const lineOf = (target: Target, device: string): boolean | undefined =>
  target
    .events()
    .reduce<boolean | undefined>(
      (level, event) => (event.kind === 'line' && event.device === device ? event.level : level),
      undefined,
    )

describe('a 16550', () => {
  const COM = 0x3f8
  const opened = () => {
    const target = boardOf('serial')
    return { target, ...portsOf(target, COM), line: () => lineOf(target, 'serial') }
  }

  it('comes out of a reset with nothing enabled, nothing pending and an empty transmitter', () => {
    const com = opened()
    for (const [offset, value] of [3, 0x0f, 0xc1, 0x1b, 0x1f].entries()) com.out(offset, value)
    com.target.reset('system')
    expect([1, 2, 3, 4, 5].map((offset) => com.in(offset))).toEqual([0, 1, 0, 0, 0x60])
    expect(com.in(6) & 0x0f).toBe(0)
  })

  it('tells once that its transmitter is empty, and again when that interrupt is enabled anew', () => {
    const com = opened()
    com.out(4, 0x08)
    com.out(1, 0x02)
    expect([com.line(), com.in(2), com.line(), com.in(2)]).toEqual([true, 2, false, 1])
    com.out(1, 0)
    com.out(1, 2)
    expect([com.line(), com.in(2)]).toEqual([true, 2])
    com.out(0, 0x41)
    expect(com.in(2)).toBe(2)
  })

  it('names causes by priority, and ends only the one that it names', () => {
    const com = opened()
    com.out(3, 0x03)
    com.out(4, 0x18)
    com.out(1, 0x0f)
    com.out(4, 0x1a)
    com.out(0, 1, 2)
    expect([com.in(2), com.in(5), com.in(2), com.in(0), com.in(2), com.in(2), com.in(6) & 0xf, com.in(2)]).toEqual([
      ...[6, 0x63, 4, 2],
      ...[2, 0, 3, 1],
    ])
  })

  it('interrupts at the trigger level of its FIFO, below it after four characters, and loses what is too much', () => {
    const com = opened()
    com.out(3, 0x83)
    com.out(0, 1)
    com.out(1, 0)
    com.out(3, 0x03)
    com.out(4, 0x10)
    com.out(1, 0x01)
    com.out(2, 0x41)
    com.out(0, 1, 2, 3)
    // A character is 86.8 microseconds.
    com.target.advance!(340_000)
    expect(com.in(2)).toBe(0xc1)
    com.target.advance!(10_000)
    expect([com.in(2), com.in(0), com.in(2)]).toEqual([0xcc, 1, 0xc1])
    com.out(0, 4, 5)
    expect(com.in(2)).toBe(0xc4)
    com.out(0, ...Array.from({ length: 13 }, (_, i) => 6 + i))
    expect([com.in(5), com.in(5), com.in(0)]).toEqual([0x63, 0x61, 2])
    com.out(2, 0x43)
    expect([com.in(5), com.in(2)]).toEqual([0x60, 0xc1])
  })

  it('has a divisor behind the latch bit, a gate in OUT2, and takes any byte at any width', () => {
    const com = opened()
    com.out(1, 0x02)
    expect(com.line()).toBeUndefined()
    com.out(4, 0x08)
    expect(com.line()).toBe(true)
    com.out(3, 0x80)
    com.out(0, 0x0c)
    com.out(1, 0x34)
    expect([com.in(0), com.in(1)]).toEqual([0x0c, 0x34])
    com.out(3, 0x03)
    expect(com.in(1)).toBe(0x02)
    for (let value = 0; value < 256; value++) for (let offset = 0; offset < 8; offset++) com.out(offset, value)
    com.target.write({ space: 'port', address: COM + 6 }, 4, 0xffff_ffffn)
    expect(com.target.read({ space: 'port', address: COM + 7 }, 4)).toBe(0xffff_ffffn)
  })
})

describe('a printer port', () => {
  it('is busy with a byte, acknowledges it with a pulse, and is told to begin anew', () => {
    const target = boardOf('parallel')
    const port = portsOf(target, 0x378)
    const pulses = () => target.events().map((event) => event.kind === 'line' && event.level)
    port.out(0, 0x5a)
    port.out(2, 0x1c)
    port.out(2, 0x1d, 0x1c)
    expect([port.in(0), port.in(1) & 0xc0, port.in(2) & 0x1f, pulses()]).toEqual([0x5a, 0xc0, 0x1c, [true, false]])
    target.control!('parallel', { do: 'hold' })
    port.out(2, 0x1d, 0x1c)
    expect([port.in(1) & 0xc0, pulses()]).toEqual([0x40, []])
    target.control!('parallel', { do: 'release', order: 'fifo' })
    expect([port.in(1) & 0xc0, pulses()]).toEqual([0xc0, [true, false]])
    target.control!('parallel', { do: 'hold' })
    port.out(2, 0x0d, 0x0c, 0x08)
    expect([port.in(1) & 0xc0, pulses()]).toEqual([0xc0, []])
  })
})

describe('a text adapter', () => {
  it('takes index and data in turn at its attribute port, and an index after a read of the status', () => {
    const { out, in: read } = portsOf(boardOf('vga'), 0x3c0)
    out(0x02, 0x63)
    read(0x1a)
    out(0, 0x05, 0x2a)
    out(0, 0x03)
    read(0x1a)
    out(0, 0x04, 0x15)
    expect([read(1), read(0)]).toEqual([0x15, 0x04])
    read(0x1a)
    out(0, 0x05)
    expect(read(1)).toBe(0x2a)
  })

  it('protects the first eight registers, moves with bit 0, and has 32 KiB of text', () => {
    const target = boardOf('vga')
    const { out, in: read } = portsOf(target, 0x3b0)
    out(0x12, 0x63)
    for (const [index, value] of [
      [0, 0x5f],
      [0x11, 0x80],
      [0, 0],
      [7, 0xff],
      [0x0e, 0x12],
    ] as const) {
      out(0x24, index)
      out(0x25, value)
    }
    const values = [0, 7, 0x0e].map((index) => {
      out(0x24, index)
      return read(0x25)
    })
    expect(values).toEqual([0x5f, 0x10, 0x12])
    out(0x12, 0x62)
    expect([read(0x25), read(0x05)]).toEqual([0xff, 0x12])
    const at = (address: number) => ({ space: 'mmio', address }) as const
    target.write(at(0xb8000), 2, 0x0741n)
    target.write(at(0xbffff), 1, 0x5an)
    expect([target.read(at(0xb8000), 2), target.read(at(0xbffff), 1)]).toEqual([0x0741n, 0x5an])
  })
})

const JUDGED: readonly (readonly [string, Model])[] = [
  ['serial', serialModel],
  ['parallel', parallelModel],
  ['vga', vgaTextModel],
]

describe.each(JUDGED)('the machine %s', (board, model) => {
  it('finds nothing wrong with the reference, whatever is drawn', () => {
    const fresh = Date.now() & 0x7fff_ffff
    for (const seed of [1, fresh]) {
      const { found, first } = campaign(model, boardOf(board), { runs: 60, seed })
      expect(found, `seed ${seed}: ${first}`).toEqual({})
    }
  })

  it('reaches all of its goals', () => {
    const { goals } = campaign(model, boardOf(board), { runs: 700, seed: 3, hostile: 0 })
    expect(Object.keys(goals).filter((name) => goals[name] === 0)).toEqual([])
  })
})

interface Wire {
  latch: boolean
  divisor: number
  /** A byte that is being sent, and how long that goes on. */
  byte: { readonly write: () => void; leftNs: number } | undefined
}

/** A 16550 whose bytes take the ten bits that they have to leave. */
const slow = (target: Target, wire: Wire = { latch: false, divisor: 0, byte: undefined }): Target => {
  const own: Partial<Target> = {
    write(at, width, value) {
      const offset = at.address - 0x3f8
      const number = Number(value)
      if (offset === 0 && !wire.latch) {
        wire.byte = {
          write: () => target.write(at, width, value),
          leftNs: (10 * 16 * wire.divisor * 1e9) / 1_843_200,
        }
        return
      }
      if (offset === 3) wire.latch = number >= 0x80
      if (offset === 0) wire.divisor = (wire.divisor & 0xff00) + number
      if (offset === 1 && wire.latch) wire.divisor = (wire.divisor & 0xff) + 256 * number
      target.write(at, width, value)
    },
    advance(ns) {
      if (wire.byte === undefined) return target.advance!(ns)
      const { byte } = wire
      wire.byte = byte.leftNs > ns ? { ...byte, leftNs: byte.leftNs - ns } : undefined
      target.advance!(Math.min(ns, byte.leftNs))
      if (wire.byte !== undefined) return
      byte.write()
      if (ns > byte.leftNs) target.advance!(Math.floor(ns - byte.leftNs))
    },
    reset(kind) {
      Object.assign(wire, { latch: false, byte: undefined })
      target.reset(kind)
    },
    migrate: () => slow(target.migrate!(), wire),
  }
  return new Proxy(target, {
    get(real, name) {
      const value = (Reflect.get(own, name) ?? Reflect.get(real, name)) as unknown
      return typeof value === 'function' && !(name in own) ? value.bind(real) : value
    },
  })
}

describe('the machine serial', () => {
  it('allows bytes the time that they need', () => {
    const { found, first, commands } = campaign(serialModel, slow(boardOf('serial')), { runs: 60, seed: 2 })
    expect(found, first).toEqual({})
    expect(commands).toBeGreaterThan(1000)
  })
})

/** A quarter of the faults each day, so that all have their turn. */
const today = Math.floor(Date.now() / 86_400_000)

describe('seeded faults are found', () => {
  const all = [
    ...serialFaults.map((fault) => [fault.id, fault, serialModel] as const),
    ...parallelFaults.map((fault) => [fault.id, fault, parallelModel] as const),
    ...vgaFaults.map((fault) => [fault.id, fault, vgaTextModel] as const),
  ]
  it.each(all.filter((_each, i) => (i + today) % 4 === 0))('%s', (_id, fault, model) => {
    const { found } = campaign(model, openReference({ fault }), { runs: 800, hostile: 0, untilFound: true })
    expect(Object.keys(found)).not.toEqual([])
  })
})
