/**
 * What a VT-d unit may use: the ghost state of the machine `invalidation`.
 *
 * A unit may cache whatever it could find by a walk, at any moment, and forget it at any moment. So what it may hold is all
 * that walks could have found since the last invalidation that covers it: each set grows with the tables, and an
 * invalidation that is complete leaves of it what walks could find since it was begun. `held` is what may be held now, `kept` what
 * of that outlasts the invalidations under way. Caches feed each other: a directory entry is found through a context
 * entry that may be an old one, a page entry through a directory entry that may be.
 */
import { Bits, type Cells, noBits, type ReadonlyCells } from '../../src/kernel/language/index.ts'
import {
  ABSENT,
  ABSENT_DIRECTORY,
  ABSENT_ENTRY,
  type Access,
  blockOf,
  CONTEXTS,
  coversBlocks,
  DOMAINS,
  isCovered,
  LARGE_TRANSLATIONS,
  largeFrame,
  largeOf,
  largeTranslation,
  NO_DOMAIN,
  outcomesOf,
  PRESENT,
  pageTableOf,
  REFUSED,
  type Span,
  smallTranslation,
  WAYS_HELD,
  wayOf,
} from './invalidation-tables.ts'

/** Bounds that say how much there is of what. */
export interface Sizes {
  readonly tables: number
  readonly requesters: number
  readonly pages: number
  readonly blocks: number
  readonly ways: number
  /** Whether absent entries are cached, too. */
  readonly caching: number
  /** How many of the requesters, the last ones, have a TLB of their own. */
  readonly ats: number
  /** Whether it is followed which domains a requester was in. */
  readonly history: number
}

/** What caches may hold. */
export interface Caches {
  /** By requester: context entries. */
  readonly contexts: ReadonlyCells<Bits>
  /** By domain: tables, by the entries above the directories. */
  readonly tops: ReadonlyCells<Bits>
  /** By domain and block: ways through page tables, by table and way. */
  readonly directories: ReadonlyCells<Bits>
  /** By domain and page: translations. */
  readonly pages: ReadonlyCells<Bits>
  /** By device with a TLB, and page. */
  readonly devices: ReadonlyCells<Bits>
  /**
   * By requester: context entries that were invalidated, while the translations of their domain were not. What was found
   * through one may have been cached for the requester, and software has to invalidate both (6.5.2).
   */
  readonly former: ReadonlyCells<Bits>
}
export interface WritableCaches extends Caches {
  readonly contexts: Cells<Bits>
  readonly tops: Cells<Bits>
  readonly directories: Cells<Bits>
  readonly pages: Cells<Bits>
  readonly devices: Cells<Bits>
  readonly former: Cells<Bits>
}

/** Tables in memory, and the root table in force. */
export interface Tables {
  readonly root: number
  /** By root table and requester. */
  readonly contexts: ReadonlyCells<number>
  /** By table and block. */
  readonly directories: ReadonlyCells<number>
  /** By table, way and page. */
  readonly entries: ReadonlyCells<number>
}

export class CacheRules {
  readonly #sizes: Sizes

  constructor(sizes: Sizes) {
    this.#sizes = sizes
  }

