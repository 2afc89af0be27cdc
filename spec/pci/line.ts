/** INTx: a level that follows the causes nobody has serviced yet, and gives way to MSI-X and to Interrupt Disable. */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { messageState } from './messages.ts'
import { isReachable, isUp, registerState } from './registers.ts'

export const line = () =>
  part({
    source: 'PCI 3.0; VIRTIO 1.4',
    borrows: { ...registerState, ...messageState },
    state: {
      /** An event came that the ISR register was not read for since. */
      cause: t.flag,
      /** An event came of which the standards do not say whether it leaves a cause: with MSI-X on, or without DMA. */
      unsure: t.flag,
      level: t.flag,
    },
    actions: {
      'driver.provoke': {
        effect(s) {
          if (s.enabled || !s.master || s.stalled) s.unsure = true
          else s.cause = true
        },
      },
      // Whether a cause of before asserts the line again when MSI-X goes off, PCI does not say.
      'driver.enableMessages': {
        effect(s) {
          s.unsure ||= s.cause
          s.cause = false
        },
      },
      'driver.readIsr': { weight: 5, when: (s) => isReachable(s) },
      'device.answerIsr': {
        args: { cause: t.flag },
        requires: {
          tellsTheCause: { clause: clause('VIO-PCI-06'), given: (s) => s.cause, holds: (_s, { cause }) => cause },
          wasCleared: {
            clause: clause('VIO-PCI-05'),
            given: (s) => !s.cause && !s.unsure,
            holds: (_s, { cause }) => !cause,
          },
        },
        effect: (s) => void (s.cause = s.unsure = false),
      },
      'device.raise': {
        does: 'Asserts the line.',
        requires: {
          afterSetUp: { clause: clause('PCI-FLR-02'), holds: (s) => s.phase === 'up', safety: true },
          awake: { clause: clause('PCI-PM-02'), holds: (s) => s.power === 'D0', safety: true },
          notBesideMessages: {
            clause: clause('MSI-01'),
            given: (s) => isUp(s),
            holds: (s) => !s.enabled,
            safety: true,
          },
          notDisabled: { clause: clause('PCI-CFG-10'), given: (s) => isUp(s) && !s.enabled, holds: (s) => !s.intxOff },
          hasACause: {
            clause: clause('VIO-PCI-46'),
            given: (s) => isUp(s) && !s.enabled,
            holds: (s) => s.cause || s.unsure,
          },
        },
        effect: (s) => void (s.level = true),
        eager: (s) => (isUp(s) && s.cause && !s.level && !s.enabled && !s.intxOff ? {} : undefined),
      },
      'device.lower': {
        does: 'Releases the line.',
        requires: {
          onlyWhenServiced: {
            clause: clause('MSI-10'),
            given: (s) => isUp(s) && !s.enabled && !s.intxOff,
            holds: (s) => !s.cause,
          },
        },
        effect: (s) => void (s.level = false),
        eager: (s) => (s.level && (!isUp(s) || s.enabled || s.intxOff || !(s.cause || s.unsure)) ? {} : undefined),
      },
      // The command register comes first: until the device itself is reset, an old cause may show.
      'driver.setUp': {
        effect(s) {
          s.unsure ||= s.cause
          s.cause = false
        },
      },
      'driver.resetFunction': { effect: (s) => void (s.cause = s.unsure = false) },
    },
    owes: {
      'device.raise': {
        clause: clause('MSI-10'),
        when: (s) => isUp(s) && s.cause && !s.level && !s.enabled && !s.intxOff,
      },
      'device.lower': [
        {
          clause: clause('VIO-PCI-36'),
          when: (s) => isUp(s) && s.level && !s.enabled && !s.intxOff && !s.cause && !s.unsure,
        },
        { clause: clause('PCI-CFG-10'), when: (s) => isUp(s) && s.level && s.intxOff },
        { clause: clause('MSI-01'), when: (s) => isUp(s) && s.level && s.enabled },
        { clause: clause('PCI-FLR-02'), when: (s) => s.phase === 'raw' && s.power === 'D0' && s.level && !s.resetting },
        { clause: clause('PCI-PM-02'), when: (s) => s.power === 'D3hot' && s.level },
      ],
    },
    goals: {
      aServicedLine: { on: 'driver.readIsr', when: (s) => s.level && s.cause },
      aGatedLine: (s) => s.level && s.intxOff,
      aSilencedLine: (s) => s.level && s.enabled,
    },
  })
