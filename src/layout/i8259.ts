/** The pair of interrupt controllers of a PC: ports and command words (Intel 8259A; ELCR as in the 82371 and later). */

/** Ports: `command` is A0 = 0, `data` is A0 = 1, `trigger` the edge/level control register (ELCR). */
export const I8259_PORTS = {
  master: { command: 0x20, data: 0x21, trigger: 0x4d0 },
  slave: { command: 0xa0, data: 0xa1, trigger: 0x4d1 },
} as const

/** The master's input that the slave's output is wired to. */
export const CASCADE_INPUT = 2
/** ICW3 as the board is wired: a mask of inputs for the master, a number for the slave. */
export const ICW3 = { master: 1 << CASCADE_INPUT, slave: CASCADE_INPUT } as const
/** Lines that can be level-triggered by ELCR: all but 0, 1, 2, 8 and 13. */
export const ELCR_LINES = { master: 0xf8, slave: 0xde } as const

/** Command writes with this bit begin an initialisation; without it, the next one tells OCW3 from OCW2. */
export const IS_ICW1 = 0x10
export const IS_OCW3 = 0x08

export const ICW1 = { ICW4: 0x01, SINGLE: 0x02, LEVEL: 0x08 } as const
/** ICW2: the level number takes the place of the low three bits. */
export const VECTOR_BASE = 0xf8
export const ICW4 = { MODE_8086: 0x01, AUTO_EOI: 0x02, SPECIAL_FULLY_NESTED: 0x10 } as const

/** OCW2, bits 7 to 5; the low three bits name a level where the command is specific. */
export const OCW2 = {
  ROTATE_IN_AUTO_EOI_OFF: 0x00,
  EOI: 0x20,
  NO_OPERATION: 0x40,
  SPECIFIC_EOI: 0x60,
  ROTATE_IN_AUTO_EOI_ON: 0x80,
  ROTATE_ON_EOI: 0xa0,
  SET_PRIORITY: 0xc0,
  ROTATE_ON_SPECIFIC_EOI: 0xe0,
} as const

/** OCW3. `READ_…` and `SPECIAL_MASK_…` hold the bit that makes the other one count. */
export const OCW3 = {
  READ_REQUESTS: 0x02,
  READ_IN_SERVICE: 0x03,
  POLL: 0x04,
  SPECIAL_MASK_OFF: 0x40,
  SPECIAL_MASK_ON: 0x60,
} as const

/** Answer to a poll: whether there is a request; its level is in the low three bits. */
export const POLL_REQUEST = 0x80
