/**
 * A copy of what is mapped for each requester, as it is kept for a device that is assigned to a guest: the guest's tables are
 * looked at when the guest invalidates, not when the device accesses memory. Caching mode tells the guest to do so always.
 */
import { INTERRUPT_WINDOW } from '../../layout/vtd.ts'
import { overlap, type Pages } from './pages.ts'
import type { PageFlush, VtdParts } from './vtd-parts.ts'
import { ALL_PAGES, type Attachment, type Leaf, type Shadow } from './vtd-state.ts'
import type { VtdTables } from './vtd-tables.ts'

/** What is looked at and unmapped as one, in the order of that: around the interrupt window, where nothing is mapped. */
const WINDOWS: readonly Pages[] = [
  { page: INTERRUPT_WINDOW.end / 4096, pages: ALL_PAGES - INTERRUPT_WINDOW.end / 4096 },
  { page: 0, pages: INTERRUPT_WINDOW.start / 4096 },
]

const startsIn = ({ page, pages }: Pages, leaf: Leaf): boolean => leaf.page >= page && leaf.page < page + pages

/** Everything that tables map, looked at once however many requesters they are for. */
export const lister = (tables: VtdTables): ((attachment: Attachment) => readonly Leaf[]) => {
  const known = new Map<string, readonly Leaf[]>()
  return (attachment) => {
    const key = `${attachment.levels} ${attachment.table}`
    const mapped: Leaf[] = []
    if (!known.has(key)) tables.list(attachment, { page: 0, pages: ALL_PAGES }, (leaf) => mapped.push(leaf))
    known.set(key, known.get(key) ?? mapped)
    return known.get(key)!
  }
}

/** Everything anew. `attachment`: where the tables lead the requester now; undefined: nowhere. */
export const rebuild = (
  shadow: Shadow,
  attachment: Attachment | undefined,
  list: (attachment: Attachment) => readonly Leaf[],
  parts: VtdParts,
): void => {
  shadow.attachment = attachment ?? null
  shadow.through = attachment?.through ?? false
  if (attachment === undefined || attachment.through) {
    shadow.leaves = parts.withoutContext(shadow.leaves)
    return
  }
  const mapped = list(attachment)
  for (const window of WINDOWS) {
    const cleared = parts.unmapped(window)
    shadow.leaves = [
      ...shadow.leaves.filter((leaf) => !overlap(leaf, cleared)),
      ...mapped.filter((leaf) => startsIn(window, leaf)),
    ]
  }
}

/** What an invalidation of pages names, and all of every leaf that it touches. */
const grown = (flush: PageFlush, leaves: readonly Leaf[]): Pages => {
  const most = 2 ** flush.mask
  let first = flush.page - (flush.page % most)
  let end = first + most
  for (const leaf of leaves)
    if (overlap(leaf, { page: first, pages: end - first })) {
      first = Math.min(first, leaf.page)
      end = Math.max(end, leaf.page + leaf.pages)
    }
  return { page: first, pages: end - first }
}

/** Only the pages that an invalidation names. */
export const refresh = (
  shadow: Shadow,
  attachment: Attachment,
  flush: PageFlush,
  tables: VtdTables,
  parts: VtdParts,
): void => {
  const range = grown(flush, shadow.leaves)
  const mapped: Leaf[] = []
  const holes: Pages[] = []
  tables.list(
    attachment,
    range,
    (leaf) => mapped.push(leaf),
    (level, hole) => {
      if (parts.removesUnder(level)) holes.push(hole)
    },
  )
  const stays = (leaf: Leaf): boolean => ![...mapped, ...holes].some((changed) => overlap(leaf, changed))
  shadow.leaves = [...shadow.leaves.filter(stays), ...mapped]
}

/** What is mapped at a page; undefined: nothing. */
export const shadowLeaf = ({ through, leaves }: Shadow, page: number): Leaf | undefined =>
  through
    ? { page, pages: 1, host: page, read: true, write: true }
    : leaves.find((each) => page >= each.page && page < each.page + each.pages)
