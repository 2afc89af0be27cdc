/**
 * Device status and feature negotiation, register by register: the driver writes and reads, the device answers.
 *
 * A read is an action of the driver, its answer an action of the device; in between the driver does nothing else.
 * The 32-bit windows of feature bits appear as wholes: which one it is, and whether it reads as it did before.
 * Where the text can be read in two ways, both are allowed; `docs/ambiguities.md` lists the places.
 */
import { type Bits, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Number of each bit of the device status, 2.1. */
export const STATUS_BITS = {
  ACKNOWLEDGE: 0,
  DRIVER: 1,
  DRIVER_OK: 2,
  FEATURES_OK: 3,
  NEEDS_RESET: 6,
  FAILED: 7,
} as const
const { ACKNOWLEDGE, DRIVER, FEATURES_OK, NEEDS_RESET, FAILED } = STATUS_BITS
type DriverBit = Exclude<keyof typeof STATUS_BITS, 'NEEDS_RESET' | 'FAILED'>
const driverBit = t.oneOf('ACKNOWLEDGE', 'DRIVER', 'FEATURES_OK', 'DRIVER_OK')
/** What has to be there before a driver sets a bit, 3.1.1. */
const before: Readonly<Record<DriverBit, number | undefined>> = {
  ACKNOWLEDGE: undefined,
  DRIVER: ACKNOWLEDGE,
  FEATURES_OK: DRIVER,
  DRIVER_OK: FEATURES_OK,
}

/** Windows of the offered features, in the order in which a scope takes them in: bits 32 to 63, 0 to 31, none. */
export const FEATURE_WINDOWS = { high: 0, low: 1, beyond: 2 } as const

/**
 * Sets of features that a driver accepts. `offered`: all of them; `versionOnly`: VERSION_1 alone; `withoutVersion`: all
 * others; `notOffered`: VERSION_1 and one bit that was not offered. A driver accepts only the first two by right.
 */
const choice = t.oneOf('offered', 'versionOnly', 'withoutVersion', 'notOffered', 'empty')
const RIGHTFUL: readonly string[] = ['offered', 'versionOnly']

export const deviceStatus = scoped(
  'device-status',
  { explored: { windows: 1, values: 2, mmio: 0 }, played: { windows: 3, values: 4, mmio: 0 } },
  ({ windows, values, mmio }) => {
    const window = t.below(windows)
    /** Distinct contents of a window, numbered as they were met. */
    const content = t.below(values)
    return machine({
      source: 'VIRTIO 1.4',
      state: {
        asked: t.oneOf('nothing', 'status', 'offer', 'accepted'),
        window,
        /** Bits that the driver has written since the last reset, FEATURES_OK included even where it was refused. */
        written: t.set(8),
        /** The bit that the driver cleared last, if it broke that duty. */
        cleared: t.maybe(driverBit),
        /** The driver wrote zero and the status was not yet seen to be zero. */
        resetting: t.flag,
        /** The driver went on without waiting for that, so that nobody can tell when the reset was complete. */
        overtaken: t.flag,
        resets: t.below(3),
        accepted: t.maybe(choice),
        /** FEATURES_OK: not written, written and not yet read back, read back set, read back clear. */
        agreement: t.oneOf('open', 'asked', 'kept', 'refused'),
        /** Rightful sets that the device has once agreed to. */
        agreed: t.set(RIGHTFUL.length),
        offers: t.array(windows, t.maybe(content)),
        /** Windows read since the last reset. */
        known: t.set(windows),
        /** DRIVER_OK was written, and the queue is the device's until a reset is complete. */
        live: t.flag,
        queue: t.oneOf('none', 'published', 'used'),
        /** Notified since DRIVER_OK. */
        kicked: t.flag,
        needsReset: t.flag,
        configSeen: t.flag,
        configOwed: t.flag,
        broken: t.flag,
      },
      actions: {
        'driver.setStatus': {
          does: 'Writes the status with one more bit set.',
          args: { bit: driverBit },
          weight: 12,
          when: (s, { bit }) => s.asked === 'nothing' && !s.written.has(STATUS_BITS[bit]),
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
            if (bit === 'DRIVER_OK') s.live = true
          },
        },
        'driver.giveUp': {
          does: 'Sets FAILED.',
          weight: 0.3,
          when: (s) => s.asked === 'nothing' && !s.written.isEmpty && !s.written.has(FAILED),
          effect: (s) => void (s.written = s.written.with(FAILED)),
        },
        'driver.clearStatus': {
          does: 'Writes the status without a bit that was set, though not zero.',
          args: { bit: driverBit },
          hostile: true,
          weight: 6,
          when: (s, { bit }) =>
            s.asked === 'nothing' && !s.overtaken && s.written.has(STATUS_BITS[bit]) && s.written.size > 1,
          requires: { onlyAccumulates: { clause: clause('VIO-STAT-01'), holds: () => false } },
          effect: (s, { bit }) => void (s.cleared = bit),
        },
        'driver.reset': {
          does: 'Writes zero to the status.',
          weight: 0.6,
          when: (s) => s.asked === 'nothing' && !s.written.isEmpty,
          effect(s) {
            s.resetting = true
            s.written = noBits
            s.cleared = s.accepted = undefined
            s.agreement = 'open'
            s.known = noBits
            s.needsReset = s.configOwed = s.overtaken = s.broken = false
          },
        },
        'device.finishReset': {
          does: 'Shows that the reset is complete: the status reads zero.',
          when: (s) => s.resetting,
          effect(s) {
            s.resetting = s.live = s.kicked = s.configSeen = false
            s.queue = 'none'
            if (s.resets < 2) s.resets = s.resets + 1
          },
          eager: (s) => (s.resetting ? {} : undefined),
        },
        'driver.readStatus': {
          weight: 6,
          when: (s) => s.asked === 'nothing',
          effect: (s) => void (s.asked = 'status'),
        },
        'device.answerStatus': {
          args: { bits: t.set(8) },
          when: (s) => s.asked === 'status',
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
              holds: (s, { bits }) =>
                bits.contains(s.agreement === 'kept' ? s.written : s.written.without(FEATURES_OK)),
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
            s.asked = 'nothing'
            if (s.resetting) return
            if (s.agreement === 'asked') {
              s.agreement = bits.has(FEATURES_OK) ? 'kept' : 'refused'
              const set = RIGHTFUL.indexOf(s.accepted ?? 'none')
              if (s.agreement === 'kept' && set >= 0 && !s.broken) s.agreed = s.agreed.with(set)
            }
            if (bits.has(NEEDS_RESET) && !s.needsReset && !s.written.isEmpty) {
              s.needsReset = true
              s.configOwed = s.live && !s.configSeen
            }
          },
          eager(s) {
            if (s.asked !== 'status') return undefined
            const agrees =
              s.agreement === 'kept' || (s.agreement === 'asked' && RIGHTFUL.includes(s.accepted ?? 'none'))
            const own: Bits = agrees ? s.written : s.written.without(FEATURES_OK)
            return { bits: s.needsReset ? own.with(NEEDS_RESET) : own }
          },
        },
        'driver.readOffer': {
          does: 'Reads one window of the offered features.',
          args: { window },
          weight: 2,
          when: (s) => s.asked === 'nothing' && !s.resetting,
          effect(s, { window }) {
            s.asked = 'offer'
            s.window = window
          },
        },
        'device.answerOffer': {
          args: { content, version1: t.flag, zero: t.flag },
          when: (s) => s.asked === 'offer',
          requires: {
            offersVersion1: {
              clause: clause('VIO-FEAT-06'),
              given: (s) => s.window === FEATURE_WINDOWS.high,
              holds: (_s, { version1 }) => version1,
            },
            nothingBeyond: {
              clause: clause(mmio ? 'VIO-MMIO-15' : 'VIO-PCI-01'),
              given: (s) => s.window === FEATURE_WINDOWS.beyond,
              holds: (_s, { zero }) => zero,
            },
            standsWhileNegotiating: {
              clause: clause('VIO-FEAT-13'),
              given: (s) => s.known.has(s.window),
              holds: (s, { content }) => s.offers.at(s.window) === content,
            },
            standsOverResets: {
              clause: clause('SAF-12'),
              given: (s) => !s.known.has(s.window) && s.offers.at(s.window) !== undefined,
              holds: (s, { content }) => s.offers.at(s.window) === content,
            },
          },
          effect(s, { content }) {
            s.asked = 'nothing'
            s.known = s.known.with(s.window)
            s.offers.set(s.window, content)
          },
          eager: (s) =>
            s.asked === 'offer'
              ? {
                  content: s.offers.at(s.window) ?? 0,
                  version1: s.window === FEATURE_WINDOWS.high,
                  zero: s.window === FEATURE_WINDOWS.beyond,
                }
              : undefined,
        },
        'driver.acceptFeatures': {
          does: 'Writes both windows of the accepted features.',
          args: { choice },
          weight: 4,
          when: (s) => s.asked === 'nothing' && !s.resetting,
          requires: {
            onlyOffered: { clause: clause('VIO-FEAT-01'), holds: (_s, { choice }) => choice !== 'notOffered' },
            version1: {
              clause: clause('VIO-FEAT-08'),
              holds: (_s, { choice }) => choice !== 'withoutVersion' && choice !== 'empty',
            },
            inOrder: { clause: clause('VIO-STAT-07'), holds: (s) => s.written.has(DRIVER) },
            notAfterwards: { clause: clause('VIO-STAT-08'), holds: (s) => !s.written.has(FEATURES_OK) },
          },
          effect: (s, { choice }) => void (s.accepted = choice),
        },
        'driver.readAccepted': {
          does: 'Reads back what it has accepted; MMIO has no register for that.',
          when: (s) => s.asked === 'nothing' && mmio === 0 && s.accepted !== undefined && !s.resetting,
          effect: (s) => void (s.asked = 'accepted'),
        },
        'device.answerAccepted': {
          args: { lacks: t.flag },
          when: (s) => s.asked === 'accepted',
          requires: {
            showsWhatWasWritten: { clause: clause('VIO-PCI-25'), holds: (_s, { lacks }) => !lacks },
          },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'accepted' ? { lacks: false } : undefined),
        },
        'driver.publish': {
          does: 'Sets a queue up and makes one chain available in it.',
          args: { chain: t.oneOf('sound', 'looped') },
          weight: 12,
          when: (s) => s.asked === 'nothing' && !s.resetting && s.queue === 'none',
          requires: {
            betweenFeaturesAndDriverOk: {
              clause: clause('VIO-STAT-07'),
              holds: (s) => s.agreement === 'kept' && !s.live,
            },
            notAfterFailure: { clause: clause('VIO-STAT-14'), holds: (s) => !s.written.has(FAILED) },
            chainEnds: { clause: clause('VIO-SPLIT-06'), holds: (_s, { chain }) => chain === 'sound' },
          },
          effect: (s) => void (s.queue = 'published'),
        },
        'driver.kick': {
          does: 'Notifies the queue.',
          weight: 6,
          when: (s) => s.asked === 'nothing' && !s.resetting && s.queue !== 'none',
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
        'device.finishReset': { clause: clause('VIO-STAT-05'), when: (s) => s.resetting, safety: true },
        'device.use': {
          clause: clause('VIO-STAT-17'),
          when: (s) => s.live && s.kicked && s.queue === 'published' && !s.resetting,
        },
        'device.configInterrupt': { clause: clause('VIO-STAT-04'), when: (s) => s.configOwed, safety: true },
      },
      breach: (s) => void (s.broken = true),
      unspecified: (s) => s.broken,
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
        aServedRequest: (s) => s.queue === 'used',
        aSecondAgreement: (s) => s.resets > 0 && s.agreement === 'kept' && !s.agreed.isEmpty,
        anOfferReadAgain: (s) => s.resets > 0 && !s.known.isEmpty,
        aDeclaredFailure: (s) => s.written.has(FAILED),
        anEarlyKick: { on: 'driver.kick', when: (s) => !s.live && s.queue === 'published' },
        aClearedBit: (s) => s.cleared !== undefined,
        aSetThatWasNotOffered: (s) => s.accepted === 'notOffered' && s.written.has(FEATURES_OK),
        anUnagreedDriverOk: {
          on: 'driver.setStatus',
          when: (s, { bit }) => bit === 'DRIVER_OK' && s.agreement !== 'kept',
        },
      },
    })
  },
)
