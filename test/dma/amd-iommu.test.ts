/** The AMD-Vi unit of the reference: known answers, and the machine `amd-iommu` against right units and wrong ones. */
import { describe, expect, it } from 'vitest'
import { AMD, AMD_BASE, AMD_COMMAND, AMD_CONTROL, AMD_EVENT, AMD_STATUS } from '../../src/layout/amd-iommu.ts'
import { amdIommuModel } from '../../src/models/dma/amd-iommu.ts'
import { deviceEntry, entryCommand, pageEntry, pagesCommand, waitCommand } from '../../src/models/guest/amd-iommu.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { Amd } from '../../src/reference/iommu/amd.ts'
import { correctAmd } from '../../src/reference/iommu/amd-parts.ts'
import { createMemory } from '../../src/reference/memory.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const board = boards.find(({ name }) => name === 'amd-iommu')!
/** Another seed each time; the name of the test tells it. */
const FRESH = Date.now() & 0xffff
const NIC = 0x18
const [COMMANDS, EVENTS, DEVICES, TOP, LOW, STATUS] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000] as const
const EIGHT = 8 << 24

const setUp = () => {
  const memory = createMemory([{ start: 0, end: 0x10_0000 }], () => {})
  const downstream = { drain: () => {}, forget: () => {} }
  const unit = new Amd({ services: { memory, emit: () => {} }, parts: correctAmd, downstream: () => downstream })
  const read = (at: number) => unit.read('mmio', AMD_BASE + at, 4)!
  const write = (at: number, value: number) => void unit.write('mmio', AMD_BASE + at, 4, value)
  const store = (gpa: number, dwords: readonly number[]) =>
    memory.store(gpa, new Uint8Array(Uint32Array.from(dwords).buffer))
  write(AMD.deviceTable, DEVICES)
  for (const [register, at] of [[AMD.commands, COMMANDS] as const, [AMD.events, EVENTS] as const]) {
    write(register, at)
    write(register + 4, EIGHT)
  }
  write(AMD.control, AMD_CONTROL.ENABLE | AMD_CONTROL.COMMANDS | AMD_CONTROL.EVENTS)
  const lead = (levels = 2) => store(DEVICES + 32 * NIC, deviceEntry({ levels, table: TOP, domain: 7 }))
  const reach = (iova: number, access: 'read' | 'write' = 'read') =>
    unit.translate({ requester: NIC, access, iova: BigInt(iova), bytes: 4 })[0]?.gpa
  let tail = 0
  const command = (...dwords: readonly (readonly number[])[]) => {
    for (const each of dwords) {
      store(COMMANDS + tail, each)
      tail = (tail + 16) % 4096
    }
    write(AMD.commandTail, tail)
    while (unit.step());
  }
  const event = (at: number) => [...new Uint32Array(memory.load(EVENTS + 16 * at, 16).slice().buffer)]
  return { memory, unit, read, write, store, lead, reach, command, event }
}

describe('tables', () => {
  it('lead through levels, with the rights of all, and sizes that addresses tell', () => {
    const { store, lead, reach } = setUp()
    lead()
    store(TOP, pageEntry({ address: LOW, next: 1, write: false }))
    store(LOW, pageEntry({ address: 0x8000 }))
    // 32 KiB, told by the lowest bit that is 0.
    store(LOW + 8 * 13, pageEntry({ address: 0x3_0000 + 0x3000, next: 7 }))
    store(TOP + 8, pageEntry({ address: 0x20_0000 }))
    expect([reach(0x123 * 4 - 0xc), reach(0, 'write'), reach(0x1000)]).toEqual([0x8480, undefined, undefined])
    expect(reach(0xd044)).toBe(0x3_5044)
    expect(reach(0x20_0000 + 0x1_2344)).toBe(0x20_0000 + 0x1_2344)
    expect(reach(2 ** 30)).toBeUndefined()
  })

  it('skip levels only where the address bits are zero', () => {
    const { store, lead, reach } = setUp()
    lead(3)
    store(TOP, pageEntry({ address: LOW, next: 1 }))
    store(LOW, pageEntry({ address: 0x8000 }))
    expect([reach(0), reach(0x20_0000)]).toEqual([0x8000, undefined])
  })

  it('that lead to themselves end', () => {
    const { store, lead, reach, event } = setUp()
    lead()
    store(TOP, pageEntry({ address: TOP, next: 2 }))
    expect(reach(0x4)).toBeUndefined()
    expect(event(0)[1]! >>> 28).toBe(AMD_EVENT.PAGE_FAULT)
  })
})

it('is stale until it is told, and then it is not', () => {
  const { store, lead, reach, command, memory } = setUp()
  lead()
  store(TOP, pageEntry({ address: LOW, next: 1 }))
  store(LOW, pageEntry({ address: 0x8000 }))
  expect(reach(0)).toBe(0x8000)
  store(LOW, pageEntry({ address: 0x9000 }))
  expect(reach(0)).toBe(0x8000)
  command(pagesCommand({ domain: 7, range: { address: 0, bytes: 4096 }, directories: false }))
  expect(reach(0)).toBe(0x9000)
  store(DEVICES + 32 * NIC, deviceEntry({ translates: false }))
  expect(reach(0)).toBe(0x9000)
  command(entryCommand(NIC), waitCommand({ store: { at: STATUS, value: 77 } }))
  expect(reach(0)).toBeUndefined()
  expect([...memory.load(STATUS, 8)]).toEqual([77, 0, 0, 0, 0, 0, 0, 0])
})

it('logs what it refuses, stops at what means nothing, and at a full log', () => {
  const { lead, reach, command, event, read, write } = setUp()
  lead()
  expect(reach(0x5004, 'write')).toBeUndefined()
  expect(event(0)).toEqual([NIC, ((AMD_EVENT.PAGE_FAULT << 28) | (1 << 21) | 7) >>> 0, 0x5004, 0])
  command([0, 0, 0, 0], [0, (AMD_COMMAND.ALL << 28) >>> 0, 0, 0])
  expect(event(1).slice(1)).toEqual([(AMD_EVENT.ILLEGAL_COMMAND << 28) >>> 0, COMMANDS, 0])
  expect([read(AMD.status) & AMD_STATUS.COMMANDS_RUN, read(AMD.commandHead)]).toEqual([0, 0])
  write(AMD.eventHead, 0x30)
  for (let count = 0; count < 3; count++) reach(0x1000 * count)
  expect([read(AMD.eventTail), read(AMD.status) & AMD_STATUS.OVERFLOW]).toEqual([0x20, AMD_STATUS.OVERFLOW])
})

describe('no false alarm', () => {
  it.each([FRESH, 1])('seed %i', (seed) => {
    const { first, commands } = campaign(amdIommuModel, openReference({ board }), { runs: 6, seed })
    expect(first).toBeUndefined()
    expect(commands).toBeGreaterThan(500)
  })
})

const SEEDED = [
  'dma-arbitrary-page-size-mask',
  'dma-amd-sized-invalidation-of-one-page',
  'dma-amd-directories-kept',
  'dma-amd-wait-answered-early',
  'dma-amd-illegal-command-skipped',
  'dma-amd-event-log-overwritten',
] as const

describe('a seeded fault is found', () => {
  it.each(SEEDED)('%s', (id) => {
    const fault = faults.find((each) => each.id === id)!
    const { found } = campaign(amdIommuModel, openReference({ fault }), { runs: 300, hostile: 0, untilFound: true })
    expect(Object.keys(found)[0]).toMatch(/@AMD-/)
  })
})
