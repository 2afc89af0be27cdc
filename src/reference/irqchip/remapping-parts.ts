/** The decisions of an interrupt-remapping unit, and the state that they are functions of (VT-d 4.1, chapter 5). */
import type { Delivery } from '../../contract/index.ts'
import { DESCRIPTOR, VTD_COMMAND } from '../../layout/vtd.ts'
import {
  COMPATIBILITY,
  DELIVERY_CODE,
  ENTRY,
  ENTRY_SOURCE,
  MESSAGE_DATA,
  REMAPPING_FAULT,
  REQUEST,
  SOURCE_CHECK,
} from '../../layout/vtd-interrupts.ts'

/** A table entry as four dwords. */
export type Irte = readonly [number, number, number, number]

/** The table that is in force. */
export interface Table {
  readonly base: number
  /** Number of entries. */
  readonly entries: number
  readonly extended: boolean
}

export interface FaultRecord {
  readonly reason: number
  readonly requester: number
  readonly index: number
}

export interface RemappingState {
  /** Kept bits of the global status. */
  status: number
  /** The table address register; in force only since the command. */
  tableLow: number
  tableHigh: number
  table: Table
  queueLow: number
  queueHigh: number
  /** Byte offsets into the queue. */
  head: number
  tail: number
  overflow: boolean
  queueError: boolean
  faultControl: number
  /** Data, address and upper address of the fault message; storage. */
  faultMessage: [number, number, number]
  record: FaultRecord | undefined
  /** Entries that were used, and are used again without a look into memory. */
  cache: { readonly index: number; readonly entry: Irte }[]
}

/** What an interrupt is like when it leaves. */
export interface Interrupt {
  readonly vector: number
  readonly destination: number
  readonly logical: boolean
  readonly delivery: Delivery
  readonly level: boolean
}

/** What a seeded fault can replace one of. */
export interface RemappingParts {
  /** Does the request have bits set that must be zero? */
  isReservedRequest(address: number, data: number): boolean
  /** The table entry that a remappable request names. */
  indexOf(address: number, data: number): number
  isBeyond(index: number, table: Table): boolean
  /** Does the entry have bits set that must be zero? */
  isReservedEntry(entry: Irte): boolean
  /** May this requester use the entry? */
  accepts(entry: Irte, requester: number): boolean
  /** May a request in compatibility format pass while remapping is on? */
  passesCompatible(state: RemappingState): boolean
  /** May the entry be used again without a look into memory? */
  isCacheable(entry: Irte): boolean
  /** Does an invalidation drop this entry of the cache? */
  drops(descriptor: Irte, index: number, entry: Irte): boolean
  /** The table in force after a write of its address. */
  tableAfterWrite(state: RemappingState): Table
  interrupt(entry: Irte, extended: boolean, data: number): Interrupt
  /** Is a fault with this entry recorded? */
  isRecorded(entry: Irte | undefined): boolean
  /** What the record of a fault holds. */
  recorded(fault: FaultRecord): FaultRecord
  /** The record after a fault that finds it occupied. */
  overflown(occupied: FaultRecord, fault: FaultRecord): FaultRecord
  /** Is a notification sent for a posted request? */
  notifies(entry: Irte, outstanding: boolean, suppressed: boolean): boolean
}

/** Bits of the requester that are compared, by the source-id qualifier, 9.10. */
const QUALIFIERS = [0xffff, 0xfffb, 0xfff9, 0xfff8] as const

export const checkOf = (entry: Irte): number => (entry[2] >>> ENTRY_SOURCE.CHECK_SHIFT) & 3
export const isPosted = (entry: Irte): boolean => (entry[0] & ENTRY.POSTED) !== 0
const isPresent = (entry: Irte): boolean => (entry[0] & ENTRY.PRESENT) !== 0

const isReservedEntry = (entry: Irte): boolean =>
  (entry[0] & (isPosted(entry) ? ENTRY.RESERVED_POSTED : ENTRY.RESERVED)) !== 0 ||
  (entry[2] & ENTRY_SOURCE.RESERVED) !== 0 ||
  checkOf(entry) === 3 ||
  (isPosted(entry) ? (entry[1] & 0x3f) !== 0 : entry[3] !== 0)

