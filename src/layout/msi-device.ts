/**
 * A PCI function that does nothing but interrupt, so that interrupts can be tested without a device around them: each
 * write of the doorbell is an event. What its causes and its vector register do is as in virtio-pci (VIRTIO 1.4, 4.1.4.5).
 */

/** Registers are in BAR 0, table and pending bits of MSI-X in BAR 1. */
export const MSI_DEVICE = { vendor: 0x1234, device: 0x5a01, bytes: 0x1000, table: 0, pending: 0x800 } as const

/** Registers in BAR 0, in bytes. */
export const MSI_REGISTERS = {
  /** 16 bits, read-only: `MSI_SIGNATURE`. */
  signature: 0x00,
  /** 16 bits: 0 resets the device, 1 starts it. */
  status: 0x02,
  /** 32 bits: the events that happen, by bit. */
  doorbell: 0x04,
  /** 32 bits: events that were not read since; a read clears them. */
  causes: 0x08,
  /** 16 bits: the MSI-X table entry of `MAPPED`, or 0xffff for none. */
  vector: 0x0c,
  /** 32 bits: a write says that the mapped event has been dealt with, so that nothing is to be told of it any more. */
  resolve: 0x10,
} as const
export const MSI_SIGNATURE = 0x5a01

/** An event without a message, which leaves its cause only while MSI-X is off. */
export const UNMAPPED_EVENT = 1
/** The event that a table entry can be given to; it leaves its cause always. */
export const MAPPED_EVENT = 2
