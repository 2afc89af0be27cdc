/** The machine `invalidation` against the VT-d style unit of the reference: nothing is found in a right one, much in wrong ones. */
import { describe, expect, it } from 'vitest'
import { invalidationModel } from '../../src/models/dma/invalidation.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const board = (name: string) => boards.find((each) => each.name === name)!
/** Another seed each time; the name of the test tells it. */
const FRESH = Date.now() & 0xffff

describe('no false alarm', () => {
  it.each([
    ['vtd', FRESH],
    ['vtd-caching-mode', FRESH],
    ['vtd', 1],
  ])('%s, seed %i', (name, seed) => {
    const { first, commands } = campaign(invalidationModel, openReference({ board: board(name) }), { runs: 12, seed })
    expect(first).toBeUndefined()
    expect(commands).toBeGreaterThan(500)
  })
})

/** Faults that are of invalidation alone, and the law that meets each. */
const SEEDED: readonly (readonly [id: string, clauses: readonly string[]])[] = [
  ['dma-translation-of-another-domain-used', ['VTD-12']],
  ['dma-absence-cached-without-caching-mode', ['VTD-17', 'VTD-30', 'VTD-36']],
  ['dma-root-table-without-command', ['VTD-25', 'VTD-30']],
  ['dma-invalidation-mask-off-by-one', ['VTD-14', 'VTD-15', 'VTD-16']],
  ['dma-large-page-survives-page-invalidation', ['VTD-15']],
  ['dma-large-page-survives-domain-invalidation', ['VTD-15']],
  ['dma-context-invalidation-by-domain-lost', ['VTD-13', 'VTD-17', 'VTD-30', 'VTD-36']],
  ['dma-bad-descriptor-skipped', ['VTD-24']],
  ['dma-drain-ignored', ['VTD-19']],
  ['dma-queue-wraps-late', ['VTD-21', 'VTD-23', 'VTD-24']],
]

describe('a seeded fault is found', () => {
  it.each(SEEDED)('%s', (id, clauses) => {
    const fault = faults.find((each) => each.id === id)!
    const { found } = campaign(invalidationModel, openReference({ fault }), {
      runs: 600,
      hostile: 0,
      untilFound: true,
    })
    const [law] = Object.keys(found)
    expect(clauses).toContain(law?.split('@')[1])
  })
})
