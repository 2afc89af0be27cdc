/** QEMU under short campaigns of all machines that judge it. */
import { describe, it } from 'vitest'
import { qemuMissing } from '../targets-qemu/require-qemu.ts'
import { findsOnlyWhatIsKnown, MACHINES, SMOKE } from './qemu-campaign.ts'

// A device that works by itself may be slower than its driver on a busy machine: what is broken shows in one of three runs.
describe.skipIf(qemuMissing !== undefined)('QEMU', { retry: 2 }, () => {
  for (const [address, names] of Object.entries(MACHINES)) {
    const others = names.filter((name) => name !== SMOKE)
    it.each(others)(`${address}: %s finds only what is known`, (name) => findsOnlyWhatIsKnown(address, name))
  }
})
