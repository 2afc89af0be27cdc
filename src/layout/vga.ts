/** Ports of a VGA as a text adapter uses them (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"). */

export const VGA = {
  /** Index and data in turn on writes; the index on reads. */
  attribute: 0x3c0,
  attributeData: 0x3c1,
  miscWrite: 0x3c2,
  sequencer: 0x3c4,
  miscRead: 0x3cc,
  graphics: 0x3ce,
} as const

/** Those that bit 0 of the miscellaneous output register moves: with it set, and with it clear. */
export const CRTC = { colour: 0x3d4, mono: 0x3b4 } as const
export const STATUS_1 = { colour: 0x3da, mono: 0x3ba } as const

export const MISC_COLOUR = 0x01
/** Bits of input status register 1. */
export const STATUS = { blank: 0x01, retrace: 0x08 } as const

/** Registers of each file, and the bits that each has. */
export const CRTC_REGISTERS = 25
export const SEQUENCER_MASKS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e] as const
export const GRAPHICS_MASKS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff] as const
export const PALETTE_MASK = 0x3f
/** Mode, overscan, plane enable, panning and colour select, behind the sixteen palette registers. */
export const ATTRIBUTE_MASKS = [0xef, 0xff, 0x3f, 0x0f, 0x0f] as const
/** Registers 0 to 7 of the CRTC are protected by bit 7 of register 17, but for one bit of register 7. */
export const PROTECT = { register: 0x11, bit: 0x80, below: 8, overflow: 7, overflowBit: 0x10 } as const

export const TEXT = { base: 0xb8000, bytes: 0x8000 } as const
