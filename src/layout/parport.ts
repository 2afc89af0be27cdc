/** Registers of the printer adapter of a PC (IBM PC Technical Reference, "Printer Adapter"), as offsets from its base. */

export const PARPORT = { data: 0, status: 1, control: 2 } as const
export const PARPORT_PORTS = 3

/** Bits of the status register. The pins of all but busy are read as they are; busy is read inverted. */
export const PRINTER = { noError: 0x08, selected: 0x10, noPaper: 0x20, noAcknowledge: 0x40, notBusy: 0x80 } as const

/** Bit numbers of the control register: set, the pin of all but `initialise` is low. */
export const CONTROL = { strobe: 0, feed: 1, run: 2, select: 3, interrupt: 4 } as const
/** Bits that read back. */
export const CONTROL_MASK = 0x1f
