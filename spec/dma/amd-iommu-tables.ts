/**
 * What the tables of the machine `amd-iommu` can say (AMD IOMMU 3.08, 2.2), as catalogues: device table entries, entries
 * that are for 1 GiB (directories), page entries, and the places that accesses are made at.
 *
 * Two domains with tables of three and of four levels, each with regions of 1 GiB. Each page has frames of its own at the end of each way,
 * so that where data arrive tells by which way they came.
 */

export type Access = 'read' | 'write'

/** What a device table entry says. */
interface EntryKind {
  readonly is: 'passing' | 'led' | 'direct' | 'closed' | 'illegal'
  readonly domain: number
  readonly reads: boolean
  readonly writes: boolean
  readonly quiet: boolean
}
const led = (domain: number, more: Partial<EntryKind> = {}): EntryKind => ({
  is: 'led',
  domain,
  reads: true,
  writes: true,
  quiet: false,
  ...more,
})
export const ENTRY_NAMES = [
  'first',
  'second',
  'passing',
  'reading',
  'writing',
  'direct',
  'direct reading',
  'closed',
  'reserved mode',
  'reserved bits',
  'quiet',
  'outside',
] as const
export const ENTRIES: readonly EntryKind[] = [
  led(0),
  led(1),
  // V is clear.
  led(0, { is: 'passing' }),
  led(0, { writes: false }),
  led(0, { reads: false }),
  // Mode 0: no tables, but the rights of the entry.
  led(0, { is: 'direct' }),
  led(0, { is: 'direct', writes: false }),
  // TV is clear.
  led(0, { is: 'closed' }),
  led(0, { is: 'illegal' }),
  led(0, { is: 'illegal' }),
  led(0, { reads: false, writes: false, quiet: true }),
  // The device table ends before the entry: of a device with a high number alone.
  led(0, { is: 'illegal' }),
]

/** What a directory entry says. `table` and `reading` lead to one and the same table. */
export const WAY_NAMES = ['absent', 'table', 'other', 'reading', 'large', 'skipping', 'reserved', 'upwards'] as const
const [NO_WAY, TABLE, OTHER, READING, LARGE, SKIPPING] = [0, 1, 2, 3, 4, 5] as const
/** What the first page entry of the table says; `sized`: 32 KiB by its address, and the seven after it the same. */
export const LEAF_NAMES = ['absent', 'mapped', 'reading', 'writing', 'moved', 'sized', 'reserved', 'downwards'] as const
const [NO_LEAF, MAPPED, LEAF_READING, LEAF_WRITING, MOVED, SIZED] = [0, 1, 2, 3, 4, 5] as const
const LEAVES = LEAF_NAMES.length

/** A translation, as the unit may hold it, by number. */
export const translationOf = (way: number, leaf: number): number => {
  if (way === TABLE) return leaf
  if (way === READING) return LEAVES + leaf
  return 2 * LEAVES + way
}
export const TRANSLATIONS = 2 * LEAVES + WAY_NAMES.length
/** Those that say that nothing is there. */
export const ABSENT_MASK =
  (1 << NO_LEAF) | (1 << translationOf(READING, NO_LEAF)) | (1 << translationOf(NO_WAY, NO_LEAF))

/** Pages of an access, from the start of its region. */
export const INNER_PAGE = 5
export const SPOTS = ['first', 'inner', 'beyond', 'wide'] as const
export interface Place {
  readonly region: number
  /** `beyond`: 2 MiB on, `wide`: 512 GiB on. */
  readonly spot: (typeof SPOTS)[number] | 'low'
}
/** By number. The last one is an address of memory that is mapped nowhere: what passes arrives there. */
export const PLACES: readonly Place[] = [
  { region: 0, spot: 'first' },
  { region: 0, spot: 'inner' },
  { region: 0, spot: 'beyond' },
  { region: 0, spot: 'wide' },
  { region: 0, spot: 'low' },
  { region: 1, spot: 'first' },
  { region: 1, spot: 'inner' },
]

