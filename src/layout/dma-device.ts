/**
 * Devices that a hypervisor gives to VMs, and what is asked of it. It is nobody's standard: what is here is what
 * `assignment` and the reference agree on. A device works off one command at a time, from page 0 of its address space.
 */

/** Registers of the hypervisor: one block for the toolstack, one for each VM, one for each device. */
export const ASSIGN_BASE = 0xfe00_0000
export const ASSIGN = {
  vms: 0x1000,
  devices: 0x2000,
  stride: 0x100,
  /** Toolstack, written: device | vm << 8 | one of `TASK` << 16. */
  task: 0x00,
  /** VM, written: page | one of `WANT` << 16. */
  want: 0x00,
  /** Device, written: a command begins: page | write << 16. */
  ring: 0x00,
  /** Device, written: bus master enable, 0 or 1. */
  master: 0x04,
  /** Device, written: one of `RESET`. */
  reset: 0x08,
  /** Device: memory of its own, for whoever has it. */
  scratch: 0x0c,
  /** Device, written: address and data of its interrupt, as its owner wants them. */
  messageAddress: 0x10,
  messageData: 0x14,
} as const
export const TASK = { ASSIGN: 1, UNASSIGN: 2, DESTROY: 3 } as const
export const WANT = { RELEASE: 1, POPULATE: 2, PAIR: 3 } as const
export const RESET = { FUNCTION: 1, POWER: 2, BUS: 3 } as const

/** What the hypervisor writes: dwords. */
export const MAILBOX = {
  /** What became of the task of the toolstack: one of `ANSWERED`; above it the frame of the first page of a new VM. */
  task: 0x1000,
  /** What became of the wish of VM n: `want + 4 * n`; above it the frames, or the region, that were given, a byte each. */
  want: 0x1100,
  /** Device n has been reset: `reset + 4 * n`. */
  reset: 0x1200,
  end: 0x2000,
} as const
export const ANSWERED = { DONE: 1, REFUSED: 2 } as const

/** A command, as it stands in page 0 of the owner, at `slot` times the number of the device: dwords; and what the device writes behind it. */
export const DEVICE_COMMAND = { slot: 0x20, page: 0, write: 4, bytes: 16, status: 16 } as const
export const DEVICE_STATUS = { NONE: 0, DONE: 1, FAILED: 2 } as const
/** Data begin here in a page. */
export const DEVICE_DATA = 0x100

/** Interrupts of assigned devices go here, whatever their owners write; the rest of the address is the hypervisor's. */
export const HOST_MESSAGE = 0xfee0_0000

/** Frames of memory, by GPA: those for single pages, those that firmware declares for devices, and those for large pages. */
export const ASSIGNED_MEMORY = {
  frames: 0x8_0000,
  identity: 0x10_0000,
  large: 0x20_0000,
  largeBytes: 0x20_0000,
  /** Page number of the large page in an address space. */
  largePage: 0x800,
} as const
