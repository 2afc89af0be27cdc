/**
 * A VT-d unit as software finds it (VT-d 4.1, chapters 3, 6.5, 7, 9 and 11): registers, tables, descriptors, fault reasons.
 *
 * Everything is little endian. What is 64 bits wide or more is laid out here in dwords: `_LOW` and `_HIGH` are the halves of a
 * register, and a field of an entry names its dword. What is of interrupts alone is in `vtd-interrupts`.
 */

/** Where a PC has its first unit. */
export const VTD_BASE = 0xfed9_0000

/** Register offsets, in bytes. Those of the IOTLB are where `VTD_EXTENDED_LOW` says, the fault records where `VTD_CAPABILITY_LOW` does. */
export const VTD = {
  version: 0x00,
  capability: 0x08,
  extendedCapability: 0x10,
  command: 0x18,
  status: 0x1c,
  rootAddress: 0x20,
  contextCommand: 0x28,
  faultStatus: 0x34,
  faultControl: 0x38,
  faultData: 0x3c,
  faultAddress: 0x40,
  faultUpperAddress: 0x44,
  protectedEnable: 0x64,
  protectedLowBase: 0x68,
  protectedLowLimit: 0x6c,
  protectedHighBase: 0x70,
  protectedHighLimit: 0x78,
  queueHead: 0x80,
  queueTail: 0x88,
  queueAddress: 0x90,
  completionStatus: 0x9c,
  completionControl: 0xa0,
  completionData: 0xa4,
  completionAddress: 0xa8,
  completionUpperAddress: 0xac,
  queueErrorRecord: 0xb0,
  tableAddress: 0xb8,
  bytes: 0x1000,
} as const

/** The IOTLB registers, from their offset. */
export const VTD_IOTLB = { address: 0, command: 8, bytes: 16 } as const

/** Bits of the global command, and of the global status, which has them in the same places. */
export const VTD_COMMAND = {
  TRANSLATE: 1 << 31,
  SET_ROOT: 1 << 30,
  SET_FAULT_LOG: 1 << 29,
  FAULT_LOG: 1 << 28,
  FLUSH_WRITES: 1 << 27,
  QUEUE: 1 << 26,
  REMAP: 1 << 25,
  SET_TABLE: 1 << 24,
  COMPATIBILITY: 1 << 23,
} as const
/** Status bits that a command repeats; the others are commands of one moment. */
export const VTD_COMMAND_KEPT = 0x96ff_ffff

/** `capability`, lower half. Offset of the fault records in units of 16 bytes, its lower 8 bits. */
export const VTD_CAPABILITY_LOW = {
  /** log2 of the number of domains is 4 + 2 * this. */
  DOMAINS_MASK: 7,
  FLUSH_WRITES: 1 << 4,
  PROTECTED_LOW: 1 << 5,
  PROTECTED_HIGH: 1 << 6,
  CACHING_MODE: 1 << 7,
  /** Bit 1: 39 bits (3 levels), bit 2: 48 bits (4 levels), bit 3: 57 bits (5 levels). */
  WIDTHS_SHIFT: 8,
  WIDTHS_MASK: 0x1f,
  /** Width of an IOVA in bits, less one. */
  ADDRESS_SHIFT: 16,
  ADDRESS_MASK: 0x3f,
  ZERO_LENGTH_READ: 1 << 22,
  RECORDS_OFFSET_SHIFT: 24,
} as const
/** `capability`, upper half. */
export const VTD_CAPABILITY_HIGH = {
  /** Bits 9 and 8 of the offset of the fault records. */
  RECORDS_OFFSET_MASK: 3,
  LARGE_2M: 1 << 2,
  LARGE_1G: 1 << 3,
  PAGE_SELECTIVE: 1 << 7,
  /** Number of fault records, less one. */
  RECORDS_SHIFT: 8,
  RECORDS_MASK: 0xff,
  ADDRESS_MASK_SHIFT: 16,
  ADDRESS_MASK_MASK: 0x3f,
  DRAIN_WRITE: 1 << 22,
  DRAIN_READ: 1 << 23,
  FIRST_LEVEL_1G: 1 << 24,
  POSTING: 1 << 27,
  FIRST_LEVEL_5: 1 << 28,
  /** The command that sets the interrupt table, the root table, flushes every cache that depends on it. */
  SET_TABLE_FLUSHES: 1 << 30,
  SET_ROOT_FLUSHES: 1 << 31,
} as const
/** `extendedCapability`, lower half. `INDEX_MASK`: the largest mask of an invalidation by index is 15. */
export const VTD_EXTENDED = {
  COHERENT: 1,
  QUEUE: 1 << 1,
  DEVICE_TLB: 1 << 2,
  REMAP: 1 << 3,
  EXTENDED_MODE: 1 << 4,
  PASS_THROUGH: 1 << 6,
  SNOOP: 1 << 7,
  /** Offset of the IOTLB registers, in units of 16 bytes. */
  IOTLB_SHIFT: 8,
  IOTLB_MASK: 0x3ff,
  INDEX_MASK: 15 << 20,
} as const
/** `extendedCapability`, upper half. */
export const VTD_EXTENDED_HIGH = {
  /** Bits of a PASID, less one. */
  PASID_BITS_SHIFT: 3,
  PASID_BITS_MASK: 0x1f,
  PASID: 1 << 8,
  SCALABLE: 1 << 11,
  SECOND_LEVEL: 1 << 14,
  FIRST_LEVEL: 1 << 15,
} as const

