/** The default campaign finds what is wrong with a wrong device. */
import { describe, expect, it } from 'vitest'
import { score } from '../src/campaign/score.ts'

/** One fault of each kind that is found in each campaign; the others are measured by `iospec score`. */
const FOUND = [
  'vq-interrupt-before-used-index',
  'vq-avail-event-not-last-popped',
  'vq-buffer-at-end-of-memory-rejected',
  'vq-used-index-before-element',
  'vq-used-shadow-held-until-batch-full',
  'vq-ring-address-survives-reset',
]
/** Three of them a day, so that all of them have their turn. */
const today = Math.floor(Date.now() / 86_400_000)
const chosen = FOUND.filter((_fault, i) => (i + today) % 2 === 0)

describe('the default campaign finds', () => {
  it.each(chosen)('%s', async (faults) => {
    const result = await score({ faults, seeds: 1, baseline: false, shrinkExecutions: 60, walkExecutions: 0 })
    const [row] = result.faults
    expect(row?.found).toBe(1)
    expect(row?.example?.trace.length).toBeGreaterThan(0)
  })
})
