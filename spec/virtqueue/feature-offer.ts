/**
 * Feature bits: what the device offers, window by window, and what the driver accepts of it.
 *
 * The 32-bit windows appear as wholes: which one it is, and whether it reads as it did before.
 */
import { noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { statusState } from './status-register.ts'
import { choice, STATUS_BITS } from './status-words.ts'

/** Windows of the offered features, in the order in which a scope takes them in: bits 32 to 63, 0 to 31, none. */
export const FEATURE_WINDOWS = { high: 0, low: 1, beyond: 2 } as const

export interface FeatureBounds {
  readonly windows: number
  /** Distinct contents of a window. */
  readonly values: number
  readonly mmio: boolean
}

export const featureOffer = ({ windows, values, mmio }: FeatureBounds) => {
  const window = t.below(windows)
  /** Contents of a window, numbered as they were met. */
  const content = t.below(values)
  return part({
    source: 'VIRTIO 1.4',
    borrows: statusState,
    state: {
      accepted: t.maybe(choice),
      /** The window that is being read. */
      reading: t.maybe(window),
      offers: t.array(windows, t.maybe(content)),
      /** Windows read since the last reset. */
      known: t.set(windows),
    },
    actions: {
      'driver.readOffer': {
        does: 'Reads one window of the offered features.',
        args: { window },
        weight: 2,
        when: (s) => s.reading === undefined && !s.resetting,
        effect(s, { window }) {
          s.reading = window
        },
      },
      'device.answerOffer': {
        args: { content, version1: t.flag, zero: t.flag },
        when: (s) => s.reading !== undefined,
        requires: {
          offersVersion1: {
            clause: clause('VIO-FEAT-06'),
            given: (s) => s.reading === FEATURE_WINDOWS.high,
            holds: (_s, { version1 }) => version1,
          },
          nothingBeyond: {
            clause: clause(mmio ? 'VIO-MMIO-15' : 'VIO-PCI-01'),
            given: (s) => s.reading === FEATURE_WINDOWS.beyond,
            holds: (_s, { zero }) => zero,
          },
          standsWhileNegotiating: {
            clause: clause('VIO-FEAT-13'),
            given: (s) => s.reading !== undefined && s.known.has(s.reading),
            holds: (s, { content }) => s.offers.at(s.reading ?? 0) === content,
          },
          standsOverResets: {
            clause: clause('SAF-12'),
            given: (s) => s.reading !== undefined && !s.known.has(s.reading) && s.offers.at(s.reading) !== undefined,
            holds: (s, { content }) => s.offers.at(s.reading ?? 0) === content,
          },
        },
        effect(s, { content }) {
          if (s.reading === undefined) return
          s.known = s.known.with(s.reading)
          s.offers.set(s.reading, content)
          s.reading = undefined
        },
        eager: (s) =>
          s.reading !== undefined
            ? {
                content: s.offers.at(s.reading) ?? 0,
                version1: s.reading === FEATURE_WINDOWS.high,
                zero: s.reading === FEATURE_WINDOWS.beyond,
              }
            : undefined,
      },
      'driver.acceptFeatures': {
        does: 'Writes both windows of the accepted features.',
        args: { choice },
        weight: 4,
        when: (s) => s.reading === undefined && !s.resetting,
        requires: {
          onlyOffered: { clause: clause('VIO-FEAT-01'), holds: (_s, { choice }) => choice !== 'notOffered' },
          version1: {
            clause: clause('VIO-FEAT-08'),
            holds: (_s, { choice }) => choice !== 'withoutVersion' && choice !== 'empty',
          },
          inOrder: { clause: clause('VIO-STAT-07'), holds: (s) => s.written.has(STATUS_BITS.DRIVER) },
          notAfterwards: { clause: clause('VIO-STAT-08'), holds: (s) => !s.written.has(STATUS_BITS.FEATURES_OK) },
        },
        effect: (s, { choice }) => void (s.accepted = choice),
      },
      'driver.readAccepted': {
        does: 'Reads back what it has accepted; MMIO has no register for that.',
        // Plans take an action that changes nothing far less often than others.
        weight: 3,
        when: (s) => !mmio && s.accepted !== undefined && !s.resetting,
      },
      'device.answerAccepted': {
        args: { lacks: t.flag },
        requires: {
          showsWhatWasWritten: { clause: clause('VIO-PCI-25'), holds: (_s, { lacks }) => !lacks },
        },
      },
      'driver.reset': {
        effect(s) {
          s.accepted = undefined
          s.known = noBits
        },
      },
    },
    goals: {
      anOfferReadAgain: (s) => s.resets > 0 && !s.known.isEmpty,
      aSetThatWasNotOffered: (s) => s.accepted === 'notOffered' && s.written.has(STATUS_BITS.FEATURES_OK),
    },
  })
}