/** `rootAddress`, lower half: base in bits 63 to 12, and in bits 11 and 10 how the table is read. */
export const ROOT_ADDRESS = { MODE_SHIFT: 10, MODE_MASK: 3, LEGACY: 0, SCALABLE: 1, ABORT: 3 } as const

/** Granularities of invalidations, asked for and done; in descriptors too. */
export const GRANULARITY = { NONE: 0, GLOBAL: 1, DOMAIN: 2, DEVICE: 3, PAGES: 3 } as const
/** `contextCommand`: domain and source (low), function mask, done, asked, and the bit that starts it (high). */
export const CONTEXT_COMMAND = { SOURCE_SHIFT: 16 } as const
export const CONTEXT_COMMAND_HIGH = {
  FUNCTIONS_MASK: 3,
  DONE_SHIFT: 27,
  ASKED_SHIFT: 29,
  START: 1 << 31,
} as const
/** Bits of the function number that an invalidation by device leaves out of the comparison, by its function mask. */
export const FUNCTIONS_LEFT_OUT = [0, 4, 6, 7] as const
/** `VTD_IOTLB.command`, upper half: domain in bits 15 to 0. */
export const IOTLB_COMMAND_HIGH = {
  DRAIN_WRITES: 1 << 16,
  DRAIN_READS: 1 << 17,
  DONE_SHIFT: 25,
  ASKED_SHIFT: 28,
  START: 1 << 31,
} as const
/** `VTD_IOTLB.address`, lower half, and the third dword of a descriptor: address in bits 63 to 12, log2 of the pages in 5 to 0. */
export const IOTLB_ADDRESS = { MASK_MASK: 0x3f, HINT: 1 << 6 } as const

/** `protectedEnable`. */
export const PROTECTED = { ENABLE: 1 << 31, STATUS: 1 } as const

/** `faultStatus`. */
export const FAULT_STATUS = {
  OVERFLOW: 1,
  PENDING: 2,
  QUEUE_ERROR: 1 << 4,
  DEVICE_ERROR: 1 << 5,
  DEVICE_TIMEOUT: 1 << 6,
  INDEX_SHIFT: 8,
} as const
/** `faultControl` and `completionControl`. */
export const EVENT = { MASK: 2 ** 31, PENDING: 2 ** 30 } as const
/** `completionStatus`: a wait that asked for an interrupt has completed. */
export const COMPLETION_WAIT = 1

/**
 * A fault record: four dwords. The page is in bits 31 to 12 of the first one, and in the second one; of an interrupt request
 * there is an index in bits 31 to 16 of that (`index`).
 */
export const FAULT_RECORD = { bytes: 16, page: 0, index: 4, requester: 8, reason: 12 } as const
/** The third dword: requester in bits 15 to 0. */
export const FAULT_REQUESTER = { PRIVILEGED: 1 << 29, EXECUTE: 1 << 30, HAS_PASID: 1 << 31 } as const
/** The fourth dword: reason in bits 7 to 0. */
export const FAULT_REASON = { PASID_SHIFT: 8, ADDRESS_TYPE_SHIFT: 28, READ: 1 << 30 } as const
export const FAULT_PRESENT = 2 ** 31

