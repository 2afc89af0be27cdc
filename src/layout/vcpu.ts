/** How interrupts reach a virtual CPU: message-signalled interrupts of the PC, and its local APIC's EOI register. */

/** Addresses of messages, `[start, end)`; bits 19:12 name the destination. */
export const MESSAGE_WINDOW = { start: 0xfee0_0000, end: 0xfef0_0000 } as const

/** Fields of the data of a message. */
export const MESSAGE_DATA = { VECTOR: 0xff, DELIVERY: 0x700, ASSERT: 0x4000, LEVEL: 0x8000 } as const

/** Writing it, with whatever value, ends the interrupt of the highest vector in service. */
export const EOI_REGISTER = 0xfee0_00b0

/** Vectors below are exceptions' and are never delivered. */
export const FIRST_VECTOR = 16
