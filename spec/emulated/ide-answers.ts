/** What an IDE channel shows to a driver that looks: its status, by itself or without clearing anything, and the error registers. */
import { machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  canFail,
  canOffer,
  canSucceed,
  type Ide,
  type IdeScope,
  ideState,
  isBeyond,
  isEnabled,
  isFree,
  isIdle,
  looksAtStatus,
  resolve,
  type SeenIde,
} from './ide-state.ts'

const LOOK = 4

const isDone = (s: SeenIde): boolean =>
  s.phase === 'idle' ? s.ended === 'success' : s.left === 0 && s.command !== 'refused'

const turned = (s: SeenIde, { busy }: { readonly busy: boolean }): boolean => !busy && looksAtStatus(s) && !s.absent

const NOTHING = { busy: false, ready: false, drq: false, failed: false, blank: false } as const

/** What a plain drive shows. */
const answersStatus = (s: SeenIde, scope: IdeScope) => {
  if (!looksAtStatus(s)) return undefined
  if (s.absent) return { ...NOTHING, blank: true }
  const busy = s.phase === 'held' || (s.phase === 'busy' && s.stalled) || (s.phase === 'busy' && s.due && !s.disabled)
  if (busy && s.asked !== 'poll') return { ...NOTHING, busy: true }
  // A transfer over the end goes on as far as it can.
  const fails = canFail(s, scope) && (s.failing || !canOffer(s, scope))
  const failed = s.phase === 'idle' ? s.ended !== 'success' && s.ended !== 'unknown' : fails
  return { ...NOTHING, ready: true, failed, drq: !failed && canOffer(s, scope) }
}

