/**
 * Address spaces of devices, as a hypervisor keeps them on a VT-d unit: domains map pages of IOVA to pages of memory, and
 * devices are put into domains. What was taken away is out of reach when a call returns, of every device.
 *
 * Tables are its own pages of memory, and are never given to anything else while it lives. The invalidation queue is one page.
 */
import {
  CONTEXT_ENTRY,
  CONTEXT_ENTRY_HIGH,
  DESCRIPTOR,
  GRANULARITY,
  ROOT_ENTRY,
  SECOND_LEVEL,
  TRANSLATION_TYPE,
  VTD,
  VTD_CAPABILITY_LOW,
  VTD_COMMAND,
} from '../../layout/vtd.ts'
import type { GuestMemory } from '../memory.ts'
import { overlap, type Pages } from './pages.ts'
import { ADDRESS_MASK_MAX } from './vtd-queue.ts'

/** The unit, by its registers and the memory that it reads. */
export interface DomainHost {
  readonly memory: GuestMemory
  /** A dword of the registers. */
  read(at: number): number
  write(at: number, value: number): void
  /** The unit goes on with its queue; false: it has nothing to do. */
  step(): boolean
}

/** A run of pages of an address space, and where in memory it lies. */
export interface Mapping extends Pages {
  readonly host: number
  readonly read: boolean
  readonly write: boolean
}

/** Why nothing was done. */
export type Refused = 'no-domain' | 'attached' | 'mapped' | 'beyond' | 'no-tables'

/** Decisions that a seeded fault can replace. */
export interface DomainParts {
  /** What is invalidated when pages that were asked for, and with them `removed`, are taken away. */
  flushed(asked: Pages, removed: Pages): Pages
  /** Does an operation on many mappings leave no invalidation for later? `complete`: all of it was done. */
  endsDeferral(complete: boolean): boolean
  /** Is an invalidation over? `last`: the ticket of the latest one; `reported`: that of the latest that the unit reported. */
  isOver(ticket: number, last: number, reported: number): boolean
}

export const correctDomains: DomainParts = {
  flushed: (_asked, removed) => removed,
  endsDeferral: () => true,
  isOver: (ticket, _last, reported) => reported >= ticket,
}

interface DomainState {
  root: number
  queue: number
  status: number
  /** Context tables by bus. */
  contexts: Record<number, number>
  /** Top tables by domain. */
  tops: Record<number, number>
  /** Domains by requester. */
  attached: Record<number, number>
  /** Pages of the arena that are no table yet. */
  free: number[]
  nextDomain: number
  tail: number
  /** Tickets of invalidations: the latest one, and that which the unit reported. */
  ticket: number
  deferring: boolean
}

const PAGE_BYTES = 4096
const LEVELS = 4
/** Pages of an entry at level 2. */
const LARGE = 512
const QUEUE_BYTES = 4096
const WIDTH_OF_FOUR = 2

const fresh = (): DomainState => ({
  root: 0,
  queue: 0,
  status: 0,
  contexts: {},
  tops: {},
  attached: {},
  free: [],
  nextDomain: 1,
  tail: 0,
  ticket: 0,
  deferring: false,
})

export class Domains {
  readonly #host: DomainHost
  readonly #parts: DomainParts
  readonly #arena: Pages
  #state = fresh()

  /** `arena`: pages of memory that are its own. */
  constructor(host: DomainHost, arena: Pages, parts: DomainParts = correctDomains) {
    this.#host = host
    this.#arena = arena
    this.#parts = parts
  }

