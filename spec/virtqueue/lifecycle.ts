/**
 * The life of a device as far as its queues need it: started, running, in need of a reset, reset; and the reset of one
 * queue. Status bits and feature words register by register are the matter of `device-status`; here one action stands
 * for a whole initialisation.
 *
 * After a breach of a driver's duty the standard rarely says what a device owes. The device is then `broken` until it
 * is reset: only the laws marked `safety` stay in force.
 */
import { machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** What other parts may borrow. */
export const lifecycleState = {
  /** `resetting`: the driver wrote 0 and has not yet read 0 back. */
  phase: t.oneOf('unknown', 'reset', 'running', 'resetting'),
  /** The queue is enabled: its three areas are granted to the device. */
  queueUp: t.flag,
  /** The driver asked for a reset of the queue and has not yet seen it completed. */
  queueResetting: t.flag,
  /** Features were agreed on before DRIVER_OK. */
  agreed: t.flag,
  /** Accepted features. */
  eventIdx: t.flag,
  indirect: t.flag,
  ringReset: t.flag,
  /** The driver broke a duty since the last reset. */
  broken: t.flag,
  /** The device has set DEVICE_NEEDS_RESET. */
  needsReset: t.flag,
}

export interface LifecycleBounds {
  /** 1: the device may offer any of the features; 0: it offers them all. */
  readonly choosy: number
  /** 1: the driver picks each feature by itself; 0: EVENT_IDX or none. */
  readonly picky: number
}

export const lifecycle = ({ choosy, picky }: LifecycleBounds) =>
  machine({
    source: 'VIRTIO 1.4',
    state: {
      ...lifecycleState,
      /** Offered features. */
      offersEventIdx: t.flag,
      offersIndirect: t.flag,
      offersRingReset: t.flag,
      /** DEVICE_NEEDS_RESET was set and the configuration-change notification for it is still to come. */
      configOwed: t.flag,
    },
    actions: {
      'device.offer': {
        does: 'Shows which features it offers, before anything else.',
        args: { eventIdx: t.flag, indirect: t.flag, ringReset: t.flag },
        when: (s, { eventIdx, indirect, ringReset }) =>
          s.phase === 'unknown' && (choosy === 1 || (eventIdx && indirect && ringReset)),
        effect(s, { eventIdx, indirect, ringReset }) {
          s.phase = 'reset'
          s.offersEventIdx = eventIdx
          s.offersIndirect = indirect
          s.offersRingReset = ringReset
        },
        eager: (s) => (s.phase === 'unknown' ? { eventIdx: true, indirect: true, ringReset: true } : undefined),
      },
      'driver.start': {
        does: 'Initialises the device in the prescribed order, up to DRIVER_OK, with or without its queue. It accepts of the features that it wants those that are offered.',
        args: { eventIdx: t.flag, indirect: t.flag, ringReset: t.flag, withQueue: t.flag },
        weight: 6,
        when: (s, { indirect, ringReset }) => s.phase === 'reset' && (picky === 1 || !(indirect || ringReset)),
        requires: {
          queueIsSetUp: { clause: clause('VIO-STAT-07'), holds: (_s, { withQueue }) => withQueue },
        },
        effect(s, { eventIdx, indirect, ringReset, withQueue }) {
          s.phase = 'running'
          s.agreed = true
          s.eventIdx = eventIdx && s.offersEventIdx
          s.indirect = indirect && s.offersIndirect
          s.ringReset = ringReset && s.offersRingReset
          s.queueUp = withQueue
        },
      },
      'driver.startUnagreed': {
        does: 'Sets DRIVER_OK without ever having set FEATURES_OK.',
        hostile: true,
        when: (s) => s.phase === 'reset',
        requires: { inOrder: { clause: clause('VIO-STAT-07'), holds: () => false } },
        effect(s) {
          s.phase = 'running'
          s.queueUp = true
        },
      },
      'driver.reset': {
        does: 'Writes zero to the device status.',
        weight: 0.4,
        when: (s) => s.phase === 'running',
        effect(s) {
          s.phase = 'resetting'
          s.queueUp = s.queueResetting = false
          s.needsReset = s.configOwed = false
        },
      },
      'device.finishReset': {
        does: 'Shows that the reset is complete: the device status reads zero.',
        when: (s) => s.phase === 'resetting',
        effect(s) {
          s.phase = 'reset'
          s.eventIdx = s.indirect = s.ringReset = false
          s.agreed = s.broken = false
        },
        eager: (s) => (s.phase === 'resetting' ? {} : undefined),
      },
      'device.needReset': {
        does: 'Sets DEVICE_NEEDS_RESET. `mixed`: while a chain is available whose direct descriptors end in an indirect one.',
        args: { mixed: t.flag },
        when: (s) => s.phase === 'running' && !s.needsReset,
        requires: {
          onlyAfterABreach: { clause: clause('SAF-17'), given: (_s, { mixed }) => !mixed, holds: (s) => s.broken },
          acceptsMixedChains: { clause: clause('VIO-IND-04'), given: (_s, { mixed }) => mixed, holds: (s) => s.broken },
        },
        effect(s) {
          s.needsReset = true
          s.configOwed = true
        },
      },
      'device.configInterrupt': {
        does: 'Sends a configuration-change notification.',
        when: (s) => s.phase !== 'resetting',
        requires: {
          notAfterReset: { clause: clause('VIO-STAT-06'), holds: (s) => s.phase === 'running', safety: true },
        },
        effect: (s) => void (s.configOwed = false),
        eager: (s) => (s.configOwed ? {} : undefined),
      },
      'driver.resetQueue': {
        does: 'Asks for a reset of the queue.',
        weight: 0.4,
        when: (s) => s.phase === 'running' && s.queueUp && s.ringReset && !s.needsReset,
        effect(s) {
          s.queueUp = false
          s.queueResetting = true
        },
      },
      'device.finishQueueReset': {
        does: 'Shows that the queue reset is complete, and whether the queue is still enabled.',
        args: { enabled: t.flag },
        when: (s) => s.queueResetting,
        requires: { queueIsDown: { clause: clause('VIO-QRST-02'), holds: (_s, { enabled }) => !enabled } },
        effect(s, { enabled }) {
          s.queueResetting = false
          // Nobody knows what a queue does that was not reset.
          if (enabled) s.broken = true
        },
        eager: (s) => (s.queueResetting ? { enabled: false } : undefined),
      },
      'device.return': {
        does: 'Makes a used entry visible. `former`: it is of a chain that was outstanding when its queue was reset.',
        args: { former: t.flag },
        requires: { nothingOfTheFormerLife: { clause: clause('VIO-QRST-14'), holds: (_s, { former }) => !former } },
        effect(s, { former }) {
          // It is counted by indexes to which it does not belong.
          if (former) s.broken = true
        },
        eager: () => ({ former: false }),
      },
      'driver.enableQueue': {
        does: 'Sets the queue up again after its reset, at other addresses.',
        weight: 4,
        when: (s) => s.phase === 'running' && s.ringReset && !s.queueUp && !s.queueResetting && !s.needsReset,
        effect: (s) => void (s.queueUp = true),
      },
      'driver.rewriteRegisters': {
        does: 'Writes the ring addresses of an enabled queue.',
        hostile: true,
        when: (s) => s.phase === 'running' && s.queueUp,
        requires: { onlyWhileDisabled: { clause: clause('VIO-PCI-04'), holds: () => false } },
      },
    },
    owes: {
      'device.finishReset': { clause: clause('VIO-STAT-05'), when: (s) => s.phase === 'resetting', safety: true },
      'device.finishQueueReset': { clause: clause('VIO-QRST-04'), when: (s) => s.queueResetting && !s.needsReset },
      'device.configInterrupt': { clause: clause('VIO-STAT-04'), when: (s) => s.configOwed, safety: true },
    },
    breach: (s) => void (s.broken = true),
    unspecified: (s) => s.broken,
    invariants: {
      onlyARunningDeviceHasAQueue: {
        clause: clause('VIO-STAT-06'),
        holds: (s) => s.phase === 'running' || (!s.queueUp && !s.needsReset),
      },
    },
    goals: {
      aCompletedReset: { on: 'device.finishReset' },
      aResetAfterABreach: { on: 'driver.reset', when: (s) => s.broken },
      aQueueBackFromItsReset: { on: 'driver.enableQueue' },
    },
  })
