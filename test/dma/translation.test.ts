/** The translation machine: no false alarm on the reference, and what is wrong is found by the law that says it. */
import { describe, expect, it } from 'vitest'
import { FIRST_FRAME, NOTHING, type PagingContent, pagesOf, tableAt } from '../../spec/dma/translation-entries.ts'
import { outcomeOf, REASONS, type Tables } from '../../spec/dma/translation-walk.ts'
import { DMA_FAULT } from '../../src/layout/vtd.ts'
import { translationModel } from '../../src/models/dma/translation.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const ARENA = 512
const board = boards.find(({ name }) => name === 'vtd')!
const FRESH = Date.now() & 0x7fff_ffff

/** Four levels for domain 0, each entry of which leads to the next, but for those given by their table's level. */
const tables = (others: Readonly<Record<number, Partial<PagingContent>>> = {}): Tables => ({
  on: true,
  guarded: 0,
  arena: ARENA,
  rootReadable: true,
  root: { present: true, to: 'own', flaw: 'none' },
  context: { present: true, silent: false, type: 'tables', width: 'full', domain: 0, astray: false, flaw: 'none' },
  paging(at, index) {
    const level = [1, 2, 3, 4].find((each) => tableAt(0, each) === at)!
    const address = level === 1 ? 512 + index : tableAt(0, level - 1)
    return { read: true, write: true, large: false, reserved: false, address, ...others[level] }
  },
  levels: 4,
  narrow: true,
  passes: true,
  deviceTlb: true,
  large: 2,
})
const [last = 0] = pagesOf(1, ARENA)
const attempt = { write: true, page: last, pasid: false, claimed: false }
const reasonsOf = (found: ReturnType<typeof outcomeOf>): readonly number[] =>
  found.reasons.map((each) => REASONS[each]!)

describe('one access', () => {
  it('reaches the frame that the last table names', () => {
    expect(outcomeOf(tables(), attempt)).toMatchObject({ decision: 'mapped', frame: FIRST_FRAME + 2, record: 'none' })
  })
  it('is denied by any level', () => {
    for (const level of [1, 2, 3, 4]) {
      const found = outcomeOf(tables({ [level]: { write: false } }), attempt)
      expect([found.frame, reasonsOf(found)]).toEqual([NOTHING, [DMA_FAULT.WRITE]])
    }
  })
  it('is refused for one of two reasons where an entry is denied and the one below it is wrong', () => {
    const found = outcomeOf(tables({ 3: { write: false }, 1: { reserved: true } }), attempt)
    expect(reasonsOf(found)).toEqual([DMA_FAULT.WRITE, DMA_FAULT.ENTRY_RESERVED])
  })
  it('ends in the table itself where a table leads to itself', () => {
    const found = outcomeOf(tables({ 2: { address: tableAt(0, 2) } }), { ...attempt, write: false })
    expect(found).toMatchObject({ decision: 'mapped', isLost: false })
  })
  it('is of no width beyond that of the tables', () => {
    const found = outcomeOf(tables(), { ...attempt, page: 512 ** 4 })
    expect(reasonsOf(found)).toEqual([DMA_FAULT.BEYOND_WIDTH])
  })
})

it.each([20_261, FRESH])('does not accuse the reference, seed %i', (seed) => {
  const { first, goals } = campaign(translationModel, openReference({ board }), { runs: 60, seed })
  expect(first).toBeUndefined()
  expect(Object.keys(goals).length).toBeGreaterThan(10)
})

it.each([
  ['dma-only-range-start-checked', 'VTD-02'],
  ['dma-address-width-unchecked', 'VTD-08'],
  ['dma-protected-region-ends-early', 'VTD-32'],
  ['dma-interrupt-window-translated', 'VTD-31'],
  ['dma-translated-always-accepted', 'VTD-34'],
  ['dma-interrupt-for-every-fault', 'VTD-28'],
  ['dma-fault-with-swapped-source', 'VTD-26'],
])('meets %s', (id, clause) => {
  const fault = faults.find((each) => each.id === id)!
  const { found } = campaign(translationModel, openReference({ fault }), { runs: 150, untilFound: true })
  expect(Object.keys(found).length, `${id}, of ${clause}`).toBeGreaterThan(0)
})