  /** Puts the unit into service: no device reaches anything. */
  start(): void {
    const s = fresh()
    this.#state = s
    for (let page = this.#arena.page + this.#arena.pages - 1; page >= this.#arena.page; page--) s.free.push(page)
    s.root = this.#take()!
    s.queue = this.#take()!
    s.status = this.#take()!
    const { write } = this.#registers()
    write(VTD.rootAddress, s.root)
    this.#host.write(VTD.command, VTD_COMMAND.SET_ROOT)
    write(VTD.queueAddress, s.queue)
    this.#host.write(VTD.command, VTD_COMMAND.QUEUE)
    this.#push(DESCRIPTOR.CONTEXT | (GRANULARITY.GLOBAL << DESCRIPTOR.GRANULARITY_SHIFT))
    this.#push(DESCRIPTOR.IOTLB | (GRANULARITY.GLOBAL << DESCRIPTOR.GRANULARITY_SHIFT))
    this.complete(this.#ticket())
    this.#host.write(VTD.command, VTD_COMMAND.QUEUE | VTD_COMMAND.TRANSLATE)
  }

  /** A domain that maps nothing; undefined: there is no room for tables. */
  create(): number | undefined {
    const s = this.#state
    const top = this.#take()
    if (top === undefined) return undefined
    const domain = s.nextDomain++
    s.tops[domain] = top
    return domain
  }

  domainOf(requester: number): number | undefined {
    return this.#state.attached[requester]
  }

  /** Puts a device that is in no domain into one. */
  attach(domain: number, requester: number): Refused | undefined {
    const s = this.#state
    const top = s.tops[domain]
    if (top === undefined) return 'no-domain'
    if (s.attached[requester] !== undefined) return 'attached'
    const bus = requester >> 8
    const table = s.contexts[bus] ?? this.#take()
    if (table === undefined) return 'no-tables'
    if (s.contexts[bus] === undefined) {
      s.contexts[bus] = table
      this.#store(s.root + ROOT_ENTRY.bytes * bus, [table | ROOT_ENTRY.PRESENT, 0, 0, 0])
    }
    s.attached[requester] = domain
    const type = TRANSLATION_TYPE.UNTRANSLATED << CONTEXT_ENTRY.TYPE_SHIFT
    const [low, high] = [
      top | type | CONTEXT_ENTRY.PRESENT,
      WIDTH_OF_FOUR | (domain << CONTEXT_ENTRY_HIGH.DOMAIN_SHIFT),
    ]
    this.#store(table + CONTEXT_ENTRY.bytes * (requester & 0xff), [low, 0, high, 0])
    // Absent entries are remembered under domain 0.
    if (this.#remembersAbsence()) this.#flushDevice(requester, 0)
    return undefined
  }

  /** Takes a device out of its domain: it reaches nothing, and what it sent has arrived. */
  detach(requester: number): void {
    const s = this.#state
    const domain = s.attached[requester]
    if (domain === undefined) return
    delete s.attached[requester]
    this.#store(s.contexts[requester >> 8]! + CONTEXT_ENTRY.bytes * (requester & 0xff), [0, 0, 0, 0])
    this.#flushDevice(requester, domain)
  }

  /** Maps all of it, or nothing where some of it is mapped already. */
  map(domain: number, mapping: Mapping): Refused | undefined {
    const s = this.#state
    const top = s.tops[domain]
    if (top === undefined) return 'no-domain'
    const { page, pages, host } = mapping
    if (page + pages > 512 ** LEVELS) return 'beyond'
    if (this.mapped(domain, mapping).length > 0) return 'mapped'
    const isLarge = (at: number): boolean =>
      at % LARGE === 0 && (host + at - page) % LARGE === 0 && page + pages - at >= LARGE
    for (let at = page; at < page + pages; ) {
      // A table stays where it is, so that nothing goes on to use it as one.
      const level = isLarge(at) && this.#find(top, at, 2).entry === 0 ? 2 : 1
      const entry = this.#entry(top, at, level)
      if (entry === undefined) {
        this.unmap(domain, { page, pages: at - page })
        return 'no-tables'
      }
      const rights = (mapping.read ? SECOND_LEVEL.READ : 0) | (mapping.write ? SECOND_LEVEL.WRITE : 0)
      const low = (host + at - page) * PAGE_BYTES + rights + (level === 2 ? SECOND_LEVEL.LARGE : 0)
      this.#store(entry, halves(low))
      at += 512 ** (level - 1)
    }
    if (this.#remembersAbsence()) this.#flush(domain, mapping)
    return undefined
  }

  /** All of several, with one invalidation at the end; where one is refused, none of them. */
  mapAll(domain: number, mappings: readonly Mapping[]): Refused | undefined {
    const s = this.#state
    s.deferring = true
    let refused: Refused | undefined
    const done: Mapping[] = []
    for (const mapping of mappings) {
      refused = this.map(domain, mapping)
      if (refused !== undefined) break
      done.push(mapping)
    }
    if (refused !== undefined) for (const mapping of done) this.#remove(domain, mapping)
    if (this.#parts.endsDeferral(refused === undefined)) s.deferring = false
    this.#flushDomain(domain)
    return refused
  }

  /** Takes away what these pages map, a large page as a whole; what was taken. */
  unmap(domain: number, asked: Pages): Pages {
    const removed = this.#remove(domain, asked)
    if (removed.pages > 0) this.#flush(domain, this.#parts.flushed(asked, removed))
    return removed
  }

  /** The same without waiting: it is out of reach after `complete` of the ticket. */
  unmapLater(domain: number, asked: Pages): number {
    const removed = this.#remove(domain, asked)
    this.#pushPages(domain, this.#parts.flushed(asked, removed))
    return this.#ticket()
  }

  /** Is this invalidation over? */
  isOver(ticket: number): boolean {
    const s = this.#state
    return this.#parts.isOver(ticket, s.ticket, this.#load(s.status)[0]!)
  }

  /** Waits until the unit reports that an invalidation is over. */
  complete(ticket: number): void {
    const s = this.#state
    while (!this.isOver(ticket))
      if (!this.#host.step())
        throw new Error(`the unit reports no end of invalidation ${ticket}, but of ${this.#load(s.status)[0]}`)
  }

  /** What is mapped of these pages. */
  mapped(domain: number, range: Pages): readonly Mapping[] {
    const top = this.#state.tops[domain]
    const found: Mapping[] = []
    if (top === undefined) return found
    for (let at = range.page; at < range.page + range.pages; ) {
      const { level, entry } = this.#find(top, at, 1)
      const pages = 512 ** (level - 1)
      const first = at - (at % pages)
      if (entry !== 0)
        found.push({
          page: first,
          pages,
          host: Math.floor(entry / PAGE_BYTES),
          read: (entry & SECOND_LEVEL.READ) !== 0,
          write: (entry & SECOND_LEVEL.WRITE) !== 0,
        })
      at = first + pages
    }
    return found
  }

  /** Clears the entries: from the first to the last page that they were for. */
  #remove(domain: number, asked: Pages): Pages {
    const gone = this.mapped(domain, asked)
    const top = this.#state.tops[domain]!
    for (const { page, pages } of gone) this.#store(this.#entry(top, page, pages === 1 ? 1 : 2)!, [0, 0])
    const [first, last] = [gone[0], gone.at(-1)]
    if (first === undefined || last === undefined) return { page: asked.page, pages: 0 }
    return { page: first.page, pages: last.page + last.pages - first.page }
  }

  // Tables.

  #take(): number | undefined {
    const page = this.#state.free.pop()
    if (page === undefined) return undefined
    this.#host.memory.store(page * PAGE_BYTES, new Uint8Array(PAGE_BYTES))
    return page * PAGE_BYTES
  }

  /** The lowest entry, not below `until`, on the way to a page; its value is 0 where nothing is mapped. */
  #find(top: number, page: number, until: number): { readonly level: number; readonly entry: number } {
    let table = top
    for (let level = LEVELS; ; level--) {
      const [low, high] = this.#load(table + SECOND_LEVEL.bytes * (Math.floor(page / 512 ** (level - 1)) % 512))
      const entry = high! * 2 ** 32 + low!
      if (entry === 0 || level === until || (level < 4 && level > 1 && (low! & SECOND_LEVEL.LARGE) !== 0))
        return { level, entry }
      table = entry - (entry % PAGE_BYTES)
    }
  }

  /** The address of the entry at this level, with tables on the way made; undefined: there is no room for them. */
  #entry(top: number, page: number, level: number): number | undefined {
    let table = top
    for (let at = LEVELS; ; at--) {
      const entry = table + SECOND_LEVEL.bytes * (Math.floor(page / 512 ** (at - 1)) % 512)
      if (at === level) return entry
      const [low, high] = this.#load(entry)
      if (low === 0 && high === 0) {
        const below = this.#take()
        if (below === undefined) return undefined
        this.#store(entry, halves(below + SECOND_LEVEL.READ + SECOND_LEVEL.WRITE))
        table = below
      } else table = high! * 2 ** 32 + (low! & ~0xfff)
    }
  }

  #load(gpa: number): readonly number[] {
    const data = this.#host.memory.load(gpa, 8)
    const view = new DataView(data.buffer, data.byteOffset, 8)
    return [view.getUint32(0, true), view.getUint32(4, true)]
  }
  #store(gpa: number, dwords: readonly number[]): void {
    const view = new DataView(new ArrayBuffer(4 * dwords.length))
    for (const [index, dword] of dwords.entries()) view.setUint32(4 * index, dword, true)
    this.#host.memory.store(gpa, new Uint8Array(view.buffer))
  }

