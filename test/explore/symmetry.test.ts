import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitQueueTso } from '../../bench/explore/split-queue-tso.ts'
import { machines } from '../../spec/index.ts'
import {
  ExploreError,
  type ExploreOptions,
  explore,
  exploreWithWorkers,
  type Step,
} from '../../src/kernel/explore/index.ts'
import { canoniserOf } from '../../src/kernel/explore/symmetry/canonical.ts'
import {
  type Actor,
  type Clause,
  compile,
  type Erased,
  type ErasedBody,
  type Fields,
  type Machine,
  machine,
  type SymmetryText,
  t,
  viewOf,
} from '../../src/kernel/language/index.ts'
import { argsFromJson, differences, stateToJson } from '../../src/kernel/language/state.ts'
import { permuted } from '../../src/kernel/language/symmetry.ts'
import { wordLayoutOf } from '../../src/kernel/language/word-layout.ts'
import { buildClients, clientsPlan } from './machines/random-clients.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

const clause = { id: 'TEST-1' } as Clause
const build = (body: ErasedBody): Machine => compile('ring', body, 'small', {})

/** What must not depend on whether a search was reduced. */
const found = (of: Machine, options: ExploreOptions) => {
  const { states, represents, result, violations, stuck, goals, liveness } = explore(of, options)
  return {
    ...{ walked: states, count: represents ?? states },
    ...{ result, liveness, goals },
    violations: Object.fromEntries(violations.map(({ kind, name, steps }) => [`${kind} ${name}`, steps.length])),
    stuck: [stuck.count, stuck.steps?.length],
  }
}

const cases: readonly [string, Machine, readonly Actor[]][] = [
  ['two-phase-commit with 7', twoPhaseCommit.at('explored', { rms: 7 }), []],
  ['split-queue-tso, small', splitQueueTso.at('explored'), []],
  ...(
    [
      ['queue', {}, []],
      ['queue', { size: 5 }, ['driver']],
      ['split-ring', { size: 2, wrap: 2 }, []],
      ['in-order', { wrap: 2 }, []],
      ['blk-requests', { kinds: 1 }, []],
    ] as const
  ).map(([name, bounds, hostile]): [string, Machine, readonly Actor[]] => [
    `${name} ${JSON.stringify(bounds)}${hostile.length > 0 ? ' hostile' : ''}`,
    machines.find((one) => one.name === name)!.at('explored', bounds),
    hostile,
  ]),
]

describe('a search under symmetry', () => {
  it.each(cases)('stands for every state of %s, and finds the same', (_name, of, hostile) => {
    const { walked: _, ...whole } = found(of, { hostile })
    const { walked, ...reduced } = found(of, { hostile, symmetry: true })
    expect(reduced).toEqual(whole)
    expect(walked).toBeLessThan(0.6 * whole.count)
  })

  it('has as many states as there are multisets, of a queue', () => {
    // Five places for each of n heads that are all alike: n + 4 choose 4.
    const queue = machines.find(({ name }) => name === 'queue')!
    expect(
      [1, 2, 3, 4, 5].map((size) => explore(queue.at('explored', { size }), { symmetry: true, audit: 'all' }).states),
    ).toEqual([5, 15, 35, 70, 126])
  })

  it('finds the same with several threads', { timeout: 20_000 }, async () => {
    const url = new URL('../../dist/bench/explore/make.js', import.meta.url).href
    const origin = { url, make: 'splitQueueTsoAt', argument: 'explored' }
    expect(
      await exploreWithWorkers({ origin, threads: 2, levelWorth: 64, patient: true }, { symmetry: true }),
    ).toMatchObject({ states: 17_916, represents: 143_328, transitions: 37_173, depth: 165, result: 'holds' })
  })

  it('is the whole search where nothing is declared', () => {
    const lifecycle = machines.find(({ name }) => name === 'lifecycle')!.at('explored')
    expect(found(lifecycle, { symmetry: true })).toEqual(found(lifecycle, {}))
    expect(explore(lifecycle, { symmetry: true })).not.toHaveProperty('represents')
  })
})

