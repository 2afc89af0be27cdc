import { describe, expect, it, vi } from 'vitest'
import { ExploreError, explore, type Progress } from '../../src/kernel/explore/index.ts'
import {
  type Actor,
  type Clause,
  compile,
  type Erased,
  type ErasedBody,
  machine,
  t,
} from '../../src/kernel/language/index.ts'
import { both } from './compare.ts'
import { mailbox } from './machines/mailbox.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

const clause = { id: 'TEST-1' } as Clause
const build = (body: ErasedBody, scope: Record<string, number> = {}) => compile('counter', body, 'small', scope)
const failure = (body: ErasedBody, scope?: Record<string, number>): ExploreError => {
  try {
    explore(build(body, scope))
  } catch (error) {
    if (error instanceof ExploreError) return error
    throw error
  }
  throw new Error('expected an ExploreError, found none')
}

/** Counts up to a limit; what else it does is given. */
const counter = (more: Partial<ErasedBody>, limit = 5): ErasedBody =>
  ({
    ...machine({
      source: 'COUNT',
      state: { n: t.below(limit + 1), odd: t.flag },
      actions: {
        'device.count': {
          when: (s) => s.n < limit,
          effect(s) {
            s.n++
            s.odd = !s.odd
          },
        },
      },
      final: (s) => s.n === limit,
    }),
    ...more,
  }) as ErasedBody

const act = (name: string, body: object): Pick<ErasedBody, 'actions'> =>
  ({ actions: { ...counter({}).actions, [name]: body } }) as Pick<ErasedBody, 'actions'>

describe('a machine that cannot be explored as it is written', () => {
  it('writes out of range: the message names scope, action, arguments, field and state', () => {
    const { message, fault } = failure(
      counter(
        act('driver.jump', {
          args: { by: t.below(4) },
          effect: (s: Erased, { by }: Erased) => void (s.n += by),
        }),
      ),
      { limit: 5 },
    )
    expect(message).toBe(
      'counter (scope small: limit=5): driver.jump {"by":3}, effect: n: expected a whole number from 0 to 5, found 6\n' +
        '  in state {"n":3,"odd":false}',
    )
    expect(fault).toEqual({
      action: 'driver.jump',
      args: { by: 3 },
      part: 'effect',
      field: 'n',
      state: { n: 3, odd: false },
    })
  })

  it('throws in a guard, a duty, a breach or a law: the message names which', () => {
    const boom = (at: number) => (s: Erased) => {
      if (s.n === at) throw new TypeError('boom')
      return true
    }
    const when = failure(counter(act('driver.look', { when: boom(2) })))
    expect(when.message).toContain('driver.look, when: TypeError: boom\n  in state {"n":2,"odd":false}')
    const duty = failure(counter(act('driver.look', { requires: { kind: { clause, holds: boom(1) } } })))
    expect(duty.message).toContain('driver.look, duty kind: TypeError: boom')
    for (const [part, more] of Object.entries({
      'invariant law': { invariants: { law: { clause, holds: boom(3) } } },
      'step law law': { steps: { law: { clause, holds: (_before: Erased, after: Erased) => boom(3)(after) } } },
      'goal target': { goals: { target: (s: Erased) => !boom(3)(s) } },
      'obligation device.count': { owes: { 'device.count': { clause, when: (s: Erased) => !boom(5)(s) } } },
      final: { final: boom(5) },
      unspecified: { unspecified: (s: Erased) => !boom(3)(s) },
    }))
      expect(failure(counter(more as Partial<ErasedBody>)).message).toContain(`${part}: TypeError: boom`)
    const breach = compile(
      'counter',
      counter({
        ...act('driver.look', { requires: { kind: { clause, holds: (s: Erased) => s.n !== 4 } } }),
        breach: (s: Erased) => void (s.n += 2),
      }),
      'small',
      {},
    )
    expect(() => explore(breach, { hostile: ['driver'] })).toThrow('driver.look, breach of kind: n: expected')
    expect(explore(breach).result).toBe('holds')
  })

  it('writes in a condition, which the compiler forbids and a cast allows', () => {
    const { message } = failure(
      counter({ invariants: { law: { clause, holds: (s: Erased) => (s.odd = true) } } } as Partial<ErasedBody>),
    )
    expect(message).toContain('a condition or law')
    expect(message).toContain('wrote to the state; only effects may\n  in state {"n":0,"odd":false}')
  })

  it('is asked for with options that make no sense', () => {
    const m = build(counter({}))
    expect(() => explore(m, { maxStates: 0 })).toThrow('maxStates: expected a whole number from 1 on, found 0')
    expect(() => explore(m, { memoryBytes: Number.NaN })).toThrow('memoryBytes: expected a whole number from 1 on')
    expect(() => explore(m, { hostile: ['drivr' as Actor] })).toThrow('hostile: expected some of driver, device')
  })

  it('has too many ways to take an action', () => {
    const { message } = failure(
      counter(act('driver.write', { args: { register: t.below(16), value: t.mod(65_536) } })),
      { wrap: 65_536 },
    )
    expect(message).toBe(
      'counter (scope small: wrap=65536): driver.write: argument value has 65536 values, which makes 1048576 ways to ' +
        'take the action; expected at most 65536. Narrow the scope, or bound the argument by it',
    )
  })
})

