import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explore } from '../../src/kernel/explore/index.ts'
import { both } from './compare.ts'
import { mailbox } from './machines/mailbox.ts'
import { buildMachine, machinePlan } from './machines/random-machine.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

describe('counts', () => {
  // 1,145 transitions: the 1,146 states that TLC generates for this model, less the initial one. Its depth counts states.
  it('are the published ones for two-phase commit', () => {
    expect(explore(twoPhaseCommit.at('explored'))).toMatchObject({
      machine: 'two-phase-commit',
      scope: { rms: 3 },
      states: 288,
      transitions: 1145,
      depth: 10,
      result: 'holds',
      violations: [],
      stuck: { count: 0 },
      goals: { everybodyCommitted: 10, everybodyAborted: 3 },
    })
    expect(explore(twoPhaseCommit.at('explored', { rms: 5 })).states).toBe(8832)
    expect(explore(twoPhaseCommit.at('explored', { rms: 7 })).states).toBe(296_448)
  })

  it('agree with the naive explorer on known machines, action by action', () => {
    for (const machine of [
      twoPhaseCommit.at('explored', { rms: 3 }),
      mailbox().at('explored'),
      mailbox({ forgetsWhileMasked: true }).at('explored', { wrap: 3 }),
      mailbox({ acknowledgesEarly: true }).at('explored'),
      mailbox({ oversleeps: true }).at('explored'),
    ]) {
      const honest = both(machine)
      expect(honest.fast).toEqual(honest.naive)
      const hostile = both(machine, ['driver'])
      expect(hostile.fast).toEqual(hostile.naive)
    }
  })

  it('agree with the naive explorer on machines drawn at random, honest and hostile', () => {
    const seen = { wide: 0, violated: 0, stuck: 0, waived: 0 }
    fc.assert(
      fc.property(machinePlan, fc.subarray(['driver', 'device'] as const), (plan, hostile) => {
        const { fast, naive } = both(buildMachine(plan), hostile)
        expect(fast).toEqual(naive)
        if (naive.states > 30) seen.wide++
        if (Object.keys(naive.violations).length > 0 && naive.depth > 2) seen.violated++
        if (naive.stuck > 0) seen.stuck++
        if (hostile.length > 0 && plan.breach !== undefined && plan.unspecified !== undefined) seen.waived++
      }),
      { numRuns: 150 },
    )
    // The draw has to reach what is compared, or the comparison proves nothing.
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(0)
  }, 30_000)
})
