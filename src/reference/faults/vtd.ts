/** Faults of the VT-d style unit. */
import { GRANULARITY } from '../../layout/vtd.ts'
import { vtdBoard, vtdCachingModeBoard, vtdScalableBoard } from '../iommu/vtd-board.ts'
import { correctVtd, PROTECTED_GRAIN, rootOf, type VtdParts } from '../iommu/vtd-parts.ts'
import { ALL_PAGES } from '../iommu/vtd-state.ts'
import { boardFault, type Fault } from './fault.ts'

interface VtdFault<Name extends keyof VtdParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: VtdParts[Name]
}

const on =
  (board: typeof vtdBoard) =>
  <Name extends keyof VtdParts>({ replaces, part, ...what }: VtdFault<Name>): Fault =>
    boardFault(board, {
      ...what,
      area: 'dma',
      replaces: `vtd.${replaces}`,
      install(parts) {
        parts[replaces] = part
      },
    })
const fault = on(vtdBoard)
const shadowFault = on(vtdCachingModeBoard)
const scalableFault = on(vtdScalableBoard)

const honest = correctVtd
const swapped = (requester: number): number => ((requester & 0xff) << 8) | (requester >>> 8)

/** Of the walk through tables. */
const translation: readonly Fault[] = [
  fault({
    id: 'dma-only-range-start-checked',
    difficulty: 'shallow',
    what: 'Only the first page of an access is translated: what follows goes to the pages behind it in memory.',
    replaces: 'reach',
    part: (_offset, left) => left,
  }),
  fault({
    id: 'dma-permission-from-leaf-only',
    difficulty: 'shallow',
    what: 'The rights of a page are those of its last entry, whatever the entries above allow.',
    replaces: 'rights',
    part: (_above, low, mapsPages) =>
      mapsPages ? honest.rights({ read: true, write: true }, low, true) : { read: true, write: true },
  }),
  fault({
    id: 'dma-faults-disabled-lets-through',
    difficulty: 'shallow',
    what: 'Where faults are not to be recorded, what is refused passes untranslated.',
    replaces: 'blocks',
    part: (quiet) => !quiet,
  }),
  fault({
    id: 'dma-large-page-offset-lost',
    difficulty: 'shallow',
    what: 'Every page of a large one is the first one of it.',
    replaces: 'hostPage',
    part: ({ host }) => host,
  }),
  fault({
    id: 'dma-gibibyte-page-taken-for-smaller',
    difficulty: 'medium',
    what: 'A page of 1 GiB is taken for one of 2 MiB.',
    replaces: 'sizeOf',
    part: (level) => honest.sizeOf(Math.min(level, 2)),
  }),
  fault({
    id: 'dma-misaligned-large-page-accepted',
    difficulty: 'medium',
    what: 'The reserved bits of the address of a large page are not looked at.',
    replaces: 'isReservedEntry',
    part: (level, low, high) =>
      honest.isReservedEntry(level, level === 2 || level === 3 ? low & ~0x3fff_f000 : low, high),
  }),
  fault({
    id: 'dma-reserved-bits-of-directories-ignored',
    difficulty: 'medium',
    what: 'Reserved bits are looked at in entries that map pages alone.',
    replaces: 'isReservedEntry',
    part: (level, low, high) => (level === 1 || (low & 0x80) !== 0) && honest.isReservedEntry(level, low, high),
  }),
  fault({
    id: 'dma-reserved-bits-of-context-ignored',
    difficulty: 'shallow',
    what: 'A context entry with reserved bits set is used like any other.',
    replaces: 'isReservedContext',
    part: () => false,
  }),
  fault({
    id: 'dma-reserved-bits-of-root-ignored',
    difficulty: 'shallow',
    what: 'A root entry with reserved bits set is used like any other.',
    replaces: 'isReservedRoot',
    part: () => false,
  }),
  fault({
    id: 'dma-reserved-type-accepted',
    difficulty: 'shallow',
    what: 'A context entry of the reserved translation type is taken for one of untranslated requests.',
    replaces: 'isValidContext',
    part: (_type, width) => honest.isValidContext(0, width),
  }),
  fault({
    id: 'dma-address-width-unchecked',
    difficulty: 'shallow',
    what: 'An address past the width of the tables is cut to it.',
    replaces: 'isBeyond',
    part: () => false,
  }),
  fault({
    id: 'dma-address-width-off-by-one',
    difficulty: 'medium',
    what: 'The first page past the width of the tables is taken for one inside.',
    replaces: 'isBeyond',
    part: (page, { levels }) => page > 512 ** levels,
  }),
  fault({
    id: 'dma-three-levels-walked-as-four',
    difficulty: 'shallow',
    what: 'A walk always begins with four levels.',
    replaces: 'levelsOf',
    part: () => 4,
  }),
  fault({
    id: 'dma-interrupt-window-translated',
    difficulty: 'medium',
    what: 'What is no interrupt request in the interrupt window is translated like any access.',
    replaces: 'guardsWindow',
    part: () => false,
  }),
  fault({
    id: 'dma-protected-region-ends-early',
    difficulty: 'medium',
    what: 'The last part of the protected region, which its limit names, is not protected.',
    replaces: 'isProtected',
    part: (state, host) => honest.isProtected(state, host) && honest.isProtected(state, host + PROTECTED_GRAIN / 4096),
  }),
  fault({
    id: 'dma-translated-always-accepted',
    difficulty: 'shallow',
    what: 'An address that the requester says to have translated is used, whatever its context entry says.',
    replaces: 'acceptsTranslated',
    part: () => true,
  }),
  scalableFault({
    id: 'dma-requester-pasid-ignored',
    difficulty: 'medium',
    what: 'Requests without a PASID are led by PASID 0, not by that of their context entry.',
    replaces: 'pasidOf',
    part: () => 0,
  }),
]

