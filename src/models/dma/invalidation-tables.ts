/** The tables of the machine `invalidation` in guest memory, and its frames, which tell by their contents which they are. */
import {
  CONTEXTS,
  ENTRIES,
  FRAMES,
  FRAMES_PER_TABLE,
  isForReads,
  isLargeFrame,
  largeOf,
  PAGES,
  pageTableOf,
  wayOf,
} from '../../../spec/dma/invalidation-tables.ts'
import type { Gpa } from '../../contract/target.ts'
import { CONTEXT_ENTRY, ROOT_ENTRY, SECOND_LEVEL, TRANSLATION_TYPE } from '../../layout/vtd.ts'
import { type Guest, loadInto } from '../guest/access.ts'
import { absent, contextEntry, indexAt, pagingEntry, rootEntry } from '../guest/vtd-entries.ts'
import { type Dwords, storeDwords } from '../guest/vtd-registers.ts'
import type { DmaSource } from './dma-source.ts'

const PAGE_BYTES = 4096
const BLOCK_BYTES = 512 * PAGE_BYTES
const TABLES = 2
const WAYS = 2
const BLOCKS = 2
const ROOTS = 2
const SMALL_FRAMES = FRAMES_PER_TABLE - 2
/** The first of the pages: begins a block. */
const FIRST_PAGE = 0x4000_0000 / PAGE_BYTES
/** Where frames hold their pattern, and where accesses write. */
const PATTERN_OFFSET = 0x40
const TAG_OFFSET = 0x84
const PATTERN = 0xa5c3_0000
/** Pages of tables and rings. */
const POOL_PAGES = 72
const FRAME_PAGES = PAGES.length * TABLES * SMALL_FRAMES
/** All but the large pages. */
export const ARENA_BYTES = (POOL_PAGES + FRAME_PAGES) * PAGE_BYTES
/** Domain ids by number; the last one is reserved for entries that are absent. */
export const DOMAIN_IDS = [5, 6, 0] as const

/** Where in guest memory all of it is. */
export interface Arena {
  readonly start: Gpa
  /** Large pages that there is room for, aligned. */
  readonly blocks: readonly Gpa[]
}

/** Room in the largest range of guest memory, and as many large pages as there are anywhere else, up to four. */
export const arenaOf = (memory: readonly { readonly start: Gpa; readonly end: Gpa }[]): Arena | undefined => {
  const [found] = [...memory].sort((a, b) => b.end - b.start - (a.end - a.start))
  if (found === undefined || found.end - found.start < ARENA_BYTES + PAGE_BYTES) return undefined
  const start = Math.ceil(found.start / PAGE_BYTES) * PAGE_BYTES
  const blocks: Gpa[] = []
  for (const range of memory) {
    const from = range === found ? start + ARENA_BYTES : range.start
    for (let at = Math.ceil(from / BLOCK_BYTES) * BLOCK_BYTES; at + BLOCK_BYTES <= range.end; at += BLOCK_BYTES)
      blocks.push(at)
  }
  return { start, blocks: blocks.slice(0, 2 * TABLES) }
}

/** What an access moved to or from: a frame, something else, or nothing. */
export type Found = number | 'elsewhere' | 'nothing'

export class InvalidationTables {
  readonly #guest: Guest
  readonly #arena: Arena
  readonly #sources: readonly DmaSource[]
  readonly #levels: number
  readonly #word = new Uint8Array(4)
  readonly #wordView = new DataView(this.#word.buffer)
  #taken = 0
  #roots: Gpa[] = []
  /** By root table and bus. */
  #contexts: Map<number, Gpa>[] = []
  #tops: Gpa[] = []
  #directories: Gpa[] = []
  /** By table, way and block. */
  #leaves: Gpa[] = []
  #tags = 0

  /** `levels`: 3 or 4. The first three pages of the arena are left to the rings. */
  constructor(guest: Guest, arena: Arena, sources: readonly DmaSource[], levels: number) {
    this.#guest = guest
    this.#arena = arena
    this.#sources = sources
    this.#levels = levels
  }

  /** Rings and status words have the first three pages. */
  get rings(): Gpa {
    return this.#arena.start
  }