/** Schemas with everything that a permutation acts on, in all combinations that a form has to be exact for. */
const head = t.id('head', 3)
const other = t.id('other', 2)
const index = t.mod(6, 'index')
const slot = t.mod(3, 'index')
const schemas: Readonly<Record<string, { readonly state: Fields; readonly symmetry: SymmetryText }>> = {
  'ids that are told by themselves': {
    state: {
      ...{ of: t.maybe(head), some: t.set(head), at: t.array(head, t.record({ is: t.below(3), by: t.flag })) },
      store: t.variant({ none: {}, one: { head, n: t.below(2) }, few: { heads: t.set(head) } }),
    },
    symmetry: { ids: ['head'] },
  },
  'ids that are related': {
    state: { next: t.array(head, t.maybe(head)), knows: t.array(head, t.set(head)), is: t.array(head, t.flag) },
    symmetry: { ids: ['head'] },
  },
  'ids of two domains': {
    state: { of: t.array(other, t.maybe(head)), table: t.array(head, t.array(other, t.flag)), it: t.maybe(other) },
    symmetry: { ids: ['head', 'other'] },
  },
  'ids that are related, beside others that are not': {
    state: { next: t.array(head, t.maybe(head)), some: t.set(other), it: t.maybe(other) },
    symmetry: { ids: ['head', 'other'] },
  },
  'indexes that belong to ids': {
    state: { at: t.array(head, index), ring: t.array(slot, t.below(3)) },
    symmetry: { ids: ['head'], rotate: ['index'] },
  },
  'indexes with one that is always there': {
    state: { low: index, ring: t.array(slot, t.below(3)), last: t.maybe(slot), wanted: t.set(slot) },
    symmetry: { rotate: ['index'] },
  },
  'indexes that may all be absent': {
    state: { last: t.maybe(index), rings: t.array(2, t.array(slot, t.flag)), at: slot },
    symmetry: { rotate: ['index'] },
  },
  'both at once': {
    state: {
      ...{ low: index, ring: t.array(slot, t.maybe(head)), waits: t.array(head, t.maybe(index)), free: t.set(head) },
      store: t.variant({ none: {}, ring: { at: slot, of: head }, index: { to: index } }),
    },
    symmetry: { ids: ['head'], rotate: ['index'] },
  },
}

describe('a canonical form', () => {
  it.each(Object.keys(schemas))('is the same for all that differ by a permutation, and for no other: %s', (name) => {
    const { state, symmetry } = schemas[name]!
    const of = build({ source: 'TEST', state, symmetry, actions: {} } as unknown as ErasedBody)
    const layout = wordLayoutOf(of.layout)
    const canoniser = canoniserOf(of)!
    const row = new Int32Array(layout.words + 1)
    const form = (cells: Int32Array): string => {
      layout.pack(cells, row, 0)
      canoniser.canonise(row, 1)
      return row.join()
    }
    /** Every state that permutations lead to, found by taking one after the other. */
    const orbitOf = (cells: Int32Array): Int32Array[] => {
      const known = new Map([[cells.join(), cells]])
      for (const each of known.values())
        for (const domain of of.symmetry)
          for (let i = 0; i < domain.size - 1; i++) {
            const next = permuted(
              domain,
              domain.kind === 'ids'
                ? (value) => (value === i ? i + 1 : value === i + 1 ? i : value)
                : (value, size) => (value + 1) % size,
              each,
            )
            known.set(next.join(), next)
          }
      return [...known.values()]
    }
    const cellsOf = (values: readonly number[]): Int32Array => {
      const cells = Int32Array.from(of.layout.leaves, ({ type }, i) => values[i % values.length]! % type.cells)
      // What is not there of a variant is zero.
      layout.pack(cells, row, 0)
      layout.unpack(row, 0, cells)
      return cells
    }
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 63 }), { minLength: of.layout.cells, maxLength: of.layout.cells }),
        (values) => {
          const cells = cellsOf(values)
          const orbit = orbitOf(cells)
          const wanted = form(cells)
          for (const each of orbit) expect(form(each)).toBe(wanted)
          layout.pack(cells, row, 0)
          expect(canoniser.orbitAt(row, 0)).toBe(orbit.length)
          canoniser.canonise(row, 1)
          expect(canoniser.orbitAt(row, 0)).toBe(orbit.length)
          const canonical = new Int32Array(of.layout.cells)
          layout.unpack(row, 0, canonical)
          expect(orbit.map((each) => each.join())).toContain(canonical.join())
        },
      ),
      { numRuns: 60 },
    )
  })
})

