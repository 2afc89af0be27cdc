import { describe, expect, it } from 'vitest'
import { splitQueueTso } from '../../bench/explore/split-queue-tso.ts'
import { choicesOf } from '../../src/kernel/explore/choices.ts'
import { type Edges, explore } from '../../src/kernel/explore/index.ts'
import { waysOf } from '../../src/kernel/explore/ways.ts'
import {
  type Clause,
  compile,
  compose,
  type Erased,
  type ErasedBody,
  machine,
  part,
  t,
} from '../../src/kernel/language/index.ts'
import { both } from './compare.ts'
import { mailbox } from './machines/mailbox.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

describe('the reference model', () => {
  it('has the states, transitions and depth that SPIN finds', () => {
    expect(explore(splitQueueTso.at('explored'))).toMatchObject({
      ...{ states: 143_328, transitions: 297_384, depth: 294, result: 'holds', stuck: { count: 0 } },
    })
  })
})

describe('the fast reading of a state', () => {
  const odd = (over: object): ErasedBody =>
    ({
      ...machine({
        source: 'ODD',
        state: { n: t.below(50), seen: t.set(3), kept: t.set(3) },
        actions: { 'device.count': { when: (s) => s.n < 40, effect: (s) => void s.n++ } },
        final: (s) => s.n >= 40,
      }),
      ...over,
    }) as ErasedBody
  const run = (over: object) => explore(compile('odd', odd(over), 'small', {}))

  it('is refused where it differs from the plain one: a guard that remembers', () => {
    let asked = 0
    const actions = {
      'device.count': { when: (s: Erased) => s.n < 40 && asked++ % 3 < 2, effect: (s: Erased) => s.n++ },
    }
    expect(() => run({ actions })).toThrow(/device\.count is possible in \d ways, and was taken in \d/)
  })

  it('is refused where it differs from the plain one: an effect that remembers, a law that compares sets by ===', () => {
    let taken = 0
    const effect = (s: Erased) => void (s.n = s.n + 1 + (taken++ % 2))
    expect(() => run({ actions: { 'device.count': { when: (s: Erased) => s.n < 40, effect } } })).toThrow(
      'an effect leads to another state',
    )
    const same = { clause: { id: 'SAME' } as Clause, holds: (s: Erased) => s.seen === s.kept }
    expect(() => run({ invariants: { same } })).toThrow('same is judged otherwise')
  })

  it('remembers what is possible by all that guards read, also what they read seldom or under a waiver only', () => {
    const rare = machine({
      source: 'RARE',
      state: { n: t.mod(32), far: t.mod(8), cells: t.array(2, t.mod(8)), lost: t.flag },
      actions: {
        'driver.count': { effect: (s) => void s.n++ },
        'driver.move': {
          args: { to: t.mod(8) },
          // What lies far is read late and in few states, the cells one at a time.
          when: (s, { to }) => (s.n === 25 ? s.far !== to : to === s.cells.at(s.n % 2) || to === s.n >>> 2),
          effect: (s, { to }) => {
            if (s.n % 7 === 0) s.far = to
            if (s.n === 13) s.cells.set(1, to)
          },
        },
        'device.answer': {
          args: { with: t.mod(8) },
          requires: { far: { clause: { id: 'FAR' } as Clause, holds: (s, args) => args.with === (s.far & 3) } },
          effect: (s) => void (s.lost = s.n === 20),
        },
      },
      unspecified: (s) => s.lost,
      final: () => true,
    })
    const { fast, naive } = both(compile('rare', rare as ErasedBody, 'small', {}))
    expect(fast).toEqual(naive)
  })

  it('leaves out no choice in any state, hostile or not, whatever guards read first', () => {
    const guards = machine({
      source: 'GUARDS',
      state: {
        at: t.oneOf('a', 'b', 'c'),
        box: t.variant({ empty: {}, full: { of: t.below(3), hot: t.flag } }),
        left: t.array(3, t.flag),
        count: t.mod(300),
      },
      actions: {
        'driver.fill': {
          args: { of: t.below(3), hot: t.flag },
          when: (s, { of }) => s.at === 'a' && s.box.is === 'empty' && !s.left.at(of),
          effect: (s, { of, hot }) => void (s.box = { is: 'full', of, hot }),
        },
        'driver.turn': {
          when: (s) => s.at !== 'b' || s.box.is === 'full' || s.count % 7 !== 3 || s.left.at(0),
          requires: { cool: { clause: { id: 'COOL' } as Clause, holds: (s) => s.box.is === 'empty' || !s.box.hot } },
          effect: (s) => void (s.at = s.at === 'a' ? 'b' : s.at === 'b' ? 'c' : 'a'),
        },
        'device.empty': {
          when: (s) => s.box.is === 'full' && s.at === (s.box.hot ? 'c' : 'b'),
          effect(s) {
            if (s.box.is === 'full') s.left.set(s.box.of, true)
            s.box = { is: 'empty' }
            s.count++
          },
        },
        'device.wipe': {
          when: (s) => s.left.every((gone) => gone),
          effect: (s) => s.left.fill(false),
        },
      },
      final: () => true,
    })
    const compiled = compile('guards', guards, 'small', {})
    for (const hostile of [[], ['driver'] as const]) {
      const { fast, naive } = both(compiled, hostile, { maxStates: 100_000 })
      expect(fast).toEqual(naive)
      expect(fast.states).toBeGreaterThan(1000)
    }
  })
})

