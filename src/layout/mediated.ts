/**
 * A device that a hypervisor shares between VMs by copying and translating their commands. It is nobody's standard: what
 * is here is what `software-mediated-assignment` and the reference agree on.
 */

export const MEDIATED_BASE = 0xfe00_0000
/** Registers of one VM, 32 bits each, and how far those of the next VM are. */
export const MEDIATED = {
  /** Written: the command in memory is to be carried out. */
  submit: 0x00,
  /** Written: the page of this number is given back, or wanted. */
  release: 0x04,
  populate: 0x08,
  /** For page n at `homes + 4 * n`: the frame that it is in, counted from 1, or 0. What the hypervisor knows, not the guest. */
  homes: 0x40,
  stride: 0x100,
} as const
export const ANSWER = { DONE: 1, REFUSED: 2 } as const

/** A command, as it stands in memory: dwords. */
export const MEDIATED_COMMAND = {
  /** First page, how many pages, and the direction: 1 for a write into memory. */
  page: 0,
  pages: 4,
  write: 8,
  /** Written by the hypervisor: one of `COMMAND_STATUS`. */
  status: 12,
  /** Written by the hypervisor: what became of a page that was given back, or wanted; one of `ANSWER`. */
  answer: 16,
} as const
export const COMMAND_STATUS = { NONE: 0, DONE: 1, REFUSED: 2 } as const

/** Where the command of each VM is, and where the frames are. */
export const MEDIATED_MEMORY = { commands: 0x1000, commandStride: 0x1000, frames: 0x10_000 } as const
