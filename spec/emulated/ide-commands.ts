/** What a driver does to an IDE channel: commands, data by PIO, the gate of the interrupt, the software reset. */
import { machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { forget, type Ide, type IdeScope, ideState, isFree, isIdle, type SeenIde } from './ide-state.ts'

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

const answersBlock = (s: SeenIde) =>
  s.asked === 'block'
    ? { value: s.command === 'read' ? s.medium.at(s.lba) : undefined, identity: s.command === 'identify' }
    : undefined

export const commands = (scope: IdeScope) => {
  const { sectors, counts, values } = scope
  const lba = t.below(sectors)
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
      aFailureOfTheMedium: (s) => s.ended === 'failed',
      aResetInTheMiddle: { on: 'driver.setReset', when: (s) => s.half },
      aResetWhileBusy: { on: 'driver.setReset', when: (s) => s.phase === 'busy' && s.stalled },
      anInterruptLetThrough: { on: 'driver.enableInterrupts', when: (s) => s.pending },
      anInterruptOverwritten: { on: 'driver.flush', when: (s) => s.pending },
      aCommandToNobody: { on: 'driver.commandAbsent' },
    },
  })
}