  /** Tables that say nothing yet but for what sources need for themselves, and frames with their patterns. */
  start(): void {
    this.#taken = 3
    this.#tags = 0
    this.#contexts = []
    this.#roots = Array.from({ length: ROOTS }, () => this.#page())
    for (const root of this.#roots) {
      const contexts = new Map<number, Gpa>()
      for (const { requester } of this.#sources) {
        const bus = requester >> 8
        if (contexts.has(bus)) continue
        const gpa = this.#page()
        contexts.set(bus, gpa)
        storeDwords(this.#guest, root + ROOT_ENTRY.bytes * bus, rootEntry(gpa))
      }
      this.#contexts.push(contexts)
    }
    this.#tops = []
    this.#directories = []
    this.#leaves = []
    for (let table = 0; table < TABLES; table++) {
      const top = this.#page()
      this.#tops.push(top)
      this.#directories.push(this.#down(top, FIRST_PAGE, this.#levels, 2))
      for (let i = 0; i < WAYS * BLOCKS; i++) this.#leaves.push(this.#page())
      for (const { window } of this.#sources)
        for (let at = 0; at < (window?.bytes ?? 0); at += PAGE_BYTES) {
          const page = (window!.start + at) / PAGE_BYTES
          const leaves = this.#down(top, page, this.#levels, 1)
          this.#entry(leaves, page, 1, pagingEntry({ address: page * PAGE_BYTES }))
        }
    }
    for (let page = 0; page < PAGES.length; page++)
      for (let frame = 0; frame < FRAMES; frame++)
        if (this.#has(frame)) this.#fill(this.#gpaOf(page, frame) + PATTERN_OFFSET, patternOf(page, frame))
  }

  /** Memory outlives a run: what an earlier one wrote is not to be found. */
  #fill(gpa: Gpa, pattern: number): void {
    const bytes = new DataView(new ArrayBuffer(TAG_OFFSET + 4 - PATTERN_OFFSET))
    bytes.setUint32(0, pattern, true)
    this.#guest.target.store(gpa, new Uint8Array(bytes.buffer))
  }

  #page(): Gpa {
    const gpa = this.#arena.start + PAGE_BYTES * this.#taken++
    this.#guest.target.store(gpa, new Uint8Array(PAGE_BYTES))
    return gpa
  }
  /** The table of the level `to` that is for a page, made where there is none. */
  #down(top: Gpa, page: number, from: number, to: number): Gpa {
    let table = top
    for (let level = from; level > to; level--) {
      const at = table + SECOND_LEVEL.bytes * indexAt(page, level)
      const entry = this.#guest.load32(at)
      if (entry === 0) {
        const next = this.#page()
        storeDwords(this.#guest, at, pagingEntry({ address: next }))
        table = next
      } else table = entry - (entry % PAGE_BYTES)
    }
    return table
  }
  #entry(table: Gpa, page: number, level: number, dwords: Dwords): void {
    storeDwords(this.#guest, table + SECOND_LEVEL.bytes * indexAt(page, level), dwords)
  }

  rootAt(root: number): Gpa {
    return this.#roots[root]!
  }

  setContext(root: number, source: DmaSource, context: number): void {
    const kind = CONTEXTS[context]
    const entry =
      kind === undefined
        ? absent(CONTEXT_ENTRY.bytes)
        : contextEntry({
            type: source.ats ? TRANSLATION_TYPE.ALL : TRANSLATION_TYPE.UNTRANSLATED,
            width: this.#levels - 2,
            domain: DOMAIN_IDS[kind.domain]!,
            table: this.#tops[kind.table]!,
          })
    const { requester } = source
    const table = this.#contexts[root]!.get(requester >> 8)!
    storeDwords(this.#guest, table + CONTEXT_ENTRY.bytes * (requester & 0xff), entry)
  }

  setDirectory(table: number, block: number, directory: number): void {
    const [way, large] = [wayOf(directory), largeOf(directory)]
    const entry =
      large !== undefined
        ? pagingEntry({ address: this.#arena.blocks[table * 2 + large]!, large: true })
        : way === undefined
          ? absent(SECOND_LEVEL.bytes)
          : pagingEntry({ address: this.#leavesAt(table, pageTableOf(way), block), write: !isForReads(way) })
    this.#entry(this.#directories[table]!, FIRST_PAGE + 512 * block, 2, entry)
  }

  setEntry(table: number, way: number, page: number, entry: number): void {
    const kind = ENTRIES[entry]
    const number = PAGES[page]!
    const dwords =
      kind === undefined
        ? absent(SECOND_LEVEL.bytes)
        : pagingEntry({
            read: kind.reads,
            write: kind.writes,
            address: this.#gpaOf(page, table * FRAMES_PER_TABLE + way * 2 + kind.version),
          })
    this.#entry(this.#leavesAt(table, way, Math.floor(number / 512)), FIRST_PAGE + number, 1, dwords)
  }
  #leavesAt(table: number, way: number, block: number): Gpa {
    return this.#leaves[(table * WAYS + way) * BLOCKS + block]!
  }

  /** The page as invalidations name it. */
  numberOf(page: number): number {
    return FIRST_PAGE + PAGES[page]!
  }

  #has(frame: number): boolean {
    return !isLargeFrame(frame) || this.#blockOf(frame) < this.#arena.blocks.length
  }
  #blockOf(frame: number): number {
    return Math.floor(frame / FRAMES_PER_TABLE) * 2 + (frame % FRAMES_PER_TABLE) - SMALL_FRAMES
  }
  #gpaOf(page: number, frame: number): Gpa {
    if (isLargeFrame(frame)) return this.#arena.blocks[this.#blockOf(frame)]! + (PAGES[page]! % 512) * PAGE_BYTES
    const table = Math.floor(frame / FRAMES_PER_TABLE)
    const number = (page * TABLES + table) * SMALL_FRAMES + (frame % FRAMES_PER_TABLE)
    return this.#arena.start + (POOL_PAGES + number) * PAGE_BYTES
  }

  /** The address at which a page is read, and at which it is written. */
  iovaOf(page: number, access: 'read' | 'write'): bigint {
    return BigInt(this.numberOf(page) * PAGE_BYTES + (access === 'read' ? PATTERN_OFFSET : TAG_OFFSET))
  }
  /** A word that was not written before. */
  newTag(): number {
    this.#tags = (this.#tags + 1) % 2 ** 24
    return 0x5a00_0000 + this.#tags
  }

  /** Whose pattern was read at a page. */
  findRead(page: number, word: number): Found {
    if (word === 0) return 'nothing'
    for (let frame = 0; frame < FRAMES; frame++) if (word === patternOf(page, frame)) return frame
    // The first page of either block shares the large pages.
    for (let other = 0; other < PAGES.length; other++)
      for (let frame = 0; frame < FRAMES; frame++)
        if (word === patternOf(other, frame) && this.#gpaOf(other, frame) === this.#gpaOf(page, frame)) return frame
    return 'elsewhere'
  }

  /** Where a word was written that was meant for a page. */
  findWritten(page: number, tag: number): Found {
    for (let frame = 0; frame < FRAMES; frame++) if (this.#holds(page, frame, tag)) return frame
    for (let other = 0; other < PAGES.length; other++)
      for (let frame = 0; frame < FRAMES; frame++) if (this.#holds(other, frame, tag)) return 'elsewhere'
    return 'nothing'
  }
  #holds(page: number, frame: number, tag: number): boolean {
    if (!this.#has(frame)) return false
    loadInto(this.#guest.target, this.#gpaOf(page, frame) + TAG_OFFSET, this.#word)
    return this.#wordView.getUint32(0, true) === tag
  }

  /** Which frame of a page has this address in it; undefined: none. */
  frameAt(page: number, gpa: Gpa): number | undefined {
    for (let frame = 0; frame < FRAMES; frame++)
      if (this.#has(frame) && Math.floor(gpa / PAGE_BYTES) * PAGE_BYTES === this.#gpaOf(page, frame)) return frame
    return undefined
  }

  notes(): readonly unknown[] {
    return [this.#tags]
  }
}

const patternOf = (page: number, frame: number): number => PATTERN + page * FRAMES + frame

export const largesOf = ({ blocks }: Arena): number => Math.floor(blocks.length / TABLES)
