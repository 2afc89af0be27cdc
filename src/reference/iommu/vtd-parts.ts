/** The decisions of a VT-d style unit (VT-d 4.1, chapters 3, 4, 6 and 7), each of which a seeded fault can replace. */
import {
  CONTEXT_ENTRY,
  CONTEXT_ENTRY_HIGH,
  DEVICE_TLB_RANGE,
  FUNCTIONS_LEFT_OUT,
  GRANULARITY,
  INTERRUPT_WINDOW,
  PASID_GRANULARITY,
  ROOT_ADDRESS,
  ROOT_ENTRY,
  SECOND_LEVEL,
  SECOND_LEVEL_HIGH,
  TRANSLATION_TYPE,
} from '../../layout/vtd.ts'
import type { TranslationRequest } from './iommu.ts'
import { overlap, type Pages } from './pages.ts'
import {
  ALL_PAGES,
  type Attachment,
  type CachedContext,
  type CachedDirectory,
  type CachedLeaf,
  type CachedPasid,
  type Directory,
  type FaultRecord,
  HOST_BITS,
  type Leaf,
  type Root,
  type VtdState,
} from './vtd-state.ts'

/** What is allowed. */
export type Rights = Pick<Directory, 'read' | 'write'>

/** An entry or a descriptor as dwords. */
export type Dwords = readonly number[]

/** An invalidation of the context cache. */
export interface ContextFlush {
  /** `GRANULARITY`. */
  readonly granularity: number
  readonly domain: number
  readonly requester: number
  /** Index into `FUNCTIONS_LEFT_OUT`. */
  readonly functions: number
}
/** An invalidation of the IOTLB and of the cache of tables. */
export interface PageFlush {
  /** `GRANULARITY`. */
  readonly granularity: number
  readonly domain: number
  readonly page: number
  /** log2 of the number of pages. */
  readonly mask: number
  /** Only entries that map pages were changed. */
  readonly hint: boolean
  readonly drainReads: boolean
  readonly drainWrites: boolean
}
/** An invalidation of the cache of PASID entries. */
export interface PasidFlush {
  /** `PASID_GRANULARITY`. */
  readonly granularity: number
  readonly domain: number
  readonly pasid: number
}
export interface VtdParts {
  /** Is the access an interrupt request? */
  isMessage(request: TranslationRequest): boolean
  /** Is the interrupt window no memory, neither before the translation nor behind it? */
  guardsWindow(): boolean
  /** Bytes of the access that the translation of its first page is good for. */
  reach(offset: number, left: number): number
  /** Do the protected regions hold this page of memory? */
  isProtected(state: VtdState, host: number): boolean
  /** The root table in force after a write of its address. */
  rootAfterWrite(state: VtdState): Root
  isReservedRoot(entry: Dwords): boolean
  isReservedContext(entry: Dwords): boolean
  /** Can the unit do what a context entry of legacy mode asks for? */
  isValidContext(type: number, width: number): boolean
  /** PASID of a request that names none, in scalable mode. */
  pasidOf(requesterPasid: number): number
  /** Does a refusal block? */
  blocks(quiet: boolean): boolean
  /** Is it recorded? */
  isRecorded(quiet: boolean): boolean
  /** Is the address past the width of the address space? */
  isBeyond(page: number, attachment: Attachment): boolean
  /** The levels that a walk begins with. */
  levelsOf(attachment: Attachment): number
  isReservedEntry(level: number, low: number, high: number): boolean
  /** What is allowed below an entry. */
  rights(above: Rights, low: number, mapsPages: boolean): Rights
  /** What is remembered of a translation, and of a table on the way to it. */
  remembered(leaf: Leaf): Leaf
  rememberedDirectory(directory: Directory): Directory
  /** How many pages an entry at this level maps. */
  sizeOf(level: number): number
  /** The page of memory behind a page of a leaf. */
  hostPage(leaf: Leaf, page: number): number
  /** May translated requests pass, and translations be given away? */
  acceptsTranslated(attachment: Attachment): boolean
  /** Is an entry of the IOTLB one for this request? */
  matches(cached: CachedLeaf, domain: number, page: number): boolean
  /** Is it remembered that there is no translation? */
  remembersAbsence(): boolean
  /** The domain that a translation is tagged with. */
  tagOf(attachment: Attachment): number
  dropsContext(flush: ContextFlush, cached: CachedContext): boolean
  dropsLeaf(flush: PageFlush, cached: CachedLeaf): boolean
  dropsDirectory(flush: PageFlush, cached: CachedDirectory): boolean
  dropsPasid(flush: PasidFlush, cached: CachedPasid): boolean
  /** Is what is in flight waited for? */
  drains(flush: PageFlush): boolean
  /** The requester whose device TLB an invalidation is for. */
  deviceOf(descriptor: Dwords): number
  /** The pages that an invalidation of a device TLB is for. */
  devicePages(low: number, high: number): Pages
  /** Is a descriptor that asks for what there is not an error? */
  stopsAtError(): boolean
  /** The offset of the next descriptor. */
  nextHead(head: number, step: number, bytes: number): number
  /** Is a wait answered when the descriptor before it has its turn? */
  answersEarly(): boolean
  /** What the record of a fault holds. */
  recorded(fault: FaultRecord): FaultRecord
  /** The record after a fault that finds it occupied. */
  overflown(occupied: FaultRecord, fault: FaultRecord): FaultRecord
  /** Are faults recorded although the overflow has not been cleared? */
  recordsPastOverflow(): boolean
  /** Is the interrupt of a fault kept while it is masked? */
  keepsMasked(): boolean
  /** Is there an interrupt for a fault while others wait to be looked at? */
  raisesAgain(): boolean
  /** Shadow: what is mapped while an invalidation of all is worked off. */
  duringRebuild(leaves: readonly Leaf[]): readonly Leaf[]
  /** Shadow: what is mapped when no entry leads the device to tables. */
  withoutContext(leaves: readonly Leaf[]): readonly Leaf[]
  /** Shadow: is what was mapped removed where an entry at this level is absent? */
  removesUnder(level: number): boolean
  /** Shadow: what is unmapped before a window is mapped anew. */
  unmapped(window: Pages): Pages
}

