/** INTx: a level that follows the causes nobody has serviced yet, and gives way to MSI-X and to Interrupt Disable. */
import { noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { isReachable, isUp, READ, registerState } from '../pci/lifecycle.ts'
import { messageState } from './messages.ts'

/** Bits of the ISR register. */
export const CAUSES = { queue: 0, config: 1 } as const

/** What other parts may borrow. */
export const lineState = {
  /** Events that the ISR register was not read for since. */
  causes: t.set(2),
  /** An event came of which the standards do not say whether it leaves a cause: with MSI-X on, or without DMA. */
  unsure: t.flag,
  level: t.flag,
}

/** `config`: the event of `provoke` is a configuration change, else it is a used buffer. */
export const line = (config: boolean) => {
  const own = config ? CAUSES.config : CAUSES.queue
  return part({
    source: 'PCI 3.0; VIRTIO 1.4',
    borrows: { ...registerState, ...messageState },
    state: lineState,
    actions: {
      'driver.provoke': {
        effect(s) {
          if (s.enabled || !s.master || s.stalled) s.unsure = true
          else s.causes = s.causes.with(own)
        },
      },
      'driver.submit': {
        does: 'Makes the device return one buffer, beside configuration changes.',
        weight: 5,
        when: (s) => config && isReachable(s),
        effect(s) {
          if (s.enabled || !s.master || s.stalled) s.unsure = true
          else s.causes = s.causes.with(CAUSES.queue)
        },
      },
      // The bit of a configuration change is set with MSI-X as well, before the message leaves.
      'device.message': {
        effect(s) {
          if (config && s.prompt) s.causes = s.causes.with(CAUSES.config)
        },
      },
      // Whether a cause of before asserts the line again when MSI-X goes off, PCI does not say.
      'driver.enableMessages': { effect: doubt },
      'driver.disableMessages': { effect: doubt },
      'driver.readIsr': { weight: 4 * READ, when: (s) => isReachable(s) },
      'device.answerIsr': {
        args: { bits: t.set(2) },
        requires: {
          tellsTheCauses: {
            clause: clause('VIO-PCI-06'),
            given: (s) => !s.causes.isEmpty,
            holds: (s, { bits }) => bits.contains(s.causes),
          },
          // Beside a true cause the other bit is a spurious notification, which is allowed.
          wasCleared: {
            clause: clause('VIO-PCI-05'),
            given: (s) => s.causes.isEmpty && !s.unsure,
            holds: (_s, { bits }) => bits.isEmpty,
          },
        },
        effect(s) {
          s.causes = noBits
          // What was asked for without bus mastering may still come.
          s.unsure = s.stalled
        },
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
            holds: (s) => !s.causes.isEmpty || s.unsure,
          },
        },
        effect: (s) => void (s.level = true),
        eager: (s) => (isUp(s) && !s.causes.isEmpty && !s.level && !s.enabled && !s.intxOff ? {} : undefined),
      },
      'device.lower': {
        does: 'Releases the line.',
        requires: {
          onlyWhenServiced: {
            clause: clause('MSI-10'),
            given: (s) => isUp(s) && !s.enabled && !s.intxOff,
            holds: (s) => s.causes.isEmpty,
          },
        },
        effect: (s) => void (s.level = false),
        eager: (s) =>
          s.level && (!isUp(s) || s.enabled || s.intxOff || (s.causes.isEmpty && !s.unsure)) ? {} : undefined,
      },
      // The command register comes first: until the device itself is reset, an old cause may show.
      'driver.setUp': { effect: doubt },
      'driver.restart': { effect: doubt },
      'driver.resetFunction': {
        effect(s) {
          s.causes = noBits
          s.unsure = false
        },
      },
    },
    owes: {
      'device.raise': {
        clause: clause('MSI-10'),
        when: (s) => isUp(s) && !s.causes.isEmpty && !s.level && !s.enabled && !s.intxOff,
      },
      'device.lower': [
        {
          clause: clause('VIO-PCI-36'),
          when: (s) => isUp(s) && s.level && !s.enabled && !s.intxOff && s.causes.isEmpty && !s.unsure,
        },
        { clause: clause('PCI-CFG-10'), when: (s) => isUp(s) && s.level && s.intxOff },
        { clause: clause('MSI-01'), when: (s) => isUp(s) && s.level && s.enabled },
        { clause: clause('PCI-FLR-02'), when: (s) => s.phase === 'raw' && s.power === 'D0' && s.level && !s.resetting },
        { clause: clause('PCI-PM-02'), when: (s) => s.power === 'D3hot' && s.level },
      ],
    },
    goals: {
      aServicedLine: { on: 'driver.readIsr', when: (s) => s.level && !s.causes.isEmpty },
      aGatedLine: (s) => s.level && s.intxOff,
      ...(config ? { twoCauses: (s: { readonly causes: { readonly size: number } }) => s.causes.size === 2 } : {}),
    },
  })
}

const doubt = (s: { causes: typeof noBits; unsure: boolean }): void => {
  s.unsure ||= !s.causes.isEmpty
  s.causes = noBits
}