  contextAt(root: number, requester: number): number {
    return root * this.#sizes.requesters + requester
  }
  directoryAt(table: number, block: number): number {
    return table * this.#sizes.blocks + block
  }
  entryAt(table: number, way: number, page: number): number {
    return (table * this.#sizes.ways + way) * this.#sizes.pages + page
  }
  #heldDirectoryAt(domain: number, block: number): number {
    return domain * this.#sizes.blocks + block
  }
  heldPageAt(domain: number, page: number): number {
    return domain * this.#sizes.pages + page
  }
  /** The place of a requester among those with a TLB; negative: it has none. */
  deviceOf(requester: number): number {
    return requester - (this.#sizes.requesters - this.#sizes.ats)
  }
  devicePageAt(device: number, page: number): number {
    return device * this.#sizes.pages + page
  }

  /** The context entry of a requester in the root table in force. */
  context(tables: Tables, requester: number): number {
    return tables.contexts.at(this.contextAt(tables.root, requester))
  }

  /**
   * All that can be found now is held. `from`: what context entries and translations may be held meanwhile. Directory entries
   * are those of `into`: one invalidation is about them and the pages behind them at once.
   */
  fill(tables: Tables, into: WritableCaches, from: Caches = into): void {
    const { requesters, pages, blocks, caching, ats } = this.#sizes
    for (let requester = 0; requester < requesters; requester++) {
      const context = this.context(tables, requester)
      if (context !== ABSENT || caching === 1) add(into.contexts, requester, 1 << context)
    }
    for (let domain = 0; domain < DOMAINS; domain++) {
      const led = this.#tablesOf(from, domain)
      if (led === 0) continue
      add(into.tops, domain, led)
      const walked = into.tops.at(domain).mask
      for (let block = 0; block < blocks; block++)
        add(into.directories, this.#heldDirectoryAt(domain, block), this.#waysOf(tables, walked, block))
      for (let page = 0; page < pages; page++)
        add(into.pages, this.heldPageAt(domain, page), this.#walk(tables, into, walked, domain, page))
    }
    for (let device = 0; device < ats; device++)
      for (let page = 0; page < pages; page++) {
        const requester = requesters - ats + device
        add(into.devices, this.devicePageAt(device, page), this.#found(tables, from, requester, page) & PRESENT)
      }
  }

  /** Tables that a walk for this domain can begin with, as a mask. */
  #tablesOf(held: Caches, domain: number): number {
    let walked = 0
    for (let requester = 0; requester < this.#sizes.requesters; requester++)
      walked |= tablesOf(held.contexts.at(requester).mask, domain)
    return walked
  }

  /** Ways through page tables that walks of these tables find. */
  #waysOf(tables: Tables, walked: number, block: number): number {
    let ways = 0
    for (let table = 0; table < this.#sizes.tables; table++) {
      if (((walked >>> table) & 1) === 0) continue
      const way = wayOf(tables.directories.at(this.directoryAt(table, block)))
      if (way !== undefined) ways |= 1 << (table * WAYS_HELD + way)
    }
    return ways
  }

  /** What a walk for a page finds, by way of directory entries in the tables, or of those that are held. */
  #walk(tables: Tables, held: Caches | undefined, walked: number, domain: number, page: number): number {
    const block = blockOf(page)
    let found = 0
    let ways = held?.directories.at(this.#heldDirectoryAt(domain, block)).mask ?? 0
    for (let table = 0; table < this.#sizes.tables; table++) {
      if (((walked >>> table) & 1) === 0) continue
      const directory = tables.directories.at(this.directoryAt(table, block))
      const [way, large] = [wayOf(directory), largeOf(directory)]
      if (way !== undefined) ways |= 1 << (table * WAYS_HELD + way)
      else found |= 1 << (large === undefined ? ABSENT_DIRECTORY : largeTranslation(table, large))
    }
    for (let rest = ways; rest !== 0; rest &= rest - 1) {
      const lowest = 31 - Math.clz32(rest & -rest)
      const [table, way] = [Math.floor(lowest / WAYS_HELD), lowest % WAYS_HELD]
      const entry = tables.entries.at(this.entryAt(table, pageTableOf(way), page))
      found |= 1 << (entry === ABSENT ? ABSENT_ENTRY : smallTranslation(table, way, entry))
    }
    return this.#sizes.caching === 1 ? found : found & PRESENT
  }

  /** What a requester may be answered for a page by the unit: translations, and absences where there may be one. */
  #found(tables: Tables, held: Caches, requester: number, page: number): number {
    const contexts = held.contexts.at(requester).mask | (1 << this.context(tables, requester))
    let found = (contexts & 1) === 0 ? 0 : 1 << ABSENT_DIRECTORY
    for (let context = 1; context < CONTEXTS.length; context++) {
      if (((contexts >>> context) & 1) === 0) continue
      const { domain, table } = CONTEXTS[context]!
      const walked = held.tops.at(domain).mask | (1 << table)
      found |= held.pages.at(this.heldPageAt(domain, page)).mask | this.#absences(tables, held, domain, walked, page)
    }
    return found | this.#foundBefore(held, requester, page)
  }

  /** Translations of domains that a requester was in. */
  #foundBefore(held: Caches, requester: number, page: number): number {
    if (this.#sizes.history === 0) return 0
    let found = 0
    for (let rest = held.former.at(requester).mask; rest !== 0; rest &= rest - 1) {
      const { domain } = CONTEXTS[31 - Math.clz32(rest & -rest)]!
      found |= held.pages.at(this.heldPageAt(domain, page)).mask & PRESENT
    }
    return found
  }

  /** Whether a walk of these tables can end at an entry that is absent. */
  #absences(tables: Tables, held: Caches, domain: number, walked: number, page: number): number {
    const block = blockOf(page)
    let absences = 0
    let ways = held.directories.at(this.#heldDirectoryAt(domain, block)).mask
    for (let table = 0; table < this.#sizes.tables; table++) {
      if (((walked >>> table) & 1) === 0) continue
      const directory = tables.directories.at(this.directoryAt(table, block))
      if (directory === ABSENT) absences |= 1 << ABSENT_DIRECTORY
      const way = wayOf(directory)
      if (way !== undefined) ways |= 1 << (table * WAYS_HELD + way)
    }
    for (let rest = ways; rest !== 0; rest &= rest - 1) {
      const lowest = 31 - Math.clz32(rest & -rest)
      const [table, way] = [Math.floor(lowest / WAYS_HELD), lowest % WAYS_HELD]
      if (tables.entries.at(this.entryAt(table, pageTableOf(way), page)) === ABSENT) absences |= 1 << ABSENT_ENTRY
    }
    return absences
  }

  /** What an access may come to now, as a mask of outcomes. */
  outcomes(tables: Tables, held: Caches, requester: number, page: number, access: Access): number {
    let found = this.#found(tables, held, requester, page)
    const device = this.deviceOf(requester)
    // A request that the device translated itself needs a context entry that lets it pass.
    if (device >= 0 && this.tablesFor(tables, held, requester) !== 0)
      found |= held.devices.at(this.devicePageAt(device, page)).mask
    return outcomesOf(found, access)
  }
  mayRefuse(tables: Tables, held: Caches, requester: number, page: number, access: Access): boolean {
    return ((this.outcomes(tables, held, requester, page, access) >>> REFUSED) & 1) === 1
  }

  /** What an access comes to by the tables as they are now. */
  current(tables: Tables, requester: number, page: number, access: Access): number {
    const context = CONTEXTS[this.context(tables, requester)]
    if (context === undefined) return REFUSED
    const directory = tables.directories.at(this.directoryAt(context.table, blockOf(page)))
    const [way, large] = [wayOf(directory), largeOf(directory)]
    if (large !== undefined) return largeFrame(context.table, large)
    const entry = way === undefined ? ABSENT : tables.entries.at(this.entryAt(context.table, pageTableOf(way), page))
    if (entry === ABSENT) return REFUSED
    const found = outcomesOf(1 << smallTranslation(context.table, way!, entry), access)
    return 31 - Math.clz32(found)
  }

  /** Tables that a requester may be led to, as a mask. */
  tablesFor(tables: Tables, held: Caches, requester: number): number {
    const contexts = held.contexts.at(requester).mask | (1 << this.context(tables, requester))
    let found = 0
    for (let context = 1; context < CONTEXTS.length; context++)
      if (((contexts >>> context) & 1) === 1) found |= 1 << CONTEXTS[context]!.table
    return found
  }

  /** Domains that a requester may be in, as a mask. */
  domainsFor(tables: Tables, held: Caches, requester: number): number {
    const contexts = held.contexts.at(requester).mask | (1 << this.context(tables, requester))
    let found = 0
    for (let context = 1; context < CONTEXTS.length; context++)
      if (((contexts >>> context) & 1) === 1) found |= 1 << CONTEXTS[context]!.domain
    return found
  }

  /** Whether a way through a page table may be taken for a requester. */
  mayPass(tables: Tables, held: Caches, requester: number, page: number, table: number, way: number): boolean {
    if (table >= this.#sizes.tables || way >= this.#sizes.ways) return false
    const through = waysThrough(table, way)
    const domains = this.domainsFor(tables, held, requester)
    for (let domain = 0; domain < DOMAINS; domain++)
      if (((domains >>> domain) & 1) === 1) {
        const ways = held.directories.at(this.#heldDirectoryAt(domain, blockOf(page))).mask
        if ((ways & through) !== 0) return true
      }
    const now = wayOf(tables.directories.at(this.directoryAt(table, blockOf(page))))
    return now !== undefined && pageTableOf(now) === way
  }

  /** Whether something is held that a walk would not find now: of the context entries that an invalidation covers. */
  hasOldContexts(
    tables: Tables,
    held: Caches,
    only: { readonly domain?: number; readonly requester?: number },
  ): boolean {
    const covered = coveredContexts(only.domain)
    for (let requester = 0; requester < this.#sizes.requesters; requester++) {
      if (only.requester !== undefined && only.requester !== requester) continue
      if ((held.contexts.at(requester).mask & covered & ~(1 << this.context(tables, requester))) !== 0) return true
    }
    return false
  }
  /** The same of translations and what leads there: of a domain, or of all; of a group of pages, or of all. */
  hasOldPages(
    tables: Tables,
    held: Caches,
    only: { readonly domain?: number; readonly page?: number; readonly span?: Span; readonly hint?: boolean },
  ): boolean {
    for (let domain = 0; domain < DOMAINS; domain++) {
      if (only.domain !== undefined && only.domain !== domain) continue
      const walked = this.#tablesNow(tables, domain)
      if (only.hint !== true && (held.tops.at(domain).mask & ~walked) !== 0) return true
      for (let page = 0; page < this.#sizes.pages; page++) {
        if (only.page !== undefined && !isCovered(only.span ?? 'page', only.page, page)) continue
        const block = blockOf(page)
        const ways = this.#waysOf(tables, walked, block)
        if (only.hint !== true && (held.directories.at(this.#heldDirectoryAt(domain, block)).mask & ~ways) !== 0)
          return true
        const found = this.#walk(tables, undefined, walked, domain, page)
        if ((held.pages.at(this.heldPageAt(domain, page)).mask & ~found) !== 0) return true
      }
    }
    return false
  }
  /** The same of what a device holds itself. */
  hasOldGrants(tables: Tables, held: Caches, device: number, page: number, span: Span | 'everything'): boolean {
    const requester = this.#sizes.requesters - this.#sizes.ats + device
    const context = CONTEXTS[this.context(tables, requester)]
    for (let other = 0; other < this.#sizes.pages; other++) {
      if (span !== 'everything' && !isCovered(span, page, other)) continue
      const found = context === undefined ? 0 : this.#walk(tables, undefined, 1 << context.table, context.domain, other)
      if ((held.devices.at(this.devicePageAt(device, other)).mask & ~found) !== 0) return true
    }
    return false
  }
  mayBeLarge(held: Caches, domain: number, page: number): boolean {
    return (held.pages.at(this.heldPageAt(domain, page)).mask & LARGE_TRANSLATIONS) !== 0
  }
  /** Tables that a walk for this domain begins with now. */
  #tablesNow(tables: Tables, domain: number): number {
    let walked = 0
    for (let requester = 0; requester < this.#sizes.requesters; requester++)
      walked |= tablesOf(1 << this.context(tables, requester), domain)
    return walked
  }
  /** Whether a page table can be come to: only then anybody sees what it says. */
  isInUse(tables: Tables, held: Caches, table: number, way: number, page: number): boolean {
    const block = blockOf(page)
    const now = wayOf(tables.directories.at(this.directoryAt(table, block)))
    if (now !== undefined && pageTableOf(now) === way) return true
    for (let domain = 0; domain < DOMAINS; domain++)
      if ((held.directories.at(this.#heldDirectoryAt(domain, block)).mask & waysThrough(table, way)) !== 0) return true
    return false
  }

  /** An invalidation of context entries: those of a domain, and of one requester; each where it is given. */
  flushContexts(kept: WritableCaches, only: { readonly domain?: number; readonly requester?: number }): void {
    const covered = coveredContexts(only.domain)
    for (let requester = 0; requester < this.#sizes.requesters; requester++) {
      if (only.requester !== undefined && only.requester !== requester) continue
      if (this.#sizes.history === 1)
        add(kept.former, requester, kept.contexts.at(requester).mask & covered & ~(1 << ABSENT))
      remove(kept.contexts, requester, covered)
    }
  }

  /** An invalidation of translations and of what leads there: all, or those of a domain. */
  flushDomains(kept: WritableCaches, only?: number): void {
    const { blocks, pages, requesters, history } = this.#sizes
    for (let requester = 0; requester < requesters * history; requester++)
      remove(kept.former, requester, coveredContexts(only))
    for (let domain = 0; domain < DOMAINS; domain++) {
      if (only !== undefined && only !== domain) continue
      kept.tops.set(domain, noBits)
      for (let block = 0; block < blocks; block++) kept.directories.set(this.#heldDirectoryAt(domain, block), noBits)
      for (let page = 0; page < pages; page++) kept.pages.set(this.heldPageAt(domain, page), noBits)
    }
  }

  /**
   * An invalidation of a group of pages of a domain. A large page is covered by one of its whole block; a hint says that
   * only page entries have changed.
   */
  flushPages(kept: WritableCaches, domain: number, page: number, span: Span, hint: boolean): void {
    const { blocks, pages } = this.#sizes
    const rest = (coversBlocks(span) ? 0 : LARGE_TRANSLATIONS) | (hint ? 1 << ABSENT_DIRECTORY : 0)
    const touched = new Set<number>([blockOf(page)])
    for (let other = 0; other < pages; other++) {
      if (!isCovered(span, page, other)) continue
      touched.add(blockOf(other))
      remove(kept.pages, this.heldPageAt(domain, other), ~rest)
    }
    if (hint) return
    kept.tops.set(domain, noBits)
    for (const block of touched) if (block < blocks) kept.directories.set(this.#heldDirectoryAt(domain, block), noBits)
  }

  /** An invalidation of the TLB of a device: of a group of pages, or of everything. */
  flushDevice(kept: WritableCaches, device: number, page: number, span: Span | 'everything'): void {
    for (let other = 0; other < this.#sizes.pages; other++)
      if (span === 'everything' || isCovered(span, page, other))
        kept.devices.set(this.devicePageAt(device, other), noBits)
  }

  /** What invalidations left is what is held. */
  settle(held: WritableCaches, kept: Caches): void {
    for (const cache of ['contexts', 'tops', 'directories', 'pages', 'devices', 'former'] as const)
      for (let at = 0; at < held[cache].length; at++) held[cache].set(at, kept[cache].at(at))
  }
}

/** Contexts that are cached under a domain, as a mask; all of them without one. */
const coveredContexts = (domain: number | undefined): number => {
  let covered = 0
  for (let number = 0; number < CONTEXTS.length; number++)
    if (domain === undefined || (CONTEXTS[number]?.domain ?? NO_DOMAIN) === domain) covered |= 1 << number
  return covered
}
/** The ways that go through a page table, as a mask. */
const waysThrough = (table: number, pageTable: number): number => {
  let ways = 0
  for (let way = 0; way < WAYS_HELD; way++) if (pageTableOf(way) === pageTable) ways |= 1 << (table * WAYS_HELD + way)
  return ways
}
const add = (cells: Cells<Bits>, at: number, mask: number): void => {
  const old = cells.at(at).mask
  if ((old | mask) !== old) cells.set(at, Bits.of(old | mask))
}
const remove = (cells: Cells<Bits>, at: number, mask: number): void => {
  const old = cells.at(at).mask
  if ((old & mask) !== 0) cells.set(at, Bits.of(old & ~mask))
}
const tablesOf = (contexts: number, domain: number): number => {
  let tables = 0
  for (let context = 1; context < CONTEXTS.length; context++)
    if (((contexts >>> context) & 1) === 1 && CONTEXTS[context]!.domain === domain)
      tables |= 1 << CONTEXTS[context]!.table
  return tables
}
