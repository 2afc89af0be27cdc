/** What a serial port interrupts for: the identification register, the two status registers, and the line. */
import { type Bits, machine, noBits, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  areSeveral,
  ENABLED,
  isSurelyActive,
  levelOf,
  loopedInputs,
  loops,
  mayBeActive,
  mayName,
  mustOf,
  OUTPUT,
  rankOf,
  removeAll,
  type SeenSerial,
  type SerialScope,
  serialState,
} from './serial-state.ts'

const cause = t.oneOf('none', 'modem', 'empty', 'timeout', 'data', 'status', 'unknown')
/** Bits of the line status register. */
const READY = 0
const OVERRUN = 1
const IDLE = bitsOf(5, 6)
const OTHER_ERRORS = bitsOf(2, 3, 4, 7)

function bitsOf(...members: number[]): Bits {
  return members.reduce((bits, member) => bits.with(member), noBits)
}

export const causes = (scope: SerialScope) => {
  const isGated = (s: SeenSerial): boolean => scope.gate === 1 && !s.modem.has(OUTPUT.out2)
  /** The level of the line is settled: in loop mode the output that gates it may be forced off. */
  const mustDrive = (s: SeenSerial): boolean => isSurelyActive(s) && !isGated(s) && !(loops(s) && scope.gate === 1)
  return machine({
    source: 'PC16550D; IBM PC Technical Reference',
    state: serialState(scope),
    actions: {
      'driver.readIdentification': {
        weight: 16,
        when: (s) => s.asked === 'nothing',
        effect: (s) => void (s.asked = 'identification'),
      },
      'device.answerIdentification': {
        args: { cause, high: t.below(16) },
        when: (s) => s.asked === 'identification',
        requires: {
          showsTheFifos: { clause: clause('UART-11'), holds: (s, { high }) => high === (s.fifos ? 0xc : 0) },
          namesAnErrorFirst: {
            clause: clause('UART-02'),
            given: (s, { cause }) => mustOf(s) === 'status' || cause === 'status',
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesDataAtTheirLevel: {
            clause: clause('UART-03'),
            given: (s, { cause }) => mustOf(s) === 'data' || (cause === 'data' && !areSeveral(s)),
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesATimeout: {
            clause: clause('UART-04'),
            given: (s) => mustOf(s) === 'timeout',
            holds: (s, { cause }) => mayName(s, cause),
          },
          noTimeoutWithoutReason: {
            clause: clause('UART-05'),
            given: (_s, { cause }) => cause === 'timeout',
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesAnEmptyRegister: {
            clause: clause('UART-06'),
            given: (s, { cause }) => (mustOf(s) === 'empty' && s.emptied === 'yes') || cause === 'empty',
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesItAfterOthers: {
            clause: clause('UART-07'),
            given: (s) => mustOf(s) === 'empty' && s.emptied === 'passed',
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesItWhenEnabled: {
            clause: clause('UART-08'),
            given: (s) => mustOf(s) === 'empty' && s.emptied === 'enabled',
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesAChange: {
            clause: clause('UART-09'),
            given: (s, { cause }) => mustOf(s) === 'modem' || cause === 'modem',
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesTheHighest: {
            clause: clause('UART-01'),
            given: (s) => areSeveral(s),
            holds: (s, { cause }) => mayName(s, cause),
          },
          namesNothingElse: {
            clause: clause('UART-10'),
            given: (s) => mustOf(s) === 'none',
            holds: (s, { cause }) => mayName(s, cause),
          },
        },
        // What is named was there, and what comes before it was not.
        effect(s, { cause }) {
          s.asked = 'nothing'
          const rank = rankOf(cause)
          if (s.enabled.has(ENABLED.status)) s.overrun = cause === 'status' ? 'yes' : 'no'
          if (cause === 'timeout') s.timeout = 'yes'
          else if (rank > rankOf('timeout') && s.enabled.has(ENABLED.data) && scope.timed === 1) s.timeout = 'no'
          if (rank >= rankOf('empty') && s.enabled.has(ENABLED.empty)) s.emptied = 'no'
          else if (s.emptied === 'yes') s.emptied = 'passed'
          if (rank === rankOf('none') && s.enabled.has(ENABLED.modem)) s.changes = s.possible = noBits
        },
        eager: (s) =>
          s.asked === 'identification' ? { cause: mustOf(s) as 'none', high: s.fifos ? 0xc : 0 } : undefined,
      },
      'driver.readLineStatus': {
        weight: 4,
        when: (s) => s.asked === 'nothing',
        effect: (s) => void (s.asked = 'lineStatus'),
      },
      'device.answerLineStatus': {
        args: { bits: t.set(8) },
        when: (s) => s.asked === 'lineStatus',
        requires: {
          emptyOnceCleared: {
            clause: clause('UART-18'),
            given: (s) => s.cleared,
            holds: (_s, { bits }) => !bits.has(READY),
          },
          readyWithData: { clause: clause('UART-12'), holds: (s, { bits }) => bits.has(READY) === s.count > 0 },
          showsAnOverrun: {
            clause: clause('UART-13'),
            given: (s) => s.overrun === 'yes',
            holds: (_s, { bits }) => bits.has(OVERRUN),
          },
          noOverrunThatWasShown: {
            clause: clause('UART-14'),
            given: (s) => s.overrun === 'no',
            holds: (_s, { bits }) => !bits.has(OVERRUN),
          },
          isIdle: { clause: clause('UART-15'), holds: (_s, { bits }) => bits.contains(IDLE) },
          noErrorWithoutReason: { clause: clause('UART-16'), holds: (_s, { bits }) => !bits.meets(OTHER_ERRORS) },
        },
        effect(s, { bits }) {
          s.asked = 'nothing'
          s.overrun = 'no'
          if (!bits.has(READY)) removeAll(s)
          s.cleared = false
        },
        eager(s) {
          if (s.asked !== 'lineStatus') return undefined
          const bits = s.count > 0 ? IDLE.with(READY) : IDLE
          return { bits: s.overrun === 'yes' ? bits.with(OVERRUN) : bits }
        },
      },
      'driver.readModemStatus': {
        weight: 4,
        when: (s) => s.asked === 'nothing',
        effect: (s) => void (s.asked = 'modemStatus'),
      },
      'device.answerModemStatus': {
        args: { changes: t.set(4), inputs: t.set(4) },
        when: (s) => s.asked === 'modemStatus',
        requires: {
          inputsAreOutputs: {
            clause: clause('UART-24'),
            given: (s) => loops(s),
            holds: (s, { inputs }) => inputs.equals(loopedInputs(s.modem)),
          },
          showsChanges: {
            clause: clause('UART-25'),
            given: (s) => !s.changes.isEmpty,
            holds: (s, { changes }) => changes.contains(s.changes),
          },
          showsNothingElse: {
            clause: clause('UART-26'),
            holds: (s, { changes }) => s.changes.union(s.possible).contains(changes),
          },
        },
        effect(s) {
          s.asked = 'nothing'
          s.changes = s.possible = noBits
        },
        eager: (s) =>
          s.asked === 'modemStatus'
            ? { changes: s.changes, inputs: loops(s) ? loopedInputs(s.modem) : noBits }
            : undefined,
      },
      'device.raise': {
        does: 'Asserts the line.',
        requires: {
          hasACause: { clause: clause('UART-29'), holds: (s) => mayBeActive(s) },
          throughTheGate: { clause: clause('UART-28'), holds: (s) => !isGated(s) },
        },
        effect: (s) => void (s.level = true),
        eager: (s) => (!s.level && isSurelyActive(s) && !isGated(s) ? {} : undefined),
      },
      'device.lower': {
        does: 'Releases the line.',
        requires: { withoutACause: { clause: clause('UART-29'), holds: (s) => !mustDrive(s) } },
        effect: (s) => void (s.level = false),
        eager: (s) => (s.level && !(isSurelyActive(s) && !isGated(s)) ? {} : undefined),
      },
    },
    owes: {
      'device.raise': { clause: clause('UART-29'), when: (s) => !s.level && mustDrive(s) },
      'device.lower': [
        { clause: clause('UART-29'), when: (s) => s.level && !mayBeActive(s) },
        { clause: clause('UART-28'), when: (s) => s.level && isGated(s) },
      ],
    },
    goals: {
      anErrorBeforeData: { on: 'driver.readIdentification', when: (s) => mustOf(s) === 'status' && areSeveral(s) },
      dataExactlyAtTheirLevel: {
        on: 'driver.readIdentification',
        when: (s) => mustOf(s) === 'data' && s.count > 1 && s.count === levelOf(s),
      },
      aNamedTimeout: { on: 'driver.readIdentification', when: (s) => mustOf(s) === 'timeout' },
      anEmptyRegisterThatWaited: {
        on: 'driver.readIdentification',
        when: (s) => mustOf(s) === 'empty' && s.emptied === 'passed',
      },
      anEmptyRegisterOnceMore: {
        on: 'driver.readIdentification',
        when: (s) => mustOf(s) === 'empty' && s.emptied === 'enabled',
      },
      ...(scope.deltas === 1
        ? { aChangeThatInterrupts: { on: 'driver.readIdentification', when: (s: SeenSerial) => mustOf(s) === 'modem' } }
        : {}),
      aLookIntoAClearedFifo: { on: 'driver.readLineStatus', when: (s) => s.cleared && s.fifos },
      aShownOverrun: { on: 'driver.readLineStatus', when: (s) => s.overrun === 'yes' },
    },
  })
}
