/**
 * Machines drawn at random that treat all their clients alike: each is somewhere, one may hold the token, some wait, and
 * a place in a ring goes round. What is drawn decides where an action can be taken and what it does.
 */
import fc from 'fast-check'
import {
  type Clause,
  compile,
  type Erased,
  type ErasedBody,
  type Machine,
  t,
} from '../../../src/kernel/language/index.ts'

const CLIENTS = 3
const PLACES = 3
const SLOTS = 3

interface MovePlan {
  readonly at: number
  readonly to: number
  readonly mood: number | undefined
  readonly moodAfter: number
  readonly holds: boolean | undefined
  readonly token: 'take' | 'drop' | 'leave'
  readonly waits: boolean
  readonly turns: boolean
  /** Only where the client is named by the slot at the turn. */
  readonly atTurn: boolean
}
interface TestPlan {
  readonly kind: 'mood' | 'count' | 'waiting' | 'held'
  readonly value: number
}
export interface ClientsPlan {
  readonly moves: readonly MovePlan[]
  readonly invariant: TestPlan
  readonly step: TestPlan
  readonly goal: TestPlan
  readonly from: TestPlan
  readonly to: TestPlan
  readonly owed: TestPlan
  readonly fair: readonly number[]
}

const clause = { id: 'CLIENTS-1' } as Clause

const test =
  ({ kind, value }: TestPlan) =>
  (s: Erased): boolean => {
    switch (kind) {
      case 'mood':
        return s.mood === value % 2
      case 'count':
        return s.at.count((place: number) => place === value % PLACES) === 1
      case 'waiting':
        return s.waiting.size === value
      case 'held':
        return s.holder !== undefined && s.at.at(s.holder) === value % PLACES
    }
  }
const not = (plan: TestPlan) => (s: Erased) => !test(plan)(s)

export const buildClients = ({ moves, invariant, step, goal, from, to, owed, fair }: ClientsPlan): Machine => {
  const client = t.id('client', CLIENTS)
  const slot = t.mod(SLOTS, 'slot')
  const names = moves.map((_, i) => `device.move${i}`)
  const body = {
    source: 'random',
    symmetry: { ids: ['client'], rotate: ['slot'] },
    state: {
      at: t.array(client, t.below(PLACES)),
      holder: t.maybe(client),
      waiting: t.set(client),
      mood: t.below(2),
      turn: slot,
      ring: t.array(slot, t.maybe(client)),
    },
    actions: Object.fromEntries(
      moves.map((move, i) => [
        names[i],
        {
          args: { client },
          when: (s: Erased, { client: c }: Erased) =>
            s.at.at(c) === move.at &&
            (move.mood === undefined || s.mood === move.mood) &&
            (move.holds === undefined || (s.holder === c) === move.holds) &&
            (!move.atTurn || s.ring.at(s.turn) === c),
          effect(s: Erased, { client: c }: Erased) {
            s.at.set(c, move.to)
            s.mood = move.moodAfter
            if (move.token === 'take') s.holder = c
            if (move.token === 'drop') s.holder = undefined
            s.waiting = move.waits ? s.waiting.with(c) : s.waiting.without(c)
            if (!move.turns) return
            s.ring.set(s.turn, s.ring.at(s.turn) === undefined ? c : undefined)
            s.turn++
          },
        },
      ]),
    ),
    invariants: { law: { clause, holds: not(invariant) } },
    steps: { stepLaw: { clause, holds: (before: Erased, after: Erased) => test(step)(before) || not(goal)(after) } },
    goals: { there: test(goal) },
    leadsTo: { comes: { clause, from: test(from), to: test(to) } },
    owes: { [names[0]!]: { clause, when: test(owed) } },
    fair: fair.map((i) => names[i % names.length]),
  } as unknown as ErasedBody
  return compile('clients', body, 'drawn', {})
}

const testPlan = fc.record({
  kind: fc.constantFrom<TestPlan['kind'][]>('mood', 'count', 'waiting', 'held'),
  value: fc.nat({ max: 3 }),
})
const perhaps = <V>(of: fc.Arbitrary<V>): fc.Arbitrary<V | undefined> => fc.option(of, { nil: undefined })

export const clientsPlan: fc.Arbitrary<ClientsPlan> = fc.record({
  moves: fc.array(
    fc.record({
      at: fc.nat({ max: PLACES - 1 }),
      to: fc.nat({ max: PLACES - 1 }),
      mood: perhaps(fc.nat({ max: 1 })),
      moodAfter: fc.nat({ max: 1 }),
      holds: perhaps(fc.boolean()),
      token: fc.constantFrom('take' as const, 'drop' as const, 'leave' as const),
      waits: fc.boolean(),
      turns: fc.boolean(),
      atTurn: fc.boolean(),
    }),
    { minLength: 2, maxLength: 5, size: 'max' },
  ),
  invariant: testPlan,
  step: testPlan,
  goal: testPlan,
  from: testPlan,
  to: testPlan,
  owed: testPlan,
  fair: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
})
