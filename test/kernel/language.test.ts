import { describe, expect, it } from 'vitest'
import {
  Bits,
  type Clause,
  clear,
  compile,
  compose,
  machine,
  part,
  scoped,
  t,
  viewOf,
} from '../../src/kernel/language/index.ts'
import { layoutOf } from '../../src/kernel/language/layout.ts'
import { argsFromJson, argsToJson, differences, stateToJson } from '../../src/kernel/language/state.ts'

const clause = { id: 'MBOX-1' } as Clause

const everything = {
  busy: t.flag,
  level: t.int(-2, 5),
  posts: t.mod(8),
  mode: t.oneOf('idle', 'running'),
  mapped: t.set(4),
  slot: t.maybe(t.below(2)),
  ring: t.record({ idx: t.mod(4), entries: t.array(3, t.below(4)) }),
  chains: t.array(2, t.record({ at: t.oneOf('free', 'used'), who: t.maybe(t.id('head', 2)) })),
  last: t.variant({ none: {}, sent: { page: t.below(4) }, moved: { from: t.below(4), to: t.below(4) } }),
}

const text = machine({
  source: 'MBOX 1.0',
  state: everything,
  initial(s) {
    s.level = 3
  },
  actions: {
    'driver.post': {
      args: { page: t.below(4), how: t.oneOf('quietly', 'loudly') },
      requires: { idle: { clause, holds: (s, { page }) => !s.busy && s.slot !== page } },
      effect(s, { page, how }) {
        s.slot = page < 2 ? page : undefined
        s.posts++
        s.mode = how === 'loudly' ? 'running' : 'idle'
        s.ring.entries.set(2, page)
        s.chains.at(1).who = 1
        s.mapped = s.mapped.with(page)
        s.last = { is: 'moved', from: page, to: 0 }
      },
    },
    'device.done': { when: (s) => s.busy, effect: (s) => clear(s.chains.at(1)) },
  },
  goals: { aWrappedIndex: (s) => s.posts === 7 },
})

const build = () => {
  const m = compile('mailbox', text, 'played', {})
  const cells = m.initial()
  // biome-ignore lint/suspicious/noExplicitAny: the erased view is what the kernel works with.
  const s = viewOf(m.layout, cells) as any
  return { m, cells, s }
}

describe('the state of a machine', () => {
  it('starts at the first value of each type, then as the author says', () => {
    const { m, cells } = build()
    expect(stateToJson(m.layout, cells)).toEqual({
      busy: false,
      level: 3,
      posts: 0,
      mode: 'idle',
      mapped: [],
      slot: null,
      ring: { idx: 0, entries: [0, 0, 0] },
      chains: [
        { at: 'free', who: null },
        { at: 'free', who: null },
      ],
      last: { is: 'none' },
    })
  })

  it('is written through accessors and read back as it was', () => {
    const { m, cells, s } = build()
    const before = cells.slice()
    m.action('driver.post').effect?.(s, { page: 3, how: 'loudly' })
    expect(differences(m.layout, before, cells).map((d) => [d.path, d.before, d.after])).toEqual([
      ['posts', 0, 1],
      ['mode', 'idle', 'running'],
      ['mapped', [], [3]],
      ['ring.entries[2]', 0, 3],
      ['chains[1].who', null, 1],
      ['last.is', 'none', 'moved'],
      ['last.from', 0, 3],
    ])
    expect(s.mapped).toBe(Bits.of(8))
    expect(s.last.is).toBe('moved')
    m.action('device.done').effect?.(s, {})
    expect(s.chains.at(1).who).toBeUndefined()
  })

  it('keeps a modular index in range right after ++ and refuses what is outside a type, naming the field', () => {
    const { s } = build()
    for (let i = 0; i < 9; i++) s.posts++
    expect(s.posts).toBe(1)
    s.posts = -1
    expect(s.posts).toBe(7)
    expect(() => (s.level = 6)).toThrow('level: expected a whole number from -2 to 5, found 6')
    expect(() => (s.mode = 'asleep')).toThrow('mode: expected one of idle, running, found asleep')
    expect(() => (s.mapped = Bits.of(16))).toThrow('mapped: expected a set of numbers below 4')
    expect(() => s.ring.entries.set(3, 0)).toThrow('ring.entries[3]: expected an index from 0 to 2')
    expect(() => s.ring.entries.set(1, 4)).toThrow('ring.entries[1]: expected a whole number from 0 to 3, found 4')
    expect(() => (s.chains.at(1).who = 2)).toThrow('chains[1].who: expected a whole number from 0 to 1')
    expect(() => (s.busy = 1)).toThrow('busy: expected true or false, found 1')
  })

  it('carries arguments to JSON and back, and refuses bad ones', () => {
    const { m } = build()
    const post = m.action('driver.post')
    const args = argsFromJson(post, { page: 2, how: 'loudly' })
    expect(argsToJson(post, args)).toEqual({ page: 2, how: 'loudly' })
    expect(() => argsFromJson(post, { page: 4, how: 'loudly' })).toThrow(
      'driver.post.page: expected a whole number from 0 to 3',
    )
    expect(() => argsFromJson(post, { page: 1, how: 'loudly', colour: 1 })).toThrow(
      'driver.post: has no argument colour',
    )
  })

  it('places every scalar exactly once', () => {
    const layout = layoutOf(everything)
    expect(layout.leaves.map((leaf) => leaf.cell)).toEqual(Array.from({ length: layout.cells }, (_, i) => i))
  })
})

