import { describe, expect, it } from 'vitest'
import { configSpace } from '../../spec/paravirtual/config-space.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { configSpaceModel } from '../../src/models/config-space.ts'
import type { PlatformParts } from '../../src/reference/platform.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from './campaign.ts'

const faulty = (id: string, install: (parts: PlatformParts) => void, transport: 'pci' | 'mmio' = 'pci') =>
  openReference({ transport, fault: { id, install } as never })

describe('config-space', () => {
  it.each([0, 1])('holds, is stuck nowhere and reaches its goals when explored (mmio %i)', (mmio) => {
    const result = explore(configSpace.at('explored', { mmio }))
    expect([result.result, result.stuck.count]).toEqual(['holds', 0])
    expect(Object.values(result.goals)).not.toContain(null)
  })

  it.each([
    ['pci', {}],
    ['pci', { ioBars: true }],
    ['mmio', { resetSteps: 3 }],
  ] as const)('raises no false alarm on the reference over %s %o', (transport, options) => {
    const result = campaign(configSpaceModel, openReference({ transport, ...options }), { runs: 400 })
    expect(result.first).toBeUndefined()
    expect(result.found).toEqual({})
    expect(Object.entries(result.goals).filter(([, count]) => count === 0)).toEqual([])
  })

  it('finds a counter that stands still, on either transport', () => {
    const still = (parts: PlatformParts) => void (parts.blk.configChanged = () => {})
    expect(Object.keys(campaign(configSpaceModel, faulty('still', still), { runs: 400 }).found)).toEqual([
      'device.answerGeneration.tellsOfATornRead@VIO-CFG-04',
    ])
    expect(Object.keys(campaign(configSpaceModel, faulty('still', still, 'mmio'), { runs: 400 }).found)).toEqual([
      'device.answerGeneration.tellsOfATornRead@VIO-CFG-05',
    ])
  })

  it('finds a capacity of which one half is missing', () => {
    const narrow = (parts: PlatformParts) => {
      const { configByte } = parts.blk
      parts.blk.configByte = (device, offset) => (offset >= 4 && offset < 8 ? 0 : configByte(device, offset))
    }
    expect(Object.keys(campaign(configSpaceModel, faulty('narrow', narrow), { runs: 300 }).found)).toEqual([
      'device.answerCapacity.highHalf@VIO-CFG-06',
    ])
  })
})
