import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bits, clear, compile, machine, t, viewOf } from '../../src/kernel/language/index.ts'
import { packedViewOf, readOnlyViewOf, wordName } from '../../src/kernel/language/packed-views.ts'
import { stateToJson } from '../../src/kernel/language/state.ts'
import { wordLayoutOf } from '../../src/kernel/language/word-layout.ts'

/** Every type, alone and in arrays, small enough to share a word and too large to. */
const { layout } = compile(
  'everything',
  machine({
    source: 'TEST',
    state: {
      flag: t.flag,
      narrow: t.int(-3, 9),
      wide: t.int(0, 2 ** 31 - 1),
      index: t.mod(8),
      odd: t.mod(6),
      one: t.below(1),
      name: t.oneOf('idle', 'busy', 'done'),
      set: t.set(5),
      large: t.set(31),
      slot: t.maybe(t.id('slot', 4)),
      word: t.maybe(t.oneOf('a', 'b')),
      flags: t.array(4, t.flag),
      long: t.array(23, t.below(10)),
      sets: t.array(3, t.set(12)),
      grid: t.array(3, t.array(5, t.mod(7))),
      records: t.array(4, t.record({ at: t.oneOf('x', 'y', 'z'), to: t.maybe(t.below(5)), marks: t.array(3, t.flag) })),
      choice: t.variant({ none: {}, some: { is3: t.below(3), ok: t.flag }, far: { value: t.int(-5, 5) } }),
      choices: t.array(3, t.variant({ empty: {}, full: { by: t.set(3), of: t.id('slot', 4) } })),
      huge: t.variant({ small: { a: t.flag }, big: { b: t.int(0, 2 ** 31 - 1), c: t.flag } }),
    },
    actions: {},
  }),
  'only',
  {},
)

// biome-ignore lint/suspicious/noExplicitAny: operations go to two views of one state, wrong values included.
type State = any
type Operation = (s: State) => unknown

const value = fc.oneof(
  fc.integer({ min: -10, max: 40 }),
  fc.boolean(),
  fc.constantFrom(undefined, null, 'idle', 'busy', 'done', 'a', 'b', 'x', 'y', 1.5, 2 ** 31, 2 ** 31 - 1, -(2 ** 31)),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }).map((mask) => Bits.of(mask)),
  fc.integer({ min: 0, max: 7 }).map((mask) => Bits.of(mask)),
)
const at = fc.integer({ min: -1, max: 23 })
const field = fc.constantFrom(
  ...['flag', 'narrow', 'wide', 'index', 'odd', 'one', 'name', 'set', 'large', 'slot', 'word', 'records', 'flags'],
)
const variant = fc.oneof(
  fc.record({ is: fc.constantFrom('none', 'empty', 'nobody') }),
  fc.record({ is: fc.constant('some'), is3: value, ok: fc.oneof(fc.boolean(), value) }),
  fc.record({ is: fc.constant('far'), value }),
  fc.record({ is: fc.constant('full'), by: value, of: fc.nat(4) }),
  fc.record({ is: fc.constant('small'), a: fc.boolean() }),
  fc.record({ is: fc.constant('big'), b: fc.nat(2 ** 31 - 1), c: fc.boolean() }),
)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(field, value).map(
    ([name, v]): Operation =>
      (s) =>
        (s[name] = v),
  ),
  fc.constantFrom<Operation>(
    (s) => s.index++,
    (s) => s.odd++,
    (s) => (s.odd = s.odd - 13),
    (s) => (s.set = s.set.with(3).without(1)),
    (s) => clear(s.records.at(1)),
    (s) => clear(s.choice),
    (s) => s.long.fill(7),
  ),
  fc.tuple(fc.constantFrom('flags', 'long', 'sets', 'choices', 'records'), at, fc.oneof(value, variant)).map(
    ([name, i, v]): Operation =>
      (s) =>
        s[name].set(i, v),
  ),
  fc.tuple(at, at, value).map(
    ([i, j, v]): Operation =>
      (s) =>
        s.grid.at(i).set(j, v),
  ),
  fc.tuple(at, fc.constantFrom('at', 'to', 'marks'), value).map(
    ([i, name, v]): Operation =>
      (s) =>
        (s.records.at(i)[name] = v),
  ),
  fc.tuple(at, at, fc.boolean()).map(
    ([i, j, v]): Operation =>
      (s) =>
        s.records.at(i).marks.set(j, v),
  ),
  fc.tuple(fc.constantFrom('choice', 'huge'), variant).map(
    ([name, v]): Operation =>
      (s) =>
        (s[name] = v),
  ),
)

/** What is read through a view, in an order of its own. */
const readings: readonly Operation[] = [
  (s) => [s.flag, s.narrow, s.wide, s.index, s.odd, s.one, s.name, s.slot, s.word],
  (s) => [s.set.toArray(), s.large.mask, s.sets.at(2).size],
  (s) => [s.long.at(22), s.long.at(3), s.long.count((n: number) => n === 7), s.long.findIndex((n: number) => n > 2)],
  (s) => s.grid.at(2).at(4),
  (s) => s.records.some((r: State) => r.at === 'y' && r.to !== undefined && r.marks.every((on: boolean) => !on)),
  (s) => [s.choice.is, s.choice.is3, s.choice.ok, s.choice.value, s.huge.is, s.huge.a, s.huge.b, s.huge.c],
  (s) => [s.choices.at(0).is, s.choices.at(2).of, s.choices.at(1).by.mask],
]

const outcome = (of: () => unknown): unknown => {
  try {
    return of()
  } catch (error) {
    return (error as Error).constructor
  }
}

describe('a view over words', () => {
  it('shows, takes and refuses what a view over cells does', () => {
    const words = wordLayoutOf(layout)
    let refused = 0
    let taken = 0
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 25 }), (operations) => {
        const cells = new Int32Array(layout.cells)
        const plain = viewOf(layout, cells)
        const packed = packedViewOf(layout)
        const readOnly = readOnlyViewOf(layout, packed.words)
        const row = new Int32Array(words.words)
        const unpacked = new Int32Array(layout.cells)
        for (const each of operations) {
          const before = cells.slice()
          const wordsBefore = JSON.stringify(packed.words)
          expect(
            outcome(() => each(readOnly.state)),
            'a write to a view that only reads',
          ).toBeTypeOf('function')
          expect(JSON.stringify(packed.words)).toBe(wordsBefore)
          const expected = outcome(() => each(plain))
          const found = outcome(() => each(packed.state))
          if (typeof expected === 'function') {
            refused++
            expect(found).toBe(expected)
            // An assignment of several fields may be half done when it is refused; the error ends everything anyhow.
            if (cells.some((cell, i) => cell !== before[i])) return
          } else taken++
          for (let i = 0; i < row.length; i++)
            row[i] = wordName(words, i)
              .split('.')
              .reduce((from: State, name) => from[name], packed.words)
          words.unpack(row, 0, unpacked)
          expect(stateToJson(layout, unpacked)).toEqual(stateToJson(layout, cells))
          const repacked = new Int32Array(row.length)
          words.pack(cells, repacked, 0)
          expect(repacked).toEqual(row)
          for (const read of readings)
            for (const view of [packed, readOnly]) expect(read(view.state)).toEqual(read(plain))
        }
      }),
      { numRuns: 300 },
    )
    expect(Math.min(refused, taken)).toBeGreaterThan(300)
  })
})
