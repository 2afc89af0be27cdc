/**
 * What a device owes a driver that has done its part: every available chain comes back. A back end that is told to
 * hold its requests releases the device from that until it is told to go on; a back end that fails still completes.
 */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { lifecycleState } from './lifecycle.ts'
import { notificationState } from './notification.ts'
import { queueState } from './queue.ts'

/** What other parts may borrow. */
export const serviceState = {
  /** The back end keeps what reaches it. */
  held: t.flag,
}

export const service = ({ size }: { readonly size: number }) =>
  part({
    source: 'VIRTIO 1.4',
    borrows: { ...queueState(size), ...lifecycleState, ...notificationState },
    state: serviceState,
    actions: {
      'driver.lap': { when: (s) => !s.held },
      'backend.hold': {
        does: 'The back end keeps every request that reaches it from now on.',
        weight: 3,
        when: (s) => !s.held && s.phase === 'running',
        effect: (s) => void (s.held = true),
      },
      'backend.release': {
        does: 'The back end completes what it kept, oldest or newest first.',
        args: { order: t.oneOf('fifo', 'lifo') },
        weight: 4,
        when: (s) => s.held,
        effect: (s) => void (s.held = false),
      },
      'backend.releaseOne': {
        does: 'The back end completes one request that it kept.',
        args: { index: t.below(size) },
        when: (s) => s.held && s.chains.some((c) => c.at === 'available' || c.at === 'popped'),
      },
      // An eager device returns what its back end lets it, once it has been told.
      'device.return': { eager: (s) => (s.held || s.unchecked || s.kickDue ? undefined : {}) },
    },
    owes: {
      'device.return': [
        // The device said that it needs no kick, so it has to look by itself.
        {
          clause: clause('VIO-SPLIT-19'),
          when: (s) =>
            s.queueUp &&
            !s.needsReset &&
            !s.held &&
            !s.unchecked &&
            !s.kickDue &&
            !s.kicked &&
            s.chains.some((c) => c.at === 'available'),
        },
        {
          clause: clause('VIO-SPLIT-36'),
          when: (s) =>
            s.queueUp &&
            !s.needsReset &&
            !s.held &&
            !s.unchecked &&
            !s.kickDue &&
            s.kicked &&
            s.chains.some((c) => c.at === 'available'),
        },
        {
          clause: clause('VIO-SPLIT-36'),
          when: (s) => s.queueUp && !s.needsReset && !s.held && s.chains.some((c) => c.at === 'popped'),
        },
      ],
    },
    goals: { aHeldRequest: (s) => s.held && s.chains.some((c) => c.at === 'available' || c.at === 'popped') },
  })
