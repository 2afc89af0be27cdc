/**
 * Registers of a local APIC, by the names of the Intel SDM, volume 3. Model-specific registers are reached through the
 * space `hypercall`: the address is their number.
 */

/** Offsets from its base, 16 bytes apart. In x2APIC mode register `offset` is the model-specific one `X2APIC + offset / 16`. */
export const LAPIC = {
  id: 0x020,
  version: 0x030,
  taskPriority: 0x080,
  processorPriority: 0x0a0,
  endOfInterrupt: 0x0b0,
  logicalDestination: 0x0d0,
  destinationFormat: 0x0e0,
  spurious: 0x0f0,
  /** Eight registers each, 32 vectors in one. */
  inService: 0x100,
  triggerMode: 0x180,
  request: 0x200,
  errorStatus: 0x280,
  command: 0x300,
  /** The destination, in xAPIC mode only. */
  commandHigh: 0x310,
  timer: 0x320,
  thermal: 0x330,
  performance: 0x340,
  lint0: 0x350,
  lint1: 0x360,
  error: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
  /** In x2APIC mode only. */
  selfIpi: 0x3f0,
} as const

export const DEFAULT_BASE = 0xfee0_0000

export const MSR = { timeStamp: 0x10, apicBase: 0x1b, deadline: 0x6e0, x2apic: 0x800 } as const

/** Bits of IA32_APIC_BASE. */
export const APIC_BASE = { bootstrap: 1 << 8, x2apic: 1 << 10, enabled: 1 << 11 } as const

export const SPURIOUS = { enabled: 1 << 8, suppressBroadcast: 1 << 12 } as const
/** The version says that broadcasts can be suppressed. */
export const CAN_SUPPRESS = 1 << 24

/** An entry of the local vector table; the delivery mode is three bits from bit 8. */
export const LVT = {
  vector: 0xff,
  delivery: 8,
  activeLow: 1 << 13,
  remoteIrr: 1 << 14,
  level: 1 << 15,
  masked: 1 << 16,
  /** Of the timer only, two bits from here: one-shot, periodic, deadline. */
  timerMode: 17,
} as const
export const TIMER_MODES = ['oneShot', 'periodic', 'deadline'] as const

/** The interrupt command: delivery mode three bits from bit 8, shorthand two bits from bit 18. */
export const COMMAND = {
  vector: 0xff,
  delivery: 8,
  logical: 1 << 11,
  assert: 1 << 14,
  level: 1 << 15,
  shorthand: 18,
} as const
export const SHORTHANDS = ['none', 'self', 'all', 'others'] as const

/** Delivery modes of commands and of messages by their three bits; undefined: reserved. */
export const DELIVERIES = ['fixed', 'lowest', 'smi', undefined, 'nmi', 'init', 'startup', 'extint'] as const

/** Errors, by bit of the error status register. */
export const ERROR = { sendIllegal: 1 << 5, receiveIllegal: 1 << 6, illegalRegister: 1 << 7 } as const

/** The destination format register: its upper four bits are all ones in the flat model, all zeros in the cluster model. */
export const FORMAT = { flat: 0xffff_ffff, cluster: 0x0fff_ffff } as const

/** A message: the destination is eight bits from bit 12 of its address. */
export const MESSAGE = { base: 0xfee0_0000, destination: 12, redirect: 1 << 3, logical: 1 << 2 } as const
/** Its data: delivery mode three bits from bit 8. */
export const MESSAGE_DATA = { vector: 0xff, delivery: 8, assert: 1 << 14, level: 1 << 15 } as const

/** Vectors below this one belong to exceptions: interrupts with them are errors. */
export const FIRST_VECTOR = 16
