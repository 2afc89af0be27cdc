/**
 * What happens to a pair of 8259As: sixteen lines rise and fall, and a processor acknowledges or polls. Command words are in
 * `pic-commands.ts`, initialisation in `pic-setup.ts`; what the pair answers is judged in `pic-answers.ts`.
 */
import { Bits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { CASCADE, endable, isKnown, levels, levelTriggered, rankOf, take, takeByPoll } from './pic-chip.ts'
import {
  after,
  answering,
  assert,
  COMMANDS,
  chipOf,
  chips,
  evident,
  follow,
  isInUse,
  isPlain,
  isReady,
  isSettled,
  line,
  type PicScope,
  pairState,
  pulse,
  release,
  requestedBy,
  type SeenPair,
  vectorOf,
} from './pic-wire.ts'

export const pair = (scope: PicScope) => {
  const has = (kind: number): boolean => (scope.commands & kind) !== 0
  const { poll } = COMMANDS
  const level = t.below(8)
  /** What would only make the walk longer is left to what is played. */
  const isWhole = scope.bases > 2
  const driven = Bits.of(scope.lines & ~(1 << CASCADE))
  const isRequesting = (s: SeenPair): boolean => requestedBy(s, 'master', scope) !== undefined
  /** Whether an acknowledge that finds nothing rotates in automatic EOI mode is not said. */
  const rotatesAsSaid = (s: SeenPair): boolean => !s.master.autoEoi || s.master.rotates === 'off' || isRequesting(s)
  return part({
    source: 'Intel 8259A',
    borrows: {},
    state: pairState(scope.bases),
    actions: {
      'device.raise': {
        args: { line },
        weight: 14,
        when: (s, { line }) => s.asked === 'nothing' && driven.has(line) && !s[chipOf(line)].high.has(line % 8),
        effect: (s, { line }) => assert(s, line, scope),
      },
      'device.outrank': {
        does: 'Asserts a line that outranks what is in service in its chip.',
        args: { line },
        weight: 8,
        when(s, { line }) {
          const chip = s[chipOf(line)]
          if (!isWhole || s.asked !== 'nothing' || !driven.has(line) || chip.high.has(line % 8)) return false
          const served = isKnown(chip) ? endable(chip, scope) : undefined
          return served !== undefined && !chip.masked.has(line % 8) && rankOf(chip, line % 8) < rankOf(chip, served)
        },
        effect: (s, { line }) => assert(s, line, scope),
      },
      'device.raiseAgain': {
        does: 'Asserts a line that is asserted already, as devices do that share it.',
        args: { line },
        weight: 2,
        when: (s, { line }) => s.asked === 'nothing' && driven.has(line) && s[chipOf(line)].high.has(line % 8),
        effect: (s, { line }) => assert(s, line, scope),
      },
      'device.lower': {
        args: { line },
        weight: 4,
        when: (s, { line }) => s.asked === 'nothing' && driven.has(line) && s[chipOf(line)].high.has(line % 8),
        effect: (s, { line }) => release(s, line, scope),
      },
      'driver.acknowledge': {
        does: 'An interrupt-acknowledge cycle of the CPU while INT is high; where INT is not seen, if it is.',
        weight: 16,
        when: (s) =>
          s.asked === 'nothing' && (!isInUse(s) || (isPlain(s) && (scope.int === 1 ? s.int : rotatesAsSaid(s)))),
        requires: { initialised: { clause: clause('PIC-22'), holds: isInUse } },
        effect: (s) => void (s.asked = 'vector'),
      },
      'driver.acknowledgeNothing': {
        does: 'Such a cycle after the request is gone.',
        weight: 1,
        when: (s) =>
          scope.int === 1 &&
          s.asked === 'nothing' &&
          isInUse(s) &&
          isPlain(s) &&
          !s.int &&
          !isRequesting(s) &&
          rotatesAsSaid(s),
        effect: (s) => void (s.asked = 'vector'),
      },
      'irqchip.answerVector': {
        does: 'Gives the vector; no vector: it was not asked, for nothing was requested.',
        args: { vector: t.maybe(t.below(8 * scope.bases)) },
        when: (s) => s.asked === 'vector',
        effect(s, { vector }) {
          s.asked = 'nothing'
          if (!isSettled(s)) return
          const due = answering(s, scope)
          if (vector === undefined) {
            if (scope.spuriousSlave === 0 && due.master === CASCADE && due.slave === undefined) take(s.master, CASCADE)
            return
          }
          const taken = vector === vectorOf(s, due) ? due : evident(s, vector)
          if (taken.master !== undefined) take(s.master, taken.master)
          if (taken.slave === undefined) {
            after(s, 'master', scope)
            return
          }
          take(s.slave, taken.slave)
          pulse(s, scope)
        },
        eager(s) {
          return s.asked === 'vector' ? { vector: vectorOf(s, answering(s, scope)) } : undefined
        },
      },
      'driver.poll': {
        does: 'Writes the poll command to a chip and reads one of its ports.',
        args: { chip: chips, port: t.oneOf('command', 'data') },
        weight: 3,
        when: (s, { chip }) =>
          has(poll) &&
          isReady(s, chip) &&
          (chip === 'slave' ? isKnown(s.slave) && s.broken.isEmpty : isSettled(s)) &&
          !(s[chip].autoEoi && s[chip].rotates !== 'off'),
        effect: (s, { chip }) => void (s.asked = chip),
      },
      'irqchip.answerPoll': {
        does: 'Names the level that it requests, if any.',
        args: { chip: chips, level: t.maybe(level) },
        when: (s, { chip }) => s.asked === chip,
        effect(s, { chip, level }) {
          s.asked = 'nothing'
          if (scope.pollServes === 2) return
          const { late } = s
          if (level !== undefined) takeByPoll(s[chip], level, scope)
          if (chip === 'master' || level === undefined) {
            // Where every change makes an edge, that poll of the cascade itself is none.
            if (chip === 'slave' || level !== CASCADE) after(s, chip, scope)
            // What finds nothing changes nothing, so that INT need not follow either.
            s.late = late && level === undefined && scope.promptSpecialMask === 0
            return
          }
          if (scope.pollServes === 0) {
            s.master.served = s.master.served.without(CASCADE)
            s.master.edges = s.master.edges.without(CASCADE)
          }
          pulse(s, scope)
        },
        eager(s) {
          return s.asked === 'master' || s.asked === 'slave'
            ? { chip: s.asked, level: requestedBy(s, s.asked, scope) }
            : undefined
        },
      },
      'irqchip.answerRegister': {
        does: 'Gives the register that is selected.',
        args: { chip: chips, levels },
        effect(s, { chip, levels }) {
          if (s.ended === chip) s.ended = 'none'
          if (s[chip].selected === 'requests') {
            s[chip].edges = levels.minus(levelTriggered(s[chip]))
            if (chip === 'master' && s.cascade === 'doubtful') s.cascade = 'seen'
            return
          }
          const isNews = s[chip].unsure || !levels.equals(s[chip].served)
          s[chip].served = levels
          s[chip].unsure = false
          if (isNews && chip === 'slave') follow(s, scope)
        },
      },
      'irqchip.raise': {
        does: 'INT goes high.',
        when: (s) => scope.int === 1 && !s.int,
        effect: (s) => void (s.int = true),
      },
      'irqchip.lower': {
        does: 'INT goes low.',
        when: (s) => scope.int === 1 && s.int,
        effect: (s) => void (s.int = false),
      },
    },
    goals: {
      aNestedInterrupt: {
        on: 'irqchip.answerVector',
        when: (s) => !s.master.served.isEmpty && requestedBy(s, 'master', scope) !== undefined,
      },
      aSlaveInterrupt: { on: 'irqchip.answerVector', when: (s) => answering(s, scope).slave !== undefined },
      aSecondInterruptOfTheSlave: {
        on: 'irqchip.answerVector',
        when: (s) => s.master.served.has(CASCADE) && answering(s, scope).slave !== undefined,
      },
      aRotatedOrder: {
        on: 'irqchip.answerVector',
        when: (s) => s.master.lowest !== 7 && answering(s, scope).master !== undefined,
      },
      aLevelBelowAMaskedOne: {
        on: 'irqchip.answerVector',
        when: (s) =>
          s.master.specialMask && s.master.served.meets(s.master.masked) && answering(s, scope).master !== undefined,
      },
      anAutomaticEnd: {
        on: 'irqchip.answerVector',
        when: (s) => s.master.autoEoi && answering(s, scope).master !== undefined,
      },
      aSpuriousInterrupt: {
        on: 'irqchip.answerVector',
        when: (s, { vector }) => vector !== undefined && answering(s, scope).master === undefined,
      },
      aWithdrawnEdge: {
        on: 'device.lower',
        when: (s, { line }) => s[chipOf(line)].edges.has(line % 8),
      },
      aPolledSlave: {
        on: 'irqchip.answerPoll',
        when: (_s, { chip, level }) => chip === 'slave' && level !== undefined,
      },
      aSequenceWithoutIcw4: { on: 'driver.poll', when: (s, { chip }) => !s[chip].mode8086 },
    },
    breach: (s) => void (s.broken = Bits.of(3)),
    unspecified: (s) => !s.broken.isEmpty,
  })
}
