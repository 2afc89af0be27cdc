/**
 * The entries that are written to the tables of a VT-d unit, the pages that are accessed, and where all of it is (VT-d 4.1,
 * chapters 3 and 9).
 *
 * Two domains have one table of each level, all in memory. By default every entry of a table leads to the one table of the
 * next level, so that the last entry alone decides where an address leads, until entries above are changed. Pages of memory are
 * counted from the arena on, which is three blocks of 2 MiB: tables, frames of domain 0, frames of domain 1.
 */

const DOMAINS = 2
/** Pages in a block, and entries in a table. */
export const TABLE_ENTRIES = 512
const BLOCK = TABLE_ENTRIES
/** Pages in 1 GiB. */
const GIB = BLOCK * BLOCK
/** A page of the arena at which there is no memory. */
export const NOWHERE = GIB
/** The interrupt window: its first and last page. */
const WINDOW = { first: 0xfee00, last: 0xfeeff } as const
export const isWindow = (page: number): boolean => page >= WINDOW.first && page <= WINDOW.last

/** An IOVA by the indexes at the levels 4 to 1; `high` are the bits above. The block of domain 0 is number 1 of the arena. */
interface ChosenPage {
  readonly indexes: readonly [number, number, number | 'first' | 'second', number]
  readonly high?: number
}
/** A scope takes the first so many. The first four are addresses of frames as well. */
const CHOSEN: readonly ChosenPage[] = [
  { indexes: [0, 0, 'first', 511] },
  { indexes: [0, 0, 'second', 0] },
  { indexes: [0, 0, 'first', 1] },
  { indexes: [0, 0, 'first', 0] },
  { indexes: [0, 1, 'first', 1] },
  { indexes: [0, 511, 511, 511] },
  { indexes: [1, 0, 0, 0] },
  { indexes: [0, 3, 503, 0] },
  { indexes: [0, 3, 502, 511] },
  { indexes: [256, 0, 'first', 1] },
  { indexes: [511, 511, 511, 511] },
  { indexes: [0, 0, 0, 0], high: 1 },
  { indexes: [0, 0, 'first', 1], high: 2 ** 15 },
]

/** Page numbers of the chosen IOVAs. `arena`: the page at which it starts, a multiple of 512 below 2^18. */
export const pagesOf = (count: number, arena: number): readonly number[] =>
  CHOSEN.slice(0, count).map(({ indexes, high = 0 }) => {
    const block = arena / BLOCK
    const second = { first: block + 1, second: block + 2 }
    return indexes.reduce<number>(
      (page, index) => page * BLOCK + (typeof index === 'number' ? index : second[index]),
      high,
    )
  })
/** Index into a table of a level, 1 being the last one. */
export const indexAt = (page: number, level: number): number => Math.floor(page / BLOCK ** (level - 1)) % BLOCK

/** An entry of a table of any level. */
export interface PagingEntry {
  readonly read: boolean
  readonly write: boolean
  /** Maps a page of 2 MiB or 1 GiB, at the levels that can. */
  readonly large: boolean
  /** The next table or the frame of this domain, of the other one, none at all, the table that the entry is in. */
  readonly to: 'own' | 'other' | 'nowhere' | 'self'
  /** A bit that has to be zero is set: one beyond all addresses, or one below a large page. */
  readonly flaw: 'none' | 'reserved' | 'misaligned'
}
const plain: PagingEntry = { read: true, write: true, large: false, to: 'own', flaw: 'none' }

/** Number in the lists below of the entry that is there at first. */
export const PLAIN = 1
/** A scope takes the first so many: the simplest come first. */
const paging: readonly PagingEntry[] = [
  { ...plain, read: false, write: false },
  plain,
  { ...plain, write: false },
  { ...plain, read: false },
  { ...plain, flaw: 'reserved' },
  { ...plain, large: true },
  { ...plain, to: 'other' },
  { ...plain, to: 'nowhere' },
  { ...plain, large: true, write: false },
  { ...plain, to: 'self' },
  { ...plain, read: false, write: false, flaw: 'reserved' },
  { ...plain, write: false, flaw: 'reserved' },
  { ...plain, large: true, read: false, to: 'other' },
  { ...plain, large: true, flaw: 'misaligned' },
]
export const pagingEntriesOf = (count: number): readonly PagingEntry[] => paging.slice(0, count)
/** Only entries of the levels 2 and 3 are written as large ones. */
export const fitsLevel = ({ large }: PagingEntry, level: number): boolean => !large || level === 2 || level === 3

