/** The interrupt half of a VT-d unit (VT-d 4.1, chapters 5 and 9): its table, entries and requests; the registers are in `vtd`. */

/** `tableAddress`: base in bits 63 to 12, extended mode in bit 11, log2 of the number of entries less one in bits 3 to 0. */
export const TABLE_EXTENDED = 1 << 11
export const TABLE_SIZE_MASK = 0xf

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

/** A posted-interrupt descriptor: 256 request bits, then control. */
export const POSTED = {
  bytes: 64,
  control: 32,
  destination: 36,
  OUTSTANDING: 1,
  SUPPRESS: 2,
  VECTOR_SHIFT: 16,
} as const
