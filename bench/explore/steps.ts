/**
 * Many actions and wide states, for the cliffs of engines: processes that go round in positions, each step one of
 * several actions that exclude each other. `positions ** processes` states, `processes` transitions each.
 */
import { type Erased, machine, scoped, t } from '../../src/kernel/language/index.ts'

const PROCESSES = 5
const POSITIONS = 16

export const steps = scoped(
  'steps',
  {
    explored: { alternatives: 1, padding: 0 },
    // 320 actions.
    many: { alternatives: 4, padding: 0 },
    // 32 words a state.
    wide: { alternatives: 1, padding: 31 },
    played: { alternatives: 1, padding: 0 },
  },
  ({ alternatives, padding }) =>
    machine({
      source: 'none',
      state: {
        at: t.array(PROCESSES, t.below(POSITIONS)),
        padding: t.array(Math.max(1, padding), padding === 0 ? t.below(1) : t.int(0, 2 ** 31 - 1)),
      },
      actions: Object.fromEntries(
        Array.from({ length: PROCESSES * POSITIONS * alternatives }, (_, i) => {
          const process = i % PROCESSES
          const position = Math.floor(i / PROCESSES) % POSITIONS
          const alternative = Math.floor(i / PROCESSES / POSITIONS)
          const other = (process + 1) % PROCESSES
          return [
            `device.p${process}x${position}a${alternative}`,
            {
              when: (s: Erased): boolean =>
                s.at.at(process) === position && s.at.at(other) % alternatives === alternative,
              effect: (s: Erased): void => s.at.set(process, (position + 1) % POSITIONS),
            },
          ]
        }),
      ) as Erased,
    }),
)
