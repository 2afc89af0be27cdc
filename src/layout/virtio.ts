/** Constants of the VIRTIO standard that every part shares. Sections of VIRTIO 1.3 are named for the reader. */

/** Device status bits, 2.1. */
export const STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const

/** Reserved feature bits, 6. */
export const FEATURE = {
  NOTIFY_ON_EMPTY: 24,
  ANY_LAYOUT: 27,
  RING_INDIRECT_DESC: 28,
  RING_EVENT_IDX: 29,
  VERSION_1: 32,
  ACCESS_PLATFORM: 33,
  RING_PACKED: 34,
  IN_ORDER: 35,
  ORDER_PLATFORM: 36,
  SR_IOV: 37,
  NOTIFICATION_DATA: 38,
  NOTIF_CONFIG_DATA: 39,
  RING_RESET: 40,
} as const

/** Interrupt status bits, 4.1.4.5 and 4.2.2. */
export const ISR = { QUEUE: 1, CONFIG: 2 } as const

/** `cfg_type` of a virtio PCI capability, 4.1.4. */
export const CFG_TYPE = { COMMON: 1, NOTIFY: 2, ISR: 3, DEVICE: 4, PCI: 5 } as const

/** PCI vendor and modern device id base, 4.1.2. */
export const VIRTIO_PCI = { VENDOR: 0x1af4, DEVICE_MODERN: 0x1040, DEVICE_TRANSITIONAL: 0x1000 } as const

/** Device type numbers, 5. */
export const DEVICE_TYPE = { NET: 1, BLOCK: 2, CONSOLE: 3, BALLOON: 5, NINE_P: 9, IOMMU: 23 } as const

/** Common configuration structure, 4.1.4.3: offset of each field in bytes. */
export const COMMON = {
  deviceFeatureSelect: 0x00,
  deviceFeature: 0x04,
  driverFeatureSelect: 0x08,
  driverFeature: 0x0c,
  configMsixVector: 0x10,
  numQueues: 0x12,
  deviceStatus: 0x14,
  configGeneration: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueMsixVector: 0x1a,
  queueEnable: 0x1c,
  queueNotifyOff: 0x1e,
  queueDesc: 0x20,
  queueDriver: 0x28,
  queueDevice: 0x30,
  queueNotifyConfigData: 0x38,
  queueReset: 0x3a,
} as const

/** Value of a vector register that names no vector, 4.1.5.1.2. */
export const NO_VECTOR = 0xffff

/** Registers of the MMIO transport, 4.2.2: offset in bytes. */
export const MMIO = {
  magicValue: 0x000,
  version: 0x004,
  deviceId: 0x008,
  vendorId: 0x00c,
  deviceFeatures: 0x010,
  deviceFeaturesSel: 0x014,
  driverFeatures: 0x020,
  driverFeaturesSel: 0x024,
  queueSel: 0x030,
  queueSizeMax: 0x034,
  queueSize: 0x038,
  queueReady: 0x044,
  queueNotify: 0x050,
  interruptStatus: 0x060,
  interruptAck: 0x064,
  status: 0x070,
  queueDescLow: 0x080,
  queueDescHigh: 0x084,
  queueDriverLow: 0x090,
  queueDriverHigh: 0x094,
  queueDeviceLow: 0x0a0,
  queueDeviceHigh: 0x0a4,
  queueReset: 0x0c0,
  configGeneration: 0x0fc,
  config: 0x100,
} as const

/** "virt", little endian. */
export const MMIO_MAGIC = 0x74726976

/** Legacy register block of a transitional PCI device, 4.1.4.10: offset in bytes in BAR 0. */
export const LEGACY_PCI = {
  deviceFeatures: 0x00,
  driverFeatures: 0x04,
  queueAddress: 0x08,
  queueSize: 0x0c,
  queueSelect: 0x0e,
  queueNotify: 0x10,
  deviceStatus: 0x12,
  isrStatus: 0x13,
} as const
