/** Known answers of the address spaces that a hypervisor keeps, on a unit with and without caching mode. */
import { describe, expect, it } from 'vitest'
import { VTD_BASE } from '../../src/layout/vtd.ts'
import { correctDomains, type DomainParts, Domains } from '../../src/reference/iommu/domains.ts'
import { DmaSources } from '../../src/reference/iommu/sources.ts'
import { Vtd } from '../../src/reference/iommu/vtd.ts'
import { correctVtd } from '../../src/reference/iommu/vtd-parts.ts'
import { createMemory } from '../../src/reference/memory.ts'

const [NIC, SLOW] = [0x18, 0x28]
const BOTH = { read: true, write: true } as const

const setUp = (caches = false, wrong: Partial<DomainParts> = {}) => {
  const emit = () => {}
  const memory = createMemory([{ start: 0, end: 0x80_0000 }], emit)
  const services = { memory, emit }
  const unit = new Vtd({
    services,
    parts: correctVtd,
    caches,
    scalable: false,
    shadowed: caches ? [NIC, SLOW] : [],
    downstream: () => sources,
  })
  const sources: DmaSources = new DmaSources(services, unit, [
    { id: 'nic', requester: NIC },
    { id: 'slow', requester: SLOW, delayed: true },
  ])
  const host = {
    memory,
    read: (at: number) => unit.read('mmio', VTD_BASE + at, 4)!,
    write: (at: number, value: number) => void unit.write('mmio', VTD_BASE + at, 4, value),
    step: () => unit.step(),
  }
  const domains = new Domains(host, { page: 0x10, pages: 40 }, { ...correctDomains, ...wrong })
  domains.start()
  const dma = (page: number, access: 'read' | 'write' = 'write', requester = NIC) =>
    sources.dma(requester, { access, iova: BigInt(page) * 4096n, bytes: 1, data: Uint8Array.of(page) })!.moved
  return { domains, dma, memory, sources }
}
const attached = (caches = false, wrong: Partial<DomainParts> = {}) => {
  const rig = setUp(caches, wrong)
  const domain = rig.domains.create()!
  rig.domains.attach(domain, NIC)
  return { ...rig, domain }
}

