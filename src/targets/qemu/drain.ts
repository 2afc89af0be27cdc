/** Which accesses make QEMU wait for its back end. */

import type { Location, Target, Width } from '../../contract/index.ts'
import { CAPABILITY, COMMAND, MSIX, PCI } from '../../layout/pci.ts'
import { COMMON, LEGACY_PCI, MMIO, STATUS } from '../../layout/virtio.ts'

/** QEMU's virtio BAR is this large, and the common configuration is at its start. */
const BAR_BYTES = 0x4000
/** The legacy I/O BAR, and one MMIO transport. */
const LEGACY_BAR_BYTES = 0x80
const MMIO_BYTES = 0x200
/** The reset control register of the PC. */
export const RESET_PORT = 0xcf9
/** q35 resets completely when this is written there. */
export const FULL_RESET = 6

/**
 * Whether a write may stop or reset the device. QEMU completes all requests before it does, in the thread that serves
 * us: one that the harness holds would never complete, and the write would not return. So the harness lets go first. An
 * alarm too many does no harm, because a back end may answer at any time. `msix` is where the MSI-X capability is.
 */
export function mayDrain(at: Location, width: Width, value: bigint, msix: number | undefined): boolean {
  switch (at.space) {
    case 'config': {
      const offset = at.address & 0xfff
      if (offset < 0x40) return clears(offset, width, value, PCI.command, COMMAND.BUS_MASTER)
      // Function-level reset, power states, and the window of virtio into its own BARs.
      return msix === undefined || offset < msix || offset + width > msix + MSIX.bytes
    }
    case 'port':
      return at.address === RESET_PORT || stops(at.address % LEGACY_BAR_BYTES, width, value, LEGACY_PCI.deviceStatus)
    case 'mmio':
      return (
        stops(at.address % BAR_BYTES, width, value, COMMON.deviceStatus) ||
        stops(at.address % MMIO_BYTES, width, value, MMIO.status)
      )
    case 'hypercall':
      return false
  }
}

/** Offset of the MSI-X capability of the function whose configuration space starts at `config`. */
export function findMsix(target: Target, config: number): number | undefined {
  const read = (offset: number): number => Number(target.read({ space: 'config', address: config + offset }, 1))
  for (let offset = read(PCI.capabilities), left = 48; offset >= 0x40 && left > 0; offset = read(offset + 1), left--) {
    if (read(offset) === CAPABILITY.MSIX) return offset
  }
  return undefined
}

const stops = (offset: number, width: Width, value: bigint, status: number): boolean =>
  clears(offset, width, value, status, STATUS.DRIVER_OK)

/** Whether the byte at `target` is written, with `bit` clear. */
function clears(offset: number, width: Width, value: bigint, target: number, bit: number): boolean {
  if (offset > target || offset + width <= target) return false
  return ((value >> BigInt(8 * (target - offset))) & BigInt(bit)) === 0n
}