/** Places in a ring, one of which has the turn; everybody asks at once, and the turn is passed on. */
const ring = (more: Partial<ErasedBody> = {}): ErasedBody =>
  ({
    ...machine({
      source: 'RING',
      symmetry: { rotate: ['place'] },
      state: {
        turn: t.mod(3, 'place'),
        asking: t.set(t.mod(3, 'place')),
        served: t.array(t.mod(3, 'place'), t.below(3)),
      },
      actions: {
        'driver.ask': {
          args: { place: t.mod(3, 'place') },
          when: (s, { place }) => !s.asking.has(place),
          effect: (s, { place }) => void (s.asking = s.asking.with(place)),
        },
        'device.pass': { when: (s) => s.asking.size === 3, effect: (s) => void s.turn++ },
        'device.serve': {
          when: (s) => s.asking.has(s.turn) && s.served.at(s.turn) < 2,
          effect(s) {
            s.asking = s.asking.without(s.turn)
            s.served.set(s.turn, s.served.at(s.turn) + 1)
          },
        },
      },
      fair: ['device.pass', 'driver.ask'],
    }),
    ...more,
  }) as ErasedBody

/** Does the steps literally; every change has to be the one that the trace tells. */
const walk = (of: Machine, steps: readonly Step[]): Int32Array[] => {
  const states = [of.initial()]
  for (const { action: name, args: json, changes } of steps) {
    const action = of.action(name)
    const args = argsFromJson(action, json)
    const before = states.at(-1)!
    const after = before.slice()
    expect(action.when?.(viewOf(of.layout, before) as Erased, args) ?? true).toBe(true)
    action.effect?.(viewOf(of.layout, after) as Erased, args)
    expect(changes).toEqual(differences(of.layout, before, after))
    states.push(after)
  }
  return states
}

describe('a trace of a search under symmetry', () => {
  const laws: Record<string, Partial<ErasedBody>> = {
    invariant: { invariants: { onlyOnce: { clause, holds: (s: Erased) => s.served.every((n: number) => n < 2) } } },
    step: {
      steps: {
        neverTheLast: {
          clause,
          holds: (before: Erased, after: Erased) => before.asking.size !== 1 || !after.asking.isEmpty,
        },
      },
    },
    'leads-to': {
      leadsTo: {
        askersAreServed: {
          clause,
          from: (s: Erased) => s.asking.size === 3,
          to: (s: Erased) => s.asking.size < 3,
        },
      },
    },
  }

  it.each(Object.keys(laws))('can be walked literally, and ends in a broken law: %s', (kind) => {
    const of = build(ring(laws[kind]))
    const [violation] = explore(of, { symmetry: true }).violations
    const [unreduced] = explore(of).violations
    expect(violation).toMatchObject({ kind, name: unreduced!.name })
    expect(violation!.steps.length).toBe(unreduced!.steps.length)
    const states = walk(of, violation!.steps)
    expect(stateToJson(of.layout, states.at(-1)!)).toEqual(violation!.state)
    const [before, last] = states.slice(-2).map((cells) => viewOf(of.layout, cells) as Erased)
    if (kind === 'invariant') expect(of.invariants[0]!.holds(last)).toBe(false)
    if (kind === 'step') expect(of.steps[0]!.holds(before, last, violation!.steps.at(-1)!.action)).toBe(false)
    // One round of the reduced search passes the turn once, to the like of the state before.
    if (kind === 'leads-to') expect(states[violation!.loopFrom!]).toEqual(states.at(-1))
  })
})

describe('a machine drawn at random that treats its clients alike', () => {
  it('is judged the same under symmetry, with ways that can be walked', () => {
    const met = { states: 0, 'leads-to': 0, invariant: 0, step: 0, obligation: 0 }
    fc.assert(
      fc.property(clientsPlan, (plan) => {
        const of = buildClients(plan)
        const whole = explore(of)
        const reduced = explore(of, { symmetry: true, audit: 'all' })
        // A lasso is short, and not always the shortest.
        const told = ({ result, liveness, goals, stuck, violations }: typeof whole) => ({
          ...{ result, liveness, goals, stuck: [stuck.count, stuck.steps?.length] },
          violations: violations
            .map(({ kind, name, steps }) =>
              kind === 'leads-to' ? `${kind} ${name}` : `${kind} ${name} ${steps.length}`,
            )
            .sort(),
        })
        const { stuck, ...rest } = told(reduced)
        const { stuck: wholeStuck, ...wholeRest } = told(whole)
        expect(rest).toEqual(wholeRest)
        expect(stuck[1]).toBe(wholeStuck[1])
        // Where the ring can be gone round all that a state stands for is reachable; else there is no more than that.
        expect(reduced.represents).toBeGreaterThanOrEqual(whole.states)
        met.states += Number(reduced.states < whole.states)
        for (const violation of reduced.violations) {
          met[violation.kind]++
          const states = walk(of, violation.steps)
          expect(stateToJson(of.layout, states.at(-1)!)).toEqual(violation.state)
          if (violation.loopFrom !== undefined) expect(states[violation.loopFrom]).toEqual(states.at(-1))
        }
      }),
      { numRuns: 150 },
    )
    expect(Math.min(...Object.values(met))).toBeGreaterThan(0)
  })
})

