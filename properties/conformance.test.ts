/** The reference does what the machines say, whatever the driver does to it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunResult } from '../src/kernel/play/run.ts'
import { BOARDS, type Stage, stages } from './stage.ts'

const SEED = 20_261
/** Other plans each time; fast-check prints the seed with what it finds. */
const FRESH = Date.now() & 0x7fff_ffff

const REFERENCES = [{}, { transport: 'mmio', resetSteps: 3 }, { ioBars: true, depth: 2 }, ...BOARDS] as const

const named = (list: readonly Stage[]): [string, Stage][] => list.map((each) => [each.name, each])

const saidOf = ({ verdict, finding, trouble }: RunResult): string =>
  verdict === 'conforms' ? verdict : `${verdict}: ${finding?.law ?? ''} ${finding?.observed ?? trouble?.message ?? ''}`

describe('the reference keeps the laws of', () => {
  it.each(named(stages(REFERENCES)))('%s', (_name, { runner, plans, ledger }) => {
    const conforms = fc.property(plans, (plan) => {
      expect(saidOf(runner.run(plan))).toBe('conforms')
    })
    fc.assert(conforms, { seed: SEED, numRuns: 16 })
    fc.assert(conforms, { seed: FRESH, numRuns: 8 })
    // Silence proves nothing: laws were decided in these runs.
    expect(ledger.decided.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
  })
})

describe('a driver that breaks every duty it can does not get past the laws of safety of', () => {
  it.each(named(stages([{}, ...BOARDS], { hostile: 1 })))('%s', (_name, { runner, plans }) => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(saidOf(runner.run(plan))).toBe('conforms')
      }),
      { seed: SEED, numRuns: 16 },
    )
  })
})
