/** Registers of an I/O APIC, by the names of the 82093AA data sheet; the EOI register came with version 0x20. */

/** Offsets from its base. All are 32 bits wide. */
export const IOAPIC = { select: 0x00, window: 0x10, eoi: 0x40 } as const

/** Values of the select register. An entry takes two of them, the low half first. */
export const INDEX = { id: 0x00, version: 0x01, arbitration: 0x02, entries: 0x10 } as const

/** From this version on there is an EOI register. */
export const DIRECTED_EOI = 0x20

/** The low half of a redirection entry. */
export const ENTRY = {
  vector: 0xff,
  /** Delivery mode, three bits from here. */
  delivery: 8,
  logical: 1 << 11,
  /** Read-only: a message waits to be sent. */
  pending: 1 << 12,
  activeLow: 1 << 13,
  /** Read-only: a level interrupt was accepted, and its end has not come. */
  remoteIrr: 1 << 14,
  level: 1 << 15,
  masked: 1 << 16,
} as const

/** What software can write of it. */
export const WRITABLE = 0x1_afff
/** The high half: the destination, eight bits from here. */
export const DESTINATION = 24

/** Delivery modes by their three bits; undefined: reserved. */
export const DELIVERIES = ['fixed', 'lowest', 'smi', undefined, 'nmi', 'init', undefined, 'extint'] as const