describe('a run that is cut short', () => {
  it('by the bound on states never holds, and a bound that is just enough is no bound', () => {
    const whole = twoPhaseCommit.at('explored')
    expect(explore(whole, { maxStates: 288 })).toMatchObject({ result: 'holds', states: 288, transitions: 1145 })
    for (const maxStates of [1, 2, 100, 287]) {
      const cut = explore(whole, { maxStates })
      expect(cut).toMatchObject({ result: 'cut-short', states: maxStates })
      expect(cut.cutShort).toContain(
        `two-phase-commit (scope explored: rms=3) has more than ${maxStates} states, the bound of this run`,
      )
      expect(cut.transitions).toBeLessThan(1145)
    }
  })

  it('by memory says what was used, with every state that it counts really known', () => {
    const machine = twoPhaseCommit.at('explored', { rms: 5 })
    expect(explore(machine, { memoryBytes: 400_000 })).toMatchObject({ result: 'holds', states: 8832 })
    const cut = explore(machine, { memoryBytes: 120_000 })
    expect(cut.result).toBe('cut-short')
    expect(cut.cutShort).toContain('needs more memory than')
    expect(cut.states).toBeGreaterThanOrEqual(4096)
    expect(cut.states).toBeLessThan(8832)
  })

  it('by an interruption keeps what was found', () => {
    let asked = 0
    const cut = explore(twoPhaseCommit.at('explored', { rms: 5 }), { interrupted: () => ++asked === 6 })
    expect(cut.result).toBe('cut-short')
    expect(cut.cutShort).toMatch(/^interrupted after \d+ of \d+ known states$/)
    expect(cut.states).toBeGreaterThan(100)
    expect(asked).toBe(6)
    const broken = explore(mailbox({ forgetsWhileMasked: true }).at('explored'), { maxStates: 100 })
    expect(broken).toMatchObject({ result: 'violated', states: 100 })
    expect(broken.cutShort).toBeDefined()
  })
})

describe('progress', () => {
  it('is told ten times a second by the clock, and counts upwards', () => {
    let ms = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (ms += 60))
    const told: Progress[] = []
    const whole = explore(twoPhaseCommit.at('explored', { rms: 5 }), { onProgress: (progress) => told.push(progress) })
    clock.mockRestore()
    expect(told.length).toBeGreaterThan(5)
    for (const [i, progress] of told.entries()) {
      expect(progress.states).toBeGreaterThanOrEqual(told[i - 1]?.states ?? 1)
      expect(progress.seconds).toBeGreaterThan(told[i - 1]?.seconds ?? 0)
      expect(progress.waiting).toBeLessThanOrEqual(progress.states)
    }
    expect(told.at(-1)?.depth).toBeLessThanOrEqual(whole.depth)
  })
})

describe('size', () => {
  it('of a state may be many words, and of a machine many actions', () => {
    // 50 words a state, 150 actions: above every limit at which generated code changes its form.
    const cells = 150
    const wide = machine({
      source: 'WIDE',
      state: { big: t.array(cells, t.int(-4, 400)), rounds: t.below(3) },
      actions: Object.fromEntries(
        Array.from({ length: cells }, (_, i) => [
          `device.write${i}`,
          {
            when: (s: Erased) =>
              s.rounds < 2 && (i === 0 ? s.big.at(0) === s.big.at(cells - 1) : s.big.at(i - 1) > s.big.at(i)),
            effect(s: Erased) {
              s.big.set(i, s.big.at(i) + 7)
              if (i === cells - 1) s.rounds++
            },
          },
        ]),
      ) as Erased,
      invariants: { aRoundAtATime: { clause, holds: (s) => s.big.at(0) - s.big.at(cells - 1) <= 7 } },
    }) as ErasedBody
    const { fast, naive } = both(compile('wide', wide, 'small', {}))
    expect(fast).toEqual(naive)
    expect(fast.states).toBe(2 * cells + 1)
  })
})
