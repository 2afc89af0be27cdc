import { describe, expect, it } from 'vitest'
import { mmioInterrupt } from '../../spec/mmio/interrupt.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { mmioInterruptModel } from '../../src/models/mmio-interrupt.ts'
import type { PlatformParts } from '../../src/reference/platform.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from './campaign.ts'

const lawsBroken = (install: (parts: PlatformParts) => void): string[] => {
  const target = openReference({ transport: 'mmio', fault: { id: 'seeded', install } as never })
  return Object.keys(campaign(mmioInterruptModel, target, { runs: 100, untilFound: true }).found)
}

describe('mmio-interrupt', () => {
  it('holds, is stuck nowhere and reaches its goals when explored', () => {
    const result = explore(mmioInterrupt.at('explored'))
    expect([result.result, result.stuck.count]).toEqual(['holds', 0])
    expect(Object.values(result.goals)).not.toContain(null)
  })

  it.each([{}, { resetSteps: 3, depth: 1 }])('raises no false alarm on the reference %o', (options) => {
    const result = campaign(mmioInterruptModel, openReference({ transport: 'mmio', ...options }), { runs: 200 })
    expect(result.first).toBeUndefined()
    expect(result.found).toEqual({})
    expect(Object.entries(result.goals).filter(([, count]) => count === 0)).toEqual([])
  })

  it('is not about PCI', () => {
    expect(mmioInterruptModel.notApplicable(openReference({}).describe())).toMatch(/MMIO/)
  })

  it('finds acknowledgements that clear nothing, everything, or the wrong bit', () => {
    expect(lawsBroken((parts) => void (parts.mmio.acknowledge = (pending) => pending))).not.toEqual([])
    expect(lawsBroken((parts) => void (parts.mmio.acknowledge = () => 0))).not.toEqual([])
    expect(lawsBroken((parts) => void (parts.mmio.acknowledge = (was, bits) => was & bits))).not.toEqual([])
  })
})
