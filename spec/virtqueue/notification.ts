/**
 * Who must tell whom. The driver kicks (available-buffer notification) unless the device said that it need not; the
 * device interrupts (used-buffer notification) unless the driver said so. Either side says it by a flag or, with
 * EVENT_IDX, by the position at which it wants to hear.
 *
 * The standard lets each side look at the other's wish at any time after it published. So a wish that changes between
 * the publication and the notification leaves both outcomes open; only a wish that held throughout is binding.
 */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { lifecycleState } from './lifecycle.ts'
import { type RingBounds, ringState } from './split-ring.ts'

/** What other parts may borrow. */
export const notificationState = {
  /** Something was published that the driver has neither checked for nor kicked for. */
  unchecked: t.flag,
  /** The driver has seen that it must kick, and has not yet. */
  kickDue: t.flag,
  /** The last thing that announced available buffers was a kick. */
  kicked: t.flag,
}

/** Machines with a larger modulus are played, and not explored. */
const EXPLORED_WRAP = 256

export const notification = (bounds: RingBounds) => {
  const { size, wrap } = bounds
  const index = t.mod(wrap)
  /** Whether `position` is one of those from `from` up to, and without, `to`. */
  const within = (position: number, from: number, to: number): boolean =>
    index.distance(from, position) < index.distance(from, to)
  return part({
    source: 'VIRTIO 1.4',
    borrows: { ...ringState(bounds), ...lifecycleState },
    state: {
      ...notificationState,
      /** `avail.flags` bit 0: the driver asks for no interrupt. Without EVENT_IDX. */
      noInterrupt: t.flag,
      /** `used_event`: the driver asks for an interrupt when this position is used. With EVENT_IDX. */
      usedEvent: index,
      /** `used.flags` bit 0: the device asks for no kick. Without EVENT_IDX. */
      noNotify: t.flag,
      /** `avail_event`: the device asks for a kick when this position is made available. With EVENT_IDX. */
      availEvent: index,
      /** Where the driver's next check begins: everything before it was announced. */
      checkFrom: index,
      /** An interrupt is owed, for entries from `owedFrom` on. */
      owed: t.flag,
      owedFrom: index,
      /** The vector of the queue is masked. */
      masked: t.flag,
      /** An interrupt was owed when the queue was reset: it may have been sent before, and arrive late. */
      onTheWay: t.flag,
    },
    actions: {
      'driver.start': { effect: rearm },
      'driver.suppress': {
        does: 'Sets `avail.flags` bit 0.',
        when: (s) => s.queueUp && !s.noInterrupt && !s.lapping,
        requires: { onlyWithoutEventIdx: { clause: clause('VIO-NTF-06'), holds: (s) => !s.eventIdx } },
        effect(s) {
          s.noInterrupt = true
          if (!s.eventIdx) settle(s)
        },
      },
      'driver.unsuppress': {
        does: 'Clears `avail.flags` bit 0.',
        weight: 2,
        when: (s) => s.queueUp && s.noInterrupt && !s.lapping,
        effect: (s) => void (s.noInterrupt = false),
      },
      'driver.setUsedEvent': {
        does: 'Asks for an interrupt when the entry `ahead` of the next unseen one is used.',
        args: { ahead: t.below(size + 1) },
        weight: 2,
        when: (s) => s.queueUp && s.eventIdx && !s.lapping,
        effect(s, { ahead }) {
          s.usedEvent = index.plus(s.seenIdx, ahead)
          if (!within(s.usedEvent, s.owedFrom, s.usedIdx)) settle(s)
        },
      },
      'driver.check': {
        does: 'After publishing, reads what the device asked for and decides whether a kick is due.',
        weight: 8,
        when: (s) => s.unchecked && s.queueUp,
        effect(s) {
          s.kickDue = s.kickDue || (s.eventIdx ? within(s.availEvent, s.checkFrom, s.availIdx) : !s.noNotify)
          s.checkFrom = s.availIdx
          s.unchecked = false
          s.kicked = false
        },
      },
      'driver.kick': {
        does: 'Writes the notification register of the queue.',
        weight: 8,
        when: (s) => s.phase === 'running' && !s.lapping,
        requires: { queueIsUp: { clause: clause('VIO-STAT-10'), holds: (s) => s.queueUp } },
        effect(s) {
          s.kickDue = s.unchecked = false
          s.checkFrom = s.availIdx
          s.kicked = true
        },
      },
      'driver.publish': { effect: (s) => void (s.unchecked = true) },
      'driver.mask': {
        does: 'Masks the vector of the queue.',
        weight: 0.5,
        when: (s) => s.queueUp && !s.masked,
        effect: (s) => void (s.masked = true),
      },
      'driver.unmask': {
        does: 'Unmasks the vector of the queue.',
        weight: 2,
        when: (s) => s.queueUp && s.masked,
        effect: (s) => void (s.masked = false),
      },
      'driver.toggleMsix': {
        does: 'Turns MSI-X off and on again while the device runs.',
        hostile: true,
        weight: 0.5,
        when: (s) => s.queueUp && !s.lapping,
        requires: { notLive: { clause: clause('PCI-MSIX-06'), holds: () => false } },
      },
      'device.publish': {
        args: {
          count: index,
          /** It may have come before or after the driver's last change of what it asks for: nobody can tell. */
          racing: t.flag,
        },
        // A matter of looking from outside, and none of the device.
        when: (_s, { racing }) => !racing || wrap > EXPLORED_WRAP,
        eager: () => ({ racing: false }) as never,
        effect(s, { count, racing }) {
          const from = index.plus(s.usedIdx, -count)
          const wanted = s.eventIdx ? within(s.usedEvent, from, s.usedIdx) : !s.noInterrupt
          if (!wanted || racing) return
          if (!s.owed) s.owedFrom = from
          s.owed = true
        },
      },
      'device.interrupt': {
        does: 'Sends a used-buffer notification.',
        when: (s) => s.phase !== 'resetting' && !s.lapping,
        requires: {
          notAfterReset: { clause: clause('VIO-STAT-06'), holds: (s) => s.phase === 'running', safety: true },
          onlyOfALiveQueue: {
            clause: clause('VIO-QRST-01'),
            given: (s) => s.phase === 'running',
            holds: (s) => s.queueUp || s.queueResetting || s.onTheWay,
          },
          notWhileMasked: { clause: clause('PCI-MSIX-10'), holds: (s) => !s.masked },
          quietWhenAsked: {
            clause: clause('VIO-NTF-02'),
            given: (s) => !s.eventIdx && s.noInterrupt,
            holds: (s) => s.owed,
          },
        },
        effect(s) {
          settle(s)
          s.onTheWay = false
        },
        eager: (s) => (s.owed && !s.masked ? {} : undefined),
      },
      'device.setNoNotify': {
        does: 'Writes `used.flags`.',
        args: { on: t.flag },
        requires: {
          notWithEventIdx: { clause: clause('VIO-NTF-09'), given: (s) => s.eventIdx, holds: (_s, { on }) => !on },
        },
        effect: (s, { on }) => void (s.noNotify = on),
      },
      'device.setAvailEvent': {
        does: 'Writes `avail_event`.',
        args: { position: index },
        when: (s) => s.eventIdx,
        effect: (s, { position }) => void (s.availEvent = position),
        eager: (s) =>
          s.eventIdx && s.availEvent !== s.availIdx && !s.unchecked ? { position: s.availIdx } : undefined,
      },
      'driver.lap': {
        effect(s) {
          s.checkFrom = s.availIdx
          s.unchecked = s.kickDue = false
          settle(s)
          s.kicked = true
          // The last position before the wrap.
          if (s.eventIdx) s.usedEvent = wrap - 1
        },
      },
      'device.lap': { args: { exactly: t.flag }, effect: (s) => void (s.availEvent = s.availIdx) },
      'device.finishQueueReset': {
        effect(s) {
          const onTheWay = s.owed
          rearm(s)
          s.onTheWay = onTheWay
        },
      },
      'device.finishReset': { effect: rearm },
    },
    owes: {
      'device.interrupt': [
        { clause: clause('VIO-NTF-03'), when: (s) => s.owed && s.eventIdx && !s.masked && s.queueUp && !s.needsReset },
        { clause: clause('VIO-NTF-01'), when: (s) => s.owed && !s.eventIdx && !s.masked && s.queueUp && !s.needsReset },
      ],
    },
    goals: {
      aReturnWithoutInterrupt: { on: 'device.publish', when: (s) => !s.owed && (s.noInterrupt || s.eventIdx) },
      anInterruptOwedWhileMasked: (s) => s.owed && s.masked,
      aPickupWithoutKick: { on: 'device.publish', when: (s) => !s.kicked && !s.unchecked },
    },
  })
}

/** Nothing is owed any more. */
const settle = (s: { owed: boolean; owedFrom: number }): void => {
  s.owed = false
  s.owedFrom = 0
}

/** The rings are fresh: nobody has asked for anything, and nothing is announced. */
const rearm = (s: {
  noInterrupt: boolean
  noNotify: boolean
  usedEvent: number
  availEvent: number
  checkFrom: number
  owedFrom: number
  owed: boolean
  masked: boolean
  onTheWay: boolean
  unchecked: boolean
  kickDue: boolean
  kicked: boolean
}): void => {
  s.noInterrupt = s.noNotify = s.owed = s.masked = s.unchecked = s.kickDue = s.kicked = s.onTheWay = false
  s.usedEvent = s.availEvent = s.checkFrom = s.owedFrom = 0
}
