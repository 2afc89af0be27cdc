/** Event channels with two levels: the shared page and the calls, as in Xen's public headers for 64-bit guests. */

/** Offsets in the page that guest and hypervisor share, in bytes. */
export const SHARED = {
  /** Of virtual CPU 0: upcall pending (one byte), selector (64 bits, one for each word of the pending array). */
  UPCALL: 0x0,
  SELECTOR: 0x8,
  /** From those of one virtual CPU to those of the next. */
  NEXT_VCPU: 0x40,
  /** One bit for each port. */
  PENDING: 0x800,
  MASK: 0xa00,
  BYTES: 0xc00,
} as const

/** Ports that one bit of the selector stands for. */
export const PORTS_PER_WORD = 64

/**
 * Numbers of calls. A call is made by writing the GPA of its block, 32 bits, to its number; the block holds the command,
 * 32 bits, and behind it the structure of that command. Reading the number gives the result.
 */
export const CALL = { EVENT_CHANNEL: 32, HVM: 34 } as const

/** Commands of `CALL.EVENT_CHANNEL`. */
export const EVENT_CHANNEL = {
  BIND_INTERDOMAIN: 0,
  CLOSE: 3,
  SEND: 4,
  STATUS: 5,
  ALLOC_UNBOUND: 6,
  BIND_IPI: 7,
  BIND_VCPU: 8,
  UNMASK: 9,
  RESET: 10,
} as const

/** What the status of a port says it is. */
export const PORT_STATUS = { CLOSED: 0, UNBOUND: 1, INTERDOMAIN: 2, IPI: 5 } as const

/** Commands of `CALL.HVM`, and the parameter that is set. */
export const HVM = { SET_PARAM: 0, SET_UPCALL_VECTOR: 23, CALLBACK_PARAM: 0, CALLBACK_BY_VECTOR: 2 } as const

/** Offsets in the block of a call, behind the command. */
export const BLOCK = {
  /** Of send, close and unmask, and of binding a port to a virtual CPU. */
  PORT: 4,
  /** The domain whose port it is about, 16 bits. */
  DOMAIN: 4,
  /** Of status: the port, and what it answers with: what it is, the virtual CPU that it notifies, the other end. */
  STATUS_PORT: 8,
  STATUS: 12,
  STATUS_VCPU: 16,
  STATUS_PEER: 24,
  /** Of a port for interrupts between virtual CPUs: virtual CPU, and the port that it answers with. */
  IPI_VCPU: 4,
  IPI_PORT: 8,
  /** Of binding a port to a virtual CPU. */
  VCPU: 8,
  /** Of binding: domain, port of the other end, and the port that it answers with. */
  REMOTE_PORT: 8,
  LOCAL_PORT: 12,
  /** Of allocation: two domains, and the port that it answers with. */
  NEW_PORT: 8,
  /** Of the upcall vector: virtual CPU and vector. */
  VECTOR: 8,
  /** Of a parameter: domain, index, and the value, whose highest byte is a kind. */
  VALUE: 12,
  BYTES: 32,
} as const

/** The domain itself. */
export const DOMID_SELF = 0x7ff0
/** What the reference is, and somebody else. */
export const OWN_DOMAIN = 3
export const FOREIGN_DOMAIN = 5

/** What a call that has not returned reads as, and the error numbers in use. */
export const RESULT = {
  IN_PROGRESS: 0x7fff_ffff,
  INVALID: -22,
  NOT_PERMITTED: -1,
  NO_SPACE: -28,
  UNKNOWN: -38,
} as const
