/** Command words to an initialised 8259A: masks, ends, rotation, special mask mode, triggers, and what is read next. */
import { Bits, part, t } from '../../src/kernel/language/index.ts'
import { CASCADE, end, endable, isKnown, levelTriggered, requests } from './pic-chip.ts'
import {
  ALWAYS_EDGE,
  after,
  COMMANDS,
  chipOf,
  chips,
  endAll,
  isReady,
  line,
  otherCommand,
  type PicScope,
  pairState,
  setSpecialMask,
} from './pic-wire.ts'

export const commands = (scope: PicScope) => {
  const has = (kind: number): boolean => (scope.commands & kind) !== 0
  const { masks, ends, rotation, specialMask, triggers, reads } = COMMANDS
  /** What would only make the walk longer is left to what is played. */
  const isWhole = scope.bases > 2
  const driven = Bits.of(scope.lines & ~(1 << CASCADE))
  const isUsed = (line: number): boolean => driven.has(line) || line === CASCADE
  return part({
    source: 'Intel 8259A',
    borrows: {},
    state: pairState(scope.bases),
    actions: {
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
          if (look) {
            s.master.selected = s.slave.selected = 'service'
            s.ended = chip
          }
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
    },
    goals: {
      anEndWithTheLevelHigh: {
        on: 'driver.endOfInterrupt',
        when: (s, { chip }) => s[chip].served.meets(s[chip].high.and(levelTriggered(s[chip]))),
      },
      anUnmaskedRequest: {
        on: 'driver.unmask',
        when: (s, { line }) => requests(s[chipOf(line)]).has(line % 8),
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
  })
}
