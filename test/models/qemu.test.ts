/** QEMU under literal steps and a short campaign: what is found is what the shipped list of known deviations says. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import type { Args } from '../../src/kernel/language/machine.ts'
import type { Model } from '../../src/kernel/model.ts'
import type { PlanStep } from '../../src/kernel/play/plan.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { models } from '../../src/models/index.ts'
import { splitQueueModel, virtioBlkModel } from '../../src/models/split-queue.ts'
import { openTarget } from '../targets-qemu/open-target.ts'
import { qemuMissing } from '../targets-qemu/require-qemu.ts'
import { findsOnlyWhatIsKnown, MACHINES, SMOKE } from './qemu-campaign.ts'

/** The law that a few literal steps break, with its clause. */
const broken = (
  target: Target,
  model: Model,
  steps: readonly (readonly [name: string, args?: Args])[],
): string | undefined => {
  const machine = model.machine.at('played')
  const plan = steps.map(
    ([name, args = {}]): PlanStep => ({ do: 'act', action: machine.action(name), args, hostile: false }),
  )
  const { finding, trouble } = new Runner(model, machine, target).run({ steps: plan })
  return trouble?.message ?? (finding && `${finding.law}@${finding.clause?.id}`)
}

const start = { eventIdx: false, indirect: true, ringReset: true, inOrder: false, withQueue: true }
const chain = { head: 0, readable: 1, writable: 1, via: 'direct', place: 0, defect: 'none' }
const send = [['driver.publish'], ['driver.kick']] as const

// A device that works by itself may be slower than its driver on a busy machine: what is broken shows in one of three runs.
describe.skipIf(qemuMissing !== undefined)('QEMU', { retry: 2 }, () => {
  for (const [address, names] of Object.entries(MACHINES)) {
    it(`${address} is judged by these machines, and by no other`, async () => {
      const target = await openTarget(address)
      const judging = models.filter((model) => model.notApplicable(target.describe()) === undefined)
      expect(judging.map(({ machine }) => machine.name).sort()).toEqual([...names].sort())
    })

    it(`${address}: ${SMOKE} finds only what is known`, () => findsOnlyWhatIsKnown(address, SMOKE))
  }

  it('conforms to what drivers mostly do: requests of direct chains, in and out of order', async () => {
    const target = await openTarget('virtio-blk')
    const reads = [0, 2].map((head) => ['driver.add', { ...chain, head }] as const)
    const steps = [
      ['driver.start', start],
      ...reads,
      ['backend.hold'],
      ...send,
      ['backend.release', { order: 'lifo' }],
    ] as const
    expect(broken(target, splitQueueModel, steps)).toBeUndefined()
  })

  it('asks for a reset over a chain of direct descriptors that ends in an indirect one', async () => {
    const target = await openTarget('virtio-blk')
    const steps = [['driver.start', start], ['driver.add', { ...chain, via: 'mixed' }], ...send] as const
    expect(broken(target, splitQueueModel, steps)).toBe('device.needReset.acceptsMixedChains@VIO-IND-04')
  })

  it('writes into the buffers of a queue that has been reset', async () => {
    const target = await openTarget('virtio-blk')
    const steps = [
      ['driver.start', start],
      ['backend.hold'],
      ['driver.add', chain],
      ...send,
      ['driver.resetQueue'],
      ['backend.release', { order: 'fifo' }],
    ] as const
    expect(broken(target, splitQueueModel, steps)).toBe('device.touch.onlyOfALiveQueue@VIO-QRST-01')
  })

  it('offers the reset of a queue over MMIO and does not have it', async () => {
    const target = await openTarget('virtio-blk-mmio')
    const steps = [['driver.start', start], ['driver.resetQueue']] as const
    expect(broken(target, splitQueueModel, steps)).toBe('device.finishQueueReset.queueIsDown@VIO-QRST-02')
  })

  it('leaves the end of a short identification unwritten, and counts it as written', async () => {
    const target = await openTarget('virtio-blk')
    const identify = { ...chain, request: 'getId', sector: 0, content: 0 }
    const steps = [['driver.start', start], ['driver.add', identify], ...send] as const
    expect(broken(target, virtioBlkModel, steps)).toBe('device.return.identificationIsPadded@VIO-BLK-13')
  })

  it('counts data of a failed read that was never written', async () => {
    const target = await openTarget('virtio-blk')
    const read = { ...chain, request: 'readAtEnd', sector: 0, content: 0 }
    const steps = [['driver.start', start], ['driver.add', read], ...send] as const
    expect(broken(target, virtioBlkModel, steps)).toBe('device.return.failureClaimsNoData@VIO-SPLIT-13')
  })
})
