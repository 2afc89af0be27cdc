/** virtio-iommu of the reference: known answers of its requests (VIRTIO 1.3, 5.13.6), and what its machine finds. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/index.ts'
import {
  attachRequest,
  bareRequest,
  detachRequest,
  mapRequest,
  probeRequest,
  propertiesOf,
  unmapRequest,
  VirtioIommuDriver,
} from '../../src/models/guest/virtio-iommu.ts'
import { openBoardOf } from '../../src/reference/boards.ts'
import { virtioIommuBoard } from '../../src/reference/iommu/virtio-iommu-board.ts'

const NIC = 0x0018
const OTHER = 0x0020
const [OK, INVAL, RANGE, NOENT] = [0, 4, 5, 6]
const [READ, BOTH] = [1, 3]
const IOVA = 0x8000_0000
const MEMORY = 0x2_0000

let target: Target
let driver: VirtioIommuDriver

beforeEach(() => {
  target = openBoardOf(virtioIommuBoard, 'test')
  driver = new VirtioIommuDriver(target, target.describe().devices[0]!, 0x1000)
  driver.start()
  driver.setBypass(0)
})

const status = (request: Uint8Array): number | undefined => {
  const answer = driver.request(request)
  return answer?.length === 0 ? undefined : answer?.data[0]
}
const map = (first: number, last: number, flags = BOTH, domain = 1): number | undefined =>
  status(mapRequest(domain, IOVA + 0x1000 * first, IOVA + 0x1000 * last + 0xfff, MEMORY + 0x1000 * first, flags))
const unmap = (first: number, last: number): number | undefined =>
  status(unmapRequest(1, IOVA + 0x1000 * first, IOVA + 0x1000 * last + 0xfff))
const moved = (page: number, access: 'read' | 'write' = 'read', requester = NIC): number | undefined => {
  const data = access === 'write' ? { data: new Uint8Array(4) } : {}
  return target.dma!(requester, { access, iova: BigInt(IOVA + 0x1000 * page), bytes: 4, ...data }).moved
}

describe('UNMAP', () => {
  beforeEach(() => void status(attachRequest(1, NIC)))
  // The examples of 5.13.6.6, a page for each of their addresses.
  it.each([
    [[], [0, 4], OK, []],
    [[[0, 9]], [0, 9], OK, []],
    [
      [
        [0, 4],
        [5, 9],
      ],
      [0, 9],
      OK,
      [],
    ],
    [[[0, 9]], [0, 4], RANGE, [0, 9]],
    [
      [
        [0, 4],
        [5, 9],
      ],
      [0, 4],
      OK,
      [5, 9],
    ],
    [[[0, 4]], [0, 9], OK, []],
    [
      [
        [0, 4],
        [10, 14],
      ],
      [0, 14],
      OK,
      [],
    ],
  ] as const)('of %j by %j comes to %i', (mappings, [first, last], expected, left) => {
    for (const [from, to] of mappings) expect(map(from, to)).toBe(OK)
    for (let page = 0; page < 15; page++) moved(page)
    expect(unmap(first, last)).toBe(expected)
    const [from = 99, to = -1] = left
    for (let page = 0; page < 15; page++) expect(moved(page)).toBe(from <= page && page <= to ? 4 : 0)
  })
})

describe('requests', () => {
  it('have the status that fits', () => {
    expect(map(0, 0)).toBe(NOENT)
    expect(status(attachRequest(1, 0x7777))).toBe(NOENT)
    expect(status(attachRequest(1, NIC, 0, 1))).toBe(INVAL)
    expect(status(attachRequest(1, NIC, 2))).toBe(INVAL)
    expect(status(attachRequest(1, NIC))).toBe(OK)
    expect(map(0, 0, 8)).toBe(INVAL)
    expect(status(mapRequest(1, IOVA + 1, IOVA + 0xfff, MEMORY, BOTH))).toBe(RANGE)
    expect(status(mapRequest(1, 0xfee0_0000, 0xfee0_0fff, MEMORY, BOTH))).toBe(INVAL)
    expect(map(2, 4)).toBe(OK)
    expect(map(4, 5)).toBe(INVAL)
    expect(status(unmapRequest(1, IOVA + 0x2800, IOVA + 0x4fff))).toBe(RANGE)
    expect(status(attachRequest(1, OTHER, 1))).toBe(INVAL)
    expect(status(detachRequest(2, NIC))).toBe(INVAL)
    expect(status(bareRequest(0x77))).toBeUndefined()
  })

  it('tell of regions that cannot be mapped', () => {
    const { probeBytes } = driver.config()
    const answer = driver.request(probeRequest(NIC), probeBytes + 4)!
    const reserved = [{ start: 0xfee0_0000n, end: 0xfeef_ffffn }]
    expect(propertiesOf(answer.data.subarray(0, probeBytes))).toEqual({ linked: true, tidy: true, reserved })
  })
})

describe('domains', () => {
  it('end with their last endpoint, and are left by one that moves', () => {
    status(attachRequest(1, NIC))
    status(attachRequest(1, OTHER))
    map(0, 0, READ)
    expect([moved(0), moved(0, 'read', OTHER), moved(0, 'write')]).toEqual([4, 4, 0])
    status(attachRequest(2, NIC))
    expect([moved(0), moved(0, 'read', OTHER)]).toEqual([0, 4])
    status(detachRequest(1, OTHER))
    expect(map(1, 1)).toBe(NOENT)
    status(attachRequest(1, OTHER))
    expect(moved(0, 'read', OTHER)).toBe(0)
  })

  it('are gone after a reset, and refusals are reported', () => {
    status(attachRequest(1, NIC))
    map(0, 0)
    driver.start()
    expect(moved(0)).toBe(0)
    target.settle(1)
    const report = { reason: 1, flags: 0x101, endpoint: NIC, address: BigInt(IOVA), isPlain: true }
    expect(driver.reports()).toEqual([report])
    driver.setBypass(1)
    expect(target.dma!(NIC, { access: 'read', iova: BigInt(MEMORY), bytes: 4 }).moved).toBe(4)
  })
})
