/** The time of a campaign is shared among its machines. */
import { afterEach, expect, it, vi } from 'vitest'
import { conduct } from '../../src/campaign/conduct.ts'
import type { PlayJob, Prepared } from '../../src/campaign/jobs.ts'
import { emptyTally } from '../../src/campaign/tally.ts'

afterEach(() => void vi.useRealTimers())

const SECOND_MS = 1000

it('in fair shares of what is left', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 })
  /** Each machine needs its share, but for the first. */
  const untilMs: (number | undefined)[] = []
  const executor = {
    machines: async () => ['quick', 'second', 'third'],
    identify: async () => ({ name: 'toy', version: '1' }),
    prepare: async (machine: string) =>
      ({
        machine,
        scope: { name: 'played', bounds: {} },
        laws: [],
        clauses: {},
        goals: [],
        unreachable: {},
      }) as unknown as Prepared,
    play: async ({ machine, items, untilMs: until }: PlayJob) => {
      untilMs.push(until)
      vi.setSystemTime(machine === 'quick' ? SECOND_MS : until!)
      const tally = { ...emptyTally(0, 0), runs: items.length }
      return { tally, failures: [], rest: [], interrupted: false, warnings: [], stopped: undefined }
    },
    pulse: { take: () => ({ runs: 0, commands: 0 }) },
  }
  const options = {
    target: 'toy:',
    machines: 'all',
    runs: 1,
    seed: 1,
    seconds: 9,
    corpus: false,
    known: false,
  } as const
  await conduct(options, [executor as unknown as Parameters<typeof conduct>[1][number]])
  expect(untilMs).toEqual([3 * SECOND_MS, 5 * SECOND_MS, 9 * SECOND_MS])
})