/** Bits of the upper dword of an address that the machine does not have. */
const BEYOND_HOST = (0xffff_ffff << (HOST_BITS - 32)) >>> 0
const window: Pages = {
  page: INTERRUPT_WINDOW.start / 4096,
  pages: (INTERRUPT_WINDOW.end - INTERRUPT_WINDOW.start) / 4096,
}
export const inWindow = (page: number): boolean => page >= window.page && page < window.page + window.pages

/** Granularity of protected regions: 2 MiB. */
export const PROTECTED_GRAIN = 0x20_0000
const wide = (halves: readonly [number, number]): number => halves[1] * 2 ** 32 + (halves[0] >>> 0)

const rangeOf = ({ page, mask }: PageFlush): Pages => ({ page: page - (page % 2 ** mask), pages: 2 ** mask })
/** A large page goes with an invalidation of all of it alone: that is what software has to ask for. */
const isSelected = (flush: PageFlush, leaf: Pages): boolean => {
  const { page, pages } = rangeOf(flush)
  return leaf.page >= page && leaf.page + leaf.pages <= page + pages
}

/** The root table that the register names. */
export const rootOf = ({ rootAddress: [low, high] }: VtdState): Root => ({
  base: wide([low & ~0xfff, high]),
  mode: (low >>> ROOT_ADDRESS.MODE_SHIFT) & ROOT_ADDRESS.MODE_MASK,
})