/** What the memory of an entry says. */
export interface PagingContent {
  readonly read: boolean
  readonly write: boolean
  readonly large: boolean
  readonly reserved: boolean
  /** Page of the arena. */
  readonly address: number
}
/** Page of the arena where a domain has its table of a level. */
export const tableAt = (domain: number, level: number): number => 16 + 8 * domain + level
/** The table that is at a page of the arena. */
export const tableOf = (at: number): { readonly domain: number; readonly level: number } | undefined => {
  const [domain, level] = [Math.floor((at - 16) / 8), (at - 16) % 8]
  return domain >= 0 && domain < DOMAINS && level >= 1 && level <= LEVELS_MAX ? { domain, level } : undefined
}
const LEVELS_MAX = 4

/** `index`: where in the table of `domain` and `level` it is written. */
export const contentOf = (
  entry: PagingEntry,
  place: { readonly domain: number; readonly level: number; readonly index: number; readonly arena: number },
): PagingContent => {
  const { read, write, large, flaw } = entry
  return { read, write, large, reserved: flaw === 'reserved', address: addressOf(entry, place) }
}
const addressOf = (
  { large, to, flaw }: PagingEntry,
  { domain, level, index, arena }: { domain: number; level: number; index: number; arena: number },
): number => {
  if (to === 'nowhere') return NOWHERE
  if (to === 'self') return tableAt(domain, level)
  const whose = to === 'own' ? domain : 1 - domain
  const block = BLOCK * (1 + whose)
  const shift = flaw === 'misaligned' ? 1 : 0
  if (large) return shift + (level === 2 ? block : -(arena % GIB))
  return level === 1 ? block + index : tableAt(whose, level - 1)
}

/** Pages of the arena that are followed: three frames of each domain, then the tables. */
const FRAME_INDEXES = [0, 1, 511] as const
export const FRAMES: readonly number[] = [
  ...[1, 2].flatMap((block) => FRAME_INDEXES.map((index) => BLOCK * block + index)),
  ...[0, 1].flatMap((domain) => [1, 2, 3, 4].map((level) => tableAt(domain, level))),
]
/** So many of them hold data. */
export const DATA_FRAMES = DOMAINS * FRAME_INDEXES.length
/** What an access reached: nothing, or something that is none of the frames; else a frame, counted from here on. */
export const NOTHING = 0
export const ELSEWHERE = 1
export const FIRST_FRAME = 2

/** A context entry of legacy mode. */
export interface ContextEntry {
  readonly present: boolean
  /** Faults are not recorded. */
  readonly silent: boolean
  readonly type: 'tables' | 'translated' | 'pass' | 'reserved'
  /** Number of levels: the most that the unit has, three of them although it has four, a number that it has not. */
  readonly width: 'full' | 'narrow' | 'unknown'
  readonly domain: number
  /** The address of its table is one without memory. */
  readonly astray: boolean
  /** Which reserved bit is set: beside the flags, beside the domain, in the last dword, of an address beyond all. */
  readonly flaw: 'none' | 'low' | 'third' | 'high' | 'beyond'
}
const attached: ContextEntry = {
  present: true,
  silent: false,
  type: 'tables',
  width: 'full',
  domain: 0,
  astray: false,
  flaw: 'none',
}
const contexts: readonly ContextEntry[] = [
  { ...attached, present: false },
  attached,
  { ...attached, domain: 1 },
  { ...attached, silent: true },
  { ...attached, type: 'pass', astray: true },
  { ...attached, width: 'narrow' },
  { ...attached, present: false, silent: true },
  { ...attached, flaw: 'high' },
  { ...attached, flaw: 'low' },
  { ...attached, astray: true },
  { ...attached, width: 'unknown' },
  { ...attached, type: 'translated' },
  { ...attached, width: 'narrow', domain: 1 },
  { ...attached, type: 'reserved' },
  { ...attached, flaw: 'third' },
  { ...attached, flaw: 'beyond' },
]
/** Those of so many domains. */
export const contextEntriesOf = (count: number, domains: number): readonly ContextEntry[] =>
  contexts.filter(({ domain }) => domain < domains).slice(0, count)

/** A root entry: leads to the context table of its bus or of the other one, or to no memory. */
export interface RootEntry {
  readonly present: boolean
  readonly to: 'own' | 'other' | 'nowhere'
  readonly flaw: 'none' | 'low' | 'high' | 'beyond'
}
const rooted: RootEntry = { present: true, to: 'own', flaw: 'none' }
const roots: readonly RootEntry[] = [
  { ...rooted, present: false },
  rooted,
  { ...rooted, to: 'nowhere' },
  { ...rooted, flaw: 'low' },
  { ...rooted, flaw: 'high' },
  { ...rooted, present: false, flaw: 'low' },
  { ...rooted, to: 'other' },
  { ...rooted, flaw: 'beyond' },
]
export const rootEntriesOf = (count: number): readonly RootEntry[] => roots.slice(0, count)
/** Root tables by number: two, and one outside memory. */
export const ROOTS_READABLE = 2