/** What is wrong with an entry whoever asks; undefined: nothing. */
export const flawOf = (entry: Irte, parts: RemappingParts): number | undefined => {
  if (!isPresent(entry)) return REMAPPING_FAULT.ABSENT
  return parts.isReservedEntry(entry) ? REMAPPING_FAULT.RESERVED_ENTRY : undefined
}

const DELIVERIES = new Map(Object.entries(DELIVERY_CODE).map(([name, code]) => [code as number, name as Delivery]))
/** Reserved encodings are taken for fixed delivery. */
const deliveryOf = (code: number): Delivery => DELIVERIES.get(code & 7) ?? 'fixed'

/** A request that is its own interrupt, 5.1.2.1. */
export const compatible = (address: number, data: number): Interrupt => ({
  vector: data & 0xff,
  destination: (address >>> COMPATIBILITY.CPU_SHIFT) & 0xff,
  logical: (address & COMPATIBILITY.LOGICAL) !== 0,
  delivery: deliveryOf(data >>> MESSAGE_DATA.DELIVERY_SHIFT),
  level: (data & MESSAGE_DATA.LEVEL) !== 0,
})

export const correctRemapping: RemappingParts = {
  // With a sub-handle the upper half of the data is reserved; without one all of the data is ignored, 5.1.2.2.
  isReservedRequest: (address, data) => (address & REQUEST.SUBHANDLE) !== 0 && data >>> 16 !== 0,
  indexOf(address, data) {
    const high = (address & REQUEST.HANDLE_HIGH) === 0 ? 0 : 0x8000
    const handle = high | ((address >>> REQUEST.HANDLE_SHIFT) & 0x7fff)
    return handle + ((address & REQUEST.SUBHANDLE) === 0 ? 0 : data & 0xffff)
  },
  isBeyond: (index, table) => index >= table.entries,
  isReservedEntry,
  accepts(entry, requester) {
    const source = entry[2] & 0xffff
    switch (checkOf(entry)) {
      case SOURCE_CHECK.REQUESTER:
        return ((source ^ requester) & QUALIFIERS[(entry[2] >>> ENTRY_SOURCE.QUALIFIER_SHIFT) & 3]!) === 0
      case SOURCE_CHECK.BUS:
        return requester >>> 8 >= source >>> 8 && requester >>> 8 <= (source & 0xff)
      default:
        return true
    }
  },
  passesCompatible: (state) => (state.status & VTD_COMMAND.COMPATIBILITY) !== 0 && !state.table.extended,
  isCacheable: (entry) => isPresent(entry) && !isReservedEntry(entry),
  drops(descriptor, index) {
    if ((descriptor[0] & DESCRIPTOR.BY_INDEX) === 0) return true
    const ignored = 2 ** ((descriptor[0] >>> DESCRIPTOR.INDEX_MASK_SHIFT) & 0x1f) - 1
    return ((index ^ descriptor[1]) & 0xffff & ~ignored) === 0
  },
  tableAfterWrite: (state) => state.table,
  interrupt: (entry, extended) => ({
    vector: (entry[0] >>> ENTRY.VECTOR_SHIFT) & 0xff,
    destination: extended ? entry[1] >>> 0 : (entry[1] >>> 8) & 0xff,
    logical: (entry[0] & ENTRY.LOGICAL) !== 0,
    delivery: deliveryOf(entry[0] >>> ENTRY.DELIVERY_SHIFT),
    level: (entry[0] & ENTRY.LEVEL) !== 0,
  }),
  isRecorded: (entry) => entry === undefined || (entry[0] & ENTRY.FAULTS_DISABLED) === 0,
  recorded: (fault) => fault,
  overflown: (occupied) => occupied,
  notifies: (entry, outstanding, suppressed) => !outstanding && (!suppressed || (entry[0] & ENTRY.URGENT) !== 0),
}
