/** Requests, events and configuration of virtio-iommu, VIRTIO 1.3 section 5.13. All fields are little endian. */

/** Virtqueues, 5.13.2. */
export const IOMMU_QUEUE = { REQUEST: 0, EVENT: 1 } as const

/** Feature bits, 5.13.3. */
export const IOMMU_FEATURE = {
  INPUT_RANGE: 0,
  DOMAIN_RANGE: 1,
  MAP_UNMAP: 2,
  BYPASS: 3,
  PROBE: 4,
  MMIO: 5,
  BYPASS_CONFIG: 6,
} as const

/** Configuration space, 5.13.4: offset of each field in bytes. */
export const IOMMU_CONFIG = {
  pageSizeMask: 0,
  inputStart: 8,
  inputEnd: 16,
  domainStart: 24,
  domainEnd: 28,
  probeSize: 32,
  bypass: 36,
  bytes: 40,
} as const

/** Request types, 5.13.6. */
export const IOMMU_TYPE = { ATTACH: 1, DETACH: 2, MAP: 3, UNMAP: 4, PROBE: 5 } as const

/** `status` in the tail of a request, 5.13.6. */
export const IOMMU_STATUS = {
  OK: 0,
  IOERR: 1,
  UNSUPP: 2,
  DEVERR: 3,
  INVAL: 4,
  RANGE: 5,
  NOENT: 6,
  FAULT: 7,
  NOMEM: 8,
} as const

/** Head and tail of a request, in bytes: type or status, and three reserved ones. */
export const IOMMU_HEAD_BYTES = 4
export const IOMMU_TAIL_BYTES = 4

/** The device-readable part of each request: offsets of its fields from the head on, and its size, in bytes. */
export const ATTACH = { domain: 4, endpoint: 8, flags: 12, reserved: 16, bytes: 20 } as const
export const DETACH = { domain: 4, endpoint: 8, reserved: 12, bytes: 20 } as const
export const MAP = { domain: 4, virtStart: 8, virtEnd: 16, physStart: 24, flags: 32, bytes: 36 } as const
export const UNMAP = { domain: 4, virtStart: 8, virtEnd: 16, reserved: 24, bytes: 28 } as const
export const PROBE = { endpoint: 4, reserved: 8, bytes: 72 } as const

/** `flags` of ATTACH, 5.13.6.3. */
export const ATTACH_FLAG = { BYPASS: 1 } as const
/** `flags` of MAP, 5.13.6.5. */
export const MAP_FLAG = { READ: 1, WRITE: 2, MMIO: 4 } as const

/** Property RESV_MEM, 5.13.6.8: its type, the offsets of its fields from the head of the property on, and its size. */
export const RESERVED_MEMORY = { type: 1, length: 2, subtype: 4, start: 8, end: 16, bytes: 24 } as const
export const RESERVED_SUBTYPE = { RESERVED: 0, MSI: 1 } as const
/** Head of any property: type (12 bits), and the length of what follows. */
export const PROPERTY_HEAD_BYTES = 4

/** A fault report, 5.13.6.9. */
export const IOMMU_FAULT = { reason: 0, flags: 4, endpoint: 8, address: 16, bytes: 24 } as const
export const FAULT_REASON = { UNKNOWN: 0, DOMAIN: 1, MAPPING: 2 } as const
export const FAULT_FLAG = { READ: 1, WRITE: 2, ADDRESS: 0x100 } as const
