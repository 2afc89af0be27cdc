/** Peterson's lock for `n` processes: a process passes n - 1 rooms, in each of which the last to enter waits. */
import { machine, scoped, t } from '../../../src/kernel/language/index.ts'
import { ownClause } from './clause.ts'

export const filterLock = scoped('filter-lock', { explored: { n: 3 }, played: { n: 3 } }, ({ n }) => {
  const process = t.below(n)
  return machine({
    source: "Peterson's n-process mutual exclusion",
    state: {
      at: t.array(n, t.oneOf('out', 'entering', 'signing', 'waiting', 'inside')),
      /** The room that each process is in or enters; 0 is the street. */
      room: t.array(n, t.below(n)),
      /** Who entered a room last. */
      last: t.array(n, process),
    },
    actions: {
      'driver.begin': {
        args: { i: process },
        when: (s, { i }) => s.at.at(i) === 'out',
        effect: (s, { i }) => s.at.set(i, 'entering'),
      },
      'driver.enter': {
        does: 'Says in which room it is.',
        args: { i: process },
        when: (s, { i }) => s.at.at(i) === 'entering',
        effect(s, { i }) {
          s.room.set(i, s.room.at(i) + 1)
          s.at.set(i, 'signing')
        },
      },
      'driver.sign': {
        does: 'Says that it was the last to enter.',
        args: { i: process },
        when: (s, { i }) => s.at.at(i) === 'signing',
        effect(s, { i }) {
          s.last.set(s.room.at(i), i)
          s.at.set(i, 'waiting')
        },
      },
      'driver.goOn': {
        does: 'Nobody else is as far, or somebody entered later: the next room, or the last door.',
        args: { i: process },
        when: (s, { i }) =>
          s.at.at(i) === 'waiting' &&
          (s.last.at(s.room.at(i)) !== i || s.room.every((other, j) => j === i || other < s.room.at(i))),
        effect: (s, { i }) => s.at.set(i, s.room.at(i) === n - 1 ? 'inside' : 'entering'),
      },
      'driver.leave': {
        args: { i: process },
        when: (s, { i }) => s.at.at(i) === 'inside',
        effect(s, { i }) {
          s.room.set(i, 0)
          s.at.set(i, 'out')
        },
      },
    },
    invariants: {
      atMostOneIsInside: { clause: ownClause('PETERSON-1'), holds: (s) => s.at.count((at) => at === 'inside') <= 1 },
    },
    goals: { everybodyWaits: (s) => s.at.every((at) => at === 'waiting') },
  })
})
