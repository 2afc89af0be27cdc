import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExploreError } from '../../src/kernel/explore/index.ts'
import { exploreNaively } from '../../src/kernel/explore/naive.ts'
import {
  type Clause,
  compile,
  type Erased,
  type ErasedBody,
  machine,
  scoped,
  t,
} from '../../src/kernel/language/index.ts'
import { simulate } from '../../src/kernel/simulate/index.ts'
import { mailbox } from './machines/mailbox.ts'
import { buildMachine, machinePlan } from './machines/random-machine.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

const clause = { id: 'DICE-1' } as Clause

/** A die that is cast over and over; `broken` throws, `heavy` writes out of range. */
const dice = (flaw?: 'throws' | 'heavy') =>
  scoped('dice', { explored: { sides: 6 }, played: { sides: 6 } }, ({ sides }) =>
    machine({
      source: 'DICE 1.0',
      state: { shows: t.below(sides), casts: t.mod(4) },
      actions: {
        'driver.cast': {
          args: { side: t.below(sides) },
          effect(s, { side }) {
            if (flaw === 'throws' && side === 3) throw new TypeError('the die rolled off the table')
            s.shows = flaw === 'heavy' && side === 5 ? sides : side
            s.casts++
          },
        },
      },
      invariants: { showsASide: { clause, holds: (s) => s.shows < sides } },
    }),
  ).at('explored')

describe('simulate', () => {
  it('sees every state of a small scope, and no other', () => {
    const scope = twoPhaseCommit.at('explored', { rms: 3 })
    const { states, actions, goals } = exploreNaively(scope)
    const walked = simulate(scope, { steps: 400_000, seed: 1, walkLength: 20, distinct: true })
    expect(walked).toMatchObject({ result: 'passed', distinct: states, steps: 400_000 })
    expect(Object.values(walked.actions).reduce((sum, count) => sum + count, 0)).toBe(400_000)
    expect(Object.values(walked.goals)).toEqual(Object.values(goals).map((depth) => depth !== null))
    for (const [action, count] of Object.entries(actions)) expect(walked.actions[action]! > 0, action).toBe(count > 0)
  })

  it('agrees with the naive explorer on machines drawn at random, honest and hostile', () => {
    const seen = { whole: 0, violated: 0, stuck: 0, waived: 0 }
    fc.assert(
      fc.property(machinePlan, fc.subarray(['driver', 'device'] as const), (plan, hostile) => {
        const drawn = buildMachine(plan)
        const explored = exploreNaively(drawn, hostile)
        const walked = simulate(drawn, { steps: 3000, seed: 7, walkLength: 30, hostile, distinct: true })
        expect(walked.distinct).toBeLessThanOrEqual(explored.states)
        const broken = walked.violations.map(({ kind, name }) => `${kind} ${name}`)
        for (const [i, { steps }] of walked.violations.entries())
          expect(steps.length).toBeGreaterThanOrEqual(explored.violations[broken[i]!]!)
        for (const [action, count] of Object.entries(explored.actions))
          if (count === 0) expect(walked.actions[action]).toBe(0)
        for (const [goal, at] of Object.entries(explored.goals)) if (at === null) expect(walked.goals[goal]).toBe(false)
        if (explored.stuck === 0) expect(walked.stuck.count).toBe(0)
        if (walked.distinct !== explored.states) return
        // Whoever has seen every state has seen what goes wrong in them.
        seen.whole++
        for (const law of Object.keys(explored.violations))
          if (law.startsWith('invariant')) expect(broken).toContain(law)
        for (const { name } of drawn.goals) expect(walked.goals[name]).toBe(explored.goals[name] !== null)
        if (walked.violations.length > 0) seen.violated++
        if (walked.stuck.count > 0) seen.stuck++
        if (hostile.length > 0 && plan.unspecified !== undefined) seen.waived++
      }),
      { numRuns: 60, seed: 11 },
    )
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(2)
  }, 30_000)

  it('draws evenly from what is possible', () => {
    const { actions, distinct } = simulate(dice(), { steps: 24_000, seed: 3, distinct: true })
    expect(actions).toEqual({ 'driver.cast': 24_000 })
    // The initial state, and each side after each count.
    expect(distinct).toBe(24)
    const { violations } = simulate(mailbox({ forgetsWhileMasked: true }).at('explored'), { steps: 50_000, seed: 3 })
    expect(violations.length).toBeGreaterThan(0)
    const [first] = violations
    expect(first!.steps.at(-1)!.changes.length).toBeGreaterThan(0)
  })

  it('does the same again with the same seed, and something else with another', () => {
    const scope = mailbox().at('explored')
    const [a, b, c] = [1, 1, 2].map((seed) => simulate(scope, { steps: 5000, seed }).actions)
    expect(a).toEqual(b)
    expect(a).not.toEqual(c)
  })

  it('names the function that throws, and the field that is written out of range', () => {
    expect(() => simulate(dice('throws'), { steps: 1000, seed: 1 })).toThrow(
      /dice .*driver\.cast \{"side":3\}, effect: TypeError: the die rolled off/,
    )
    expect(() => simulate(dice('heavy'), { steps: 1000, seed: 1 })).toThrow(
      /shows: expected a whole number from 0 to 5/,
    )
    expect(() => simulate(dice('heavy'), { steps: 1000, seed: 1 })).toThrow(ExploreError)
    expect(() => simulate(dice(), { steps: 0, seed: 1 })).toThrow(/steps: expected a whole number from 1 on, found 0/)
  })

  it('refuses a condition that writes, and a guard that remembers', () => {
    let isOver = false
    const odd = (when: (s: Erased) => boolean) =>
      compile(
        'odd',
        machine({
          source: 'ODD',
          state: { n: t.mod(50), even: t.flag },
          actions: { 'device.count': { when, effect: (s: Erased) => void s.n++ } },
          final: () => true,
        }) as ErasedBody,
        'small',
        {},
      )
    const writes = odd((s) => {
      if (s.n === 7) s.even = true
      return true
    })
    expect(() => simulate(writes, { steps: 100, seed: 1 })).toThrow(/wrote to the state; only effects may\n.*"n":7/)
    const interrupted = (): boolean => {
      isOver = true
      return false
    }
    expect(() =>
      simulate(
        odd(() => !isOver),
        { steps: 100, seed: 1, interrupted },
      ),
    ).toThrow(/depends on more than the state/)
  })

  it('stops when it is told to', () => {
    const walked = simulate(dice(), { steps: 10_000_000, seed: 1, interrupted: () => true })
    expect(walked.result).toBe('cut-short')
    expect(walked.steps).toBeLessThan(1_000_000)
  })
})
