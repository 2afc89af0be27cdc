/** A virtio device behind an IOMMU: no alarm on right ones behind any unit, one on each wrong one. */
import { describe, expect, it } from 'vitest'
import { virtioBehindIommuModel } from '../../src/models/dma/virtio-behind-iommu.ts'
import { behindIommuFaults } from '../../src/reference/faults/behind-iommu.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const FRESH = Date.now() & 0xffff

describe('no false alarm', () => {
  it.each([
    ['vtd-virtio-blk', 1],
    ['vtd-virtio-blk', FRESH],
    ['amd-iommu-virtio-blk', FRESH],
    ['virtio-iommu-virtio-blk', FRESH],
  ])('%s', (name, seed) => {
    const board = boards.find((each) => each.name === name)!
    const { first } = campaign(virtioBehindIommuModel, openReference({ board }), { runs: 12, seed })
    expect(first, `seed ${seed}`).toBeUndefined()
  })
})

describe('a seeded fault is found', () => {
  it.each(behindIommuFaults.map((fault) => [fault.id, fault] as const))('%s', (_id, fault) => {
    const { found } = campaign(virtioBehindIommuModel, openReference({ fault }), {
      runs: 2000,
      hostile: 0,
      untilFound: true,
    })
    expect(['VIO-PLAT-01', 'VIO-PLAT-02']).toContain(Object.keys(found)[0]?.split('@')[1])
  })
})