describe.each([false, true])('address spaces, caching mode %s', (caches) => {
  it('reach what is mapped while it is, and with its rights', () => {
    const { domains, dma, memory, domain } = attached(caches)
    expect(dma(5)).toBe(0)
    expect(domains.map(domain, { page: 5, pages: 2, host: 0x100, ...BOTH })).toBeUndefined()
    expect(domains.map(domain, { page: 7, pages: 1, host: 0x102, read: true, write: false })).toBeUndefined()
    expect([5, 6, 7, 8].map((page) => dma(page))).toEqual([1, 1, 0, 0])
    expect([...memory.load(0x10_1000, 1)]).toEqual([6])
    expect(dma(7, 'read')).toBe(1)
    expect(domains.map(domain, { page: 4, pages: 2, host: 0x200, ...BOTH })).toBe('mapped')
    expect(dma(4)).toBe(0)
    expect(domains.unmap(domain, { page: 6, pages: 9 })).toEqual({ page: 6, pages: 2 })
    expect([5, 6, 7].map((page) => dma(page, 'read'))).toEqual([1, 0, 0])
  })

  it('are those of the devices in them', () => {
    const { domains, dma, domain } = attached(caches)
    const other = domains.create()!
    domains.map(other, { page: 5, pages: 1, host: 0x100, ...BOTH })
    expect([domains.attach(other, NIC), domains.attach(99, SLOW), dma(5)]).toEqual(['attached', 'no-domain', 0])
    domains.detach(NIC)
    expect(domains.attach(other, NIC)).toBeUndefined()
    expect([domains.domainOf(NIC), dma(5)]).toEqual([other, 1])
    domains.detach(NIC)
    expect(dma(5)).toBe(0)
    expect(domains.attach(domain, NIC)).toBeUndefined()
    expect(dma(5)).toBe(0)
  })

  it('have large pages, which are taken away as a whole', () => {
    const { domains, dma, domain } = attached(caches)
    domains.map(domain, { page: 0x200, pages: 0x202, host: 0x400, ...BOTH })
    expect([0x200, 0x3ff, 0x401, 0x402].map((page) => dma(page))).toEqual([1, 1, 1, 0])
    expect(domains.mapped(domain, { page: 0, pages: 0x1000 }).map(({ pages }) => pages)).toEqual([512, 1, 1])
    expect(domains.unmap(domain, { page: 0x200, pages: 1 })).toEqual({ page: 0x200, pages: 512 })
    expect([0x200, 0x3ff, 0x401].map((page) => dma(page))).toEqual([0, 0, 1])
  })

  it('are empty of what was sent when a device has left', () => {
    const { domains, dma, memory, domain } = attached(caches)
    domains.attach(domain, SLOW)
    domains.map(domain, { page: 5, pages: 1, host: 0x100, ...BOTH })
    dma(5, 'write', SLOW)
    expect([...memory.load(0x10_0000, 1)]).toEqual([0])
    domains.detach(SLOW)
    expect([...memory.load(0x10_0000, 1)]).toEqual([5])
  })

  it('undo what was done where there is no room for tables, and last through any number of invalidations', () => {
    const { domains, dma, domain } = attached(caches)
    let full: string | undefined
    for (let at = 0; full === undefined; at++)
      full = domains.map(domain, { page: 0x20_0000 * at, pages: 1, host: 0x100, ...BOTH })
    expect(full).toBe('no-tables')
    for (let round = 0; round < 300; round++) {
      domains.unmap(domain, { page: 0, pages: 1 })
      expect(dma(0)).toBe(0)
      domains.map(domain, { page: 0, pages: 1, host: 0x100 + (round & 7), ...BOTH })
      expect(dma(0)).toBe(1)
    }
  })
})

describe('a hypervisor that', () => {
  const page = (at: number, host = 0x100) => ({ page: at, pages: 1, host, ...BOTH })

  it.each([
    ['waits for its invalidation', {}, 0],
    [
      'takes the marker of another for its own',
      { isOver: (ticket: number, last: number, reported: number) => ticket < last || reported >= ticket },
      1,
    ],
  ] as const)('%s', (_name, wrong, moved) => {
    const { domains, dma, domain } = attached(false, wrong)
    domains.map(domain, page(5))
    domains.map(domain, page(6))
    dma(5)
    const ticket = domains.unmapLater(domain, { page: 5, pages: 1 })
    domains.unmapLater(domain, { page: 6, pages: 1 })
    domains.complete(ticket)
    expect(dma(5)).toBe(moved)
  })

  it.each([
    ['invalidates all of a large page', {}, 0],
    ['invalidates what it was asked for', { flushed: (asked: { page: number; pages: number }) => asked }, 1],
  ] as const)('%s', (_name, wrong, moved) => {
    const { domains, dma, domain } = attached(false, wrong)
    domains.map(domain, { page: 0x200, pages: 512, host: 0x400, ...BOTH })
    dma(0x3ff)
    domains.unmap(domain, { page: 0x200, pages: 1 })
    expect(dma(0x3ff)).toBe(moved)
  })

  it.each([
    ['ends what it put off', {}, 0],
    ['goes on putting off after an error', { endsDeferral: (complete: boolean) => complete }, 1],
  ] as const)('%s', (_name, wrong, moved) => {
    const { domains, dma, domain } = attached(false, wrong)
    expect(domains.mapAll(domain, [page(5), page(6)])).toBeUndefined()
    expect(domains.mapAll(domain, [page(7), page(5, 0x200)])).toBe('mapped')
    expect([dma(6), dma(7)]).toEqual([1, 0])
    domains.unmap(domain, { page: 6, pages: 1 })
    expect(dma(6)).toBe(moved)
  })
})
