/** PCI configuration space and MSI-X, as far as virtual functions need it (PCI 3.0 section 6, PCI PM 1.2, PCIe 7). */

export const PCI = {
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  headerType: 0x0e,
  bar: (index: number) => 0x10 + 4 * index,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const

/** A PCI-to-PCI bridge: its three bus numbers, primary first, and what it passes on of memory, base and limit in MiB from bit 4 on. */
export const BRIDGE = { buses: 0x18, memory: 0x20 } as const

export const COMMAND = { IO: 1, MEMORY: 2, BUS_MASTER: 4, INTX_DISABLE: 0x400 } as const
export const PCI_STATUS = { INTERRUPT: 0x08, CAPABILITIES: 0x10 } as const

export const CAPABILITY = { POWER: 0x01, VENDOR: 0x09, EXPRESS: 0x10, MSIX: 0x11 } as const

/** Low bits of a base address register. */
export const BAR = { IO: 1, TYPE_64: 4, PREFETCH: 8 } as const

/** MSI-X capability: offsets from its start, in bytes. */
export const MSIX = { control: 2, table: 4, pba: 8, bytes: 12 } as const
export const MSIX_CONTROL = { TABLE_SIZE: 0x7ff, FUNCTION_MASK: 0x4000, ENABLE: 0x8000 } as const
/** One MSI-X table entry, in bytes. */
export const MSIX_ENTRY = { addressLow: 0, addressHigh: 4, data: 8, control: 12, bytes: 16 } as const
export const MSIX_ENTRY_MASKED = 1

/** Power management capability: offsets from its start. States 0 (D0) to 3 (D3hot). */
export const POWER = { capabilities: 2, control: 4, bytes: 8 } as const
export const POWER_STATE_MASK = 3
export const POWER_NO_SOFT_RESET = 8

/** PCI Express capability: offsets from its start. */
export const EXPRESS = {
  capabilities: 2,
  deviceCapabilities: 4,
  deviceControl: 8,
  deviceStatus: 10,
  bytes: 0x3c,
} as const
export const FLR_CAPABLE = 1 << 28
export const FLR_INITIATE = 1 << 15
/** `deviceStatus`: requests are still outstanding. */
export const TRANSACTIONS_PENDING = 0x20

/** x86 configuration mechanism 1. */
export const CONFIG_ADDRESS_PORT = 0xcf8
export const CONFIG_DATA_PORT = 0xcfc
