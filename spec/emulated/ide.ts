/**
 * The registers of an IDE channel: commands without data, PIO transfers, errors, the interrupt and its two gates, the
 * software reset, and a second drive that is not there.
 */
import { scoped, together } from '../../src/kernel/language/index.ts'
import { answers } from './ide-answers.ts'
import { commands } from './ide-commands.ts'
import { interrupt } from './ide-interrupt.ts'

export const ide = scoped(
  'ide',
  {
    explored: { sectors: 2, counts: 2, values: 1, lines: 1, gates: 1, holdsReset: 1, quietReset: 1, selects: 1 },
    played: { sectors: 2, counts: 3, values: 3, lines: 1, gates: 1, holdsReset: 1, quietReset: 1, selects: 1 },
  },
  (scope) => together(commands(scope), answers(scope), interrupt(scope)),
)