describe('a declaration that is not true', () => {
  const refusal = (body: ErasedBody): string => {
    try {
      explore(build(body), { symmetry: true })
    } catch (error) {
      if (error instanceof ExploreError) return error.message
      throw error
    }
    throw new Error('expected an ExploreError, found none')
  }

  it('is refused where an action picks the lowest, and says which action, which domain, and what next', () => {
    const lowest = ring({
      actions: {
        ...ring().actions,
        'device.serve': {
          when: (s: Erased) => !s.asking.isEmpty,
          effect: (s: Erased) => void (s.asking = s.asking.without(s.asking.first)),
        },
      },
    })
    expect(refusal(lowest)).toMatch(
      /ring \(scope small\): symmetry: place is declared to be interchangeable and is not: device\.serve leads elsewhere .* when place is turned on by 1\. .*Or leave the domain out of the declaration\n {2}in state/,
    )
  })

  it('is refused where a law tells one from another', () => {
    const law = ring({ invariants: { notTheLast: { clause, holds: (s: Erased) => s.turn < 3 || s.asking.has(2) } } })
    expect(explore(build(law), { symmetry: true }).result).toBe('holds')
    const goal = ring({ goals: { theLast: (s: Erased) => s.turn === 2 } })
    expect(refusal(goal)).toContain('theLast is judged otherwise')
  })

  it('is refused where an id that is no longer meant is 0, and where the start names one', () => {
    const holder = (type: Erased, initial?: (s: Erased) => void): ErasedBody =>
      ({
        source: 'HOLD',
        symmetry: { ids: ['who'] },
        state: { by: type },
        ...(initial === undefined ? {} : { initial }),
        actions: {
          'driver.take': { args: { who: t.id('who', 3) }, effect: (s: Erased, { who }: Erased) => void (s.by = who) },
          'driver.drop': { effect: (s: Erased) => void (s.by = 0) },
        },
      }) as unknown as ErasedBody
    expect(refusal(holder(t.id('who', 3)))).toContain('the initial state is another one when who 0 and 1 are exchanged')
    expect(refusal(holder(t.maybe(t.id('who', 3))))).toContain('driver.drop leads elsewhere')
  })

  it('is refused where the reference model takes the lowest free head', () => {
    const { at } = splitQueueTso
    const lowest = { ...at('medium'), symmetry: at('large').symmetry }
    expect(() => explore(lowest, { symmetry: true })).toThrow(/head is declared to be interchangeable .* driver\.add/)
  })

  it('is refused at once where it does not fit the state', () => {
    const declare = (symmetry: SymmetryText, state: Fields) => () =>
      build({ source: 'X', symmetry, state, actions: {} } as unknown as ErasedBody)
    const state = { at: t.array(head, t.flag), turn: index }
    expect(declare({ ids: ['hed'] }, state)).toThrow(
      'ring: symmetry: hed: expected a domain that the state has values of, found none; there are head, index',
    )
    expect(declare({ ids: ['index'] }, state)).toThrow('index: turn: expected t.id, found t.mod')
    expect(declare({ rotate: ['head'] }, state)).toThrow('head: at: expected t.mod, found t.id')
    expect(declare({ ids: ['head'] }, { ...state, more: t.set(t.id('head', 4)) })).toThrow('found 3 and 4')
    expect(declare({ ids: ['head', 'head'] }, state)).toThrow('expected once, found twice')
    expect(() => t.array(t.below(3), t.flag)).toThrow('expected a number, a t.id or a t.mod to be over')
  })
})
