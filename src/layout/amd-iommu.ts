/**
 * An AMD-Vi unit as software finds it (AMD IOMMU 3.08, chapters 2 and 3): registers, device table, page tables, commands,
 * events.
 *
 * Everything is little endian. What is 64 bits wide or more is laid out in dwords: a field of an entry names its dword.
 */

/** Where a PC has its unit. */
export const AMD_BASE = 0xfed8_0000

/** Register offsets, in bytes; each is 64 bits wide. */
export const AMD = {
  deviceTable: 0x00,
  commands: 0x08,
  events: 0x10,
  control: 0x18,
  exclusionBase: 0x20,
  exclusionLimit: 0x28,
  features: 0x30,
  commandHead: 0x2000,
  commandTail: 0x2008,
  eventHead: 0x2010,
  eventTail: 0x2018,
  status: 0x2020,
  bytes: 0x4000,
} as const

/** `deviceTable`, low dword: pages of the table, less one, and its base in bits 51 to 12. */
export const DEVICE_TABLE = { SIZE_MASK: 0x1ff } as const
/** `commands` and `events`, high dword: log2 of the number of entries; less than 8 is reserved. */
export const RING = {
  LENGTH_SHIFT: 24,
  LENGTH_MASK: 0xf,
  LENGTH_MIN: 8,
  entryBytes: 16,
  POINTER_MASK: 0x7_fff0,
} as const
/** `control`, low dword. */
export const AMD_CONTROL = {
  ENABLE: 1,
  EVENTS: 1 << 2,
  EVENT_INTERRUPT: 1 << 3,
  WAIT_INTERRUPT: 1 << 4,
  COMMANDS: 1 << 12,
} as const
/** `status`. The first three are cleared by writing 1. */
export const AMD_STATUS = {
  OVERFLOW: 1,
  EVENT: 1 << 1,
  WAIT: 1 << 2,
  EVENTS_RUN: 1 << 3,
  COMMANDS_RUN: 1 << 4,
  CLEARED: 7,
} as const
/** `features`, low dword. `LEVELS`: 4 levels, 5, 6. */
export const AMD_FEATURES = { INVALIDATE_ALL: 1 << 6, LEVELS_SHIFT: 10, LEVELS_MASK: 3 } as const
/** `exclusionBase`, low dword; `exclusionLimit` names the last page. */
export const EXCLUSION = { ENABLE: 1, ALLOW: 2 } as const

/** A device table entry: eight dwords, by device id. The first one, with the root of the tables in bits 51 to 12. */
export const DEVICE_ENTRY = {
  bytes: 32,
  VALID: 1,
  TRANSLATION: 1 << 1,
  RESERVED: 0x7c,
  MODE_SHIFT: 9,
  MODE_MASK: 7,
} as const
/** The second dword. */
export const DEVICE_ENTRY_HIGH = { READ: 1 << 29, WRITE: 1 << 30, RESERVED: 2 ** 31 } as const
/** The third is the domain; the fourth: requests of a device TLB, and what is not logged. */
export const DEVICE_ENTRY_FLAGS = {
  DEVICE_TLB: 1,
  /** Page faults after the first one. */
  SUPPRESS_MORE: 1 << 1,
  SUPPRESS_ALL: 1 << 2,
  EXCLUDED: 1 << 7,
} as const

/** An entry of a page table: 8 bytes, 512 to a table; the first dword, with an address in bits 51 to 12. */
export const AMD_PAGE = {
  bytes: 8,
  PRESENT: 1,
  /** 0: a page of the size of the level, 1 to 6: the level of the table below, 7: a page whose size its address tells. */
  NEXT_SHIFT: 9,
  NEXT_MASK: 7,
  NEXT_SIZED: 7,
} as const
/** The second dword. Reserved: bits 58 to 52, and in an entry that leads to a table 60 and 59 too. */
export const AMD_PAGE_HIGH = {
  READ: 1 << 29,
  WRITE: 1 << 30,
  RESERVED: 0x07f0_0000,
  RESERVED_TABLE: 0x1ff0_0000,
} as const

/** Commands: four dwords, the kind in bits 31 to 28 of the second one. */
export const AMD_COMMAND = {
  KIND_SHIFT: 28,
  WAIT: 1,
  ENTRY: 2,
  PAGES: 3,
  DEVICE_TLB: 4,
  INTERRUPTS: 5,
  ALL: 8,
} as const
/** The first dword of `WAIT`, with the address in bits 51 to 3. */
export const AMD_WAIT = { STORE: 1, INTERRUPT: 2, FLUSH: 4 } as const
/** The third dword of `PAGES` and `DEVICE_TLB`, with the address in bits 63 to 12: its size is told by the address; directories too. */
export const AMD_RANGE = { SIZED: 1, DIRECTORIES: 2, RESERVED: 0xff8 } as const

/** Events: four dwords, the device in the first one, the kind in bits 31 to 28 of the second; an address in the others. */
export const AMD_EVENT = {
  KIND_SHIFT: 28,
  ILLEGAL_ENTRY: 1,
  PAGE_FAULT: 2,
  DEVICE_TABLE_ERROR: 3,
  PAGE_TABLE_ERROR: 4,
  ILLEGAL_COMMAND: 5,
  COMMAND_ERROR: 6,
  INVALID_REQUEST: 8,
} as const
/** The second dword, with the domain in bits 15 to 0. */
export const AMD_EVENT_FLAGS = {
  PRESENT: 1 << 20,
  WRITE: 1 << 21,
  PERMISSION: 1 << 22,
  RESERVED: 1 << 23,
  TRANSLATION: 1 << 24,
} as const
