/** A short campaign on QEMU: what is found is what the shipped list of known deviations says. */
import { expect } from 'vitest'
import { KnownDeviations, shippedDeviations } from '../../src/campaign/deviations.ts'
import { models } from '../../src/models/index.ts'
import { openTarget } from '../targets-qemu/open-target.ts'
import { campaign } from './campaign.ts'

const RUNS = 30

const ON_EITHER_BUS = ['split-queue', 'virtio-blk', 'device-status', 'config-space'] as const

/** What judges each address. */
export const MACHINES: Readonly<Record<string, readonly string[]>> = {
  'virtio-blk': [...ON_EITHER_BUS, 'pci-function', 'msix', 'intx'],
  'virtio-blk-mmio': [...ON_EITHER_BUS, 'mmio-interrupt'],
}

/** The machine that is played by the unit tests; the others are played end to end. */
export const SMOKE = 'split-queue'

export const findsOnlyWhatIsKnown = async (address: string, name: string): Promise<void> => {
  const model = models.find(({ machine }) => machine.name === name)!
  const target = await openTarget(address)
  const tolerated = new KnownDeviations(shippedDeviations(), target.describe(), '2026-01-01')
    .of(name)
    .map(({ law, clause }) => `${law}@${clause}`)
  const { found, first, commands } = campaign(model, target, { runs: RUNS, tolerated, graceMs: 50 })
  expect(first).toBeUndefined()
  expect(found).toEqual({})
  expect(commands).toBeGreaterThan(RUNS)
}
