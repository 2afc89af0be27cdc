/**
 * A sliding window: frames and cumulative acknowledgements over two channels that keep their order and lose things.
 * Sequence numbers run modulo `window + 1`, as few as will do.
 */
import { machine, scoped, t } from '../../../src/kernel/language/index.ts'
import { ownClause } from './clause.ts'
import { queue } from './queue.ts'

export const slidingWindow = scoped(
  'sliding-window',
  { explored: { window: 2, capacity: 2 }, played: { window: 2, capacity: 2 } },
  ({ window, capacity }) => {
    const sequence = t.mod(window + 1)
    const { type, isEmpty, isFull, first, push, shift } = queue(capacity, sequence)
    return machine({
      source: 'go-back-n',
      state: {
        /** The oldest frame that is not acknowledged, and how many were sent from it on. */
        base: sequence,
        sent: t.below(window + 1),
        expected: sequence,
        frames: type,
        acks: type,
      },
      actions: {
        'driver.send': {
          when: (s) => s.sent < window && !isFull(s.frames),
          effect(s) {
            push(s.frames, sequence.plus(s.base, s.sent))
            s.sent++
          },
        },
        'driver.sendAgain': {
          args: { k: t.below(window) },
          when: (s, { k }) => k < s.sent && !isFull(s.frames),
          effect: (s, { k }) => push(s.frames, sequence.plus(s.base, k)),
        },
        'driver.takeAck': {
          when: (s) => !isEmpty(s.acks),
          effect(s) {
            const count = sequence.distance(s.base, first(s.acks))
            shift(s.acks)
            if (count > s.sent) return
            s.base = sequence.plus(s.base, count)
            s.sent = s.sent - count
          },
        },
        'device.takeFrame': {
          when: (s) => !isEmpty(s.frames) && !isFull(s.acks),
          effect(s) {
            if (first(s.frames) === s.expected) s.expected++
            shift(s.frames)
            push(s.acks, s.expected)
          },
        },
        'bus.loseFrame': { when: (s) => !isEmpty(s.frames), effect: (s) => shift(s.frames) },
        'bus.loseAck': { when: (s) => !isEmpty(s.acks), effect: (s) => shift(s.acks) },
      },
      invariants: {
        nothingIsReceivedThatWasNotSent: {
          clause: ownClause('WINDOW-1'),
          holds: (s) => sequence.distance(s.base, s.expected) <= s.sent,
        },
      },
      goals: {
        aFullWindow: (s) => s.sent === window,
        aLossOfEverything: (s) => s.sent === window && isEmpty(s.frames),
      },
    })
  },
)
