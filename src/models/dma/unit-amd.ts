/** An AMD-Vi unit as one IOMMU among others: tables of four levels, flushes by commands. */
import type { Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { DEVICE_ENTRY } from '../../layout/amd-iommu.ts'
import { Guest } from '../guest/access.ts'
import {
  ABSENT_PAGE,
  AmdUnit,
  deviceEntry,
  entryCommand,
  type PagesScope,
  pageEntry,
  pagesCommand,
  waitCommand,
} from '../guest/amd-iommu.ts'
import { type Dwords, storeDwords } from '../guest/vtd-registers.ts'
import type { DmaSource } from './dma-source.ts'
import { PagePool } from './page-pool.ts'
import { type DmaUnit, FlushStalled, PAGE_BYTES, type Rights, type UnitKind, type UnitOptions } from './unit.ts'

const LEVELS = 4
/** Tables; a device table that has an entry for every device of 16 buses is at the end. */
const POOL_PAGES = 64
const DEVICE_TABLE_PAGES = 32
const PAGING_BYTES = 8
/** Turns that a command may take. */
const TURNS_MAX = 100
const DEVICE_TABLE_EMPTY = new Uint8Array(DEVICE_TABLE_PAGES * PAGE_BYTES)
/** No request passes: translation is on, and there is nothing. */
const CLOSED: Dwords = deviceEntry({ translates: true, read: false, write: false })

class AmdDmaUnit implements DmaUnit {
  readonly #guest: Guest
  readonly #unit: AmdUnit
  readonly #pool: PagePool
  readonly #options: UnitOptions
  readonly #status: Gpa
  readonly #deviceTable: Gpa
  /** Whether it may hold that nothing was mapped: what is mapped is then flushed. */
  readonly #holdsAbsence: boolean
  readonly #tops: Gpa[] = []
  /** By address of the entry that names them. */
  readonly #tables = new Map<Gpa, Gpa>()
  /** By source: domains that it was in since it was last flushed. */
  readonly #domainsOf = new Map<string, Set<number>>()
  #waits = 0

  constructor(options: UnitOptions) {
    const { target, device, arena } = options
    const { transport, facts = {} } = device
    if (transport.kind !== 'chip' || transport.base === undefined)
      throw new ModelError(`${device.id}: expected a unit with the base of its registers`)
    this.#options = options
    this.#guest = new Guest(target)
    this.#unit = new AmdUnit(this.#guest, transport.base, arena, arena + PAGE_BYTES)
    this.#status = arena + 2 * PAGE_BYTES
    this.#pool = new PagePool(this.#guest, arena + 3 * PAGE_BYTES, POOL_PAGES)
    this.#deviceTable = arena + (3 + POOL_PAGES) * PAGE_BYTES
    this.#holdsAbsence = facts.absentCached !== false
  }

  start(): void {
    const { sources, domains } = this.#options
    this.#tables.clear()
    this.#domainsOf.clear()
    this.#pool.start()
    this.#waits = 0
    this.#guest.store32(this.#status, 0)
    this.#guest.target.store(this.#deviceTable, DEVICE_TABLE_EMPTY)
    for (const source of sources) this.#lead(source, CLOSED)
    for (let domain = 0; domain < domains; domain++) {
      this.#tops[domain] = this.#pool.take()
      for (const { window } of sources)
        for (let at = 0; at < (window?.bytes ?? 0); at += PAGE_BYTES)
          this.#leaf(domain, window!.start + at, pageEntry({ address: window!.start + at }))
    }
    this.#unit.start(this.#deviceTable, DEVICE_TABLE_PAGES)
    this.flushAll()
  }

  attach(source: DmaSource, domain: number): void {
    const leading = { levels: LEVELS, table: this.#tops[domain]!, domain: domain + 1 }
    this.#lead(source, deviceEntry(leading))
    this.#domainsOf.set(source.id, (this.#domainsOf.get(source.id) ?? new Set()).add(domain))
  }
  detach(source: DmaSource): void {
    this.#lead(source, CLOSED)
  }

  map(domain: number, iova: number, frame: Gpa, rights: Rights): void {
    this.#leaf(domain, iova, pageEntry({ ...flagsOf(rights), address: frame }))
    if (this.#holdsAbsence) this.flushPages(domain, iova, 1)
  }
  unmap(domain: number, iova: number, pages: number): void {
    for (let page = 0; page < pages; page++) this.#leaf(domain, iova + page * PAGE_BYTES, ABSENT_PAGE)
  }
  protect(domain: number, iova: number, rights: Rights): void {
    const at = this.#leafAt(domain, iova)
    const [low, high] = [this.#guest.load32(at), this.#guest.load32(at + 4)]
    const address = (high % 2 ** 20) * 2 ** 32 + (low - (low % PAGE_BYTES))
    storeDwords(this.#guest, at, pageEntry({ ...flagsOf(rights), address }))
  }

  flushPages(domain: number, iova: number, pages: number): void {
    const page = iova / PAGE_BYTES
    // The smallest aligned block that has them all.
    let size = 1
    while (Math.floor(page / size) !== Math.floor((page + pages - 1) / size)) size *= 2
    const range = { address: (page - (page % size)) * PAGE_BYTES, bytes: size * PAGE_BYTES }
    this.#flush({ domain: domain + 1, range, directories: false })
  }
  flushDomain(domain: number): void {
    this.#flush({ domain: domain + 1 })
  }
  flushAll(): void {
    const { sources, domains } = this.#options
    for (const { requester } of sources) this.#unit.push(entryCommand(requester))
    for (let domain = 0; domain < domains; domain++) this.#unit.push(pagesCommand({ domain: domain + 1 }))
    this.#wait()
    this.#domainsOf.clear()
  }
  flushDevice(source: DmaSource): void {
    this.#unit.push(entryCommand(source.requester))
    for (const domain of this.#domainsOf.get(source.id) ?? []) this.#unit.push(pagesCommand({ domain: domain + 1 }))
    this.#wait()
  }

  notes(): readonly unknown[] {
    return [this.#waits, this.#domainsOf, this.#tables, this.#unit.notes()]
  }
  move(target: Target): void {
    this.#guest.target = target
  }

  #flush(scope: PagesScope): void {
    this.#unit.push(pagesCommand(scope))
    this.#wait()
  }

  #wait(): void {
    const value = ++this.#waits
    this.#unit.push(waitCommand({ store: { at: this.#status, value } }))
    this.#unit.ring()
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (this.#guest.load32(this.#status) === value) return
      this.#guest.target.settle(1)
    }
    throw new FlushStalled()
  }

  #lead({ requester }: DmaSource, entry: Dwords): void {
    storeDwords(this.#guest, this.#deviceTable + DEVICE_ENTRY.bytes * requester, entry)
  }
  #leaf(domain: number, iova: number, entry: Dwords): void {
    storeDwords(this.#guest, this.#leafAt(domain, iova), entry)
  }
  /** Where the last entry for a page is; tables that are missing on the way are made. */
  #leafAt(domain: number, iova: number): Gpa {
    const page = Math.floor(iova / PAGE_BYTES)
    let table = this.#tops[domain]!
    for (let level = LEVELS; level > 1; level--) {
      const at = table + PAGING_BYTES * (Math.floor(page / 512 ** (level - 1)) % 512)
      const known = this.#tables.get(at)
      table = known ?? this.#pool.take()
      if (known !== undefined) continue
      this.#tables.set(at, table)
      storeDwords(this.#guest, at, pageEntry({ address: table, next: level - 1 }))
    }
    return table + PAGING_BYTES * (page % 512)
  }
}

const flagsOf = (rights: Rights) => ({ read: rights !== 'write', write: rights !== 'read' })

export const amdUnit: UnitKind = {
  kind: 'amd-iommu',
  arenaBytes: (3 + POOL_PAGES + DEVICE_TABLE_PAGES) * PAGE_BYTES,
  open: (options) => new AmdDmaUnit(options),
}
