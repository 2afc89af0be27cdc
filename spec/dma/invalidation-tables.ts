/**
 * What the tables of the machine `invalidation` can say (VT-d 4.1, chapters 3 and 9), as catalogues: what a context entry
 * names, what a directory entry and a page entry lead to, and the translations and frames that come of them.
 *
 * Two domains, each with tables of its own. Of a table three pages are in one block of 2 MiB, its first two and its last
 * one, and the fourth is the first of the next block. A directory entry leads through one of two page tables, through the
 * first of them for reads alone, or maps the block as one large page. Each page has frames of its own at the end of each way, so that where data arrive tells by which
 * way they came.
 */

/** Pages by number, counted from an address that begins a block. */
export const PAGES = [0, 1, 511, 512] as const
const PAGES_PER_BLOCK = 512
export const blockOf = (page: number): number => Math.floor(PAGES[page]! / PAGES_PER_BLOCK)

/** How many pages an invalidation by page is about: an aligned group of two to the power of these. */
export const SPAN_MASKS = { page: 0, pair: 1, block: 9, blocks: 10 } as const
export type Span = keyof typeof SPAN_MASKS
/** Whether the group of pages that `page` is in has `other` in it. */
export const isCovered = (span: Span, page: number, other: number): boolean =>
  Math.floor(PAGES[page]! / 2 ** SPAN_MASKS[span]) === Math.floor(PAGES[other]! / 2 ** SPAN_MASKS[span])
export const coversBlocks = (span: Span): boolean => SPAN_MASKS[span] >= SPAN_MASKS.block

/** What a context entry says: the domain under which translations are cached, and the table that is walked. */
export interface ContextKind {
  readonly domain: number
  readonly table: number
}
/** By number; 0 is absent. The last one moves a domain to the other table. */
export const CONTEXTS: readonly (ContextKind | undefined)[] = [
  undefined,
  { domain: 0, table: 0 },
  { domain: 1, table: 1 },
  { domain: 0, table: 1 },
]
export const CONTEXT_NAMES = ['absent', 'first', 'second', 'moved'] as const
/** Domain identifiers by number; where absent entries are cached, they are so under the last one, which is reserved. */
export const DOMAINS = 2
export const NO_DOMAIN = 2

/** What a directory entry says. */
export const DIRECTORY_NAMES = ['absent', 'through A', 'through B', 'large', 'other large', 'A for reads'] as const
export const ABSENT = 0
const WAYS = 2
const FIRST_LARGE = 1 + WAYS
const LARGES = 2
const FOR_READS = FIRST_LARGE + LARGES
/** Ways are page tables, and the first of them once more, for reads alone. */
export const WAYS_HELD = WAYS + 1
const WAY_FOR_READS = WAYS
/** Which way it leads; undefined: none. */
export const wayOf = (directory: number): number | undefined => {
  if (directory === FOR_READS) return WAY_FOR_READS
  return directory === ABSENT || directory >= FIRST_LARGE ? undefined : directory - 1
}
/** Which page table a way goes through. */
export const pageTableOf = (way: number): number => (way === WAY_FOR_READS ? 0 : way)
/** Whether nothing is written by way of it, whatever page entries allow. */
export const isForReads = (way: number): boolean => way === WAY_FOR_READS
/** Which large page it maps; undefined: none. */
export const largeOf = (directory: number): number | undefined =>
  directory >= FIRST_LARGE && directory < FOR_READS ? directory - FIRST_LARGE : undefined

/** What directory entries say at first: of each table one block is a large page, if there are any. */
export const firstDirectory = (table: number, block: number, directories: number): number =>
  directories > FIRST_LARGE && (table + block) % 2 === 1 ? FIRST_LARGE : 1

/** What a page entry says: which of two frames, and who may use it. */
export const ENTRY_NAMES = ['absent', 'mapped', 'read-only', 'replaced', 'write-only'] as const
interface EntryKind {
  readonly version: number
  readonly reads: boolean
  readonly writes: boolean
}
export const ENTRIES: readonly (EntryKind | undefined)[] = [
  undefined,
  { version: 0, reads: true, writes: true },
  { version: 0, reads: true, writes: false },
  { version: 1, reads: true, writes: true },
  { version: 1, reads: false, writes: true },
]

