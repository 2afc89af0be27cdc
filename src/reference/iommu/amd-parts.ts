/** The decisions of an AMD-Vi unit (AMD IOMMU 3.08, chapter 2), each of which a seeded fault can replace. */
import {
  AMD_COMMAND,
  AMD_PAGE,
  AMD_PAGE_HIGH,
  AMD_RANGE,
  AMD_WAIT,
  DEVICE_ENTRY,
  DEVICE_ENTRY_HIGH,
  RING,
} from '../../layout/amd-iommu.ts'
import { INTERRUPT_WINDOW } from '../../layout/vtd.ts'
import type {
  AmdEvent,
  AmdState,
  CachedDirectory,
  CachedEntry,
  CachedLeaf,
  DeviceEntry,
  Dwords,
  Leaf,
  PageFlush,
  Rights,
} from './amd-state.ts'
import type { TranslationRequest } from './iommu.ts'
import { overlap, type Pages } from './pages.ts'

export interface AmdParts {
  /** Is the access an interrupt request? */
  isMessage(request: TranslationRequest): boolean
  /** Bytes of the access that the translation of its first page is good for. */
  reach(offset: number, left: number): number
  /** Is there no entry for the device in a table of so many bytes? */
  isOutside(requester: number, bytes: number): boolean
  isIllegalEntry(entry: Dwords): boolean
  /** Do requests pass untranslated by this entry? */
  passes(entry: DeviceEntry): boolean
  /** What the device table entry allows. */
  entryRights(entry: DeviceEntry): Rights
  /** Is the address past the width of the tables? */
  isBeyond(page: number, levels: number): boolean
  isReserved(high: number, leads: boolean): boolean
  /** Are the address bits between a level and the one that its entry leads to zero? */
  maySkip(page: number, level: number, next: number): boolean
  /** Does an entry lead down? */
  isLower(level: number, next: number): boolean
  /** What is allowed below an entry. */
  rights(above: Rights, high: number, leads: boolean): Rights
  /** How many pages an entry of the size that its address tells maps; undefined: no such size at this level. */
  sizeTold(level: number, low: number, high: number): number | undefined
  /** The page of memory behind a page of a leaf. */
  hostPage(leaf: Leaf, page: number): number
  /** Is a refusal for want of a right, or a mapping, remembered? */
  remembersAbsence(): boolean
  matches(cached: CachedLeaf, domain: number, page: number): boolean
  remembered(leaf: Leaf): Leaf
  /** The domain that a translation is tagged with. */
  tagOf(entry: DeviceEntry): number
  /** The pages that an invalidation names. */
  rangeOf(low: number, high: number): Pages
  /** The device that an invalidation names. */
  entryOf(command: Dwords): number
  deviceOf(command: Dwords): number
  dropsEntry(requester: number, cached: CachedEntry): boolean
  dropsLeaf(flush: PageFlush, cached: CachedLeaf): boolean
  dropsDirectory(flush: PageFlush, cached: CachedDirectory): boolean
  /** What is left of the entries after an invalidation of everything. */
  leftByAll(entries: CachedEntry[]): CachedEntry[]
  /** Is what is in flight waited for? */
  drains(): boolean
  isIllegalCommand(command: Dwords): boolean
  /** Does the unit halt at a command that it cannot perform? */
  halts(): boolean
  nextHead(head: number, bytes: number): number
  /** Is a wait answered when the command before it has its turn? */
  answersEarly(): boolean
  /** The data that a wait stores. */
  stored(command: Dwords): readonly [number, number]
  /** Is there no room for an event? */
  isFull(state: AmdState, bytes: number): boolean
  /** Does the log stop at an overflow? */
  stopsAtOverflow(): boolean
  isLogged(entry: DeviceEntry | undefined): boolean
  recorded(event: AmdEvent): AmdEvent
}

/** Bits that are reserved, by kind of command and dword; the kind is in bits 31 to 28 of the second. */
const RESERVED: Readonly<Record<number, Dwords>> = {
  [AMD_COMMAND.WAIT]: [0, 0x0ff0_0000, 0, 0],
  [AMD_COMMAND.ENTRY]: [0xffff_0000, 0x0fff_ffff, 0xffff_ffff, 0xffff_ffff],
  [AMD_COMMAND.PAGES]: [0xffff_ffff, 0x0fff_0000, AMD_RANGE.RESERVED | 4, 0],
  [AMD_COMMAND.DEVICE_TLB]: [0x00ff_0000, 0x0fff_0000, AMD_RANGE.RESERVED | 6, 0],
  [AMD_COMMAND.INTERRUPTS]: [0xffff_0000, 0x0fff_ffff, 0xffff_ffff, 0xffff_ffff],
  [AMD_COMMAND.ALL]: [0xffff_ffff, 0x0fff_ffff, 0xffff_ffff, 0xffff_ffff],
}