  // Invalidations.

  #registers() {
    return {
      write: (at: number, value: number): void => {
        this.#host.write(at, value % 2 ** 32)
        this.#host.write(at + 4, Math.floor(value / 2 ** 32))
      },
    }
  }

  #remembersAbsence(): boolean {
    return (this.#host.read(VTD.capability) & VTD_CAPABILITY_LOW.CACHING_MODE) !== 0
  }

  #flush(domain: number, pages: Pages): void {
    if (this.#state.deferring) return
    this.#pushPages(domain, pages)
    this.complete(this.#ticket())
  }

  #flushDomain(domain: number): void {
    if (this.#state.deferring) return
    this.#push(iotlb(domain, GRANULARITY.DOMAIN))
    this.complete(this.#ticket())
  }

  #flushDevice(requester: number, domain: number): void {
    const device = DESCRIPTOR.CONTEXT | (GRANULARITY.DEVICE << DESCRIPTOR.GRANULARITY_SHIFT)
    this.#push(device | (domain << DESCRIPTOR.DOMAIN_SHIFT), requester)
    this.#push(iotlb(domain, GRANULARITY.DOMAIN))
    this.complete(this.#ticket())
  }

  /** The smallest aligned power of two that holds the pages, or all of the domain. */
  #pushPages(domain: number, { page, pages }: Pages): void {
    let mask = 0
    while (!overlap({ page: page + pages - 1, pages: 1 }, { page: page - (page % 2 ** mask), pages: 2 ** mask })) mask++
    if (mask > ADDRESS_MASK_MAX) {
      this.#push(iotlb(domain, GRANULARITY.DOMAIN))
      return
    }
    const [low, high] = halves((page - (page % 2 ** mask)) * PAGE_BYTES)
    this.#push(iotlb(domain, GRANULARITY.PAGES), 0, low! | mask, high)
  }

  /** The unit will report the end of what was queued until now under this number. */
  #ticket(): number {
    const s = this.#state
    s.ticket++
    const [low, high] = halves(s.status)
    this.#push(DESCRIPTOR.WAIT | DESCRIPTOR.WRITE_STATUS | DESCRIPTOR.FENCE, s.ticket, low, high)
    this.#host.write(VTD.queueTail, s.tail)
    return s.ticket
  }

  #push(first: number, second = 0, third = 0, fourth = 0): void {
    const s = this.#state
    const next = (s.tail + DESCRIPTOR.bytes) % QUEUE_BYTES
    // A full queue is worked off first.
    while (next === this.#host.read(VTD.queueHead)) if (!this.#host.step()) break
    this.#store(s.queue + s.tail, [first, second, third, fourth])
    s.tail = next
  }

  reset(): void {
    this.#state = fresh()
  }
  save(): unknown {
    return structuredClone(this.#state)
  }
  restore(state: unknown): void {
    this.#state = structuredClone(state) as DomainState
  }
}

const halves = (value: number): readonly [number, number] => [value % 2 ** 32, Math.floor(value / 2 ** 32)]

/** The first dword of an invalidation that waits for what is in flight. */
const iotlb = (domain: number, granularity: number): number =>
  DESCRIPTOR.IOTLB |
  (granularity << DESCRIPTOR.GRANULARITY_SHIFT) |
  DESCRIPTOR.DRAIN_READS |
  DESCRIPTOR.DRAIN_WRITES |
  (domain << DESCRIPTOR.DOMAIN_SHIFT)
