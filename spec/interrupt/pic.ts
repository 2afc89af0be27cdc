/**
 * The pair of 8259A interrupt controllers of a PC. Judged by the data sheet; what implementations in use do otherwise is
 * a bound each, and a profile is a set of them.
 */
import { compose, scoped, together } from '../../src/kernel/language/index.ts'
import { answers } from './pic-answers.ts'
import { commands } from './pic-commands.ts'
import { pair } from './pic-pair.ts'
import { setUps } from './pic-setup.ts'

/** The data sheet. */
const DATA_SHEET = {
  levelByIcw1: 1,
  withdraws: 1,
  remembersLines: 1,
  pulses: 1,
  sparesMasked: 1,
  nestsSlaveOnly: 1,
  specialMask: 1,
  promptSpecialMask: 1,
  promptInitialisation: 1,
  pollServes: 1,
  keepsLevels: 1,
  singleMode: 1,
  specialNesting: 1,
  selectsRequests: 1,
  rotation: 1,
  alignsBase: 1,
  spuriousSlave: 1,
  guardsEdges: 1,
}

export const pic = scoped(
  'pic',
  {
    explored: { lines: 0x0102, bases: 2, commands: 0x03, triggers: 1, modes: 1, int: 1, ...DATA_SHEET },
    played: { lines: 0xffff, bases: 32, commands: 0x1ff, triggers: 3, modes: 7, int: 1, ...DATA_SHEET },
  },
  (scope) =>
    compose(
      { pair: together(pair(scope), commands(scope), setUps(scope)), answers: answers(scope) },
      {
        shared: ['master', 'slave', 'cascade', 'asked', 'int', 'late', 'ended', 'broken'],
        synchronised: [
          'irqchip.answerVector',
          'irqchip.answerPoll',
          'irqchip.answerRegister',
          'irqchip.raise',
          'irqchip.lower',
        ],
      },
    ),
)
