/**
 * What is done to a pair of 8259As: sixteen lines rise and fall, and command words come to either chip. What the pair
 * answers is judged in `pic-answers.ts`.
 */
import { Bits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  CASCADE,
  end,
  endable,
  isKnown,
  levels,
  levelTriggered,
  rankOf,
  requests,
  take,
  takeByPoll,
} from './pic-chip.ts'
import {
  ALWAYS_EDGE,
  after,
  afterWord,
  answering,
  assert,
  begin,
  COMMANDS,
  chipOf,
  chips,
  endAll,
  evident,
  follow,
  initialiseAll,
  isInUse,
  isPlain,
  isSettled,
  line,
  type Mode,
  modes,
  otherCommand,
  type PicScope,
  pairState,
  pulse,
  release,
  requestedBy,
  type SeenPair,
  setBase,
  setMode,
  setSpecialMask,
  triggerModes,
  vectorOf,
  type Which,
} from './pic-wire.ts'

export const pair = (scope: PicScope) => {
  const has = (kind: number): boolean => (scope.commands & kind) !== 0
  const { masks, ends, rotation, specialMask, poll, triggers, initialisation, sequences, reads } = COMMANDS
  const level = t.below(8)
  /** 0x70, where there are so many. */
  const slaveBase = Math.min(14, scope.bases - 1)
  const base = t.below(scope.bases)
  /** The low bits of ICW2, which mean nothing. */
  const low = t.below(8)
  /** What would only make the walk longer is left to what is played. */
  const isWhole = scope.bases > 2
  const isReady = (s: SeenPair, chip: Which): boolean => s.asked === 'nothing' && s[chip].phase === 'ready'
  /** Special mask mode has nothing to change. */
  const isBare = (s: SeenPair, chip: Which): boolean =>
    isWhole && scope.selectsRequests === 1 && isReady(s, chip) && isKnown(s[chip]) && s[chip].served.isEmpty
  const driven = Bits.of(scope.lines & ~(1 << CASCADE))
  /** Of the set-up: edges, as on every PC, unless the scope has none. */
  const trigger = (scope.triggers & 1) !== 0 ? 'edge' : 'level'
  /** What a scope is about. */
  const isChosen = (trigger: 'edge' | 'level', mode: Mode): boolean =>
    (scope.triggers & (trigger === 'edge' ? 1 : 2)) !== 0 &&
    (scope.modes & { plain: 1, nested: 2, autoEoi: 4 }[mode]) !== 0
  const isUsed = (line: number): boolean => driven.has(line) || line === CASCADE
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
      'driver.setUp': {
        does: 'Initialises both chips, the slave first, and ends all that may be in service, as firmware does.',
        args: { mode: modes },
        weight: 60,
        when: (s, { mode }) =>
          s.asked === 'nothing' && s.master.phase === 'off' && s.slave.phase === 'off' && isChosen(trigger, mode),
        effect(s, { mode }) {
          for (const chip of ['slave', 'master'] as const) {
            begin(s, chip, { level: trigger === 'level', single: false, icw4: true }, scope)
            setMode(s[chip], mode === 'nested' && chip === 'slave' ? 'plain' : mode)
            s[chip].base = chip === 'slave' ? slaveBase : 1 % scope.bases
            afterWord(s, chip, scope)
            endAll(s[chip])
            after(s, chip, scope)
          }
        },
      },
      'driver.mask': {
        does: 'Sets a bit of the mask register, by OCW1.',
        args: { line },
        weight: 6,
        when: (s, { line }) =>
          has(masks) && isUsed(line) && isReady(s, chipOf(line)) && !s[chipOf(line)].masked.has(line % 8),
        effect(s, { line }) {
          s[chipOf(line)].masked = s[chipOf(line)].masked.with(line % 8)
          after(s, chipOf(line), scope)
        },
      },
      'driver.unmask': {
        args: { line },
        weight: 6,
        when: (s, { line }) => has(masks) && isReady(s, chipOf(line)) && s[chipOf(line)].masked.has(line % 8),
        effect(s, { line }) {
          s[chipOf(line)].masked = s[chipOf(line)].masked.without(line % 8)
          after(s, chipOf(line), scope)
        },
      },
      'driver.endOfInterrupt': {
        does: 'A non-specific EOI, with or without rotation. `look`: then reads what is in service in both chips.',
        args: { chip: chips, rotate: t.flag, look: t.flag },
        weight: 12,
        // Which level becomes the lowest is said only where one is ended.
        when: (s, { chip, rotate, look }) =>
          has(ends) &&
          isReady(s, chip) &&
          isKnown(s[chip]) &&
          (!rotate || (has(rotation) && endable(s[chip], scope) !== undefined)) &&
          (!look || (has(reads) && isReady(s, 'master') && isReady(s, 'slave'))),
        effect(s, { chip, rotate, look }) {
          if (look) s.master.selected = s.slave.selected = 'service'
          const level = endable(s[chip], scope)
          if (level !== undefined) end(s[chip], level, rotate && scope.rotation === 1)
          if (level !== undefined || scope.pulses === 3) after(s, chip, scope)
        },
      },
      'driver.endLevel': {
        does: 'A specific EOI, with or without rotation.',
        args: { line, rotate: t.flag },
        weight: 3,
        when: (s, { line, rotate }) =>
          has(ends) && isReady(s, chipOf(line)) && s[chipOf(line)].served.has(line % 8) && (!rotate || has(rotation)),
        effect(s, { line, rotate }) {
          if (rotate && scope.rotation === 0) otherCommand(s, chipOf(line), scope)
          else {
            end(s[chipOf(line)], line % 8, rotate)
            after(s, chipOf(line), scope)
          }
        },
      },
      'driver.endAll': {
        does: 'Ends each level that may be in service, and rotation in automatic EOI mode: what ICW1 may have left.',
        args: { chip: chips },
        weight: 14,
        when: (s, { chip }) => isReady(s, chip) && (s[chip].unsure || s[chip].rotates === 'unknown'),
        effect(s, { chip }) {
          endAll(s[chip])
          after(s, chip, scope)
        },
      },
      'driver.setPriority': {
        does: 'Names the level of the lowest priority of its chip.',
        args: { line },
        weight: 3,
        when: (s, { line }) => has(rotation) && isReady(s, chipOf(line)) && s[chipOf(line)].lowest !== line % 8,
        effect(s, { line }) {
          if (scope.rotation === 1) s[chipOf(line)].lowest = line % 8
          after(s, chipOf(line), scope)
        },
      },
      'driver.yield': {
        does: 'Names the level that is served as the lowest: a handler lets all others interrupt.',
        args: { line },
        weight: 5,
        when: (s, { line }) =>
          isWhole &&
          has(rotation) &&
          isReady(s, chipOf(line)) &&
          isKnown(s[chipOf(line)]) &&
          s[chipOf(line)].lowest !== line % 8 &&
          endable(s[chipOf(line)], scope) === line % 8,
        effect(s, { line }) {
          if (scope.rotation === 1) s[chipOf(line)].lowest = line % 8
          after(s, chipOf(line), scope)
        },
      },
      'driver.rotateAutomatically': {
        does: 'Sets or clears rotation in automatic EOI mode.',
        args: { chip: chips, on: t.flag },
        weight: 3,
        when: (s, { chip }) => has(rotation) && isReady(s, chip),
        effect(s, { chip, on }) {
          if (scope.rotation === 1) s[chip].rotates = on ? 'on' : 'off'
          otherCommand(s, chip, scope)
        },
      },
      'driver.command': {
        does: 'The OCW2 that does nothing.',
        args: { line },
        when: (s, { line }) => has(rotation) && isReady(s, chipOf(line)),
        effect: (s, { line }) => otherCommand(s, chipOf(line), scope),
      },
      'driver.commandNothing': {
        does: 'An OCW3 that neither selects a register nor changes special mask mode, whatever its other bits say.',
        args: { chip: chips, register: t.flag, mask: t.flag },
        weight: 2,
        when: (s, { chip }) => isWhole && isReady(s, chip),
      },
      'driver.maskServed': {
        does: 'Reads what is in service, and masks it: outside special mask mode that lets nothing lower through. `nothing`: after an OCW3 that does not enter it.',
        args: { chip: chips, nothing: t.flag },
        weight: 5,
        when: (s, { chip }) => isWhole && isReady(s, chip) && isKnown(s[chip]) && !s[chip].served.isEmpty,
        effect(s, { chip }) {
          s[chip].selected = 'service'
          s[chip].masked = s[chip].masked.union(s[chip].served)
          after(s, chip, scope)
        },
      },
      'driver.setSpecialMask': {
        args: { chip: chips, on: t.flag },
        weight: 4,
        when: (s, { chip }) => has(specialMask) && isReady(s, chip),
        effect: (s, { chip, on }) => setSpecialMask(s, chip, on, scope),
      },
      'driver.letLowerThrough': {
        does: 'Reads what is in service, masks it, and enters special mask mode: a handler lets lower levels interrupt.',
        args: { chip: chips },
        weight: 5,
        when: (s, { chip }) => has(specialMask) && isReady(s, chip) && isKnown(s[chip]) && !s[chip].served.isEmpty,
        effect(s, { chip }) {
          s[chip].selected = 'service'
          s[chip].masked = s[chip].masked.union(s[chip].served)
          after(s, chip, scope)
          setSpecialMask(s, chip, true, scope)
        },
      },
      'driver.setTrigger': {
        does: 'Changes a bit of the ELCR while its line is low and requests nothing; bits of edge-only lines may be written, too.',
        args: { line, level: t.flag, others: t.flag },
        weight: 4,
        when: (s, { line, level, others }) =>
          has(triggers) &&
          (!others || scope.guardsEdges === 1) &&
          s.asked === 'nothing' &&
          driven.has(line) &&
          !ALWAYS_EDGE.has(line) &&
          s[chipOf(line)].triggered.has(line % 8) !== level &&
          !s[chipOf(line)].high.union(s[chipOf(line)].edges).has(line % 8),
        effect(s, { line, level }) {
          const chip = s[chipOf(line)]
          chip.triggered = level ? chip.triggered.with(line % 8) : chip.triggered.without(line % 8)
        },
      },
      'driver.select': {
        does: 'Chooses the register that the command port reads.',
        args: { chip: chips, register: t.oneOf('service', 'requests') },
        weight: 4,
        when: (s, { chip }) => has(reads) && isReady(s, chip),
        effect: (s, { chip, register }) => void (s[chip].selected = register),
      },
      'driver.initialiseMaster': {
        does: 'ICW1 to ICW4, as an x86 processor needs them; `anew`: special mask mode was on, and reads were of what is in service.',
        args: { trigger: triggerModes, mode: modes, base, low, anew: t.flag },
        weight: 2,
        when: (s, { trigger, mode, low, anew }) =>
          has(initialisation) &&
          s.asked === 'nothing' &&
          isChosen(trigger, mode) &&
          (low === 0 || isWhole) &&
          (!anew || isBare(s, 'master')),
        effect: (s, { trigger, mode, ...vectors }) =>
          initialiseAll(s, 'master', trigger === 'level', mode, vectors, scope),
      },
      'driver.initialiseSlave': {
        does: 'The same for the slave. Special fully nested mode is one of masters.',
        args: { trigger: triggerModes, mode: modes, base, low, anew: t.flag },
        weight: 1.5,
        when: (s, { trigger, mode, low, anew }) =>
          has(initialisation) &&
          s.asked === 'nothing' &&
          mode !== 'nested' &&
          isChosen(trigger, mode) &&
          (low === 0 || isWhole) &&
          (!anew || isBare(s, 'slave')),
        effect: (s, { trigger, mode, ...vectors }) =>
          initialiseAll(s, 'slave', trigger === 'level', mode, vectors, scope),
      },
      'driver.beginInitialisation': {
        does: 'ICW1, whatever comes after it: a sequence may have two, three or four words, or be broken off.',
        args: { chip: chips, trigger: triggerModes, single: t.flag, icw4: t.flag },
        weight: 0.5,
        when: (s) => has(sequences) && s.asked === 'nothing',
        effect: (s, { chip, trigger, ...words }) => begin(s, chip, { level: trigger === 'level', ...words }, scope),
      },
      'driver.setBase': {
        does: 'ICW2; its low three bits mean nothing.',
        args: { chip: chips, base, low },
        weight: 12,
        when: (s, { chip }) => s.asked === 'nothing' && s[chip].phase === 'icw2',
        effect(s, { chip, ...vectors }) {
          setBase(s[chip], vectors, scope)
          s[chip].phase = !s[chip].single ? 'icw3' : s[chip].wantsIcw4 ? 'icw4' : 'ready'
          afterWord(s, chip, scope)
        },
      },
      'driver.setCascade': {
        does: 'ICW3, as the board is wired.',
        args: { chip: chips },
        weight: 12,
        when: (s, { chip }) => s.asked === 'nothing' && s[chip].phase === 'icw3',
        effect(s, { chip }) {
          s[chip].phase = s[chip].wantsIcw4 ? 'icw4' : 'ready'
          afterWord(s, chip, scope)
        },
      },
      'driver.setMode': {
        does: 'ICW4, in 8086 mode. Special fully nested mode is one of masters.',
        args: { chip: chips, mode: modes },
        weight: 12,
        when: (s, { chip, mode }) =>
          s.asked === 'nothing' && s[chip].phase === 'icw4' && (mode !== 'nested' || chip === 'master'),
        effect(s, { chip, mode }) {
          setMode(s[chip], mode)
          afterWord(s, chip, scope)
        },
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
        weight: 2,
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
      anEndWithTheLevelHigh: {
        on: 'driver.endOfInterrupt',
        when: (s, { chip }) => s[chip].served.meets(s[chip].high.and(levelTriggered(s[chip]))),
      },
      anUnmaskedRequest: {
        on: 'driver.unmask',
        when: (s, { line }) => requests(s[chipOf(line)]).has(line % 8),
      },
      aPolledSlave: {
        on: 'irqchip.answerPoll',
        when: (_s, { chip, level }) => chip === 'slave' && level !== undefined,
      },
      halfASequence: { on: 'driver.beginInitialisation', when: (s, { chip }) => s[chip].phase !== 'ready' },
      aSequenceWithoutIcw4: { on: 'driver.poll', when: (s, { chip }) => !s[chip].mode8086 },
      anInitialisationInService: { on: 'driver.initialiseMaster', when: (s) => !s.master.served.isEmpty },
      anInitialisationOfADirtyChip: {
        on: 'driver.initialiseMaster',
        when: ({ master }, { trigger }) => master.lowest !== 7 && trigger === 'level' && master.high.size > 2,
      },
      aMaskedLevelPassedOver: {
        on: 'driver.endOfInterrupt',
        when: (s, { chip }) => s[chip].specialMask && s[chip].served.meets(s[chip].masked),
      },
      aLevelEndedBelowAMaskedOne: {
        on: 'driver.endOfInterrupt',
        when: (s, { chip, look }) => {
          const level = endable(s[chip], scope)
          return look && s[chip].specialMask && s[chip].served.meets(s[chip].masked) && level !== undefined
        },
      },
      anEndOfTheSlaveAlone: {
        on: 'driver.endOfInterrupt',
        when: (s, { chip, look }) => look && chip === 'slave' && s.master.served.has(CASCADE),
      },
      anEndInRotatedOrder: {
        on: 'driver.endOfInterrupt',
        when: (s, { chip, look }) =>
          look && !s[chip].specialMask && s[chip].served.size > 1 && s[chip].served.first !== endable(s[chip], scope),
      },
    },
    breach: (s) => void (s.broken = Bits.of(3)),
    unspecified: (s) => !s.broken.isEmpty,
  })
}
