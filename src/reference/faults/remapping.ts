/** Faults of the remapping unit. */
import { DESCRIPTOR, VTD_COMMAND } from '../../layout/vtd.ts'
import { ENTRY, ENTRY_SOURCE, REQUEST, SOURCE_CHECK } from '../../layout/vtd-interrupts.ts'
import { tableOf } from '../irqchip/remapping.ts'
import { remappingBoard } from '../irqchip/remapping-board.ts'
import { checkOf, correctRemapping, type Irte, isPosted, type RemappingParts } from '../irqchip/remapping-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface RemappingFault<Name extends keyof RemappingParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: RemappingParts[Name]
}

const fault = <Name extends keyof RemappingParts>({ replaces, part, ...what }: RemappingFault<Name>): Fault =>
  boardFault(remappingBoard, {
    ...what,
    area: 'interrupt',
    replaces: `remapping.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const honest = correctRemapping
const without = (entry: Irte, bits: number): Irte => [entry[0], entry[1], entry[2] & ~bits, entry[3]]

export const remappingFaults: readonly Fault[] = [
  fault({
    id: 'irq-remap-source-id-not-checked',
    difficulty: 'shallow',
    what: 'An entry that is restricted to one source is honoured for any requester.',
    replaces: 'accepts',
    part: () => true,
  }),
  fault({
    id: 'irq-remap-source-qualifier-ignored',
    difficulty: 'medium',
    what: 'All bits of the requester are compared, whatever the source-id qualifier leaves out.',
    replaces: 'accepts',
    part: (entry, requester) => honest.accepts(without(entry, 3 << ENTRY_SOURCE.QUALIFIER_SHIFT), requester),
  }),
  fault({
    id: 'irq-remap-last-bus-left-out',
    difficulty: 'medium',
    what: 'The last bus of the range that an entry accepts is not accepted.',
    replaces: 'accepts',
    part: (entry, requester) =>
      honest.accepts(entry, requester) &&
      (checkOf(entry) !== SOURCE_CHECK.BUS || requester >>> 8 !== (entry[2] & 0xff)),
  }),
  fault({
    id: 'irq-remap-index-equal-to-size-accepted',
    difficulty: 'medium',
    what: 'The first index beyond the table is looked up in what lies behind it.',
    replaces: 'isBeyond',
    part: (index, table) => index > table.entries,
  }),
  fault({
    id: 'irq-remap-upper-handle-bit-lost',
    difficulty: 'shallow',
    what: 'Bit 15 of the handle, which is at another place than the others, is ignored.',
    replaces: 'indexOf',
    part: (address, data) => honest.indexOf(address & ~REQUEST.HANDLE_HIGH, data),
  }),
  fault({
    id: 'irq-remap-subhandle-always-added',
    difficulty: 'shallow',
    what: 'The data are added to the handle although the request says that there is no sub-handle.',
    replaces: 'indexOf',
    part: (address, data) => honest.indexOf(address | REQUEST.SUBHANDLE, data),
  }),
  fault({
    id: 'irq-remap-trigger-mode-from-message',
    difficulty: 'shallow',
    what: 'The trigger mode is that of the message, not that of the entry.',
    replaces: 'interrupt',
    part: (entry, extended, data) => ({ ...honest.interrupt(entry, extended, data), level: (data & 0x8000) !== 0 }),
  }),
  fault({
    id: 'irq-remap-reserved-bits-ignored',
    difficulty: 'shallow',
    what: 'Entries with reserved bits set are used like others.',
    replaces: 'isReservedEntry',
    part: () => false,
  }),
  fault({
    id: 'irq-remap-compatible-format-in-extended-mode',
    difficulty: 'medium',
    what: 'Requests in compatibility format pass in extended mode if they pass otherwise.',
    replaces: 'passesCompatible',
    part: (state) => (state.status & VTD_COMMAND.COMPATIBILITY) !== 0,
  }),
  fault({
    id: 'irq-remap-pointer-without-command',
    difficulty: 'medium',
    what: 'A new table address is in force as soon as it is written.',
    replaces: 'tableAfterWrite',
    part: (state) => tableOf(state),
  }),
  fault({
    id: 'irq-remap-stale-after-global-flush',
    difficulty: 'medium',
    what: 'An invalidation of all entries leaves the first one cached.',
    replaces: 'drops',
    part: (descriptor, index, entry) =>
      honest.drops(descriptor, index, entry) && (index !== 0 || (descriptor[0] & DESCRIPTOR.BY_INDEX) !== 0),
  }),
  fault({
    id: 'irq-remap-index-mask-ignored',
    difficulty: 'medium',
    what: 'An invalidation by index drops that entry alone, whatever its mask says.',
    replaces: 'drops',
    part: ([first, ...rest], index, entry) =>
      honest.drops([first & ~(0x1f << DESCRIPTOR.INDEX_MASK_SHIFT), ...rest], index, entry),
  }),
  fault({
    id: 'irq-remap-absent-entry-cached',
    difficulty: 'medium',
    what: 'That an entry was absent is remembered, although caching mode is off: filling it has no effect.',
    replaces: 'isCacheable',
    part: () => true,
  }),
  fault({
    id: 'irq-route-change-leaves-posting',
    difficulty: 'medium',
    what: 'An invalidation leaves entries in posted format alone: after a change of route they go on posting.',
    replaces: 'drops',
    part: (descriptor, index, entry) => !isPosted(entry) && honest.drops(descriptor, index, entry),
  }),
  fault({
    id: 'irq-remap-fault-processing-never-disabled',
    difficulty: 'shallow',
    what: 'Faults are recorded although the entry has fault processing disabled.',
    replaces: 'isRecorded',
    part: () => true,
  }),
  fault({
    id: 'irq-remap-request-fault-not-recorded',
    difficulty: 'shallow',
    what: 'Only faults with an entry are recorded, those of the request itself are not.',
    replaces: 'isRecorded',
    part: (entry) => entry !== undefined && (entry[0] & ENTRY.FAULTS_DISABLED) === 0,
  }),
  fault({
    id: 'irq-remap-fault-without-requester',
    difficulty: 'shallow',
    what: 'The fault record does not say who sent the request.',
    replaces: 'recorded',
    part: (record) => ({ ...record, requester: 0 }),
  }),
  fault({
    id: 'irq-remap-later-fault-replaces-record',
    difficulty: 'medium',
    what: 'A fault that finds the record occupied is written over it.',
    replaces: 'overflown',
    part: (_occupied, record) => record,
  }),
  fault({
    id: 'irq-remap-posted-without-notification',
    difficulty: 'shallow',
    what: 'A posted request that is not urgent sends no notification.',
    replaces: 'notifies',
    part: (entry, outstanding, _suppressed) => honest.notifies(entry, outstanding, true),
  }),
]