describe('ways to take an action', () => {
  it('that a part of its guard rules out by their arguments alone are never asked for', () => {
    const count = t.below(5)
    const args = { a: t.below(6), b: t.below(6) }
    const taker = machine({
      source: 'TAKER',
      state: { open: t.flag, count },
      actions: {
        'device.take': {
          args,
          when: (s, { a }) => s.open && s.count === a % 5,
          effect: (s, { b }) => void (s.count = b),
        },
        'driver.open': { effect: (s) => void (s.open = !s.open) },
      },
      final: () => true,
    })
    const bounded = part({
      source: 'BOUND',
      borrows: { count },
      state: { last: t.below(6) },
      actions: {
        'device.take': { args, when: (_s, { a, b }) => a < 3 && b < 5, effect: (s, { a }) => void (s.last = a) },
      },
    })
    const joint = compose({ taker, bounded }, { shared: ['count'], synchronised: ['device.take'] })
    const compiled = compile('taker', joint, 'small', {})
    const [take] = waysOf(compiled, choicesOf(compiled))
    expect(take).toHaveLength(15)
    const { fast, naive } = both(compiled)
    expect(fast).toEqual(naive)
    expect(fast.actions['device.take']).toBeGreaterThan(30)
  })
})

describe('edges', () => {
  it('are all transitions, each with what was done and where it leads', () => {
    for (const compiled of [twoPhaseCommit.at('explored'), mailbox().at('explored')]) {
      const taken: Record<string, number> = Object.fromEntries(compiled.actions.map(({ name }) => [name, 0]))
      const depths = [0]
      let loops = 0
      const onEdges = ({ count, from, to, by, choices }: Edges): void => {
        for (let i = 0; i < count; i++) {
          taken[choices[by[i]!]!.action.name]!++
          depths[to[i]!] ??= depths[from[i]!]! + 1
          expect(depths[to[i]!]).toBeLessThanOrEqual(depths[from[i]!]! + 1)
          if (from[i] === to[i]) loops++
        }
      }
      const told = explore(compiled, { onEdges })
      expect(taken).toEqual(told.actions)
      expect(depths.length).toBe(told.states)
      expect(Math.max(...depths)).toBe(told.depth)
      expect(loops).toBeGreaterThan(0)
      expect(told.transitions).toBe(explore(compiled).transitions)
    }
  })
})
