/** Assignment and SR-IOV: no alarm on right implementations, one on each wrong one, known answers of the hardware. */
import { describe, expect, it } from 'vitest'
import { assignment } from '../../spec/dma/assignment.ts'
import type { Target } from '../../src/contract/target.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import type { Model } from '../../src/kernel/model.ts'
import { EXTENDED_CAPABILITIES, SR_IOV } from '../../src/layout/sr-iov.ts'
import { assignmentModel } from '../../src/models/dma/assignment.ts'
import { sriovModel } from '../../src/models/dma/sr-iov.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const FRESH = Date.now() & 0xffff
const open = (name: string): Target => openReference({ board: boards.find((each) => each.name === name)! })

describe('no false alarm', () => {
  const stages: readonly (readonly [string, Model, number])[] = [
    ['assigned', assignmentModel, 1],
    ['assigned', assignmentModel, FRESH],
    ['sr-iov', sriovModel, 1],
    ['sr-iov', sriovModel, FRESH],
  ]
  it.each(stages)('%s, %s', (name, model, seed) => {
    const { first } = campaign(model, open(name), { runs: 10, seed })
    expect(first, `seed ${seed}`).toBeUndefined()
  })
})

describe('a seeded fault is found', () => {
  const seeded: readonly (readonly [string, Model, readonly string[]])[] = [
    ['dma-unity-ranges-merged', assignmentModel, ['ASG-15']],
    ['dma-device-returned-with-dma-in-flight', assignmentModel, ['ASG-01', 'ASG-06', 'PCI-BME-01']],
    ['dma-assign-group-split', assignmentModel, ['ASG-03']],
    ['dma-assign-message-of-the-guest', assignmentModel, ['ASG-05']],
    ['dma-vf-under-id-of-physical-function', sriovModel, ['ASG-04', 'SRV-14']],
    ['dma-vf-id-within-one-bus', sriovModel, ['SRV-02', 'SRV-07', 'SRV-08']],
    ['dma-vf-outlives-reset-of-physical-function', sriovModel, ['SRV-01', 'SRV-02', 'SRV-07', 'SRV-11', 'SRV-13']],
  ]
  it.each(seeded)('%s', (id, model, clauses) => {
    const fault = faults.find((each) => each.id === id)!
    const { found } = campaign(model, openReference({ fault }), { runs: 1000, hostile: 0, untilFound: true })
    expect(clauses).toContain(Object.keys(found)[0]?.split('@')[1])
  })
})

it('without a reset between owners something is spoiled', () => {
  const { violations } = explore(assignment.at('without-reset'), { maxStates: 2000 })
  expect(violations.map(({ clause }) => clause)).toContain('ISO-11')
})

describe('virtual functions', () => {
  const capability = (offset: number) => EXTENDED_CAPABILITIES + offset
  const at = (routingId: number, offset: number) => ({ space: 'config', address: routingId * 4096 + offset }) as const
  const enabled = (num: bigint): Target => {
    const target = open('sr-iov')
    target.write(at(0x500, capability(SR_IOV.numVfs)), 2, num)
    target.write(at(0x500, capability(SR_IOV.control)), 2, 1n)
    return target
  }
  it('are as many as NumVFs, also on the next bus', () => {
    const target = enabled(3n)
    const ids = [0x5fd, 0x5fe, 0x5ff, 0x600, 0x601]
    expect(ids.map((id) => target.read(at(id, 8), 4) !== 0xffff_ffffn)).toEqual([false, true, true, true, false])
    expect(target.read(at(0x600, 0), 4)).toBe(0xffff_ffffn)
  })
  it('keep NumVFs while they are enabled, and are gone with the physical function', () => {
    const target = enabled(2n)
    target.write(at(0x500, capability(SR_IOV.numVfs)), 2, 4n)
    expect(target.read(at(0x500, capability(SR_IOV.numVfs)), 2)).toBe(2n)
    target.write(at(0x500, 0x48), 2, 0x8000n)
    expect(target.read(at(0x500, capability(SR_IOV.control)), 2)).toBe(0n)
    expect(target.read(at(0x5fe, 8), 4)).toBe(0xffff_ffffn)
  })
})
