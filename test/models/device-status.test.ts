import { describe, expect, it } from 'vitest'
import { deviceStatus } from '../../spec/virtqueue/device-status.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { deviceStatusModel } from '../../src/models/device-status.ts'
import type { PlatformParts } from '../../src/reference/platform.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from './campaign.ts'

describe('device-status, explored', () => {
  it('holds, is stuck nowhere, and reaches every goal of an honest driver', () => {
    const result = explore(deviceStatus.at('explored'))
    expect([result.result, result.stuck.count]).toEqual(['holds', 0])
    const missed = Object.keys(result.goals).filter((goal) => result.goals[goal] === null)
    expect(missed).toEqual(['aClearedBit', 'aSetThatWasNotOffered', 'anEarlyKick', 'anUnagreedDriverOk'])
  })

  it('holds against a driver that breaks its duties', () => {
    const result = explore(deviceStatus.at('explored', { values: 1 }), { hostile: ['driver'], maxStates: 200_000 })
    expect(result.violations).toEqual([])
    expect(Object.values(result.goals)).not.toContain(null)
  })
})

describe('device-status, played', () => {
  it.each([
    ['pci', {}],
    ['pci', { resetSteps: 3 }],
    ['pci', { ioBars: true }],
    ['mmio', {}],
  ] as const)('raises no false alarm on the reference over %s %o', (transport, options) => {
    const result = campaign(deviceStatusModel, openReference({ transport, ...options }), { runs: 150 })
    expect(result.first).toBeUndefined()
    expect(result.found).toEqual({})
    expect(Object.entries(result.goals).filter(([, count]) => count === 0)).toEqual([])
  })

  it('finds a device that serves kicks before DRIVER_OK, and one that refuses what it offers', () => {
    const early = openReference({
      fault: { id: 'early', install: (parts: PlatformParts) => void (parts.lifecycle.isLive = () => true) } as never,
    })
    expect(Object.keys(campaign(deviceStatusModel, early, { hostile: 1, runs: 1000 }).found)).toContain(
      'device.use.notBeforeDriverOk@VIO-STAT-02',
    )
    const picky = openReference({
      fault: {
        id: 'picky',
        install: (parts: PlatformParts) => void (parts.lifecycle.featuresAcceptable = () => false),
      } as never,
    })
    expect(Object.keys(campaign(deviceStatusModel, picky).found)).toEqual([
      'device.answerStatus.supportsWhatItOffers@VIO-FEAT-09',
    ])
  })
})