/** Frames by number: of each region of each domain these, then those of the large page, and the one at the last place. */
export const FRAME = { first: 0, inner: 1, moved: 2, other: 3, skipped: 4, count: 5 } as const
const REGIONS = 2
export const LARGE_FRAMES = 2 * REGIONS * FRAME.count
export const LOW_FRAME = LARGE_FRAMES + 2
export const FRAMES = LOW_FRAME + 1
/** What comes of an access, beside the frames. */
export const REFUSED = LOW_FRAME + 1
export const ELSEWHERE = FRAMES + 1
export const OUTCOMES = FRAMES + 2
export const frameAt = (domain: number, region: number, frame: number): number =>
  (domain * REGIONS + region) * FRAME.count + frame

interface Leading {
  readonly frame: number
  readonly reads: boolean
  readonly writes: boolean
}
const both = (frame: number): Leading => ({ frame, reads: true, writes: true })
/** Where a translation leads; undefined: nowhere. */
const leadsTo = (translation: number, domain: number, { region, spot }: Place): Leading | undefined => {
  const at = (frame: number): Leading => both(frameAt(domain, region, frame))
  if (spot === 'beyond' || spot === 'wide' || spot === 'low') return undefined
  if (translation >= 2 * LEAVES) {
    const way = translation - 2 * LEAVES
    if (way === LARGE) return both(LARGE_FRAMES + (spot === 'inner' ? 1 : 0))
    if (spot === 'inner') return undefined
    return way === OTHER ? at(FRAME.other) : way === SKIPPING ? at(FRAME.skipped) : undefined
  }
  const leaf = translation % LEAVES
  const writes = translation < LEAVES
  if (leaf === SIZED) return { ...at(spot === 'inner' ? FRAME.inner : FRAME.first), writes }
  if (spot === 'inner') return undefined
  if (leaf === MOVED) return { ...at(FRAME.moved), writes }
  if (leaf !== MAPPED && leaf !== LEAF_READING && leaf !== LEAF_WRITING) return undefined
  return {
    frame: frameAt(domain, region, FRAME.first),
    reads: leaf !== LEAF_WRITING,
    writes: writes && leaf !== LEAF_READING,
  }
}

/** How many pages a translation is for. */
const pagesOf = (translation: number): number => {
  if (translation === translationOf(LARGE, 0)) return 512
  return translation < 2 * LEAVES && translation % LEAVES === SIZED ? 8 : 1
}
/** Pages of an invalidation, from the start of a region on. */
export const SPAN_PAGES = { page: 1, sized: 8, block: 512, region: 2 ** 18 } as const
export type Span = keyof typeof SPAN_PAGES
/** Translations that an invalidation takes: those that it names in part may stay. As a mask. */
export const takenBy = (span: Span): number => {
  let mask = 0
  for (let one = 0; one < TRANSLATIONS; one++) if (pagesOf(one) <= SPAN_PAGES[span]) mask |= 1 << one
  return mask
}

/** What is logged of a refusal, by number: a page fault by domain, an illegal entry; `NOTHING`: it may be that nothing is. */
export const EVENT = { firstFault: 0, secondFault: 1, illegal: 2, NOTHING: 3 } as const
const EVERY_EVENT = 0b1111

/** What comes of an access by one entry and one translation: an outcome, and for a refusal its events as a mask. */
export const resultOf = (
  entry: EntryKind,
  translation: number,
  place: Place,
  access: Access,
): { readonly as: number; readonly events: number } => {
  const none = { as: REFUSED, events: 1 << EVENT.NOTHING }
  const allowed = access === 'read' ? entry.reads : entry.writes
  const fault = { as: REFUSED, events: entry.quiet ? 1 << EVENT.NOTHING : 1 << entry.domain }
  switch (entry.is) {
    case 'illegal':
      return { as: REFUSED, events: 1 << EVENT.illegal }
    case 'closed':
      return { as: REFUSED, events: EVERY_EVENT }
    case 'passing':
    case 'direct':
      if (entry.is === 'direct' && !allowed) return fault
      // There is no memory at the other places: the bus refuses.
      return place.spot === 'low' ? { as: LOW_FRAME, events: 0 } : none
    default: {
      const found = leadsTo(translation, entry.domain, place)
      if (!allowed || found === undefined) return fault
      return (access === 'read' ? found.reads : found.writes) ? { as: found.frame, events: 0 } : fault
    }
  }
}
