/**
 * Dining philosophers who all take the fork at their left first. Counts in closed form: `n` of them have
 * (1 + √2)^n + (1 - √2)^n states, the Pell-Lucas numbers, and one of these is the deadlock.
 */
import { machine, scoped, t } from '../../../src/kernel/language/index.ts'
import { ownClause } from './clause.ts'

export const philosophers = scoped('philosophers', { explored: { n: 5 }, played: { n: 5 } }, ({ n }) => {
  const right = (i: number): number => (i + 1) % n
  return machine({
    source: 'dining philosophers',
    state: {
      /** What each philosopher is at; `hungry` has the left fork. */
      at: t.array(n, t.oneOf('thinking', 'hungry', 'eating')),
      /** Forks on the table; fork `i` lies at the left of philosopher `i`. */
      taken: t.set(n),
    },
    actions: {
      'driver.takeLeft': {
        args: { i: t.below(n) },
        when: (s, { i }) => s.at.at(i) === 'thinking' && !s.taken.has(i),
        effect(s, { i }) {
          s.taken = s.taken.with(i)
          s.at.set(i, 'hungry')
        },
      },
      'driver.takeRight': {
        args: { i: t.below(n) },
        when: (s, { i }) => s.at.at(i) === 'hungry' && !s.taken.has(right(i)),
        effect(s, { i }) {
          s.taken = s.taken.with(right(i))
          s.at.set(i, 'eating')
        },
      },
      'driver.putBack': {
        args: { i: t.below(n) },
        when: (s, { i }) => s.at.at(i) === 'eating',
        effect(s, { i }) {
          s.taken = s.taken.without(i).without(right(i))
          s.at.set(i, 'thinking')
        },
      },
    },
    invariants: {
      neighboursNeverEatTogether: {
        clause: ownClause('PHIL-1'),
        holds: (s) => !s.at.some((at, i) => at === 'eating' && s.at.at(right(i)) === 'eating'),
      },
    },
    goals: { everybodyHungry: (s) => s.at.every((at) => at === 'hungry') },
  })
})
