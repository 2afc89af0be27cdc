/** An NE2000: a DP8390 network controller with 16 KiB of memory of its own, on the ISA bus (DP8390D data sheet). */

/** Offsets from the base, 0x300. The others are registers of the page that the command register selects. */
export const NE2000 = { command: 0, data: 0x10, reset: 0x1f, ports: 0x20 } as const
export const NE2000_BASE = 0x300
export const NE2000_IRQ = 9
/** Memory of the card, in bytes as the controller counts, and in pages. */
export const NE2000_MEMORY = { start: 0x4000, end: 0x8000, pageBytes: 256 } as const

export const NE_COMMAND = {
  STOP: 0x01,
  START: 0x02,
  TRANSMIT: 0x04,
  REMOTE_READ: 0x08,
  REMOTE_WRITE: 0x10,
  REMOTE_ABORT: 0x20,
  REMOTE: 0x38,
  PAGE: 6,
} as const
/** Page 0, as written. */
export const NE_WRITE = {
  ringStart: 1,
  ringStop: 2,
  boundary: 3,
  transmitPage: 4,
  transmitCountLow: 5,
  transmitCountHigh: 6,
  interrupts: 7,
  remoteAddressLow: 8,
  remoteAddressHigh: 9,
  remoteCountLow: 10,
  remoteCountHigh: 11,
  receive: 12,
  transmit: 13,
  data: 14,
  mask: 15,
} as const
/** Page 0, as read. */
export const NE_READ = { boundary: 3, transmitStatus: 4, interrupts: 7, receiveStatus: 12 } as const
/** Page 1, read and written: the address is at 1 to 6, the multicast filter at 8 to 15. */
export const NE_PAGE1 = { address: 1, current: 7, multicast: 8 } as const
/** Page 2, as read. */
export const NE_PAGE2 = { ringStart: 1, ringStop: 2 } as const

export const NE_INTERRUPT = {
  RECEIVED: 0x01,
  TRANSMITTED: 0x02,
  OVERFLOW: 0x10,
  REMOTE_DONE: 0x40,
  RESET: 0x80,
} as const
/** Receive configuration. */
export const NE_RECEIVE = { BROADCAST: 0x04, PROMISCUOUS: 0x10 } as const
/** Data configuration: 16-bit transfers, no loopback, FIFO threshold of 8 bytes. */
export const NE_DATA = { WORDS: 0x01, NORMAL: 0x08, THRESHOLD: 0x40 } as const
/** Transmit configuration: internal loopback. */
export const NE_LOOPBACK = 0x02
/** Receive status: the packet is intact. */
export const NE_INTACT = 0x01
/** In front of a packet in the ring: status, next page, and a count that includes these four bytes. */
export const NE_HEADER = { status: 0, next: 1, count: 2, bytes: 4 } as const
