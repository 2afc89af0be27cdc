/** SR-IOV: the extended capability of a physical function (PCIe 6.0, 9.3.3), and the engine that each function of the reference has. */

/** The extended capabilities of a function begin here: id, version << 16, next << 20. */
export const EXTENDED_CAPABILITIES = 0x100
export const SR_IOV_ID = 0x10

/** Offsets from the start of the capability. */
export const SR_IOV = {
  capabilities: 0x04,
  control: 0x08,
  status: 0x0a,
  initialVfs: 0x0c,
  totalVfs: 0x0e,
  numVfs: 0x10,
  link: 0x12,
  firstOffset: 0x14,
  stride: 0x16,
  vfDeviceId: 0x1a,
  supportedPageSizes: 0x1c,
  systemPageSize: 0x20,
  bar: 0x24,
  bytes: 0x40,
} as const
export const SR_IOV_CONTROL = { ENABLE: 1, MEMORY: 8, ARI: 0x10 } as const

/** Registers of a function of the reference, in its BAR 0. */
export const ENGINE = {
  /** Memory of its own. */
  scratch: 0x00,
  /** Written: a dword is moved: 0 from memory, 1 into memory. */
  ring: 0x04,
  /** Address of that dword on the bus; its low half. */
  address: 0x08,
  bytes: 0x1000,
} as const
/** What function `n` writes into memory. */
export const ENGINE_MARK = 0x5afe_0000