/** Of what is remembered of it. */
const caches: readonly Fault[] = [
  fault({
    id: 'dma-translation-of-another-domain-used',
    difficulty: 'medium',
    what: 'A cached translation is used for every domain.',
    replaces: 'matches',
    part: (cached, _domain, page) => honest.matches(cached, cached.domain, page),
  }),
  fault({
    id: 'dma-cached-translation-allows-both',
    difficulty: 'medium',
    what: 'A translation that is cached allows reads and writes.',
    replaces: 'remembered',
    part: (leaf) => ({ ...leaf, read: true, write: true }),
  }),
  fault({
    id: 'dma-cached-directory-allows-both',
    difficulty: 'deep',
    what: 'The second walk through a directory forgets what the entries above it do not allow.',
    replaces: 'rememberedDirectory',
    part: (directory) => ({ ...directory, read: true, write: true }),
  }),
  fault({
    id: 'dma-absence-cached-without-caching-mode',
    difficulty: 'medium',
    what: 'That nothing is mapped is remembered: a new mapping has no effect before an invalidation.',
    replaces: 'remembersAbsence',
    part: () => true,
  }),
  fault({
    id: 'dma-root-table-without-command',
    difficulty: 'medium',
    what: 'A new root table is in force as soon as its address is written.',
    replaces: 'rootAfterWrite',
    part: (state) => rootOf(state),
  }),
]

/** Of invalidations, and what they wait for. */
const invalidation: readonly Fault[] = [
  fault({
    id: 'dma-invalidation-mask-off-by-one',
    difficulty: 'medium',
    what: 'An invalidation of 2^m pages is one of 2^(m - 1) of them.',
    replaces: 'dropsLeaf',
    part: (flush, cached) => honest.dropsLeaf({ ...flush, mask: Math.max(0, flush.mask - 1) }, cached),
  }),
  fault({
    id: 'dma-large-page-survives-page-invalidation',
    difficulty: 'medium',
    what: 'An invalidation of pages leaves cached large pages alone.',
    replaces: 'dropsLeaf',
    part: (flush, cached) =>
      honest.dropsLeaf(flush, cached) && (flush.granularity !== GRANULARITY.PAGES || cached.pages === 1),
  }),
  fault({
    id: 'dma-large-page-survives-domain-invalidation',
    difficulty: 'medium',
    what: 'An invalidation of a domain leaves cached large pages alone.',
    replaces: 'dropsLeaf',
    part: (flush, cached) =>
      honest.dropsLeaf(flush, cached) && (flush.granularity !== GRANULARITY.DOMAIN || cached.pages === 1),
  }),
  fault({
    id: 'dma-invalidation-hint-always-taken',
    difficulty: 'deep',
    what: 'An invalidation of pages leaves cached directories although it does not say that they stay.',
    replaces: 'dropsDirectory',
    part: (flush, cached) => honest.dropsDirectory({ ...flush, hint: true }, cached),
  }),
  fault({
    id: 'dma-context-invalidation-ignores-function-mask',
    difficulty: 'medium',
    what: 'An invalidation of the contexts of a device is for the function that it names alone.',
    replaces: 'dropsContext',
    part: (flush, cached) => honest.dropsContext({ ...flush, functions: 0 }, cached),
  }),
  fault({
    id: 'dma-context-invalidation-by-domain-lost',
    difficulty: 'medium',
    what: 'An invalidation of the contexts of a domain does nothing.',
    replaces: 'dropsContext',
    part: (flush, cached) => flush.granularity !== GRANULARITY.DOMAIN && honest.dropsContext(flush, cached),
  }),
  fault({
    id: 'dma-drain-ignored',
    difficulty: 'deep',
    what: 'An invalidation that asks to drain completes while accesses are in flight.',
    replaces: 'drains',
    part: () => false,
  }),
  fault({
    id: 'dma-completion-wait-returns-early',
    difficulty: 'deep',
    what: 'A wait is answered before the invalidation in front of it is done.',
    replaces: 'answersEarly',
    part: () => true,
  }),
  fault({
    id: 'dma-device-invalidation-takes-wrong-source',
    difficulty: 'medium',
    what: 'The requester whose device TLB is meant is taken from the wrong bits of the descriptor.',
    replaces: 'deviceOf',
    part: (descriptor) => descriptor[1]! >>> 16,
  }),
  fault({
    id: 'dma-device-invalidation-of-one-page',
    difficulty: 'medium',
    what: 'An invalidation of a range in a device TLB is one of its first page.',
    replaces: 'devicePages',
    part: (low, high) => ({ ...honest.devicePages(low, high), pages: 1 }),
  }),
  fault({
    id: 'dma-iotlb-full-range-size-wraps',
    difficulty: 'medium',
    what: 'The size of all of the address space wraps to none: an invalidation of everything in a device TLB does nothing.',
    replaces: 'devicePages',
    part(low, high) {
      const { page, pages } = honest.devicePages(low, high)
      return { page, pages: pages % ALL_PAGES }
    },
  }),
  fault({
    id: 'dma-queue-wraps-late',
    difficulty: 'deep',
    what: 'The queue wraps one descriptor behind its end.',
    replaces: 'nextHead',
    part: (head, step, bytes) => (head + step) % (bytes + step),
  }),
  fault({
    id: 'dma-bad-descriptor-skipped',
    difficulty: 'shallow',
    what: 'A descriptor that is an error is passed over without a word.',
    replaces: 'stopsAtError',
    part: () => false,
  }),
  scalableFault({
    id: 'dma-pasid-cache-ignored-on-domain-switch',
    difficulty: 'medium',
    what: 'An invalidation of PASID entries has no effect: requests are led as before.',
    replaces: 'dropsPasid',
    part: () => false,
  }),
]

