/** One queue and the interrupts, as far as the device status governs them: nothing before DRIVER_OK, nothing after a reset. */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { statusState } from './status-register.ts'
import { driverBit, STATUS_BITS } from './status-words.ts'

export const earlyQueue = () =>
  part({
    source: 'VIRTIO 1.4',
    borrows: statusState,
    state: {
      /** DRIVER_OK was written, and the queue is the device's until a reset is complete. */
      live: t.flag,
      queue: t.oneOf('none', 'published', 'used'),
      /** Notified since DRIVER_OK. */
      kicked: t.flag,
      /** A configuration change was announced in this life; one is owed for DEVICE_NEEDS_RESET. */
      configSeen: t.flag,
      configOwed: t.flag,
    },
    actions: {
      'driver.setStatus': {
        args: { bit: driverBit },
        effect(s, { bit }) {
          if (bit === 'DRIVER_OK') s.live = true
        },
      },
      'driver.reset': { effect: (s) => void (s.configOwed = false) },
      'device.finishReset': {
        effect(s) {
          s.live = s.kicked = s.configSeen = false
          s.queue = 'none'
        },
      },
      'device.answerStatus': {
        args: { bits: t.set(8) },
        effect(s, { bits }) {
          const isNew = bits.has(STATUS_BITS.NEEDS_RESET) && !s.needsReset && !s.resetting && !s.overtaken
          // A driver that cleared DRIVER_OK has given up its right to be told.
          if (isNew && bits.has(STATUS_BITS.DRIVER_OK)) s.configOwed = s.live && !s.configSeen
        },
      },
      'driver.publish': {
        does: 'Sets a queue up and makes one chain available in it.',
        args: { chain: t.oneOf('sound', 'looped') },
        weight: 12,
        when: (s) => !s.resetting && s.queue === 'none',
        requires: {
          betweenFeaturesAndDriverOk: {
            clause: clause('VIO-STAT-07'),
            holds: (s) => s.agreement === 'kept' && !s.live,
          },
          notAfterFailure: { clause: clause('VIO-STAT-14'), holds: (s) => !s.written.has(STATUS_BITS.FAILED) },
          chainEnds: { clause: clause('VIO-SPLIT-06'), holds: (_s, { chain }) => chain === 'sound' },
        },
        effect: (s) => void (s.queue = 'published'),
      },
      'driver.kick': {
        does: 'Notifies the queue.',
        weight: 6,
        when: (s) => !s.resetting && s.queue !== 'none',
        requires: { notBeforeDriverOk: { clause: clause('VIO-STAT-10'), holds: (s) => s.live } },
        effect: (s) => void (s.kicked = s.live),
      },
      'device.use': {
        does: 'Returns the chain: the used index advances by one.',
        requires: {
          notBeforeDriverOk: {
            clause: clause('VIO-STAT-02'),
            given: (s) => s.queue !== 'none',
            holds: (s) => s.live,
            safety: true,
          },
          notAfterReset: { clause: clause('VIO-STAT-06'), holds: (s) => s.queue !== 'none', safety: true },
          onlyOnce: { clause: clause('VIO-SPLIT-43'), holds: (s) => s.queue !== 'used', safety: true },
        },
        effect: (s) => void (s.queue = 'used'),
        eager: (s) => (s.live && s.kicked && !s.broken && s.queue === 'published' ? {} : undefined),
      },
      'device.queueInterrupt': {
        does: 'Sends a used-buffer notification.',
        requires: {
          notBeforeDriverOk: {
            clause: clause('VIO-STAT-02'),
            given: (s) => !s.written.isEmpty || s.resets === 0,
            holds: (s) => s.live,
            safety: true,
          },
          notAfterReset: {
            clause: clause('VIO-STAT-06'),
            given: (s) => s.written.isEmpty && s.resets > 0,
            holds: (s) => s.live,
            safety: true,
          },
        },
      },
      'device.configInterrupt': {
        does: 'Sends a configuration change notification; before DRIVER_OK that is no breach, by the reading of 1.1.',
        requires: {
          notAfterReset: {
            clause: clause('VIO-STAT-06'),
            holds: (s) => !s.written.isEmpty || s.resetting,
            safety: true,
          },
        },
        effect(s) {
          s.configSeen = true
          s.configOwed = false
        },
        eager: (s) => (s.configOwed ? {} : undefined),
      },
    },
    owes: {
      'device.use': [
        {
          clause: clause('VIO-STAT-17'),
          when: (s) => s.live && s.kicked && s.queue === 'published' && !s.resetting,
        },
        // A device that agrees to bits that it did not offer has masked them out: all goes on as if they were not there.
        {
          clause: clause('HRD-20'),
          when: (s) =>
            s.strange &&
            s.agreement === 'kept' &&
            !s.needsReset &&
            s.live &&
            s.kicked &&
            s.queue === 'published' &&
            !s.resetting,
          safety: true,
        },
      ],
      'device.configInterrupt': { clause: clause('VIO-STAT-04'), when: (s) => s.configOwed, safety: true },
    },
    invariants: {
      nothingIsUsedBeforeDriverOk: {
        clause: clause('VIO-STAT-02'),
        holds: (s) => s.queue !== 'used' || s.live,
        safety: true,
      },
      aLiveDeviceHasAgreed: {
        clause: clause('VIO-STAT-09'),
        holds: (s) => !s.live || s.resetting || s.agreement === 'kept',
      },
    },
    goals: {
      aServedRequest: (s) => s.queue === 'used',
      anEarlyKick: { on: 'driver.kick', when: (s) => !s.live && s.queue === 'published' },
    },
  })
