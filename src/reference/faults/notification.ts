/** Faults of when the device looks, and when it tells. */

import { avail } from '../../layout/split-ring.ts'
import { readRing } from '../paravirtual/fetch.ts'
import { honestParts } from '../paravirtual/parts.ts'
import type { Fault } from './fault.ts'

const honest = honestParts()

export const notificationFaults: readonly Fault[] = [
  {
    id: 'vq-used-index-after-suppress-check',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Looks at the suppression field before used.idx is published: a driver that asks in between is not told.',
    replaces: 'order.finish',
    install: (parts) => {
      parts.order.finish = ['readSuppression', 'publishUsedIdx', 'notify']
    },
  },
  {
    id: 'vq-interrupt-before-used-index',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Notifies before used.idx is published: a driver that looks at once finds nothing and sleeps.',
    replaces: 'order.finish',
    install: (parts) => {
      parts.order.finish = ['readSuppression', 'notify', 'publishUsedIdx']
    },
  },
  {
    id: 'vq-kick-enable-recheck-reordered',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Looks at avail.idx before it asks for kicks again: a chain added in between is neither seen nor kicked for.',
    replaces: 'order.sleep',
    install: (parts) => {
      parts.order.sleep = ['recheck', 'arm']
    },
  },
  {
    id: 'vq-stale-signalled-used-after-backend-stop',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Keeps the base of the used_event window over a reset: the same number of completions is not told again.',
    replaces: 'lifecycle.queueAfterReset',
    install: (parts) => {
      parts.lifecycle.queueAfterReset = (old) => ({
        ...honest.lifecycle.queueAfterReset(old),
        signalled: old.signalled,
      })
    },
  },
  {
    id: 'vq-avail-event-not-last-popped',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Arms with the position of the last popped entry, not of the next: the next addition is not kicked for.',
    replaces: 'queue.availEvent',
    install: (parts) => {
      parts.queue.availEvent = (queue) => (queue.lastAvail - 1) & 0xffff
    },
  },
  {
    id: 'vq-used-event-equality-misses-overshoot',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Notifies only when a batch ends exactly at used_event: one that runs past it is not told.',
    replaces: 'queue.needsInterrupt',
    install: (parts) => {
      parts.queue.needsInterrupt = (eventIdx, found, usedIdx, signalled) =>
        eventIdx ? found === ((usedIdx - 1) & 0xffff) : honest.queue.needsInterrupt(eventIdx, found, usedIdx, signalled)
    },
  },
  {
    id: 'vq-event-window-wrap-missed',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Compares used_event as a plain number: a completion that takes used.idx past 2^16 is not told.',
    replaces: 'queue.needsInterrupt',
    install: (parts) => {
      parts.queue.needsInterrupt = (eventIdx, found, usedIdx, signalled) =>
        eventIdx
          ? found >= signalled && found < usedIdx
          : honest.queue.needsInterrupt(eventIdx, found, usedIdx, signalled)
    },
  },
  {
    id: 'vq-event-index-reads-flags',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'With event indexes it still reads avail.flags, and takes that for used_event.',
    replaces: 'complete.readSuppression',
    install: (parts) => {
      parts.complete.readSuppression = (device, queue) => {
        const data = readRing(device, queue.driver, avail.flags, 2)
        if (data === undefined) return device.parts.queue.refuse(device, queue, 'ring outside memory')
        queue.complete.suppression = data[0]! | (data[1]! << 8)
        return 'notify'
      }
    },
  },
  {
    id: 'vq-rx-deferred-flag-missed',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'A queue that waited for the back end goes on only when it is kicked again, not when there is room.',
    replaces: 'queue.mayResume',
    needs: { depth: 2 },
    install: (parts) => {
      parts.queue.mayResume = (device, queue) => queue.kicked && honest.queue.mayResume(device, queue)
    },
  },
  {
    id: 'vq-needs-reset-without-notification',
    area: 'virtqueue',
    difficulty: 'shallow',
    what: 'Sets DEVICE_NEEDS_RESET and does not send the configuration change notification.',
    replaces: 'lifecycle.tellNeedsReset',
    install: (parts) => {
      parts.lifecycle.tellNeedsReset = () => {}
    },
  },
]
