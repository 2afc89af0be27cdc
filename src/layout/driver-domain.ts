/**
 * A driver domain and its clients: rings, grants and where they are. It is nobody's standard, and after Xen's manner; what is
 * here is what `driver-domain` and the reference agree on. All fields are dwords.
 */

export const DRIVER_DOMAIN_BASE = 0xfe10_0000
/** Registers: a client kicks at `kick + 4 * client`; whoever looks after the domain writes one of `LIFE` to `life`. */
export const DRIVER_DOMAIN = { kick: 0, life: 0x100, bytes: 0x200 } as const
export const LIFE = { CRASH: 1, RESTART: 2 } as const

/** The page that a client shares, and those of the other clients behind it. */
export const SHARED_PAGE = {
  base: 0x1000,
  stride: 0x1000,
  /** Grants, by reference. */
  grants: 0,
  grantBytes: 16,
  requests: 0x200,
  requestBytes: 8,
  /** Free-running: the next request of the client, the next answer of the back end. */
  requestIndex: 0x400,
  answerIndex: 0x404,
  answers: 0x500,
  answerBytes: 4,
} as const
/** A grant: what is allowed, which frame, and how many mappings there are, which the hypervisor keeps. */
export const GRANT = { rights: 0, frame: 4, mapped: 8 } as const
export const GRANT_RIGHTS = { NONE: 0, READ: 1, BOTH: 3 } as const
export const BLOCK_REQUEST = { grant: 0, write: 4 } as const
export const BLOCK_ANSWER = { OK: 1, ERROR: 2 } as const

/** Frames, by number. */
export const FRAMES_BASE = 0x1_0000
