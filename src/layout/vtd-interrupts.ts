/** The interrupt-remapping half of a VT-d unit (VT-d 4.1, chapters 5, 6.5, 9 and 11): registers, entries, descriptors. */

/** Where a PC has its first unit. */
export const REMAPPING_BASE = 0xfed9_0000

/** Register offsets, in bytes. */
export const VTD = {
  version: 0x00,
  capability: 0x08,
  extendedCapability: 0x10,
  command: 0x18,
  status: 0x1c,
  faultStatus: 0x34,
  faultControl: 0x38,
  faultData: 0x3c,
  faultAddress: 0x40,
  faultUpperAddress: 0x44,
  queueHead: 0x80,
  queueTail: 0x88,
  queueAddress: 0x90,
  tableAddress: 0xb8,
  bytes: 0x1000,
} as const

/** Bits of the global command, and of the global status, which has them in the same places. */
export const VTD_COMMAND = {
  QUEUE: 1 << 26,
  REMAP: 1 << 25,
  SET_TABLE: 1 << 24,
  COMPATIBILITY: 1 << 23,
} as const
/** Status bits that a command repeats; the others are commands of one moment. */
export const VTD_COMMAND_KEPT = 0x96ff_ffff

/** `capability`, upper half: the fault records. */
export const VTD_CAPABILITY_HIGH = { RECORDS_SHIFT: 8, RECORDS_MASK: 0xff, POSTING: 1 << 27 } as const
/** `capability`, lower half: offset of the fault records in units of 16 bytes. */
export const VTD_CAPABILITY_LOW = { RECORDS_OFFSET_SHIFT: 24, CACHING_MODE: 1 << 7 } as const
/** `INDEX_MASK`: the largest mask of an invalidation by index is 15. */
export const VTD_EXTENDED = { QUEUE: 1 << 1, REMAP: 1 << 3, EXTENDED_MODE: 1 << 4, INDEX_MASK: 15 << 20 } as const

/** `tableAddress`: base in bits 63 to 12, extended mode in bit 11, log2 of the number of entries less one in bits 3 to 0. */
export const TABLE_EXTENDED = 1 << 11
export const TABLE_SIZE_MASK = 0xf

/** `faultStatus`. */
export const FAULT_STATUS = { OVERFLOW: 1, PENDING: 2, QUEUE_ERROR: 1 << 4, INDEX_SHIFT: 8 } as const
export const FAULT_CONTROL_MASK = 2 ** 31
/** A fault record: four dwords. The index is in the upper half of the second one. */
export const FAULT_RECORD = { bytes: 16, index: 4, requester: 8, reason: 12 } as const
export const FAULT_PRESENT = 2 ** 31

/** Why a request is blocked. */
export const REMAPPING_FAULT = {
  RESERVED_REQUEST: 0x20,
  BEYOND_TABLE: 0x21,
  ABSENT: 0x22,
  TABLE_UNREADABLE: 0x23,
  RESERVED_ENTRY: 0x24,
  COMPATIBILITY: 0x25,
  SOURCE: 0x26,
  DESCRIPTOR_UNREADABLE: 0x27,
  RESERVED_DESCRIPTOR: 0x28,
} as const

/** Address of a request, bits of the lower 20. */
export const REQUEST = {
  base: 0xfee0_0000,
  /** Bits 14 to 0 of the handle. */
  HANDLE_SHIFT: 5,
  REMAPPABLE: 1 << 4,
  SUBHANDLE: 1 << 3,
  /** Bit 15 of the handle. */
  HANDLE_HIGH: 1 << 2,
} as const
/** Address of a request in compatibility format. */
export const COMPATIBILITY = { CPU_SHIFT: 12, LOGICAL: 1 << 2 } as const
/** Data of a request in compatibility format. */
export const MESSAGE_DATA = { DELIVERY_SHIFT: 8, LEVEL: 1 << 15 } as const

/** A table entry: four dwords. The first one of the remapped format, and of the posted one where they are equal. */
export const ENTRY = {
  bytes: 16,
  PRESENT: 1,
  FAULTS_DISABLED: 1 << 1,
  LOGICAL: 1 << 2,
  LEVEL: 1 << 4,
  DELIVERY_SHIFT: 5,
  POSTED: 1 << 15,
  VECTOR_SHIFT: 16,
  /** Posted: bits 6 to 31 of the address of the descriptor, in bits 38 to 63. */
  DESCRIPTOR_LOW_MASK: 0xffff_ffc0,
  /** Posted. */
  URGENT: 1 << 14,
  /** Reserved in the first dword, remapped and posted. */
  RESERVED: 0xff00_7000,
  RESERVED_POSTED: 0xff00_30fc,
} as const
/** The third dword. */
export const ENTRY_SOURCE = { QUALIFIER_SHIFT: 16, CHECK_SHIFT: 18, RESERVED: 0xfff0_0000 } as const
export const SOURCE_CHECK = { NONE: 0, REQUESTER: 1, BUS: 2 } as const

/** Encodings of delivery modes, in entries and messages. */
export const DELIVERY_CODE = { fixed: 0, lowest: 1, smi: 2, nmi: 4, init: 5, extint: 7 } as const

/** Descriptors of the invalidation queue, 16 bytes each. */
export const DESCRIPTOR = {
  bytes: 16,
  TYPE_MASK: 0xf,
  ENTRIES: 4,
  WAIT: 5,
  /** `ENTRIES`: by index; all of them otherwise. */
  BY_INDEX: 1 << 4,
  INDEX_MASK_SHIFT: 27,
  /** `WAIT`: writes its status. */
  WRITE_STATUS: 1 << 5,
} as const

/** A posted-interrupt descriptor: 256 request bits, then control. */
export const POSTED = {
  bytes: 64,
  control: 32,
  destination: 36,
  OUTSTANDING: 1,
  SUPPRESS: 2,
  VECTOR_SHIFT: 16,
} as const
