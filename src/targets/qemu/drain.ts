/** Which accesses make QEMU wait for its back end. */

import type { Location, Width } from '../../contract/index.ts'
import { COMMON, LEGACY_PCI, MMIO } from '../../layout/virtio.ts'

/** QEMU's virtio BAR is this large, and the common configuration is at its start. */
const BAR_BYTES = 0x4000
/** The legacy I/O BAR, and one MMIO transport. */
const LEGACY_BAR_BYTES = 0x80
const MMIO_BYTES = 0x200

/**
 * Whether a write may reset the device. QEMU completes all requests before it does, in the thread that serves us: one
 * that the harness holds would never complete, and the write would not return. So the harness lets go first. An alarm
 * too many does no harm, because a back end may answer at any time.
 */
export function mayDrain(at: Location, width: Width, value: bigint): boolean {
  switch (at.space) {
    case 'config':
      // Function-level reset, power states, and the window of virtio into its own BARs; not the header.
      return (at.address & 0xff) >= 0x40
    case 'port':
      return covers(at.address % LEGACY_BAR_BYTES, width, LEGACY_PCI.deviceStatus, value) || at.address === 0xcf9
    case 'mmio':
      return (
        covers(at.address % BAR_BYTES, width, COMMON.deviceStatus, value) ||
        covers(at.address % MMIO_BYTES, width, MMIO.status, value)
      )
    case 'hypercall':
      return false
  }
}

/** Whether the byte at `target` is written, and to zero. */
function covers(offset: number, width: Width, target: number, value: bigint): boolean {
  if (offset > target || offset + width <= target) return false
  return ((value >> BigInt(8 * (target - offset))) & 0xffn) === 0n
}
