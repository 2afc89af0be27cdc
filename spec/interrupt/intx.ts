/** INTx by itself: the pin of a function, its two gates and its status bit, and the line that it may share. */
import { compose, part, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { afterABreach, isReachable, isUp, lifecycle, READ, registerState } from '../pci/lifecycle.ts'
import { line, lineState } from './line.ts'
import { messageState } from './messages.ts'

/** MSI-X as far as the line gives way to it, and an event to tell of. */
const gate = () =>
  part({
    source: 'PCI 3.0',
    borrows: registerState,
    state: messageState,
    actions: {
      'driver.enableMessages': {
        when: (s) => s.hasMessages && isUp(s) && !s.enabled,
        effect: (s) => void (s.enabled = true),
      },
      'driver.disableMessages': {
        weight: 6,
        when: (s) => isUp(s) && s.enabled,
        effect: (s) => void (s.enabled = false),
      },
      'driver.provoke': {
        does: 'Makes the device have one event to tell of.',
        weight: 10,
        when: (s) => isReachable(s),
      },
      'driver.setUp': { effect: (s) => void (s.enabled = false) },
      'driver.restart': { effect: (s) => void (s.enabled = false) },
      'driver.resetFunction': { effect: (s) => void (s.enabled = false) },
      'device.wake': {
        args: { reset: t.flag },
        effect(s, { reset }) {
          if (reset) s.enabled = false
        },
      },
    },
  })

/** The Interrupt Status bit: causes, whatever gates the pin. */
const status = () =>
  part({
    source: 'PCI 3.0',
    borrows: { ...registerState, ...messageState, ...lineState },
    state: {},
    actions: {
      'driver.readLineStatus': {
        does: 'Reads the Interrupt Status bit.',
        weight: 3 * READ,
        when: (s) => isUp(s) && !s.enabled,
      },
      'device.answerLineStatus': {
        args: { pending: t.flag },
        requires: {
          showsACause: {
            clause: clause('PCI-INTX-02'),
            given: (s) => !s.causes.isEmpty,
            holds: (_s, { pending }) => pending,
          },
          clearWithoutACause: {
            clause: clause('PCI-INTX-02'),
            given: (s) => s.causes.isEmpty && !s.unsure,
            holds: (_s, { pending }) => !pending,
          },
        },
      },
    },
    goals: {
      aStatusBehindTheGate: { on: 'driver.readLineStatus', when: (s) => s.intxOff && !s.causes.isEmpty },
    },
  })

/** A second function on the same line, of which nothing is asked but to raise its pin and to let it go. */
const neighbour = () =>
  part({
    source: 'PCI 3.0',
    borrows: { ...registerState, ...lineState },
    state: {
      /** The level of the line that both pins drive. */
      wire: t.flag,
      otherCause: t.flag,
      otherOff: t.flag,
    },
    actions: {
      'driver.provokeOther': {
        weight: 5,
        when: (s) => !s.otherCause,
        effect: (s) => void (s.otherCause = true),
      },
      'driver.serviceOther': {
        weight: 5,
        when: (s) => s.otherCause,
        effect: (s) => void (s.otherCause = false),
      },
      'driver.gateOther': {
        does: 'Sets or clears Interrupt Disable of the second function.',
        args: { off: t.flag },
        weight: 2,
        when: (s, { off }) => s.otherOff !== off,
        effect: (s, { off }) => void (s.otherOff = off),
      },
      'bus.raise': {
        does: 'The shared line is asserted.',
        requires: { somebodyAsserts: { clause: clause('PCI-INTX-01'), holds: wanted, safety: true } },
        effect: (s) => void (s.wire = true),
        eager: (s) => (wanted(s) && !s.wire ? {} : undefined),
      },
      'bus.lower': {
        does: 'The shared line is released.',
        requires: {
          everySourceHasReleasedIt: { clause: clause('IOA-11'), holds: (s) => !wanted(s), safety: true },
        },
        effect: (s) => void (s.wire = false),
        eager: (s) => (!wanted(s) && s.wire ? {} : undefined),
      },
    },
    owes: {
      'bus.raise': { clause: clause('PCI-INTX-01'), when: (s) => wanted(s) && !s.wire },
      'bus.lower': { clause: clause('PCI-INTX-01'), when: (s) => !wanted(s) && s.wire },
    },
    goals: {
      aLineThatTwoHold: (s) => s.level && s.otherCause && !s.otherOff,
      aLineThatItHoldsAlone: { on: 'driver.serviceOther', when: (s) => s.level && s.wire },
    },
  })

const wanted = (s: { readonly level: boolean; readonly otherCause: boolean; readonly otherOff: boolean }): boolean =>
  s.level || (s.otherCause && !s.otherOff)

export const intx = scoped(
  'intx',
  { explored: { config: 1, shared: 1 }, played: { config: 1, shared: 1 } },
  ({ config, shared }) =>
    compose(
      {
        lifecycle: lifecycle(),
        gate: gate(),
        line: line(config === 1),
        status: status(),
        ...(shared === 1 ? { neighbour: neighbour() } : {}),
        breach: afterABreach,
      },
      {
        shared: [
          ...['phase', 'decode', 'master', 'intxOff', 'power', 'resetting', 'hasMessages', 'stalled'],
          ...['enabled', 'prompt', 'causes', 'unsure', 'level'],
        ],
        synchronised: [
          'driver.setUp',
          'driver.restart',
          'driver.provoke',
          'driver.enableMessages',
          'driver.disableMessages',
          'driver.resetFunction',
          'device.wake',
        ],
      },
    ),
)
