/** Faults of a virtio device behind an IOMMU: what it does between an address of its driver and memory. */
import { vtdVirtioBlkBoard } from '../iommu/behind-board.ts'
import { type Ask, type BehindParts, correctBehind, type Keeping, type Kept } from '../iommu/behind-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface BehindFault<Name extends keyof BehindParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  readonly part: BehindParts[Name]
}

const fault = <Name extends keyof BehindParts>({ replaces, part, ...what }: BehindFault<Name>): Fault =>
  boardFault(vtdVirtioBlkBoard, {
    ...what,
    area: 'dma',
    replaces: `behind.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const honest = correctBehind()
const PAGE_BYTES = 4096n

const isRing = ({ area }: Ask): boolean => area === 'desc' || area === 'driver' || area === 'device'
const isSame = (kept: Kept, { area, access, at }: Ask): boolean =>
  kept.area === area && kept.access === access && kept.page === Number(at / PAGE_BYTES)

/** A fault that keeps translations, in its own way. */
const keeping = (
  what: Pick<Fault, 'id' | 'difficulty' | 'what'>,
  how: Omit<Keeping, 'looksAhead'> & Partial<Keeping>,
): Fault => {
  const kept = { looksAhead: false, ...how }
  return fault({ ...what, replaces: 'keeping', part: () => kept })
}

export const behindIommuFaults: readonly Fault[] = [
  keeping(
    {
      id: 'dma-vhost-stale-ring-metadata-translation',
      difficulty: 'deep',
      what: 'Translations of the areas of a ring stay in force when the ring gets other addresses, as long as the old ones are mapped.',
    },
    {
      keeps: isRing,
      recall: (kept, ask, translate) =>
        kept.find(({ area, access, base, page, gpa }) => {
          const offset = BigInt(page) - BigInt(base) / PAGE_BYTES
          if (area !== ask.area || access !== ask.access || offset !== ask.at / PAGE_BYTES - ask.base / PAGE_BYTES)
            return false
          return translate(BigInt(page) * PAGE_BYTES, 1, access) === gpa
        }),
      outlives: () => true,
    },
  ),
  keeping(
    {
      id: 'dma-iotlb-message-races-ring-use',
      difficulty: 'deep',
      what: 'Buffers are translated when their descriptors are read, and that is used for as long as the request takes, whatever is invalidated meanwhile.',
    },
    {
      looksAhead: true,
      keeps: ({ area }) => area === 'buffer',
      recall: (kept, ask) => kept.find((one) => isSame(one, ask)),
      outlives: () => false,
    },
  ),
  keeping(
    {
      id: 'dma-ring-translation-kept-until-reset',
      difficulty: 'medium',
      what: 'Translations of rings are made once after a reset, and used on whatever is invalidated.',
    },
    {
      keeps: isRing,
      recall: (kept, ask) => kept.find((one) => isSame(one, ask)),
      outlives: (event) => event === 'rest',
    },
  ),
  fault({
    id: 'dma-vhost-full-range-size-wraps',
    difficulty: 'shallow',
    what: 'The size of a run of all addresses is zero in 64 bits: a walk through it comes to no end.',
    replaces: 'rest',
    part: (run, at) => BigInt.asUintN(64, run.last - run.first + 1n) - (at - run.first),
  }),
  fault({
    id: 'dma-vhost-only-range-start-checked',
    difficulty: 'shallow',
    what: 'Only the first address of an access is translated; the other bytes follow it in memory.',
    replaces: 'last',
    part: ({ at, left }) => at + BigInt(left) - 1n,
  }),
  fault({
    id: 'dma-rings-not-translated',
    difficulty: 'shallow',
    what: 'Addresses of rings are taken for GPAs.',
    replaces: 'goesThrough',
    part: (ask) => !isRing(ask),
  }),
  fault({
    id: 'dma-used-ring-written-untranslated',
    difficulty: 'shallow',
    what: 'The used ring is written at its address as a GPA.',
    replaces: 'goesThrough',
    part: ({ area, access }) => area !== 'device' || access === 'read',
  }),
  fault({
    id: 'dma-indirect-table-not-translated',
    difficulty: 'shallow',
    what: 'Indirect tables are read at their address as a GPA.',
    replaces: 'goesThrough',
    part: ({ area }) => area !== 'table',
  }),
  fault({
    id: 'dma-second-page-not-translated',
    difficulty: 'medium',
    what: 'The part of an access that lies in a second page goes to its address as a GPA.',
    replaces: 'goesThrough',
    part: ({ area, done }) => area !== 'buffer' || done === 0,
  }),
  fault({
    id: 'dma-write-permission-unchecked',
    difficulty: 'medium',
    what: 'Buffers that the device writes have to be mapped for reading only.',
    replaces: 'asked',
    part: (): 'read' => 'read',
  }),
  fault({
    id: 'dma-permission-of-the-first-page',
    difficulty: 'deep',
    what: 'Whether an access may write is asked for its first page alone.',
    replaces: 'asked',
    part: (ask) => (ask.done === 0 ? honest.asked(ask) : 'read'),
  }),
  fault({
    id: 'dma-access-platform-ignored',
    difficulty: 'shallow',
    what: 'Addresses are GPAs though ACCESS_PLATFORM was accepted.',
    replaces: 'isTranslated',
    part: () => false,
  }),
  fault({
    id: 'dma-translated-without-access-platform',
    difficulty: 'shallow',
    what: 'Addresses are translated though ACCESS_PLATFORM was not accepted.',
    replaces: 'isTranslated',
    part: () => true,
  }),
]