/** Why an access is blocked, where the root table is read in legacy mode; the reasons of interrupts begin at 0x20. */
export const DMA_FAULT = {
  ROOT_ABSENT: 0x1,
  CONTEXT_ABSENT: 0x2,
  CONTEXT_INVALID: 0x3,
  BEYOND_WIDTH: 0x4,
  WRITE: 0x5,
  READ: 0x6,
  TABLE_UNREADABLE: 0x7,
  ROOT_UNREADABLE: 0x8,
  CONTEXT_UNREADABLE: 0x9,
  ROOT_RESERVED: 0xa,
  CONTEXT_RESERVED: 0xb,
  ENTRY_RESERVED: 0xc,
  /** A translated request, or one for a translation, where the context entry allows neither. */
  TYPE_BLOCKED: 0xd,
  INTERRUPT_WINDOW: 0xe,
} as const
/** The same in scalable mode. */
export const SCALABLE_FAULT = {
  ROOT_POINTER_INVALID: 0x30,
  /** A request with a PASID in legacy mode. */
  MODE: 0x31,
  ROOT_UNREADABLE: 0x38,
  ROOT_ABSENT: 0x39,
  ROOT_RESERVED: 0x3a,
  CONTEXT_UNREADABLE: 0x40,
  CONTEXT_ABSENT: 0x41,
  CONTEXT_RESERVED: 0x42,
  CONTEXT_INVALID: 0x43,
  DEVICE_TLB_OFF: 0x44,
  PASID_OFF: 0x45,
  PASID_TOO_LARGE: 0x46,
  PAGE_REQUEST_OFF: 0x47,
  REQUESTER_PASID: 0x48,
  DIRECTORY_UNREADABLE: 0x50,
  DIRECTORY_ABSENT: 0x51,
  DIRECTORY_RESERVED: 0x52,
  PASID_UNREADABLE: 0x58,
  PASID_ABSENT: 0x59,
  PASID_RESERVED: 0x5a,
  PASID_INVALID: 0x5b,
  EXECUTE_OFF: 0x5c,
  SUPERVISOR_OFF: 0x5d,
  FIRST_UNREADABLE: 0x70,
  FIRST_ABSENT: 0x71,
  FIRST_RESERVED: 0x72,
  FIRST_TOP_UNREADABLE: 0x73,
  SECOND_UNREADABLE: 0x78,
  /** Nested translation: the tables of the first level are not readable or writable in the second. */
  SECOND_PERMISSION: 0x79,
  SECOND_RESERVED: 0x7a,
  SECOND_POINTER_INVALID: 0x7b,
  NOT_CANONICAL: 0x80,
  USER: 0x81,
  EXECUTE: 0x82,
  BEYOND_HOST_WIDTH: 0x83,
  BEYOND_WIDTH: 0x84,
  WRITE: 0x85,
  READ: 0x86,
  INTERRUPT_WINDOW: 0x87,
} as const

/** A root entry, by bus: 16 bytes. Its first dword: table in bits 63 to 12. In scalable mode each half is one of these: devices 0 to 15, 16 to 31. */
export const ROOT_ENTRY = { bytes: 16, upper: 8, PRESENT: 1, RESERVED: 0xffe } as const

/** A context entry of legacy mode, by `device << 3 | function`: four dwords; the first one, with the table in bits 63 to 12. */
export const CONTEXT_ENTRY = {
  bytes: 16,
  PRESENT: 1,
  FAULTS_DISABLED: 1 << 1,
  TYPE_SHIFT: 2,
  TYPE_MASK: 3,
  RESERVED: 0xff0,
} as const
/** The third dword. Width 1: 39 bits (3 levels), 2: 48 bits (4 levels), 3: 57 bits (5 levels). */
export const CONTEXT_ENTRY_HIGH = { WIDTH_MASK: 7, DOMAIN_SHIFT: 8, RESERVED: 0xff00_0080 } as const
/** What a context entry does with untranslated requests, translated ones, and those for a translation. */
export const TRANSLATION_TYPE = { UNTRANSLATED: 0, ALL: 1, PASS_THROUGH: 2 } as const

/** A context entry of scalable mode, by the lower 7 bits of `device << 3 | function`: eight dwords; the first one, with the directory in bits 63 to 12. */
export const SCALABLE_CONTEXT = {
  bytes: 32,
  PRESENT: 1,
  FAULTS_DISABLED: 1 << 1,
  DEVICE_TLB: 1 << 2,
  PASID: 1 << 3,
  PAGE_REQUEST: 1 << 4,
  /** log2 of the number of entries of the directory, less 7. */
  DIRECTORY_SHIFT: 9,
  DIRECTORY_MASK: 7,
  RESERVED: 0x1e0,
} as const
/** The third dword: PASID of requests without one. The others are reserved. */
export const SCALABLE_CONTEXT_HIGH = { PASID_MASK: 0xf_ffff, PRIVILEGED: 1 << 20, RESERVED: 0xffe0_0000 } as const

