/** The state of a VT-d style unit, all of it plain data, and what its tables come to. Pages are numbers of 4 KiB pages. */

/** Bits of an address that the machine has; higher ones are reserved in tables. */
export const HOST_BITS = 46
/** Pages of an address space of 64 bits. */
export const ALL_PAGES = 2 ** 52

/** Where requests are led: what a context entry says, or an entry of a PASID table. */
export interface Attachment {
  readonly domain: number
  /** Levels of the tables: 3 or 4. */
  readonly levels: number
  /** GPA of the top table; without meaning where `through`. */
  readonly table: number
  /** Requests pass as they are. */
  readonly through: boolean
  /** Translated requests, and those for a translation, are served. */
  readonly deviceTlb: boolean
  /** Faults are not recorded. */
  readonly quiet: boolean
}

/** A context entry of scalable mode, which leads to a PASID table. */
export interface PasidContext {
  readonly directory: number
  readonly directoryEntries: number
  /** Of requests without one. */
  readonly pasid: number
  readonly takesPasids: boolean
  readonly deviceTlb: boolean
  readonly quiet: boolean
}

/** Why a request is blocked. `quiet`: the entry that it was led by wants no record. */
export interface Refusal {
  readonly reason: number
  readonly quiet: boolean
}

/** What a page table says of an address: a run of pages, aligned to its size. */
export interface Leaf {
  readonly page: number
  /** 1, 512 or 262,144. */
  readonly pages: number
  /** The page of memory that the first one is. */
  readonly host: number
  readonly read: boolean
  readonly write: boolean
}

/** A table below the top one, and what all entries above it allow. */
export interface Directory {
  /** Entries of the table map 512^(level - 1) pages each. */
  readonly level: number
  readonly table: number
  readonly read: boolean
  readonly write: boolean
}

export interface CachedContext {
  readonly requester: number
  /** The domain that it is tagged with; none, 0, in scalable mode. */
  readonly domain: number
  readonly context: Attachment | PasidContext
}
export interface CachedPasid {
  readonly requester: number
  readonly pasid: number
  readonly attachment: Attachment
}
/** Neither `read` nor `write`: that there is none. */
export interface CachedLeaf extends Leaf {
  readonly domain: number
}
export interface CachedDirectory extends Directory {
  readonly domain: number
  /** The first page that the table is for. */
  readonly page: number
}

/** What is mapped downstream for a requester, where the unit has a shadow: brought up to date by invalidations alone. */
export interface Shadow {
  readonly requester: number
  /** Where the tables led the requester when all of it was made; null: nowhere. */
  attachment: Attachment | null
  /** Every access passes as it is. */
  through: boolean
  leaves: readonly Leaf[]
}

export interface FaultRecord {
  readonly reason: number
  readonly requester: number
  readonly page: number
  readonly read: boolean
  readonly addressType: 0 | 1 | 2
  readonly pasid?: number
}

/** An interrupt of the unit itself: mask, pending, and the message that it is sent by. */
export interface EventState {
  mask: boolean
  pending: boolean
  /** Data, address, upper address. */
  message: [number, number, number]
}

/** The root table, latched by the command that sets it. */
export interface Root {
  readonly base: number
  readonly mode: number
}

/** Dwords of a 64-bit register. */
export type Halves = [low: number, high: number]

export interface VtdState {
  /** Kept bits of the global status. */
  status: number
  rootAddress: Halves
  root: Root
  contextCommand: Halves
  iotlbAddress: Halves
  iotlbCommand: Halves
  queueAddress: Halves
  /** Byte offsets into the queue. */
  head: number
  tail: number
  queueError: boolean
  /** Why, as the queue error record tells. */
  queueErrorInfo: number
  /** Shadows that an invalidation of all of a domain has not come to yet; the queue waits for it. */
  rebuilding: number
  overflow: boolean
  records: (FaultRecord | null)[]
  /** The record that the next fault takes, and that which the first of those pending took. */
  next: number
  first: number
  fault: EventState
  completed: boolean
  completion: EventState
  protects: boolean
  protectedLow: Halves
  protectedHighBase: Halves
  protectedHighLimit: Halves
  contexts: CachedContext[]
  pasids: CachedPasid[]
  leaves: CachedLeaf[]
  directories: CachedDirectory[]
  shadows: Shadow[]
}

const event = (): EventState => ({ mask: true, pending: false, message: [0, 0, 0] })

export const freshVtd = (records: number): VtdState => ({
  status: 0,
  rootAddress: [0, 0],
  root: { base: 0, mode: 0 },
  contextCommand: [0, 0],
  iotlbAddress: [0, 0],
  iotlbCommand: [0, 0],
  queueAddress: [0, 0],
  head: 0,
  tail: 0,
  queueError: false,
  queueErrorInfo: 0,
  rebuilding: 0,
  overflow: false,
  records: Array.from({ length: records }, () => null),
  next: 0,
  first: 0,
  fault: event(),
  completed: false,
  completion: event(),
  protects: false,
  protectedLow: [0, 0],
  protectedHighBase: [0, 0],
  protectedHighLimit: [0, 0],
  contexts: [],
  pasids: [],
  leaves: [],
  directories: [],
  shadows: [],
})
