/** An IDE channel: command and control block (ATA/ATAPI-6, 7), and its bus master (PIIX: BAR 4 of a PCI function). */

/** Offsets from the command block, 0x1f0 for the first channel. Some mean one thing written and another one read. */
export const IDE = {
  data: 0,
  error: 1,
  features: 1,
  count: 2,
  lbaLow: 3,
  lbaMid: 4,
  lbaHigh: 5,
  device: 6,
  status: 7,
  command: 7,
} as const
/** Ports of the first channel. `control` is alternate status when read. */
export const IDE_BASE = 0x1f0
export const IDE_CONTROL = 0x3f6

export const ATA_STATUS = { BSY: 0x80, DRDY: 0x40, DF: 0x20, DSC: 0x10, DRQ: 0x08, ERR: 0x01 } as const
export const ATA_ERROR = { UNC: 0x40, IDNF: 0x10, ABRT: 0x04 } as const
export const ATA_CONTROL = { SRST: 0x04, NIEN: 0x02 } as const
/** The bits of 0xa0 are obsolete and written as ones. */
export const ATA_DEVICE = { OBSOLETE: 0xa0, LBA: 0x40, DEV: 0x10, HIGH: 0x0f } as const

export const ATA_COMMAND = {
  NOP: 0x00,
  /** Reserved. */
  RESERVED: 0x04,
  READ: 0x20,
  WRITE: 0x30,
  READ_DMA: 0xc8,
  WRITE_DMA: 0xca,
  FLUSH: 0xe7,
  IDENTIFY: 0xec,
  SET_FEATURES: 0xef,
} as const
/** Subcommands of SET FEATURES. */
export const ATA_FEATURE = { WRITE_CACHE_ON: 0x02, TRANSFER_MODE: 0x03, WRITE_CACHE_OFF: 0x82, RESERVED: 0x4f } as const
/** What a drive that is no packet device shows after a reset: error, count, LBA low, mid and high, device. */
export const ATA_SIGNATURE = { error: 1, count: 1, lbaLow: 1, lbaMid: 0, lbaHigh: 0 } as const
/** Words of IDENTIFY DEVICE. */
export const IDENTIFY = { general: 0, capabilities: 49, sectorsLow: 60, sectorsHigh: 61 } as const
export const IDENTIFY_LBA = 0x200
export const SECTOR_BYTES = 512

/** Offsets from BAR 4, and what is in the registers. */
export const BUS_MASTER = { command: 0, status: 2, table: 4, bytes: 16 } as const
export const BUS_MASTER_COMMAND = { START: 0x01, TO_MEMORY: 0x08 } as const
export const BUS_MASTER_STATUS = { ACTIVE: 0x01, ERROR: 0x02, INTERRUPT: 0x04, CAPABLE: 0x60 } as const
export const BUS_MASTER_BAR = 4
/** One physical region descriptor. A count of 0 is 64 KiB; no region crosses a border of 64 KiB. */
export const PRD = { address: 0, count: 4, bytes: 8, END: 0x8000_0000, WHOLE: 0x1_0000 } as const
