/** The posted-interrupt descriptor and the messages that name one, VT-d 4.1. */

/** Offsets in bytes. */
export const DESCRIPTOR = { PIR: 0, CONTROL: 32, VECTOR: 34, DESTINATION: 36, BYTES: 64 } as const

/** Bits of the control byte: outstanding notification, suppressed notification. */
export const POSTING = { ON: 1, SN: 2 } as const

/** A message in remappable format: its handle names an entry of the table. */
export const REMAPPABLE = { BASE: 0xfee0_0010, HANDLE_SHIFT: 5, HANDLE_MASK: 0x7fff } as const

/** The entries of a poster by itself: handle `vector` posts that vector, with this bit as an urgent one. */
export const URGENT_HANDLE = 0x100