describe('compose', () => {
  const wrap = t.mod(8)
  const owner = () =>
    machine({
      source: 'A',
      state: { used: wrap },
      actions: {
        'device.publish': { args: { n: t.below(3) }, effect: (s, { n }) => void (s.used = wrap.plus(s.used, n)) },
      },
    })
  const borrower = () =>
    part({
      source: 'B',
      borrows: { used: wrap },
      state: { lag: t.below(8) },
      actions: {
        'device.publish': { args: { n: t.below(3) }, when: (_s, { n }) => n > 0, effect: (s) => void (s.lag = s.used) },
      },
      invariants: { lagIsRecent: { clause, holds: (s) => s.lag === s.used } },
    })

  it('joins actions, runs effects in the order of the parts, and lets the borrower read', () => {
    const m = compile(
      'ab',
      compose({ a: owner(), b: borrower() }, { shared: ['used'], synchronised: ['device.publish'] }),
      'x',
      {},
    )
    const cells = m.initial()
    const s = viewOf(m.layout, cells)
    const publish = m.action('device.publish')
    expect(publish.when?.(s, { n: 0 })).toBe(false)
    publish.effect?.(s, { n: 2 })
    expect(stateToJson(m.layout, cells)).toEqual({ used: 2, lag: 2 })
    expect(m.invariants[0]?.holds(s)).toBe(true)
  })

  it('refuses undeclared seams, open parts and redeclared state', () => {
    expect(() => compose({ a: owner(), b: borrower() }, { shared: [], synchronised: ['device.publish'] })).toThrow(
      'shared lacks used',
    )
    expect(() => compose({ a: owner(), b: borrower() }, { shared: ['used'], synchronised: [] })).toThrow(
      'synchronised lacks device.publish',
    )
    expect(() => compose({ a: owner(), c: owner() }, { shared: [], synchronised: ['device.publish'] })).toThrow(
      'c redeclares used',
    )
    expect(() => compile('b', borrower(), 'x', {})).toThrow('used is borrowed and owned by no part')
  })
})

describe('scopes', () => {
  const box = scoped('box', { explored: { wrap: 8 }, played: { wrap: 65_536 } }, ({ wrap }) =>
    machine({ source: 'BOX', state: { i: t.mod(wrap) }, actions: { 'driver.post': { effect: (s) => void s.i++ } } }),
  )
  it('reach the schema, and unknown ones are refused by name', () => {
    expect(box.at('played').layout.leaves[0]?.type.cells).toBe(65_536)
    expect(box.at('explored', { wrap: 4 }).scope).toEqual({ wrap: 4 })
    expect(() => box.at('big')).toThrow('box: no scope is called "big"; there are explored, played')
    expect(() => box.at('explored', { pages: 1 })).toThrow('box: scope has no bound "pages"; there are wrap')
  })
})

// Compile-time promises: each line must be refused by the compiler.
export const refused = () => {
  // @ts-expect-error a misspelt field
  machine({ source: '', state: { a: t.flag }, actions: { 'driver.x': { effect: (s) => void (s.b = true) } } })
  // @ts-expect-error a value outside its type
  machine({ source: '', state: { a: t.oneOf('p', 'q') }, actions: { 'driver.x': { effect: (s) => void (s.a = 'z') } } })
  // @ts-expect-error a misspelt actor
  machine({ source: '', state: { a: t.flag }, actions: { 'devcie.x': { effect: (s) => void (s.a = true) } } })
  const index = { a: t.record({ i: t.mod(8) }) }
  // @ts-expect-error a condition that writes
  machine({ source: '', state: index, actions: { 'driver.x': { when: (s) => s.a.i++ > 0 } } })
  // @ts-expect-error a condition that writes into an array
  machine({ source: '', state: { a: t.array(2, t.flag) }, actions: { 'driver.x': { when: (s) => s.a.set(0, true) } } })
  const args = { n: t.below(2) }
  // @ts-expect-error a misspelt argument
  machine({ source: '', state: { a: t.flag }, actions: { 'driver.x': { args, when: (_s, { m }) => m > 0 } } })
  const [borrows, state] = [{ a: t.flag }, { b: t.flag }]
  // @ts-expect-error a part that writes what it borrows
  part({ source: '', borrows, state, actions: { 'driver.x': { effect: (s) => void (s.a = true) } } })
  // @ts-expect-error an unknown actor owes
  machine({ source: '', state: { a: t.flag }, actions: {}, owes: { 'devise.x': { clause, when: (s) => s.a } } })
}
