/** Faults of the AMD-Vi unit. */
import { AMD_COMMAND, DEVICE_ENTRY } from '../../layout/amd-iommu.ts'
import { amdIommuBoard } from '../iommu/amd-board.ts'
import { type AmdParts, correctAmd } from '../iommu/amd-parts.ts'
import { overlap } from '../iommu/pages.ts'
import { boardFault, type Fault } from './fault.ts'

interface AmdFault<Name extends keyof AmdParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  readonly part: AmdParts[Name]
}

const fault = <Name extends keyof AmdParts>({ replaces, part, ...what }: AmdFault<Name>): Fault =>
  boardFault(amdIommuBoard, {
    ...what,
    area: 'dma',
    replaces: `amd.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const honest = correctAmd
const kindOf = (command: readonly number[]): number => command[1]! >>> AMD_COMMAND.KIND_SHIFT

/** Of the tables. */
const translation: readonly Fault[] = [
  fault({
    id: 'dma-arbitrary-page-size-mask',
    difficulty: 'medium',
    what: 'The size that the address of a page tells is taken for half of what it is.',
    replaces: 'sizeTold',
    part: (level, low, high) => {
      const pages = honest.sizeTold(level, low, high)
      return pages === undefined ? undefined : pages / 2
    },
  }),
  fault({
    id: 'dma-amd-sized-page-offset-lost',
    difficulty: 'medium',
    what: 'Every page of a larger one is the first one of it.',
    replaces: 'hostPage',
    part: ({ host }) => host,
  }),
  fault({
    id: 'dma-amd-rights-of-directories-ignored',
    difficulty: 'medium',
    what: 'The rights of a page are those of its last entry.',
    replaces: 'rights',
    part: (above, high, leads) => (leads ? above : honest.rights(above, high, false)),
  }),
  fault({
    id: 'dma-amd-rights-of-entry-ignored',
    difficulty: 'shallow',
    what: 'The rights of the device table entry do not count.',
    replaces: 'entryRights',
    part: () => ({ read: true, write: true }),
  }),
  fault({
    id: 'dma-amd-skipped-bits-unchecked',
    difficulty: 'medium',
    what: 'Where an entry skips a level, the address bits of that level do not matter.',
    replaces: 'maySkip',
    part: () => true,
  }),
  fault({
    id: 'dma-amd-address-width-unchecked',
    difficulty: 'shallow',
    what: 'An address past the width of the tables is cut to it.',
    replaces: 'isBeyond',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-reserved-page-bits-ignored',
    difficulty: 'shallow',
    what: 'Reserved bits of page table entries are not looked at.',
    replaces: 'isReserved',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-reserved-mode-accepted',
    difficulty: 'shallow',
    what: 'A device table entry of the reserved mode is taken for a legal one.',
    replaces: 'isIllegalEntry',
    part: (entry) =>
      honest.isIllegalEntry([entry[0]! & ~(DEVICE_ENTRY.MODE_MASK << DEVICE_ENTRY.MODE_SHIFT), entry[1]!]),
  }),
  fault({
    id: 'dma-amd-reserved-entry-bits-ignored',
    difficulty: 'shallow',
    what: 'Reserved bits of device table entries are not looked at.',
    replaces: 'isIllegalEntry',
    part: (entry) => honest.isIllegalEntry([entry[0]! & ~DEVICE_ENTRY.RESERVED, entry[1]!]),
  }),
  fault({
    id: 'dma-amd-device-table-size-unchecked',
    difficulty: 'shallow',
    what: 'An entry past the end of the device table is used like any other.',
    replaces: 'isOutside',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-closed-entry-passes',
    difficulty: 'shallow',
    what: 'By an entry without translation information requests pass as they are.',
    replaces: 'passes',
    part: ({ through, translates }) => through || !translates,
  }),
]

/** Of what is held. */
const caches: readonly Fault[] = [
  fault({
    id: 'dma-amd-domain-not-compared',
    difficulty: 'medium',
    what: 'A translation that is held is used for devices of any domain.',
    replaces: 'matches',
    part: (cached, _domain, page) => overlap(cached, { page, pages: 1 }),
  }),
  fault({
    id: 'dma-amd-absence-remembered',
    difficulty: 'medium',
    what: 'It is held that a page is not mapped, although the unit does not say that it does so.',
    replaces: 'remembersAbsence',
    part: () => true,
  }),
  fault({
    id: 'dma-amd-invalidate-entry-wrong-field',
    difficulty: 'medium',
    what: 'The device of an invalidation of an entry is taken from the upper half of the dword.',
    replaces: 'entryOf',
    part: ([first]) => first! >>> 16,
  }),
  fault({
    id: 'dma-amd-invalidate-wrong-device-field',
    difficulty: 'medium',
    what: 'The device of an invalidation of device TLBs is taken from the dword behind the one that names it.',
    replaces: 'deviceOf',
    part: ([, second]) => second! & 0xffff,
  }),
  fault({
    id: 'dma-amd-sized-invalidation-of-one-page',
    difficulty: 'medium',
    what: 'An invalidation of pages is of the first one alone, whatever size its address tells.',
    replaces: 'rangeOf',
    part: (low, high) => ({ ...honest.rangeOf(low, high), pages: 1 }),
  }),
  fault({
    id: 'dma-amd-invalidation-domain-byte',
    difficulty: 'medium',
    what: 'Of the domain of an invalidation only the lower byte counts.',
    replaces: 'dropsLeaf',
    part: (flush, cached) => honest.dropsLeaf({ ...flush, domain: flush.domain & 0xff }, cached),
  }),
  fault({
    id: 'dma-amd-directories-kept',
    difficulty: 'medium',
    what: 'An invalidation leaves what is held of directories, although it asks for them.',
    replaces: 'dropsDirectory',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-all-leaves-entries',
    difficulty: 'medium',
    what: 'An invalidation of everything leaves device table entries.',
    replaces: 'leftByAll',
    part: (entries) => entries,
  }),
]

/** Of commands and events. */
const rings: readonly Fault[] = [
  fault({
    id: 'dma-amd-wait-answered-early',
    difficulty: 'medium',
    what: 'A wait stores its data before the command ahead of it has been performed.',
    replaces: 'answersEarly',
    part: () => true,
  }),
  fault({
    id: 'dma-amd-wait-stores-half',
    difficulty: 'shallow',
    what: 'A wait stores the lower dword of its data twice.',
    replaces: 'stored',
    part: ([, , low]) => [low!, low!],
  }),
  fault({
    id: 'dma-amd-command-ring-wraps-late',
    difficulty: 'deep',
    what: 'At the end of the command ring the unit goes on behind it.',
    replaces: 'nextHead',
    part: (head) => head + 16,
  }),
  fault({
    id: 'dma-amd-illegal-command-skipped',
    difficulty: 'shallow',
    what: 'An illegal command is logged, and the next one performed.',
    replaces: 'halts',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-reserved-command-bits-ignored',
    difficulty: 'medium',
    what: 'Reserved bits of commands are not looked at.',
    replaces: 'isIllegalCommand',
    part: (command) => honest.isIllegalCommand(command) && (kindOf(command) === 0 || kindOf(command) > AMD_COMMAND.ALL),
  }),
  fault({
    id: 'dma-amd-event-log-goes-on',
    difficulty: 'deep',
    what: 'After an overflow events are logged as soon as there is room.',
    replaces: 'stopsAtOverflow',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-event-log-overwritten',
    difficulty: 'medium',
    what: 'An event that finds no room takes the place of the oldest one.',
    replaces: 'isFull',
    part: () => false,
  }),
  fault({
    id: 'dma-amd-event-without-domain',
    difficulty: 'shallow',
    what: 'The event of a page fault names domain 0.',
    replaces: 'recorded',
    part: (event) => ({ ...event, domain: 0 }),
  }),
  fault({
    id: 'dma-amd-event-direction-wrong',
    difficulty: 'shallow',
    what: 'Every event says that it is of a read.',
    replaces: 'recorded',
    part: (event) => ({ ...event, flags: event.flags & ~(1 << 21) }),
  }),
]

export const amdIommuFaults: readonly Fault[] = [...translation, ...caches, ...rings]