const LEVELS_MAX = 6
const ALL_PAGES = 2 ** 52

/** Pages by the lowest bit of an address, from 12 on, that is 0. */
export const pagesTold = (low: number, high: number): number => {
  let pages = 2
  for (let rest = (high >>> 0) * 2 ** 20 + (low >>> 12); rest % 2 === 1; rest = (rest - 1) / 2) pages *= 2
  return pages
}

const isInside = ({ page, pages }: Pages, outer: Pages): boolean =>
  page >= outer.page && page + pages <= outer.page + outer.pages

export const correctAmd: AmdParts = {
  isMessage: ({ access, iova, bytes, pasid, translated }) =>
    access === 'write' &&
    pasid === undefined &&
    translated !== true &&
    bytes === 4 &&
    iova % 4n === 0n &&
    iova >= BigInt(INTERRUPT_WINDOW.start) &&
    iova < BigInt(INTERRUPT_WINDOW.end),
  reach: (offset, left) => Math.min(left, 4096 - offset),
  isOutside: (requester, bytes) => (requester + 1) * DEVICE_ENTRY.bytes > bytes,
  isIllegalEntry([first, second]) {
    if ((first! & DEVICE_ENTRY.VALID) === 0) return false
    const mode = (first! >>> DEVICE_ENTRY.MODE_SHIFT) & DEVICE_ENTRY.MODE_MASK
    return mode > LEVELS_MAX || (first! & DEVICE_ENTRY.RESERVED) !== 0 || (second! & DEVICE_ENTRY_HIGH.RESERVED) !== 0
  },
  passes: ({ through }) => through,
  entryRights: ({ read, write }) => ({ read, write }),
  isBeyond: (page, levels) => page >= 512 ** levels,
  isReserved: (high, leads) => (high & (leads ? AMD_PAGE_HIGH.RESERVED_TABLE : AMD_PAGE_HIGH.RESERVED)) !== 0,
  maySkip: (page, level, next) => Math.floor(page / 512 ** next) % 512 ** (level - 1 - next) === 0,
  isLower: (level, next) => next < level,
  rights: (above, high) => ({
    read: above.read && (high & AMD_PAGE_HIGH.READ) !== 0,
    write: above.write && (high & AMD_PAGE_HIGH.WRITE) !== 0,
  }),
  sizeTold(level, low, high) {
    const pages = pagesTold(low, high & 0xf_ffff)
    const unit = 512 ** (level - 1)
    return pages > unit && pages < 512 * unit ? pages : undefined
  },
  hostPage: (leaf, page) => leaf.host + (page - leaf.page),
  remembersAbsence: () => false,
  matches: (cached, domain, page) => cached.domain === domain && overlap(cached, { page, pages: 1 }),
  remembered: (leaf) => leaf,
  tagOf: ({ domain }) => domain,
  rangeOf(low, high) {
    const page = (high >>> 0) * 2 ** 20 + (low >>> 12)
    if ((low & AMD_RANGE.SIZED) === 0) return { page, pages: 1 }
    const pages = Math.min(pagesTold(low, high), ALL_PAGES)
    return { page: page - (page % pages), pages }
  },
  entryOf: ([first]) => first! & 0xffff,
  deviceOf: ([first]) => first! & 0xffff,
  dropsEntry: (requester, cached) => cached.requester === requester,
  // A page that is named in part may stay: software names all of it.
  dropsLeaf: (flush, cached) => cached.domain === flush.domain && isInside(cached, flush),
  dropsDirectory: (flush, { domain, page, level }) =>
    flush.directories && domain === flush.domain && overlap(flush, { page, pages: 512 ** level }),
  leftByAll: () => [],
  drains: () => true,
  isIllegalCommand(command) {
    const reserved = RESERVED[command[1]! >>> AMD_COMMAND.KIND_SHIFT]
    return reserved === undefined || reserved.some((mask, at) => (command[at]! & mask) !== 0)
  },
  halts: () => true,
  nextHead: (head, bytes) => (head + RING.entryBytes) % bytes,
  answersEarly: () => false,
  stored: ([, , low, high]) => [low!, high!],
  isFull: ({ eventHead, eventTail }, bytes) => (eventTail + RING.entryBytes) % bytes === eventHead,
  stopsAtOverflow: () => true,
  isLogged: (entry) => entry?.quiet !== true,
  recorded: (event) => event,
}

/** The place that a wait stores to; undefined: none. */
export const storeOf = ([first, second]: Dwords): number | undefined =>
  (first! & AMD_WAIT.STORE) === 0 ? undefined : (second! & 0xf_ffff) * 2 ** 32 + ((first! & ~7) >>> 0)

export const nextOf = (low: number): number => (low >>> AMD_PAGE.NEXT_SHIFT) & AMD_PAGE.NEXT_MASK
