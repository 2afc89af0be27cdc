/** v86 under short campaigns: what is found is what the shipped list of known deviations says. */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KnownDeviations, shippedDeviations } from '../../src/campaign/deviations.ts'
import type { Target } from '../../src/contract/target.ts'
import type { Args } from '../../src/kernel/language/machine.ts'
import type { Model } from '../../src/kernel/model.ts'
import type { PlanStep } from '../../src/kernel/play/plan.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { deviceStatusModel } from '../../src/models/device-status.ts'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import { openTarget } from '../../src/targets/index.ts'
import { type Campaign, campaign } from './campaign.ts'

const reason = existsSync('node_modules/v86/package.json') ? undefined : 'the package v86 is not installed'
if (reason !== undefined) console.log(`skipped: campaigns on v86: ${reason}`)

describe.skipIf(reason !== undefined)('v86', () => {
  let target: Target
  beforeAll(async () => {
    target = await openTarget('v86:virtio-9p', { directory: '.', timeoutMs: 10_000 })
  })
  afterAll(() => target.close())

  const known = (model: Model): readonly string[] =>
    new KnownDeviations(shippedDeviations(), target.describe(), '2026-01-01')
      .of(model.machine.name)
      .map(({ law, clause }) => `${law}@${clause}`)
  const play = (model: Model, hostile: number): Campaign => campaign(model, target, { runs: 500, hostile })

  it('keeps every duty to a driver that keeps its own, but for requests that outlive a reset', () => {
    const { found, hardening, goals, commands } = play(splitQueueModel, 0)
    expect(known(splitQueueModel)).toEqual(expect.arrayContaining(Object.keys(found)))
    expect(hardening).toEqual({})
    expect(commands).toBeGreaterThan(20_000)
    // Out of reach: masks without MSI-X, a second queue, a reset of one, a lap, and what needs a breach.
    expect(Object.keys(goals).filter((goal) => goals[goal] === 0)).toEqual([
      'aMalformedChain',
      'anAnswerToABreach',
      'anInterruptOwedWhileMasked',
      'aResetAfterABreach',
      'aQueueBackFromItsReset',
      'aWrappedIndex',
      'aReturnInOrder',
      'aNeighbourServedInTrouble',
    ])
  })

  it('completes a request after the reset that ended it', () => {
    const finding = findingOf(splitQueueModel, [
      ['driver.start', { eventIdx: false, indirect: false, ringReset: false, inOrder: false, withQueue: true }],
      ['driver.add', { head: 0, readable: 1, writable: 1, via: 'direct', place: 0, defect: 'none' }],
      ['driver.publish'],
      ['backend.hold'],
      ['driver.kick'],
      ['driver.reset'],
      ['backend.release', { order: 'fifo' }],
    ])
    expect(finding).toBe('device.touch.notAfterReset@VIO-STAT-06')
  })

  it('serves kicks whatever its status is', () => {
    const finding = findingOf(deviceStatusModel, [['driver.publish', { chain: 'sound' }], ['driver.kick']])
    expect(finding).toBe('device.use.notBeforeDriverOk@VIO-STAT-02')
    expect(known(deviceStatusModel)).toContain(finding)
    const { found } = play(deviceStatusModel, 0.5)
    expect(known(deviceStatusModel)).toEqual(expect.arrayContaining(Object.keys(found)))
  })

  /** What a literal plan comes to. */
  const findingOf = (model: Model, steps: readonly (readonly [name: string, args?: Args])[]): string => {
    const machine = model.machine.at('played')
    const plan = steps.map(
      ([name, args = {}]): PlanStep => ({ do: 'act', action: machine.action(name), args, hostile: true }),
    )
    const { finding } = new Runner(model, machine, target).run({ steps: plan })
    return `${finding?.law}@${finding?.clause?.id}`
  }
})
