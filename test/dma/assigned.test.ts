/** Isolation, mediated assignment and the driver domain: no alarm on right implementations, one on each wrong one. */
import { describe, expect, it } from 'vitest'
import { isolation } from '../../spec/dma/isolation.ts'
import { softwareMediatedAssignment } from '../../spec/dma/software-mediated-assignment.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import type { Model } from '../../src/kernel/model.ts'
import { driverDomainModel } from '../../src/models/dma/driver-domain.ts'
import { isolationModel } from '../../src/models/dma/isolation.ts'
import { softwareMediatedAssignmentModel } from '../../src/models/dma/software-mediated-assignment.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const FRESH = Date.now() & 0xffff
const board = (name: string) => boards.find((each) => each.name === name)!

describe('no false alarm', () => {
  const stages: readonly (readonly [string, Model, number])[] = [
    ['vtd', isolationModel, 1],
    ['vtd', isolationModel, FRESH],
    ['mediated', softwareMediatedAssignmentModel, FRESH],
    ['driver-domain', driverDomainModel, FRESH],
  ]
  it.each(stages)('%s, %s', (name, model, seed) => {
    const { first } = campaign(model, openReference({ board: board(name) }), { runs: 30, seed })
    expect(first, `seed ${seed}`).toBeUndefined()
  })
})

describe('a seeded fault is found', () => {
  const seeded: readonly (readonly [string, Model, readonly string[]])[] = [
    ['dma-mediated-command-read-twice', softwareMediatedAssignmentModel, ['ASG-07']],
    ['dma-mediated-page-not-pinned', softwareMediatedAssignmentModel, ['ASG-07']],
    ['dma-mediated-done-too-early', softwareMediatedAssignmentModel, ['ASG-09']],
    ['dma-service-read-grant-written', driverDomainModel, ['GNT-01']],
    ['dma-service-acknowledged-before-kept', driverDomainModel, ['ASG-12']],
    ['dma-service-requests-lost-in-a-crash', driverDomainModel, ['ASG-08', 'ASG-13']],
    ['dma-service-second-mapping-not-counted', driverDomainModel, ['GNT-01']],
    ['dma-translation-of-another-domain-used', isolationModel, ['ISO-01', 'ISO-02', 'ISO-03', 'ISO-05', 'ISO-06']],
  ]
  it.each(seeded)('%s', (id, model, clauses) => {
    const fault = faults.find((each) => each.id === id)!
    const { found } = campaign(model, openReference({ fault }), { runs: 2000, hostile: 0, untilFound: true })
    expect(clauses).toContain(Object.keys(found)[0]?.split('@')[1])
  })
})

describe('without one duty of the hypervisor', () => {
  it.each(['without-flush', 'without-clearing'])('isolation is broken: %s', (scope) => {
    const { violations } = explore(isolation.at(scope))
    expect(violations.map(({ clause }) => clause)).toContain('ISO-11')
  })
  it('a device that errs reaches a VM whose command it does not serve', () => {
    // Two thousand states are enough to come to it.
    const { violations } = explore(softwareMediatedAssignment.at('errant'), { maxStates: 2000 })
    expect(violations.find(({ name }) => name === 'nothingIsRevealed')?.steps.length).toBe(3)
  })
})
