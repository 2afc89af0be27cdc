/**
 * The entries that are written to a remapping table, the requesters that ask, and what comes of each pair (VT-d 4.1,
 * chapter 5). Entries are told apart by their vector. Sources are given relative to one requester, `own`.
 */
import { REMAPPING_FAULT } from '../../src/layout/vtd-interrupts.ts'

/** Bits of the requester that are compared, by qualifier. */
const COMPARED = [0xffff, 0xfffb, 0xfff9, 0xfff8] as const

export interface TableEntry {
  readonly present: boolean
  /** Faults with this entry leave no record. */
  readonly silent: boolean
  /** Who may use it: anybody, one requester under a qualifier, a range of buses. */
  readonly source:
    | { readonly check: 'none' | 'reserved' }
    | { readonly check: 'requester'; readonly differs: number; readonly qualifier: 0 | 1 | 2 | 3 }
    | { readonly check: 'bus'; readonly from: number; readonly to: number }
  /** Where a bit is set that has to be zero. */
  readonly reserved: 'nowhere' | 'low' | 'high'
  readonly format: 'remapped' | 'posted'
  readonly delivery: 'fixed' | 'lowest' | 'nmi'
  readonly level: boolean
  readonly logical: boolean
  /** 8 bits in the ordinary mode. */
  readonly destination: number
}

const plain: TableEntry = {
  present: true,
  silent: false,
  source: { check: 'none' },
  reserved: 'nowhere',
  format: 'remapped',
  delivery: 'fixed',
  level: false,
  logical: false,
  destination: 1,
}
const requester = (differs: number, qualifier: 0 | 1 | 2 | 3 = 0): TableEntry => ({
  ...plain,
  source: { check: 'requester', differs, qualifier },
})
const bus = (from: number, to: number): TableEntry => ({ ...plain, source: { check: 'bus', from, to } })

/**
 * A scope takes the first so many of them: the simplest come first. Plans prefer the ends of a long list, and so those
 * that others are measured against are there.
 */
const all: readonly TableEntry[] = [
  { ...plain, present: false },
  plain,
  { ...plain, format: 'posted' },
  { ...requester(1), silent: true },
  bus(0, 0),
  { ...plain, reserved: 'low', silent: true },
  requester(0),
  { ...plain, present: false, silent: true },
  requester(1),
  requester(4, 1),
  requester(2, 1),
  requester(6, 2),
  requester(1, 2),
  requester(7, 3),
  requester(8, 3),
  requester(0x8000),
  bus(1, 2),
  bus(-2, -1),
  bus(-1, 1),
  { ...plain, reserved: 'low' },
  { ...plain, reserved: 'high' },
  { ...plain, source: { check: 'reserved' } },
  { ...plain, format: 'posted', reserved: 'low' },
  { ...requester(2, 2), level: true, destination: 3 },
  { ...plain, delivery: 'nmi' },
  { ...plain, delivery: 'lowest', logical: true, destination: 3 },
  { ...requester(0), format: 'posted' },
  { ...bus(-1, 0), format: 'posted' },
  { ...plain, destination: 2, logical: true, level: true },
]

/** `posting`: those in posted format as well. */
export const entriesOf = (count: number, posting: boolean): readonly TableEntry[] =>
  all.filter(({ format }) => posting || format === 'remapped').slice(0, count)

/** The vector that an entry gives to what goes through it. */
export const vectorOf = (entry: number): number => 0x40 + entry

/** Requesters relative to `own`: itself, other functions and devices, and other buses. */
const OTHERS = [0, 1, 0x100, 2, 4, 8, -0x100, 0x200, 6, -0x200, 0x8000] as const
export const requestersOf = (count: number, own: number): readonly number[] =>
  OTHERS.slice(0, count).map((offset) => (offset === 0x8000 ? own ^ offset : own + offset) & 0xffff)

/** The source field of an entry. */
export const sourceFieldOf = ({ source }: TableEntry, own: number): number => {
  const busOf = (offset: number): number => ((own >>> 8) + offset) & 0xff
  switch (source.check) {
    case 'requester':
      return own ^ source.differs
    case 'bus':
      return busOf(source.from) * 2 ** 8 + busOf(source.to)
    default:
      return 0
  }
}

/** Whether an entry lets a requester through. */
const accepts = (entry: TableEntry, from: number, own: number): boolean => {
  const field = sourceFieldOf(entry, own)
  switch (entry.source.check) {
    case 'requester':
      return ((field ^ from) & COMPARED[entry.source.qualifier]!) === 0
    case 'bus':
      return from >>> 8 >= field >>> 8 && from >>> 8 <= (field & 0xff)
    default:
      return true
  }
}

/** Why a request through this entry is blocked; undefined: it is not. */
export const blockedBy = (entry: TableEntry, from: number, own: number): number | undefined => {
  if (!entry.present) return REMAPPING_FAULT.ABSENT
  if (isFaulty(entry)) return REMAPPING_FAULT.RESERVED_ENTRY
  return accepts(entry, from, own) ? undefined : REMAPPING_FAULT.SOURCE
}

const isFaulty = ({ reserved, source }: TableEntry): boolean => reserved !== 'nowhere' || source.check === 'reserved'

/** Only these may be used again without a look into memory, as long as caching mode is off. */
export const isCacheable = (entry: TableEntry): boolean => entry.present && !isFaulty(entry)
