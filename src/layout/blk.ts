/** Byte layout of virtio-blk requests and configuration, VIRTIO 1.3 section 5.2. */

export const SECTOR_BYTES = 512

export const BLK_FEATURE = { SIZE_MAX: 1, SEG_MAX: 2, RO: 5, BLK_SIZE: 6, FLUSH: 9, CONFIG_WCE: 11, MQ: 12 } as const

/** Request types, 5.2.6. */
export const BLK_TYPE = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const

/** Status byte, 5.2.6. */
export const BLK_STATUS = { OK: 0, IOERR: 1, UNSUPP: 2 } as const

/** Request header: `type` (4 bytes), reserved (4), `sector` (8). */
export const BLK_HEADER = { type: 0, reserved: 4, sector: 8, bytes: 16 } as const

/** Length of the GET_ID answer. */
export const BLK_ID_BYTES = 20

/** Configuration space: offset of each field in bytes. */
export const BLK_CONFIG = {
  capacity: 0,
  sizeMax: 8,
  segMax: 12,
  blkSize: 20,
  writeback: 32,
  numQueues: 34,
  bytes: 60,
} as const
