/**
 * A VT-d unit as one IOMMU among others: tables of its own, flushes by the invalidation queue; in scalable mode where the unit
 * knows it.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { PASID_GRANULARITY, ROOT_ADDRESS } from '../../layout/vtd.ts'
import { Guest } from '../guest/access.ts'
import { VtdUnit } from '../guest/vtd.ts'
import {
  absent,
  contextInvalidation,
  type IotlbScope,
  indexAt,
  iotlbInvalidation,
  pagingEntry,
  pasidCacheInvalidation,
  waitDescriptor,
} from '../guest/vtd-entries.ts'
import { storeDwords } from '../guest/vtd-registers.ts'
import type { DmaSource } from './dma-source.ts'
import { PagePool } from './page-pool.ts'
import { type DmaUnit, FlushStalled, PAGE_BYTES, type Rights, type UnitKind, type UnitOptions } from './unit.ts'
import { legacyDevices, scalableDevices, type VtdDevices } from './unit-vtd-devices.ts'

const POOL_PAGES = 64
const PAGING_BYTES = 8
/** Turns that an invalidation may take. */
const TURNS_MAX = 100
/** Absent context entries are held under domain id 0, 6.1. */
const NO_DOMAIN = -1

class VtdDmaUnit implements DmaUnit {
  readonly #guest: Guest
  readonly #unit: VtdUnit
  readonly #pool: PagePool
  readonly #options: UnitOptions
  readonly #levels: number
  readonly #status: Gpa
  readonly #devices: VtdDevices
  /** Top tables by domain. */
  readonly #tops: Gpa[] = []
  /** By address of the entry that names them. */
  readonly #tables = new Map<Gpa, Gpa>()
  /** By source: the domain that it is in, and those that it was in since it was last flushed. */
  readonly #domainOf = new Map<string, number>()
  readonly #formerOf = new Map<string, Set<number>>()
  #waits = 0

  constructor(options: UnitOptions) {
    const { target, device, arena } = options
    if (device.transport.kind !== 'chip' || device.transport.base === undefined)
      throw new ModelError(`${device.id}: expected a unit with the base of its registers`)
    this.#options = options
    this.#guest = new Guest(target)
    const queue = arena
    this.#status = arena + PAGE_BYTES
    this.#unit = new VtdUnit(this.#guest, device.transport.base, queue)
    this.#pool = new PagePool(this.#guest, arena + 2 * PAGE_BYTES, POOL_PAGES)
    const levels = this.#unit.capabilities.levels[0]
    if (levels === undefined) throw new ModelError(`${device.id}: expected a unit that knows tables of some depth`)
    this.#levels = levels
    const places = { guest: this.#guest, pool: this.#pool, sources: options.sources }
    this.#devices = this.#unit.capabilities.scalable ? scalableDevices(places) : legacyDevices(places)
  }

  start(): void {
    const { sources, domains } = this.#options
    this.#tables.clear()
    this.#domainOf.clear()
    this.#formerOf.clear()
    this.#pool.start()
    this.#waits = 0
    this.#guest.store32(this.#status, 0)
    const root = this.#devices.start()
    for (let domain = 0; domain < domains; domain++) {
      this.#tops[domain] = this.#pool.take()
      for (const { window } of sources)
        for (let at = 0; at < (window?.bytes ?? 0); at += PAGE_BYTES)
          this.#leaf(domain, window!.start + at, pagingEntry({ address: window!.start + at }))
    }
    this.#unit.setRoot(root, this.#devices.mode)
    this.#unit.useRoot()
    this.#unit.queue.start()
    this.flushAll()
    this.#unit.translate(true)
  }

  attach(source: DmaSource, domain: number): void {
    this.#leave(source)
    this.#devices.lead(source, { domain: domain + 1, levels: this.#levels, table: this.#tops[domain]! })
    this.#domainOf.set(source.id, domain)
  }
  detach(source: DmaSource): void {
    this.#devices.lead(source, undefined)
    this.#leave(source)
  }
  #leave(source: DmaSource): void {
    const former = this.#formerOf.get(source.id) ?? new Set()
    const domain = this.#domainOf.get(source.id)
    if (domain !== undefined) this.#formerOf.set(source.id, former.add(domain))
    this.#domainOf.delete(source.id)
  }

