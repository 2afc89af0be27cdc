/** The state of an AMD-Vi unit, all of it plain data, and what its tables come to. Pages are numbers of 4 KiB pages. */
import type { Pages } from './pages.ts'

/** Dwords of a 64-bit register, of an entry, of a command. */
export type Halves = [low: number, high: number]
export type Dwords = readonly number[]

/** What is allowed. */
export interface Rights {
  readonly read: boolean
  readonly write: boolean
}

/** What a device table entry says. */
export interface DeviceEntry extends Rights {
  /** Not valid: requests pass as they are. */
  readonly through: boolean
  /** It says where tables are, or that there are none (`levels` 0). */
  readonly translates: boolean
  readonly domain: number
  readonly levels: number
  /** GPA of the top table. */
  readonly table: number
  readonly deviceTlb: boolean
  /** Page faults are not logged. */
  readonly quiet: boolean
  /** It may use the exclusion range. */
  readonly excluded: boolean
}

/** What a page table says of an address: a run of pages, aligned to its size. */
export interface Leaf extends Pages, Rights {
  /** The page of memory that the first one is. */
  readonly host: number
}

/** A table below the top one, and what all entries above it allow. */
export interface Directory extends Rights {
  /** Entries of the table are for 512^(level - 1) pages each. */
  readonly level: number
  readonly table: number
}

/** Why a request is blocked: an event, and what of it its flags tell. `at`: the address of what could not be read. */
export interface Refusal {
  /** `AMD_EVENT`. */
  readonly kind: number
  readonly flags: number
  readonly at?: number
}

export interface AmdEvent extends Refusal {
  readonly requester: number
  readonly domain: number
  /** Address, of the access or of what could not be read. */
  readonly low: number
  readonly high: number
}

export interface CachedEntry {
  readonly requester: number
  readonly entry: DeviceEntry
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

/** An invalidation of pages. */
export interface PageFlush extends Pages {
  readonly domain: number
  readonly directories: boolean
}

export interface AmdState {
  deviceTable: Halves
  commands: Halves
  events: Halves
  exclusionBase: Halves
  exclusionLimit: Halves
  control: Halves
  /** Byte offsets into the rings. */
  commandHead: number
  commandTail: number
  eventHead: number
  eventTail: number
  /** A command could not be performed: none is until commands are switched on again. */
  halted: boolean
  /** An event found no room: none is logged until the log is switched on again. */
  stopped: boolean
  /** Status bits that are cleared by writing 1. */
  status: number
  entries: CachedEntry[]
  leaves: CachedLeaf[]
  directories: CachedDirectory[]
}

export const freshAmd = (): AmdState => ({
  deviceTable: [0, 0],
  commands: [0, 0],
  events: [0, 0],
  exclusionBase: [0, 0],
  exclusionLimit: [0, 0],
  control: [0, 0],
  commandHead: 0,
  commandTail: 0,
  eventHead: 0,
  eventTail: 0,
  halted: false,
  stopped: false,
  status: 0,
  entries: [],
  leaves: [],
  directories: [],
})

export const isRefusal = (found: object): found is Refusal => 'kind' in found
