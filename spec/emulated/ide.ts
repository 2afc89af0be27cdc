/**
 * The registers of an IDE channel: commands without data, PIO transfers, errors, the interrupt and its two gates, the
 * software reset, and a second drive that is not there.
 */
import { machine, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  canFail,
  canOffer,
  canSucceed,
  forget,
  type Ide,
  type IdeScope,
  ideState,
  isBeyond,
  isFree,
  isIdle,
  looksAtStatus,
  resolve,
  type SeenIde,
} from './ide-state.ts'

const LOOK = 4

const begin = (s: Ide, command: Ide['command'], lba = 0, left = 0): void => {
  s.command = command
  s.phase = 'busy'
  s.lba = lba
  s.left = left
  s.half = s.pending = s.signature = s.unsure = false
  s.due = command !== 'write'
  s.unsure = s.disabled
}

/** The end of a block: the drive is busy with it. */
const endBlock = (s: Ide): void => {
  s.lba++
  s.left--
  s.half = false
  s.phase = 'busy'
  s.due = s.command === 'write' || s.left > 0
  if (s.disabled && s.due) s.unsure = true
}

export const ide = scoped(
  'ide',
  {
    explored: { sectors: 2, counts: 2, values: 1, lines: 1, gates: 1, holdsReset: 1, quietReset: 1, selects: 1 },
    played: { sectors: 2, counts: 3, values: 3, lines: 1, gates: 1, holdsReset: 1, quietReset: 1, selects: 1 },
  },
  (scope: IdeScope) => {
    const { sectors, counts, values } = scope
    const seesLine = scope.lines === 1
    /** The line, had it been told of: only where it gates nothing but the line is that known. */
    const isEnabled = (s: SeenIde): boolean => seesLine && !s.disabled && !(s.unsure && scope.gates === 0)
    const lba = t.below(sectors)
    const turned = (s: SeenIde, { busy }: { readonly busy: boolean }): boolean => !busy && looksAtStatus(s) && !s.absent
    const interrupted =
      (...commands: readonly Ide['command'][]) =>
      (s: SeenIde): boolean =>
        s.phase === 'busy' && s.due && !s.level && isEnabled(s) && commands.includes(s.command)
    /** An error interrupts, even where the first block of a write does not. */
    const mayInterrupt = (s: SeenIde): boolean =>
      s.phase === 'busy' && (s.due || (s.command === 'write' && canFail(s, scope)))
    const isOwed = (s: SeenIde): boolean => s.phase === 'busy' && s.due && !s.stalled
    return machine({
      source: 'ATA/ATAPI-6',
      state: ideState(scope),
      actions: {
        'driver.read': {
          does: 'READ SECTORS; the last sector of the machine is the last of the medium.',
          args: { lba, count: t.int(1, counts) },
          weight: 6,
          when: (s) => isIdle(s),
          effect: (s, a) => begin(s, 'read', a.lba, a.count),
        },
        'driver.write': {
          does: 'WRITE SECTORS.',
          args: { lba, count: t.int(1, counts) },
          weight: 6,
          when: (s) => isIdle(s),
          effect: (s, a) => begin(s, 'write', a.lba, a.count),
        },
        'driver.identify': {
          does: 'IDENTIFY DEVICE.',
          when: (s) => isIdle(s),
          effect: (s) => begin(s, 'identify', 0, 1),
        },
        'driver.flush': { does: 'FLUSH CACHE.', when: (s) => isIdle(s), effect: (s) => begin(s, 'other') },
        'driver.setFeature': {
          does: 'SET FEATURES, with a feature that exists or one that does not.',
          args: { exists: t.flag },
          when: (s) => isIdle(s),
          effect: (s, { exists }) => begin(s, exists ? 'other' : 'refused'),
        },
        'driver.commandUnknown': {
          does: 'NOP, which is always refused, or a reserved command.',
          args: { nop: t.flag },
          when: (s) => isIdle(s),
          effect: (s) => begin(s, 'refused'),
        },
        'driver.select': {
          does: 'Selects drive 0 or drive 1, which is not there.',
          args: { absent: t.flag },
          weight: 3,
          when: (s, { absent }) =>
            isFree(s) && s.phase === 'idle' && absent !== s.absent && !s.pending && !s.level && !s.unsure,
          effect: (s, { absent }) => void (s.absent = absent),
        },
        'driver.commandAbsent': {
          does: 'Writes FLUSH CACHE to drive 1.',
          weight: 4,
          when: (s) => isFree(s) && s.absent && s.phase === 'idle' && !s.pending,
        },
        'driver.readHalf': {
          does: 'Reads half of a block.',
          weight: 4,
          when: (s) => isFree(s) && s.phase === 'dataIn' && !s.half,
          effect: (s) => void (s.half = true),
        },
        'driver.readBlock': {
          does: 'Reads a block, or the rest of it.',
          weight: 16,
          when: (s) => isFree(s) && s.phase === 'dataIn',
          effect: (s) => void (s.asked = 'block'),
        },
        'device.answerBlock': {
          args: { value: t.maybe(t.below(values)), identity: t.flag },
          when: (s) => s.asked === 'block',
          requires: {
            givesWhatWasWritten: {
              clause: clause('IDE-07'),
              given: (s) => s.command === 'read' && s.medium.at(s.lba) !== undefined,
              holds: (s, { value }) => value === s.medium.at(s.lba),
            },
            identifiesItself: {
              clause: clause('IDE-16'),
              given: (s) => s.command === 'identify',
              holds: (_s, { identity }) => identity,
            },
          },
          effect(s, { value }) {
            s.asked = 'nothing'
            if (s.command === 'read') s.medium.set(s.lba, value)
            endBlock(s)
          },
          eager: (s) => answersBlock(s),
        },
        'driver.writeHalf': {
          does: 'Writes half of a block.',
          weight: 4,
          when: (s) => isFree(s) && s.phase === 'dataOut' && !s.half,
          effect: (s) => void (s.half = true),
        },
        'driver.writeBlock': {
          does: 'Writes a block, or the rest of it.',
          args: { value: t.below(values) },
          weight: 16,
          when: (s) => isFree(s) && s.phase === 'dataOut',
          effect(s, { value }) {
            if (s.lba < sectors) s.medium.set(s.lba, value)
            endBlock(s)
          },
        },
        'driver.disableInterrupts': {
          does: 'Sets nIEN.',
          weight: 2,
          when: (s) => isFree(s) && !s.disabled && s.phase !== 'held',
          effect(s) {
            s.disabled = true
            if (s.pending || s.due) s.unsure = true
          },
        },
        'driver.enableInterrupts': {
          does: 'Clears nIEN.',
          weight: 5,
          when: (s) => isFree(s) && s.disabled && s.phase !== 'held',
          effect: (s) => void (s.disabled = false),
        },
        'driver.setReset': {
          does: 'Sets SRST.',
          weight: 1,
          when: (s) => isFree(s) && s.phase !== 'held',
          effect(s) {
            if (s.command === 'write') {
              forget(s, s.lba, sectors)
              if (s.phase !== 'dataOut' && s.lba > 0) forget(s, s.lba - 1, sectors)
            }
            s.phase = 'held'
            s.command = 'none'
            s.lba = s.left = 0
            s.ended = 'unknown'
            s.half = s.due = s.pending = s.signature = false
            if (scope.selects === 1) s.absent = false
            s.unsure = scope.quietReset === 0
          },
        },
        'driver.clearReset': {
          does: 'Clears SRST.',
          weight: 12,
          when: (s) => isFree(s) && s.phase === 'held',
          effect(s) {
            s.phase = 'recovering'
            s.signature = true
          },
        },
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
          when: (s) =>
            isFree(s) && !s.stalled && (s.phase === 'busy' || s.phase === 'over' || s.phase === 'recovering'),
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
                s.phase === 'busy' && !s.due && failed && !s.level && isEnabled(s) && !s.pending,
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
        'device.raise': {
          requires: {
            hasACause: {
              clause: clause('IDE-21'),
              holds: (s) => s.pending || s.unsure || mayInterrupt(s),
            },
            notForAFirstBlock: {
              clause: clause('IDE-04'),
              given: (s) => s.phase === 'busy' && s.command === 'write' && !s.due,
              holds: (s) => s.pending || mayInterrupt(s),
            },
            notWhileDisabled: { clause: clause('IDE-02'), holds: (s) => !s.disabled },
            notOfAnAbsentDrive: { clause: clause('IDE-15'), holds: (s) => !s.absent || s.unsure },
          },
          effect(s) {
            // One that was held back by nIEN may be that of a block before.
            const isOld = s.pending || s.unsure
            s.level = s.pending = true
            s.unsure = false
            if (isOld || !mayInterrupt(s)) return
            s.phase = 'over'
            s.due = false
          },
          eager: (s) => (seesLine && !s.level && !s.disabled && (s.pending || isOwed(s)) ? {} : undefined),
        },
        'device.lower': {
          requires: {
            onlyWhenCleared: { clause: clause('IDE-01'), holds: (s) => !s.pending || s.disabled || s.unsure },
          },
          effect: (s) => void (s.level = false),
          eager: (s) => (s.level && (!s.pending || s.disabled) ? {} : undefined),
        },
        'backend.hold': {
          does: 'The medium answers no more.',
          weight: 2,
          when: (s) => !s.stalled && isFree(s),
          effect: (s) => void (s.stalled = true),
        },
        'backend.release': {
          weight: 6,
          when: (s) => s.stalled && isFree(s),
          effect: (s) => void (s.stalled = false),
        },
        'backend.fail': {
          does: 'The next thing that the medium is asked for fails.',
          weight: 4,
          when: (s) => !s.failing && isFree(s),
          effect: (s) => void (s.failing = true),
        },
      },
      owes: {
        'device.raise': [
          { clause: clause('IDE-02'), when: (s) => isEnabled(s) && !s.level && s.pending },
          {
            clause: clause('IDE-03'),
            when: (s) => isEnabled(s) && !s.level && isOwed(s) && (s.command === 'read' || s.command === 'identify'),
          },
          { clause: clause('IDE-04'), when: (s) => isEnabled(s) && !s.level && isOwed(s) && s.command === 'write' },
          {
            clause: clause('IDE-05'),
            when: (s) => isEnabled(s) && !s.level && isOwed(s) && (s.command === 'other' || s.command === 'refused'),
          },
        ],
        'device.lower': [
          {
            clause: clause('IDE-01'),
            when: (s) => s.level && !s.pending && !s.unsure && s.phase !== 'held' && s.phase !== 'busy',
          },
          { clause: clause('IDE-13'), when: (s) => s.level && !s.pending && !s.unsure && s.phase === 'held' },
          {
            clause: clause('IDE-20'),
            when: (s) => s.level && !s.pending && s.phase === 'busy' && (!s.due || s.stalled),
          },
          { clause: clause('IDE-02'), when: (s) => s.level && s.disabled && scope.gates === 1 },
        ],
      },
      goals: {
        aBlockInHalves: { on: 'driver.readBlock', when: (s) => s.half },
        aBlockTakenInHalves: { on: 'driver.writeBlock', when: (s) => s.half },
        aSecondBlock: { on: 'driver.readBlock', when: (s) => s.command === 'read' && s.lba > 0 },
        aSecondBlockTaken: { on: 'driver.writeBlock', when: (s) => s.lba > 0 },
        aSectorReadBack: {
          on: 'driver.readBlock',
          when: (s) => s.command === 'read' && s.medium.at(s.lba) !== undefined,
        },
        anIdentity: { on: 'driver.readBlock', when: (s) => s.command === 'identify' },
        aTransferOverTheEnd: { on: 'driver.readError', when: (s) => s.ended === 'beyond' },
        aRefusal: { on: 'driver.readError', when: (s) => s.ended === 'refused' },
        aFailureOfTheMedium: (s) => s.ended === 'failed',
        aResetInTheMiddle: { on: 'driver.setReset', when: (s) => s.half },
        aResetWhileBusy: { on: 'driver.setReset', when: (s) => s.phase === 'busy' && s.stalled },
        aSignature: { on: 'driver.readSignature' },
        anInterruptLookedPast: { on: 'driver.readAlternate', when: (s) => s.pending },
        anInterruptLetThrough: { on: 'driver.enableInterrupts', when: (s) => s.pending },
        anInterruptOverwritten: { on: 'driver.flush', when: (s) => s.pending },
        anAbsentDrive: { on: 'driver.readStatus', when: (s) => s.absent },
        aCommandToNobody: { on: 'driver.commandAbsent' },
      },
    })
  },
)

const isDone = (s: SeenIde): boolean =>
  s.phase === 'idle' ? s.ended === 'success' : s.left === 0 && s.command !== 'refused'

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

const answersBlock = (s: SeenIde) =>
  s.asked === 'block'
    ? { value: s.command === 'read' ? s.medium.at(s.lba) : undefined, identity: s.command === 'identify' }
    : undefined