  map(domain: number, iova: number, frame: Gpa, rights: Rights): void {
    this.#leaf(domain, iova, pagingEntry({ ...flagsOf(rights), address: frame }))
    // Such a unit may hold that nothing was there.
    if (this.#unit.capabilities.cachingMode) this.flushPages(domain, iova, 1)
  }
  unmap(domain: number, iova: number, pages: number): void {
    for (let page = 0; page < pages; page++) this.#leaf(domain, iova + page * PAGE_BYTES, absent(PAGING_BYTES))
  }
  protect(domain: number, iova: number, rights: Rights): void {
    const at = this.#leafAt(domain, iova)
    const [low, high] = [this.#guest.load32(at), this.#guest.load32(at + 4)]
    const address = high * 2 ** 32 + (low - (low % PAGE_BYTES))
    storeDwords(this.#guest, at, pagingEntry({ ...flagsOf(rights), address }))
  }

  flushPages(domain: number, iova: number, pages: number): void {
    const page = iova / PAGE_BYTES
    // The smallest aligned block that has them all.
    let mask = 0
    while (Math.floor(page / 2 ** mask) !== Math.floor((page + pages - 1) / 2 ** mask)) mask++
    const { maskMax } = this.#unit.capabilities
    if (maskMax === undefined || mask > maskMax) this.flushDomain(domain)
    else this.#flush({ domain: domain + 1, page: page - (page % 2 ** mask), mask })
  }
  flushDomain(domain: number): void {
    this.#flush({ domain: domain + 1 })
  }
  flushAll(): void {
    this.#unit.queue.push(contextInvalidation('global'))
    if (this.#devices.mode === ROOT_ADDRESS.SCALABLE)
      this.#unit.queue.push(pasidCacheInvalidation(0, PASID_GRANULARITY.GLOBAL, 0))
    this.#flush('global')
    this.#formerOf.clear()
  }
  flushDevice(source: DmaSource): void {
    const domains = new Set(this.#formerOf.get(source.id)).add(NO_DOMAIN)
    const current = this.#domainOf.get(source.id)
    if (current !== undefined) domains.add(current)
    this.#formerOf.delete(source.id)
    for (const domain of domains) this.#unit.queue.push(this.#devices.forget(source, domain + 1))
    for (const domain of domains) this.#unit.queue.push(iotlbInvalidation({ domain: domain + 1 }))
    this.#wait()
  }

  notes(): readonly unknown[] {
    return [this.#waits, this.#domainOf, this.#formerOf, this.#tables, this.#unit.queue.notes()]
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  #flush(scope: IotlbScope): void {
    this.#unit.queue.push(iotlbInvalidation(scope))
    this.#wait()
  }

  #wait(): void {
    const value = ++this.#waits
    this.#unit.queue.push(waitDescriptor({ status: { at: this.#status, value } }))
    this.#unit.queue.ring()
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (this.#guest.load32(this.#status) === value) return
      this.#guest.target.settle(1)
    }
    throw new FlushStalled()
  }

  #leaf(domain: number, iova: number, entry: readonly number[]): void {
    storeDwords(this.#guest, this.#leafAt(domain, iova), entry)
  }
  /** Where the last entry for a page is; tables that are missing on the way are made. */
  #leafAt(domain: number, iova: number): Gpa {
    const page = Math.floor(iova / PAGE_BYTES)
    let table = this.#tops[domain]!
    for (let level = this.#levels; level > 1; level--) {
      const at = table + PAGING_BYTES * indexAt(page, level)
      const known = this.#tables.get(at)
      table = known ?? this.#pool.take()
      if (known !== undefined) continue
      this.#tables.set(at, table)
      storeDwords(this.#guest, at, pagingEntry({ address: table }))
    }
    return table + PAGING_BYTES * indexAt(page, 1)
  }
}

const flagsOf = (rights: Rights) => ({ read: rights !== 'write', write: rights !== 'read' })

export const vtdUnit: UnitKind = {
  kind: 'vt-d',
  arenaBytes: (2 + POOL_PAGES) * PAGE_BYTES,
  open: (options) => new VtdDmaUnit(options),
}