export const answers = (scope: IdeScope) => {
  const { sectors } = scope
  const interrupted =
    (...commands: readonly Ide['command'][]) =>
    (s: SeenIde): boolean =>
      s.phase === 'busy' && s.due && !s.level && isEnabled(s, scope) && commands.includes(s.command)
  return machine({
    source: 'ATA/ATAPI-6',
    state: ideState(scope),
    actions: {
      'driver.readStatus': {
        does: 'Reads Status.',
        weight: LOOK,
        when: isFree,
        effect: (s) => void (s.asked = 'status'),
      },
      'driver.readAlternate': {
        does: 'Reads Alternate Status.',
        weight: LOOK,
        when: isFree,
        effect: (s) => void (s.asked = 'alternate'),
      },
      'driver.poll': {
        does: 'Reads Status until BSY is clear, as long as it may take.',
        weight: 3 * LOOK,
        when: (s) => isFree(s) && !s.stalled && (s.phase === 'busy' || s.phase === 'over' || s.phase === 'recovering'),
        effect: (s) => void (s.asked = 'poll'),
      },
      'device.answerStatus': {
        args: { busy: t.flag, ready: t.flag, drq: t.flag, failed: t.flag, blank: t.flag },
        when: looksAtStatus,
        requires: {
          absentReadsZero: {
            clause: clause('IDE-14'),
            given: (s) => s.absent,
            holds: (_s, { blank }) => blank,
          },
          busyDuringReset: {
            clause: clause('IDE-11'),
            given: (s) => s.phase === 'held' && !s.absent && scope.holdsReset === 1,
            holds: (_s, { busy }) => busy,
          },
          comesToAnEnd: {
            clause: clause('IDE-19'),
            given: (s) => s.asked === 'poll',
            holds: (_s, { busy }) => !busy,
          },
          isBusyWithSomething: {
            clause: clause('IDE-17'),
            given: (s) => !s.absent && (s.phase === 'idle' || s.phase === 'over'),
            holds: (_s, { busy }) => !busy,
          },
          blockStays: {
            clause: clause('IDE-06'),
            given: (s) => s.phase === 'dataIn' || s.phase === 'dataOut',
            holds: (_s, { busy, drq }) => !busy && drq,
          },
          offersOnlyBlocks: {
            clause: clause('IDE-06'),
            given: turned,
            holds: (s, { drq }) => !drq || canOffer(s, scope),
          },
          refusesTheUnknown: {
            clause: clause('IDE-08'),
            given: (s, a) => turned(s, a) && s.command === 'refused',
            holds: (_s, { failed }) => failed,
          },
          staysWithinTheMedium: {
            clause: clause('IDE-09'),
            given: (s, a) => turned(s, a) && !a.drq && isBeyond(s, sectors),
            holds: (_s, { failed }) => failed,
          },
          tellsWhatItTookBeyond: {
            clause: clause('IDE-09'),
            given: (s, a) => turned(s, a) && s.command === 'write' && s.lba > sectors,
            holds: (_s, { failed, drq }) => failed && !drq,
          },
          failsWithAReason: {
            clause: clause('IDE-17'),
            given: (s, a) => turned(s, a) && !a.drq && s.phase !== 'held',
            holds: (s, { failed }) => !failed || canFail(s, scope),
          },
          goesOn: {
            clause: clause('IDE-06'),
            given: (s, a) => turned(s, a) && !a.drq && !a.failed && s.phase !== 'held',
            holds: (s) => s.phase === 'idle' || canSucceed(s, scope),
          },
          isReadyAgain: {
            clause: clause('IDE-17'),
            given: (s, a) =>
              turned(s, a) && !a.drq && !a.failed && s.phase !== 'recovering' && s.phase !== 'held' && isDone(s),
            holds: (_s, { ready }) => ready,
          },
          interruptsForABlock: {
            clause: clause('IDE-03'),
            given: interrupted('read', 'identify'),
            holds: (_s, { busy }) => busy,
          },
          interruptsForWhatItTook: {
            clause: clause('IDE-04'),
            given: interrupted('write'),
            holds: (_s, { busy }) => busy,
          },
          interruptsAtTheEnd: {
            clause: clause('IDE-05'),
            given: interrupted('other', 'refused'),
            holds: (_s, { busy }) => busy,
          },
          interruptsForAnError: {
            clause: clause('IDE-05'),
            given: (s, { failed }) =>
              s.phase === 'busy' && !s.due && failed && !s.level && isEnabled(s, scope) && !s.pending,
            holds: (_s, { busy }) => busy,
          },
        },
        effect(s, a) {
          const clears = s.asked !== 'alternate' && (!s.absent || scope.selects === 0)
          s.asked = 'nothing'
          if (!s.absent && !a.busy && s.phase !== 'held') resolve(s, a, scope)
          if (s.absent && s.phase === 'recovering') s.phase = 'idle'
          if (!clears) return
          s.pending = false
          if (!s.due) s.unsure = false
        },
        eager: (s) => answersStatus(s, scope),
      },
      'driver.readError': {
        does: 'Reads the error register after a command that failed.',
        weight: 12,
        when: (s) => isIdle(s) && (s.ended === 'refused' || s.ended === 'beyond') && !s.signature,
        effect: (s) => void (s.asked = 'error'),
      },
      'device.answerError': {
        args: { abort: t.flag, missing: t.flag },
        when: (s) => s.asked === 'error',
        requires: {
          abortsTheUnknown: {
            clause: clause('IDE-08'),
            given: (s) => s.ended === 'refused',
            holds: (_s, { abort }) => abort,
          },
          namesTheMissing: {
            clause: clause('IDE-09'),
            given: (s) => s.ended === 'beyond',
            holds: (_s, { abort, missing }) => abort || missing,
          },
        },
        effect: (s) => void (s.asked = 'nothing'),
        eager: (s) =>
          s.asked === 'error' ? { abort: s.ended === 'refused', missing: s.ended === 'beyond' } : undefined,
      },
      'driver.readSignature': {
        does: 'Reads error, count and LBA registers after a reset.',
        weight: 16,
        when: (s) => isIdle(s) && s.signature,
        effect: (s) => void (s.asked = 'signature'),
      },
      'device.answerSignature': {
        args: { intact: t.flag },
        when: (s) => s.asked === 'signature',
        requires: { ofADrive: { clause: clause('IDE-12'), holds: (_s, { intact }) => intact } },
        effect: (s) => void (s.asked = 'nothing'),
        eager: (s) => (s.asked === 'signature' ? { intact: true } : undefined),
      },
    },
    goals: {
      aTransferOverTheEnd: { on: 'driver.readError', when: (s) => s.ended === 'beyond' },
      aRefusal: { on: 'driver.readError', when: (s) => s.ended === 'refused' },
      aSignature: { on: 'driver.readSignature' },
      anInterruptLookedPast: { on: 'driver.readAlternate', when: (s) => s.pending },
      anAbsentDrive: { on: 'driver.readStatus', when: (s) => s.absent },
    },
  })
}