export const correctVtd: VtdParts = {
  isMessage: ({ access, iova, bytes, pasid, translated }) =>
    access === 'write' &&
    pasid === undefined &&
    translated !== true &&
    bytes === 4 &&
    iova % 4n === 0n &&
    iova >= BigInt(INTERRUPT_WINDOW.start) &&
    iova < BigInt(INTERRUPT_WINDOW.end),
  guardsWindow: () => true,
  reach: (offset, left) => Math.min(left, 4096 - offset),
  isProtected(state, host) {
    if (!state.protects) return false
    const at = host * 4096
    // The limit names the last grain that is protected.
    const within = (base: number, limit: number): boolean => at >= base && at < limit + PROTECTED_GRAIN
    return (
      within(state.protectedLow[0], state.protectedLow[1]) ||
      within(wide(state.protectedHighBase), wide(state.protectedHighLimit))
    )
  },
  rootAfterWrite: (state) => state.root,
  isReservedRoot: ([first, second, third, fourth]) =>
    (first! & ROOT_ENTRY.RESERVED) !== 0 || (second! & BEYOND_HOST) !== 0 || third !== 0 || fourth !== 0,
  isReservedContext: ([first, second, third, fourth]) =>
    (first! & CONTEXT_ENTRY.RESERVED) !== 0 ||
    (second! & BEYOND_HOST) !== 0 ||
    (third! & CONTEXT_ENTRY_HIGH.RESERVED) !== 0 ||
    fourth !== 0,
  isValidContext: (type, width) => type <= TRANSLATION_TYPE.PASS_THROUGH && (width === 1 || width === 2),
  pasidOf: (requesterPasid) => requesterPasid,
  blocks: () => true,
  isRecorded: (quiet) => !quiet,
  isBeyond: (page, { levels }) => page >= 512 ** levels,
  levelsOf: ({ levels }) => levels,
  isReservedEntry(level, low, high) {
    if ((high & BEYOND_HOST & 0xf_ffff) !== 0) return true
    const large = level > 1 && (low & SECOND_LEVEL.LARGE) !== 0
    if (level === 1) return false
    // Only levels 2 and 3 map pages themselves, which are aligned to their size.
    if (large) return level > 3 || (low & (level === 2 ? 0x1f_f000 : 0x3fff_f000)) !== 0
    return (low & SECOND_LEVEL.SNOOP) !== 0 || (high & SECOND_LEVEL_HIGH.TRANSIENT) !== 0
  },
  rights: (above, low) => ({
    read: above.read && (low & SECOND_LEVEL.READ) !== 0,
    write: above.write && (low & SECOND_LEVEL.WRITE) !== 0,
  }),
  remembered: (leaf) => leaf,
  rememberedDirectory: (directory) => directory,
  sizeOf: (level) => 512 ** (level - 1),
  hostPage: (leaf, page) => leaf.host + (page - leaf.page),
  acceptsTranslated: ({ deviceTlb }) => deviceTlb,
  matches: (cached, domain, page) =>
    cached.domain === domain && page >= cached.page && page < cached.page + cached.pages,
  remembersAbsence: () => false,
  tagOf: ({ domain }) => domain,
  dropsContext(flush, cached) {
    if (flush.granularity === GRANULARITY.GLOBAL) return true
    // In scalable mode context entries name no domain.
    if (flush.granularity === GRANULARITY.DOMAIN) return 'pasid' in cached.context || cached.domain === flush.domain
    return ((cached.requester ^ flush.requester) & ~FUNCTIONS_LEFT_OUT[flush.functions]! & 0xffff) === 0
  },
  dropsLeaf: (flush, cached) =>
    flush.granularity === GRANULARITY.GLOBAL ||
    (cached.domain === flush.domain && (flush.granularity === GRANULARITY.DOMAIN || isSelected(flush, cached))),
  dropsDirectory: (flush, { domain, page, level }) =>
    flush.granularity === GRANULARITY.GLOBAL ||
    (domain === flush.domain &&
      (flush.granularity === GRANULARITY.DOMAIN ||
        (!flush.hint && overlap(rangeOf(flush), { page, pages: 512 ** level })))),
  dropsPasid: (flush, cached) =>
    flush.granularity === PASID_GRANULARITY.GLOBAL ||
    (cached.attachment.domain === flush.domain &&
      (flush.granularity === PASID_GRANULARITY.DOMAIN || cached.pasid === flush.pasid)),
  drains: ({ drainReads, drainWrites }) => drainReads || drainWrites,
  deviceOf: (descriptor) => descriptor[1]! & 0xffff,
  devicePages(low, high) {
    const page = (high >>> 0) * 2 ** 20 + (low >>> 12)
    if ((low & DEVICE_TLB_RANGE) === 0) return { page, pages: 1 }
    let bits = 1
    for (let rest = page; rest % 2 === 1; rest = (rest - 1) / 2) bits++
    const pages = Math.min(2 ** bits, ALL_PAGES)
    return { page: page - (page % pages), pages }
  },
  stopsAtError: () => true,
  nextHead: (head, step, bytes) => (head + step) % bytes,
  answersEarly: () => false,
  recorded: (fault) => fault,
  overflown: (occupied) => occupied,
  recordsPastOverflow: () => false,
  keepsMasked: () => true,
  raisesAgain: () => false,
  duringRebuild: (leaves) => leaves,
  withoutContext: () => [],
  removesUnder: () => true,
  unmapped: (range) => range,
}
