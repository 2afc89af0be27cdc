import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { explore } from '../../src/kernel/explore/index.ts'
import type { ScopedMachine } from '../../src/kernel/language/index.ts'
import { both } from './compare.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'
import { election } from './models/election.ts'
import { filterLock } from './models/filter-lock.ts'
import { philosophers } from './models/philosophers.ts'
import { scheduler } from './models/scheduler.ts'
import { slidingWindow } from './models/sliding-window.ts'

interface Counts {
  readonly states: number
  readonly transitions: number
  readonly depth: number
}
const { models } = JSON.parse(readFileSync(new URL('models/counts.json', import.meta.url), 'utf8')) as {
  readonly models: readonly {
    readonly model: string
    readonly sizes: readonly (Counts & { readonly bounds: Readonly<Record<string, number>> })[]
  }[]
}
const machines: Readonly<Record<string, ScopedMachine>> = Object.fromEntries(
  [philosophers, scheduler, filterLock, election, slidingWindow, twoPhaseCommit].map((each) => [each.name, each]),
)
/** Larger ones are left to the comparison with SPIN. */
const STATES_MAX = 100_000
const NAIVE_STATES_MAX = 3000

const cases = models.flatMap(({ model, sizes }) => sizes.map((size) => ({ model, ...size })))

describe('the counts that SPIN agrees with', () => {
  it('are there for every reference model', () => {
    expect(models.map(({ model }) => model).sort()).toEqual(Object.keys(machines).sort())
  })

  it.each(cases.filter(({ states }) => states <= STATES_MAX))(
    'are those of $model $bounds',
    ({ model, bounds, ...counts }) => {
      const { states, transitions, depth, violations } = explore(machines[model]!.at('explored', bounds))
      expect({ states, transitions, depth, violations }).toEqual({ ...counts, violations: [] })
    },
  )

  it.each(cases.filter(({ states }) => states <= NAIVE_STATES_MAX))(
    'are those of the naive explorer for $model $bounds, action by action',
    ({ model, bounds }) => {
      const { fast, naive } = both(machines[model]!.at('explored', bounds))
      expect(fast).toEqual(naive)
    },
  )
})

describe('the counts that have a closed form', () => {
  const sizes = [3, 4, 5, 6, 7, 8, 9]

  it('dining philosophers have as many states as the Pell-Lucas numbers say, and one deadlock', () => {
    const pellLucas = [2, 2]
    for (let n = 2; n <= 9; n++) pellLucas.push(2 * pellLucas[n - 1]! + pellLucas[n - 2]!)
    const found = sizes.map((n) => explore(philosophers.at('explored', { n })))
    expect(found.map(({ states }) => states)).toEqual(sizes.map((n) => pellLucas[n]))
    expect(found.map(({ stuck }) => [stuck.count, stuck.steps?.length])).toEqual(sizes.map((n) => [1, n]))
  })

  it("Milner's scheduler has n · 2^(n + 1) states", () => {
    expect(sizes.map((n) => explore(scheduler.at('explored', { n })).states)).toEqual(
      sizes.map((n) => n * 2 ** (n + 1)),
    )
  })
})
