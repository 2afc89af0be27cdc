/**
 * IN_ORDER: the device returns chains in the order in which they were made available, whatever the order in which its
 * back end answers. It may then write one used entry for a batch; the chains that the entry skips count as returned.
 */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { lifecycleState } from './lifecycle.ts'
import { headOf, queueState } from './queue.ts'
import { lineState, type RingBounds, ringState } from './split-ring.ts'

export const inOrder = (bounds: RingBounds) => {
  const { size } = bounds
  const head = headOf(size)
  return part({
    source: 'VIRTIO 1.4',
    borrows: { ...lifecycleState, ...queueState(size), ...ringState(bounds), ...lineState(size) },
    state: {
      offersInOrder: t.flag,
      /** IN_ORDER was negotiated. */
      inOrder: t.flag,
    },
    actions: {
      'device.offer': {
        args: { inOrder: t.flag },
        effect: (s, { inOrder }) => void (s.offersInOrder = inOrder),
        eager: () => ({ inOrder: true }),
      },
      'driver.start': {
        args: { inOrder: t.flag },
        effect: (s, { inOrder }) => void (s.inOrder = inOrder && s.offersInOrder),
      },
      'device.return': {
        args: { head: t.maybe(head) },
        requires: {
          asMadeAvailable: {
            clause: clause('VIO-SPLIT-16'),
            given: (s, { head }) =>
              s.inOrder &&
              s.queueUp &&
              head !== undefined &&
              (s.chains.at(head).at === 'available' || s.chains.at(head).at === 'popped'),
            holds: (s, { head }) => head === s.line.at(s.usedIdx % size),
          },
        },
        eager: (s) => (s.inOrder ? { head: s.line.at(s.usedIdx % size) } : {}) as never,
      },
      'device.finishReset': { effect: (s) => void (s.inOrder = false) },
    },
    goals: {
      aReturnInOrder: {
        on: 'device.return',
        when: (s, { head }) =>
          s.inOrder && s.chains.some((chain, h) => h !== head && (chain.at === 'available' || chain.at === 'popped')),
      },
    },
  })
}
