/**
 * Leader election in a one-way ring, after Chang and Roberts: everybody sends its number on; a greater number is
 * passed on, a smaller one is dropped, and who gets its own number back leads. Numbers fall along the ring, so that
 * every message travels as far as it can.
 */
import { machine, scoped, t } from '../../../src/kernel/language/index.ts'
import { ownClause } from './clause.ts'
import { queue } from './queue.ts'

export const election = scoped('election', { explored: { n: 4 }, played: { n: 4 } }, ({ n }) => {
  const place = t.below(n)
  const numberOf = (i: number): number => n - 1 - i
  const { type, isEmpty, first, push, shift } = queue(n, place)
  return machine({
    source: 'Chang and Roberts',
    state: {
      started: t.set(n),
      /** Numbers on their way to each place from the one before it. */
      inbox: t.array(n, type),
      leader: t.maybe(place),
    },
    actions: {
      'driver.start': {
        args: { i: place },
        when: (s, { i }) => !s.started.has(i),
        effect(s, { i }) {
          s.started = s.started.with(i)
          push(s.inbox.at((i + 1) % n), numberOf(i))
        },
      },
      'driver.receive': {
        args: { i: place },
        when: (s, { i }) => !isEmpty(s.inbox.at(i)),
        effect(s, { i }) {
          const number = first(s.inbox.at(i))
          shift(s.inbox.at(i))
          if (number > numberOf(i)) push(s.inbox.at((i + 1) % n), number)
          else if (number === numberOf(i)) s.leader = i
        },
      },
    },
    invariants: {
      onlyTheGreatestLeads: {
        clause: ownClause('ELECTION-1'),
        holds: (s) => s.leader === undefined || numberOf(s.leader) === n - 1,
      },
    },
    final: (s) => s.leader !== undefined && s.started.mask === 2 ** n - 1,
    goals: { aLeader: (s) => s.leader !== undefined },
  })
})
