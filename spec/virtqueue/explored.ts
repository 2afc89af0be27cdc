/**
 * Products of some of the parts, for exhaustive search: each is small enough to be walked whole at every commit, and
 * has what its own laws need. `split-queue` joins them all and takes minutes.
 */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { inOrder } from './in-order.ts'
import { type LifecycleBounds, lifecycle } from './lifecycle.ts'
import { notification } from './notification.ts'
import { queue } from './queue.ts'
import { explored, played, type SplitQueueBounds } from './split-queue.ts'
import { splitRing } from './split-ring.ts'

/** The queue alone: a chain is available, popped, returned once, and taken back. */
export const queueMachine = scoped('queue', { explored: { size: 4 }, played: { size: 8 } }, queue)

/** The life of a device and of its queue. */
export const lifecycleMachine = scoped(
  'lifecycle',
  { explored: { choosy: 1, picky: 1 }, played: { choosy: 1, picky: 1 } },
  (bounds: LifecycleBounds) => lifecycle(bounds),
)

/** Heads are names. Ring indexes are not: a reset and a lap put them to places of their own. */
const symmetry = { ids: ['head'] }

const ringSeams = {
  symmetry,
  shared: [
    'phase',
    'queueUp',
    'queueResetting',
    'eventIdx',
    'indirect',
    'ringReset',
    'agreed',
    'broken',
    'needsReset',
    'chains',
  ],
  synchronised: [
    ...['driver.add', 'driver.publish', 'driver.consume', 'device.return'],
    ...['device.finishReset', 'device.finishQueueReset'],
  ],
}

/** The split format, with several chains outstanding. The size is no power of two: what counts is the wrap. */
export const splitRingMachine = scoped(
  'split-ring',
  { explored: { ...explored, size: 3, wrap: 6, least: 1, picky: 1 }, played: { ...played } },
  (bounds: SplitQueueBounds) =>
    compose({ lifecycle: lifecycle(bounds), queue: queue(bounds), ring: splitRing(bounds) }, ringSeams),
)

/** Chains that come back in order. */
export const inOrderMachine = scoped(
  'in-order',
  { explored: { ...explored, wrap: 6, picky: 1 }, played: { ...played } },
  (bounds: SplitQueueBounds) =>
    compose(
      { lifecycle: lifecycle(bounds), queue: queue(bounds), ring: splitRing(bounds), inOrder: inOrder(bounds) },
      {
        symmetry,
        shared: [...ringSeams.shared, ...['availIdx', 'usedIdx', 'seenIdx', 'lapping', 'used', 'line']],
        synchronised: [...ringSeams.synchronised, 'device.offer', 'driver.start'],
      },
    ),
)

/** Notifications both ways, over the ring that they are about. */
export const notificationMachine = scoped(
  'notification',
  { explored: { ...explored, size: 1 }, deep: { ...explored }, played: { ...played } },
  (bounds: SplitQueueBounds) =>
    compose(
      {
        lifecycle: lifecycle(bounds),
        queue: queue(bounds),
        ring: splitRing(bounds),
        notification: notification(bounds),
      },
      {
        symmetry,
        shared: [...ringSeams.shared, 'availIdx', 'usedIdx', 'seenIdx', 'lapping', 'used'],
        synchronised: [...ringSeams.synchronised, 'driver.start', 'driver.lap', 'device.lap', 'device.publish'],
      },
    ),
)