/** What page entries say at first; where there are all kinds, one page is for reads alone. */
export const firstEntry = (way: number, page: number, entries: number): number => {
  if (way > 0) return Math.min(3, entries - 1)
  return page === 1 && entries === ENTRIES.length ? 2 : 1
}

/**
 * A translation, as the unit may cache it for a page: a page entry reached by a way, or a large page. Frames of a page are
 * numbered alike: by table, two by each way, then the large pages.
 */
const SMALL = WAYS_HELD * (ENTRIES.length - 1)
const PER_TABLE = SMALL + LARGES
const FRAMES_SMALL = 2 * WAYS
export const FRAMES_PER_TABLE = FRAMES_SMALL + LARGES
const TABLES = 2
export const TRANSLATIONS = TABLES * PER_TABLE
/** Members of sets of translations beside them: an absent page entry, and an absent directory entry. */
export const ABSENT_ENTRY = TABLES * PER_TABLE
export const ABSENT_DIRECTORY = ABSENT_ENTRY + 1
export const FRAMES = TABLES * FRAMES_PER_TABLE
/** What comes of an access, beside the frames: data arrived where no page is, or nothing was moved. */
export const ELSEWHERE = TABLES * FRAMES_PER_TABLE
export const REFUSED = FRAMES + 1
export const OUTCOMES = FRAMES + 2

export const smallTranslation = (table: number, way: number, entry: number): number =>
  table * PER_TABLE + way * (ENTRIES.length - 1) + entry - 1
export const largeTranslation = (table: number, large: number): number => table * PER_TABLE + SMALL + large
export const smallFrame = (table: number, way: number, version: number): number =>
  table * FRAMES_PER_TABLE + way * 2 + version
export const largeFrame = (table: number, large: number): number => table * FRAMES_PER_TABLE + FRAMES_SMALL + large

export const tableOfFrame = (frame: number): number => Math.floor(frame / FRAMES_PER_TABLE)
export const isLargeFrame = (frame: number): boolean => frame < FRAMES && frame % FRAMES_PER_TABLE >= FRAMES_SMALL
/** By which page table a frame that is not of a large page is reached. */
export const wayOfFrame = (frame: number): number => Math.floor((frame % FRAMES_PER_TABLE) / 2)

export type Access = 'read' | 'write'
interface Translation {
  readonly frame: number
  readonly reads: boolean
  readonly writes: boolean
}
const translations: readonly Translation[] = Array.from({ length: TRANSLATIONS }, (_, number) => {
  const table = Math.floor(number / PER_TABLE)
  const rest = number % PER_TABLE
  if (rest >= SMALL) return { frame: largeFrame(table, rest - SMALL), reads: true, writes: true }
  const { version, reads, writes } = ENTRIES[1 + (rest % (ENTRIES.length - 1))]!
  const way = Math.floor(rest / (ENTRIES.length - 1))
  return { frame: smallFrame(table, pageTableOf(way), version), reads, writes: writes && !isForReads(way) }
})

const maskOf = (members: readonly number[]): number => members.reduce((mask, member) => mask | (1 << member), 0)
/** All translations that are of large pages, as a mask. */
export const LARGE_TRANSLATIONS = maskOf(
  Array.from({ length: TABLES * LARGES }, (_, i) => largeTranslation(Math.floor(i / LARGES), i % LARGES)),
)
/** All translations: what remains of a set without absences. */
export const PRESENT = 2 ** TRANSLATIONS - 1

/** What an access comes to through these translations, as a mask of outcomes: frames, and a refusal for want of permission. */
export const outcomesOf = (held: number, access: Access): number => {
  let outcomes = 0
  for (let rest = held & PRESENT; rest !== 0; rest &= rest - 1) {
    const { frame, reads, writes } = translations[31 - Math.clz32(rest & -rest)]!
    outcomes |= 1 << ((access === 'read' ? reads : writes) ? frame : REFUSED)
  }
  return held > PRESENT ? outcomes | (1 << REFUSED) : outcomes
}