/** Of what is kept downstream in caching mode. */
const shadows: readonly Fault[] = [
  shadowFault({
    id: 'dma-page-invalidate-skips-whole-directory',
    difficulty: 'medium',
    what: 'An invalidation of pages passes over directories that are gone: what they led to stays mapped.',
    replaces: 'removesUnder',
    part: (level) => level === 1,
  }),
  shadowFault({
    id: 'dma-domain-invalidate-transient-hole',
    difficulty: 'deep',
    what: 'An invalidation of a domain unmaps everything before it maps it again.',
    replaces: 'duringRebuild',
    part: () => [],
  }),
  shadowFault({
    id: 'dma-context-not-present-no-unmap',
    difficulty: 'medium',
    what: 'A device whose context entry is gone keeps what was mapped for it.',
    replaces: 'withoutContext',
    part: (leaves) => leaves,
  }),
  shadowFault({
    id: 'dma-global-unmap-rounds-past-window',
    difficulty: 'medium',
    what: 'What is unmapped in front of the interrupt window is rounded up to a power of two, and takes what is mapped behind it.',
    replaces: 'unmapped',
    part: ({ page, pages }) => ({ page, pages: 2 ** Math.ceil(Math.log2(pages)) }),
  }),
]

/** Of what is told of a refusal. */
const records: readonly Fault[] = [
  fault({
    id: 'dma-fault-with-swapped-source',
    difficulty: 'shallow',
    what: 'The bus and the device of the requester are swapped in a fault record.',
    replaces: 'recorded',
    part: (record) => ({ ...record, requester: swapped(record.requester) }),
  }),
  fault({
    id: 'dma-fault-always-of-a-read',
    difficulty: 'shallow',
    what: 'Every fault record says that the access was a read.',
    replaces: 'recorded',
    part: (record) => ({ ...record, read: true }),
  }),
  fault({
    id: 'dma-fault-page-cut',
    difficulty: 'medium',
    what: 'A fault record holds the lower 32 bits of the address alone.',
    replaces: 'recorded',
    part: (record) => ({ ...record, page: record.page % 2 ** 20 }),
  }),
  fault({
    id: 'dma-fault-recorded-in-spite-of-disable',
    difficulty: 'shallow',
    what: 'Faults are recorded although the entry says that they are not to be.',
    replaces: 'isRecorded',
    part: () => true,
  }),
  fault({
    id: 'dma-later-fault-replaces-record',
    difficulty: 'medium',
    what: 'A fault that finds its record occupied is written over it.',
    replaces: 'overflown',
    part: (_occupied, record) => record,
  }),
  fault({
    id: 'dma-faults-recorded-past-overflow',
    difficulty: 'deep',
    what: 'After an overflow faults are recorded as soon as there is room, without the overflow being cleared.',
    replaces: 'recordsPastOverflow',
    part: () => true,
  }),
  fault({
    id: 'dma-masked-fault-interrupt-lost',
    difficulty: 'medium',
    what: 'The interrupt of a fault that comes while it is masked is lost.',
    replaces: 'keepsMasked',
    part: () => false,
  }),
  fault({
    id: 'dma-interrupt-for-every-fault',
    difficulty: 'medium',
    what: 'Every fault raises an interrupt, also while others wait to be looked at.',
    replaces: 'raisesAgain',
    part: () => true,
  }),
]

export const vtdFaults: readonly Fault[] = [...translation, ...caches, ...invalidation, ...shadows, ...records]
