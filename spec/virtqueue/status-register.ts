/**
 * The device status: bits that a driver sets one after the other, reads back, and clears only all at once.
 *
 * A read is an action of the driver, its answer an action of the device; in between the driver does nothing else here.
 */
import { type Bits, noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { choice, driverBit, RIGHTFUL, STATUS_BITS } from './status-words.ts'

const { ACKNOWLEDGE, DRIVER, FEATURES_OK, NEEDS_RESET, FAILED } = STATUS_BITS
type DriverBit = Exclude<keyof typeof STATUS_BITS, 'NEEDS_RESET' | 'FAILED'>
/** What has to be there before a driver sets a bit, 3.1.1. */
const before: Readonly<Record<DriverBit, number | undefined>> = {
  ACKNOWLEDGE: undefined,
  DRIVER: ACKNOWLEDGE,
  FEATURES_OK: DRIVER,
  DRIVER_OK: FEATURES_OK,
}

/** The duty to accept offered bits only. */
const ONLY_OFFERED = clause('VIO-FEAT-01').id

/** What other parts may borrow. */
export const statusState = {
  /** Bits that the driver has written since the last reset, FEATURES_OK included even where it was refused. */
  written: t.set(8),
  /** The driver wrote zero and the status was not yet seen to be zero. */
  resetting: t.flag,
  /** The driver went on without waiting for that, so that nobody can tell when the reset was complete. */
  overtaken: t.flag,
  resets: t.below(3),
  /** FEATURES_OK: not written, written and not yet read back, read back set, read back clear. */
  agreement: t.oneOf('open', 'asked', 'kept', 'refused'),
  needsReset: t.flag,
  /** The driver broke a duty since the last reset. */
  broken: t.flag,
  /** All that it broke is that it accepted a bit that was not offered. */
  strange: t.flag,
}

export const statusRegister = (mmio: boolean) =>
  part({
    source: 'VIRTIO 1.4',
    borrows: { accepted: t.maybe(choice) },
    state: {
      ...statusState,
      /** A read of the status is under way. */
      asked: t.flag,
      /** The bit that the driver cleared last, if it broke that duty. */
      cleared: t.maybe(driverBit),
      /** Rightful sets that the device has once agreed to. */
      agreed: t.set(RIGHTFUL.length),
    },
    actions: {
      'driver.setStatus': {
        does: 'Writes the status with one more bit set.',
        args: { bit: driverBit },
        weight: 12,
        when: (s, { bit }) => !s.asked && !s.written.has(STATUS_BITS[bit]),
        requires: {
          inOrder: {
            clause: clause('VIO-STAT-07'),
            holds(s, { bit }) {
              const first = before[bit]
              return (
                (first === undefined || s.written.has(first)) && (bit !== 'FEATURES_OK' || s.accepted !== undefined)
              )
            },
          },
          onlyAfterAgreement: {
            clause: clause('VIO-STAT-09'),
            given: (_s, { bit }) => bit === 'DRIVER_OK',
            holds: (s) => s.agreement === 'kept',
          },
          resetsAfterFailure: { clause: clause('VIO-STAT-12'), holds: (s) => !s.written.has(FAILED) },
          waitsForReset: { clause: clause(mmio ? 'VIO-STAT-19' : 'VIO-PCI-27'), holds: (s) => !s.resetting },
        },
        effect(s, { bit }) {
          if (s.resetting) s.overtaken = true
          s.resetting = false
          s.written = s.written.with(STATUS_BITS[bit])
          s.cleared = undefined
          if (bit === 'FEATURES_OK' && s.agreement !== 'kept') s.agreement = 'asked'
        },
      },
      'driver.giveUp': {
        does: 'Sets FAILED.',
        weight: 0.3,
        when: (s) => !s.asked && !s.written.isEmpty && !s.written.has(FAILED),
        effect: (s) => void (s.written = s.written.with(FAILED)),
      },
      'driver.clearStatus': {
        does: 'Writes the status without a bit that was set, though not zero.',
        args: { bit: driverBit },
        hostile: true,
        weight: 6,
        when: (s, { bit }) => !s.asked && !s.overtaken && s.written.has(STATUS_BITS[bit]) && s.written.size > 1,
        requires: { onlyAccumulates: { clause: clause('VIO-STAT-01'), holds: () => false } },
        effect: (s, { bit }) => void (s.cleared = bit),
      },
      'driver.reset': {
        does: 'Writes zero to the status.',
        weight: 0.6,
        when: (s) => !s.asked && !s.written.isEmpty,
        effect(s) {
          s.resetting = true
          s.written = noBits
          s.cleared = undefined
          s.agreement = 'open'
          s.needsReset = s.overtaken = s.broken = s.strange = false
        },
      },
      'device.finishReset': {
        does: 'Shows that the reset is complete: the status reads zero.',
        when: (s) => s.resetting,
        effect(s) {
          s.resetting = false
          if (s.resets < 2) s.resets = s.resets + 1
        },
        eager: (s) => (s.resetting ? {} : undefined),
      },
      'driver.readStatus': {
        weight: 6,
        when: (s) => !s.asked,
        effect: (s) => void (s.asked = true),
      },
      'device.answerStatus': {
        args: { bits: t.set(8) },
        when: (s) => s.asked,
        requires: {
          zeroAtFirst: {
            clause: clause('VIO-STAT-20'),
            given: (s) => s.written.isEmpty && s.resets === 0 && !s.resetting,
            holds: (_s, { bits }) => bits.isEmpty,
          },
          zeroAfterReset: {
            clause: clause('VIO-STAT-05'),
            given: (s) => s.written.isEmpty && s.resets > 0 && !s.resetting,
            holds: (_s, { bits }) => bits.isEmpty,
            safety: true,
          },
          bitsStay: {
            clause: clause('VIO-STAT-16'),
            given: (s) => !s.resetting && s.cleared === undefined,
            holds: (s, { bits }) => bits.contains(s.agreement === 'kept' ? s.written : s.written.without(FEATURES_OK)),
          },
          supportsWhatItOffers: {
            clause: clause('VIO-FEAT-09'),
            given: (s) => s.agreement === 'asked' && s.accepted === 'offered',
            holds: (_s, { bits }) => bits.has(FEATURES_OK),
          },
          agreesAsBefore: {
            clause: clause('VIO-FEAT-05'),
            given: (s) =>
              s.agreement === 'asked' && s.accepted !== undefined && s.agreed.has(RIGHTFUL.indexOf(s.accepted)),
            holds: (_s, { bits }) => bits.has(FEATURES_OK),
          },
          needsNoReset: {
            clause: clause('SAF-17'),
            given: (s) => !s.resetting && !s.needsReset,
            holds: (_s, { bits }) => !bits.has(NEEDS_RESET),
          },
          staysInNeed: {
            clause: clause('VIO-STAT-18'),
            given: (s) => s.needsReset,
            holds: (_s, { bits }) => bits.has(NEEDS_RESET),
            safety: true,
          },
          nothingInBetween: {
            clause: clause('HRD-26'),
            given: (s) => s.cleared !== undefined,
            holds(s, { bits }) {
              const own = bits.without(NEEDS_RESET).without(FEATURES_OK)
              const asWritten = s.written.without(FEATURES_OK)
              const taken = s.cleared === undefined ? asWritten : asWritten.without(STATUS_BITS[s.cleared])
              return own.equals(asWritten) || own.equals(taken) || bits.isEmpty
            },
            safety: true,
          },
        },
        effect(s, { bits }) {
          s.asked = false
          if (s.resetting) return
          if (s.agreement === 'asked') {
            s.agreement = bits.has(FEATURES_OK) ? 'kept' : 'refused'
            const set = RIGHTFUL.indexOf(s.accepted ?? 'none')
            if (s.agreement === 'kept' && set >= 0 && !s.broken) s.agreed = s.agreed.with(set)
          }
          if (bits.has(NEEDS_RESET) && !s.written.isEmpty && !s.overtaken) s.needsReset = true
        },
        eager(s) {
          if (!s.asked) return undefined
          const agrees = s.agreement === 'kept' || (s.agreement === 'asked' && RIGHTFUL.includes(s.accepted ?? 'none'))
          const own: Bits = agrees ? s.written : s.written.without(FEATURES_OK)
          return { bits: s.needsReset ? own.with(NEEDS_RESET) : own }
        },
      },
    },
    owes: {
      'device.finishReset': { clause: clause('VIO-STAT-05'), when: (s) => s.resetting, safety: true },
    },
    breach(s, { id }) {
      s.strange = id === ONLY_OFFERED && (!s.broken || s.strange)
      s.broken = true
    },
    unspecified: (s) => s.broken,
    steps: {
      anAgreementEndsByResetOnly: {
        clause: clause('VIO-STAT-16'),
        holds: (before, after, by) =>
          before.agreement !== 'kept' || after.agreement === 'kept' || by === 'driver.reset',
      },
      needOfResetEndsByResetOnly: {
        clause: clause('VIO-STAT-18'),
        holds: (before, after, by) => !before.needsReset || after.needsReset || by === 'driver.reset',
        safety: true,
      },
    },
    goals: {
      anAgreement: (s) => s.agreement === 'kept',
      aSecondAgreement: (s) => s.resets > 0 && s.agreement === 'kept' && !s.agreed.isEmpty,
      aDeclaredFailure: (s) => s.written.has(FAILED),
      aClearedBit: (s) => s.cleared !== undefined,
      anUnagreedDriverOk: {
        on: 'driver.setStatus',
        when: (s, { bit }) => bit === 'DRIVER_OK' && s.agreement !== 'kept',
      },
    },
  })
