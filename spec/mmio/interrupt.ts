/**
 * Interrupts over MMIO: events leave bits in InterruptStatus, each stays until the driver acknowledges that very bit,
 * and the line is up while any is set.
 */
import { type Bits, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Bits of InterruptStatus. */
const QUEUE = 0
const CONFIG = 1
const causes = t.set(2)

export const mmioInterrupt = scoped('mmio-interrupt', { explored: {}, played: {} }, () =>
  machine({
    source: 'VIRTIO 1.4',
    state: {
      phase: t.oneOf('reset', 'running'),
      /** Events that the driver has not acknowledged. */
      causes,
      /** Events of which the device need not tell, or may tell once more. */
      possible: causes,
      level: t.flag,
      /** A chain is available; a read of InterruptStatus is under way. */
      submitted: t.flag,
      asked: t.flag,
    },
    actions: {
      'driver.start': {
        does: 'Sets the device up with one queue, and sets DRIVER_OK.',
        weight: 12,
        when: (s) => s.phase === 'reset',
        effect: (s) => void (s.phase = 'running'),
      },
      'driver.reset': {
        does: 'Resets the device and waits until that is complete.',
        weight: 0.5,
        when: (s) => s.phase === 'running',
        effect(s) {
          s.phase = 'reset'
          s.submitted = false
          s.causes = s.possible = noBits
        },
      },
      'driver.submit': {
        does: 'Makes a chain available and kicks; it asks to be told.',
        weight: 6,
        when: (s) => s.phase === 'running',
        effect: (s) => void (s.submitted = true),
      },
      'device.serve': {
        does: 'Returns a chain.',
        when: (s) => s.phase === 'running',
        effect(s) {
          s.submitted = false
          s.causes = s.causes.with(QUEUE)
        },
        eager: (s) => (s.submitted ? {} : undefined),
      },
      'backend.resize': {
        does: 'Gives the medium another capacity. To tell of it is a recommendation, 5.2.5.2.',
        weight: 6,
        when: (s) => s.phase === 'running',
        effect: (s) => void (s.possible = s.possible.with(CONFIG)),
      },
      'driver.readStatus': {
        does: 'Reads InterruptStatus.',
        weight: 8,
        when: (s) => !s.asked,
        effect: (s) => void (s.asked = true),
      },
      'device.answerStatus': {
        args: { bits: causes },
        when: (s) => s.asked,
        requires: {
          keepsItsCauses: {
            clause: clause('VIO-MMIO-01'),
            holds: (s, { bits }) => bits.contains(s.causes),
          },
          clearAfterReset: {
            clause: clause('VIO-MMIO-02'),
            given: (s) => s.phase === 'reset',
            holds: (_s, { bits }) => bits.isEmpty,
          },
          // Beside a true cause the other bit is a notification that announces nothing, which is allowed.
          onlyWhatHappened: {
            clause: clause('VIO-MMIO-07'),
            given: (s) => s.phase === 'running' && all(s).isEmpty,
            holds: (_s, { bits }) => bits.isEmpty,
          },
        },
        // What was told once has to be acknowledged like the rest.
        effect(s, { bits }) {
          s.asked = false
          s.causes = bits
          if (bits.has(CONFIG)) s.possible = s.possible.without(CONFIG)
        },
        eager: (s) => (s.asked ? { bits: all(s) } : undefined),
      },
      'driver.acknowledge': {
        does: 'Writes InterruptACK.',
        args: { bits: causes },
        weight: 8,
        when: (s, { bits }) => s.phase === 'running' && !bits.isEmpty,
        requires: {
          onlyWhatItHandled: { clause: clause('VIO-MMIO-08'), holds: (s, { bits }) => s.causes.contains(bits) },
        },
        effect(s, { bits }) {
          for (const bit of [QUEUE, CONFIG]) if (bits.has(bit)) s.causes = s.causes.without(bit)
        },
      },
      'device.raise': {
        does: 'Asserts its interrupt.',
        requires: {
          hasACause: { clause: clause('VIO-MMIO-13'), holds: (s) => !all(s).isEmpty },
        },
        effect: (s) => void (s.level = true),
        eager: (s) => (!s.level && !s.causes.isEmpty ? {} : undefined),
      },
      'device.lower': {
        does: 'Releases its interrupt.',
        requires: {
          onlyWhenAcknowledged: { clause: clause('VIO-MMIO-13'), holds: (s) => s.causes.isEmpty },
        },
        effect: (s) => void (s.level = false),
        eager: (s) => (s.level && all(s).isEmpty ? {} : undefined),
      },
    },
    owes: {
      'device.raise': { clause: clause('VIO-MMIO-13'), when: (s) => !s.level && !s.causes.isEmpty },
      'device.lower': { clause: clause('VIO-MMIO-14'), when: (s) => s.level && all(s).isEmpty },
    },
    goals: {
      bothCauses: (s) => s.causes.size === 2,
      oneOfTwoAcknowledged: {
        on: 'driver.acknowledge',
        when: (s, { bits }) => s.causes.size === 2 && bits.size === 1,
      },
      aResetWithACause: { on: 'driver.reset', when: (s) => !s.causes.isEmpty },
      aReleasedLine: { on: 'driver.acknowledge', when: (s, { bits }) => s.level && s.causes.equals(bits) },
    },
  }),
)

const all = (s: { readonly causes: Bits; readonly possible: Bits }): Bits =>
  [QUEUE, CONFIG].reduce((bits, bit) => (s.possible.has(bit) ? bits.with(bit) : bits), s.causes)