/** An entry of a PASID directory, by bits 19 to 6 of the PASID: the table in bits 63 to 12 of two dwords. */
export const PASID_DIRECTORY = { bytes: 8, PRESENT: 1, FAULTS_DISABLED: 1 << 1, RESERVED: 0xffc } as const
/** An entry of a PASID table, by bits 5 to 0: sixteen dwords; the first one, with the second-level table in bits 63 to 12. */
export const PASID_ENTRY = {
  bytes: 64,
  PRESENT: 1,
  FAULTS_DISABLED: 1 << 1,
  /** As in `CONTEXT_ENTRY_HIGH`. */
  WIDTH_SHIFT: 2,
  WIDTH_MASK: 7,
  TYPE_SHIFT: 6,
  TYPE_MASK: 7,
  DIRTY: 1 << 9,
  RESERVED: 0xc00,
  /** The third dword: domain in bits 15 to 0. */
  domain: 8,
  /** The fifth and sixth: flags, and the first-level table in bits 63 to 12. */
  first: 16,
} as const
export const PASID_TYPE = { FIRST: 1, SECOND: 2, NESTED: 3, PASS_THROUGH: 4 } as const

/** An entry of a second-level table: 8 bytes, 512 to a table; the first dword, with the address in bits 51 to 12. */
export const SECOND_LEVEL = {
  bytes: 8,
  READ: 1,
  WRITE: 1 << 1,
  /** At the levels 2 and 3: maps a page of 2 MiB, 1 GiB. */
  LARGE: 1 << 7,
  ACCESSED: 1 << 8,
  DIRTY: 1 << 9,
  /** Of an entry that maps a page; reserved in others, and without `VTD_EXTENDED.SNOOP`. */
  SNOOP: 1 << 11,
} as const
/** Its second dword: bit 62, of an entry that maps a page; reserved without `VTD_EXTENDED.DEVICE_TLB`. */
export const SECOND_LEVEL_HIGH = { TRANSIENT: 1 << 30, IGNORED: 0xbff0_0000 } as const

/** `queueAddress`, lower half: base in bits 63 to 12, descriptors of 32 bytes, log2 of the number of pages. */
export const QUEUE_ADDRESS = { WIDE: 1 << 11, SIZE_MASK: 7 } as const
/** Descriptors of the invalidation queue: 16 bytes each, or 32 of which the upper half is reserved. Domain, where there is one, in bits 31 to 16 of the first dword. */
export const DESCRIPTOR = {
  bytes: 16,
  wideBytes: 32,
  TYPE_MASK: 0xf,
  CONTEXT: 1,
  IOTLB: 2,
  DEVICE_TLB: 3,
  ENTRIES: 4,
  WAIT: 5,
  PASID_IOTLB: 6,
  PASID_CACHE: 7,
  PASID_DEVICE_TLB: 8,
  /** `CONTEXT`, `IOTLB`, and both of PASIDs. */
  GRANULARITY_SHIFT: 4,
  GRANULARITY_MASK: 3,
  DOMAIN_SHIFT: 16,
  /** `IOTLB`. */
  DRAIN_WRITES: 1 << 6,
  DRAIN_READS: 1 << 7,
  /** `ENTRIES`: by index; all of them otherwise. */
  BY_INDEX: 1 << 4,
  INDEX_MASK_SHIFT: 27,
  /** `WAIT`: interrupts, writes its status, and later descriptors wait for earlier ones. */
  INTERRUPT: 1 << 4,
  WRITE_STATUS: 1 << 5,
  FENCE: 1 << 6,
} as const
/** The second dword: of `CONTEXT` and `DEVICE_TLB` the source in bits 15 to 0, of those of PASIDs the PASID in bits 19 to 0. */
export const DESCRIPTOR_HIGH = { FUNCTIONS_SHIFT: 16, FUNCTIONS_MASK: 3, PASID_MASK: 0xf_ffff } as const
/** Granularities of `PASID_IOTLB` and `PASID_CACHE`. */
export const PASID_GRANULARITY = { DOMAIN: 0, PASID: 1, IOTLB_PASID: 2, PAGES: 3, GLOBAL: 3 } as const
/** `DEVICE_TLB`, the third dword: an address range; the lowest bit of the address that is 0, from 12 on, says how large. */
export const DEVICE_TLB_RANGE = 1

/** Addresses that are no memory but interrupt requests when they are written. */
export const INTERRUPT_WINDOW = { start: 0xfee0_0000, end: 0xfef0_0000 } as const
