/**
 * Milner's scheduler: a ring of cells starts the tasks of its customers in turn, and no task again before it has ended.
 * Counts in closed form: with `n` cells n · 2^(n + 1) states.
 */
import { machine, scoped, t } from '../../../src/kernel/language/index.ts'
import { ownClause } from './clause.ts'

export const scheduler = scoped('scheduler', { explored: { n: 5 }, played: { n: 5 } }, ({ n }) =>
  machine({
    source: 'R. Milner, Communication and Concurrency',
    state: {
      /** Whose turn it is, and whether that cell has started its task and must pass the turn on. */
      turn: t.mod(n),
      started: t.flag,
      /** Tasks that run. */
      busy: t.set(n),
    },
    actions: {
      'driver.start': {
        when: (s) => !s.started && !s.busy.has(s.turn),
        effect(s) {
          s.busy = s.busy.with(s.turn)
          s.started = true
        },
      },
      'driver.pass': {
        when: (s) => s.started,
        effect(s) {
          s.turn++
          s.started = false
        },
      },
      'device.finish': {
        args: { task: t.below(n) },
        when: (s, { task }) => s.busy.has(task),
        effect: (s, { task }) => void (s.busy = s.busy.without(task)),
      },
    },
    steps: {
      tasksStartInTurn: {
        clause: ownClause('MILNER-1'),
        holds: (before, after, by) => by !== 'driver.start' || after.busy.mask === before.busy.with(before.turn).mask,
      },
    },
    goals: { everyTaskRuns: (s) => s.busy.mask === 2 ** n - 1 },
  }),
)
