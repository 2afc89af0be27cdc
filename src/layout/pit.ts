/** The interval timer of a PC (Intel 8254), and port 0x61, which gates its counter 2. */

export const PIT = { counters: 0x40, control: 0x43, gate: 0x61 } as const
export const PIT_COUNTERS = 3
export const PIT_HZ = 1_193_182

/** Which bytes of a count are accessed, bits 5 and 4 of a control word. */
export const ACCESS = { latch: 0, low: 1, high: 2, both: 3 } as const
/** Bits of a read-back command, which is a control word for counter 3; clear, they latch. */
export const NO_COUNT = 0x20
export const NO_STATUS = 0x10
/** Bits of a latched status. */
export const PIT_STATUS = { output: 0x80, nullCount: 0x40 } as const

/** Bits of port 0x61. */
export const GATE = { counter2: 0x01, written: 0x0f, refresh: 0x10, output2: 0x20 } as const
