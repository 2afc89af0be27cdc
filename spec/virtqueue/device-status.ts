/**
 * Device status and feature negotiation, register by register: the driver writes and reads, the device answers.
 * Where the text can be read in two ways, both are allowed; `docs/ambiguities.md` lists the places.
 */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { earlyQueue } from './early-queue.ts'
import { featureOffer } from './feature-offer.ts'
import { statusRegister } from './status-register.ts'

export const deviceStatus = scoped(
  'device-status',
  { explored: { windows: 1, values: 2, mmio: 0 }, played: { windows: 3, values: 4, mmio: 0 } },
  ({ windows, values, mmio }) =>
    compose(
      // The queue first: it looks whether DEVICE_NEEDS_RESET is new before the status takes note of it.
      {
        queue: earlyQueue(),
        status: statusRegister(mmio === 1),
        features: featureOffer({ windows, values, mmio: mmio === 1 }),
      },
      {
        shared: [
          'written',
          'resetting',
          'overtaken',
          'resets',
          'agreement',
          'needsReset',
          'broken',
          'accepted',
          'strange',
        ],
        synchronised: ['driver.setStatus', 'driver.reset', 'device.finishReset', 'device.answerStatus'],
      },
    ),
)
