/** The split virtqueue of a running device: queue, format, notification, life, service, and a hostile driver. */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { hostile } from './hostile.ts'
import { inOrder } from './in-order.ts'
import { type LifecycleBounds, lifecycle } from './lifecycle.ts'
import { neighbour } from './neighbour.ts'
import { notification } from './notification.ts'
import { queue } from './queue.ts'
import { service } from './service.ts'
import { type RingBounds, splitRing } from './split-ring.ts'

export type SplitQueueBounds = RingBounds & LifecycleBounds

export const explored: SplitQueueBounds = {
  size: 2,
  wrap: 4,
  parts: 1,
  least: 0,
  bytes: 1,
  places: 1,
  choosy: 0,
  picky: 0,
}
export const played: SplitQueueBounds = {
  size: 8,
  wrap: 65_536,
  parts: 3,
  least: 1,
  bytes: 1_048_576,
  places: 2,
  choosy: 1,
  picky: 1,
}

/** The parts of a split queue with their seams; `virtio-blk` adds what the requests mean. */
export const splitQueueParts = (bounds: SplitQueueBounds) => ({
  lifecycle: lifecycle(bounds),
  hostile: hostile(bounds),
  queue: queue(bounds),
  ring: splitRing(bounds),
  inOrder: inOrder(bounds),
  notification: notification(bounds),
  service: service(bounds),
  neighbour: neighbour(),
})

export const splitQueueSeams = {
  symmetry: { ids: ['head'] },
  shared: [
    ...['phase', 'queueUp', 'queueResetting', 'eventIdx', 'indirect', 'ringReset', 'agreed', 'broken', 'needsReset'],
    ...['chains', 'availIdx', 'usedIdx', 'seenIdx', 'lapping', 'used', 'line'],
    ...['unchecked', 'kickDue', 'kicked', 'held'],
  ],
  synchronised: [
    ...[
      'device.offer',
      'driver.start',
      'device.finishReset',
      'device.finishQueueReset',
      'driver.add',
      'driver.publish',
      'driver.consume',
    ],
    ...[
      'driver.jump',
      'device.touch',
      'driver.lap',
      'device.lap',
      'device.return',
      'device.publish',
      'driver.rewriteRegisters',
    ],
  ],
} as const

/** The seams of a product that `more` joins. */
export const seamsWith = (more: { readonly shared: readonly string[]; readonly synchronised: readonly string[] }) => ({
  symmetry: splitQueueSeams.symmetry,
  shared: [...splitQueueSeams.shared, ...more.shared],
  synchronised: [...splitQueueSeams.synchronised, ...more.synchronised],
})

export const splitQueue = scoped('split-queue', { explored: { ...explored }, played: { ...played } }, (bounds) =>
  compose(splitQueueParts(bounds), splitQueueSeams),
)
