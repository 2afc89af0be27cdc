import { describe, expect, it } from 'vitest'
import { explore } from '../../src/kernel/explore/index.ts'
import { wayTo } from '../../src/kernel/explore/way-to.ts'
import { machine, scoped, t } from '../../src/kernel/language/index.ts'
import { differences, stateToJson } from '../../src/kernel/language/state.ts'
import { cellsOfItf, type ItfTrace, itfOf } from '../../src/report/itf.ts'
import { doorWithABell } from './machines/door-with-a-bell.ts'
import { mailbox } from './machines/mailbox.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

/** Every kind of type. */
const zoo = scoped('zoo', { explored: { wide: 3 }, played: { wide: 3 } }, ({ wide }) =>
  machine({
    source: 'ZOO 1.0',
    state: {
      count: t.int(-2, 5),
      wraps: t.mod(4),
      names: t.oneOf('ape', 'bear'),
      pens: t.array(wide, t.record({ open: t.flag, of: t.maybe(t.set(3)) })),
      animals: t.array(2, t.set(4)),
      gate: t.variant({ shut: {}, open: { by: t.id('keeper', 2), since: t.below(4) } }),
    },
    initial: (s) => void (s.count = -2),
    actions: {
      'driver.feed': {
        args: { pen: t.below(wide) },
        effect(s, { pen }) {
          s.count = s.count === 5 ? -2 : s.count + 1
          s.wraps++
          s.names = 'bear'
          s.pens.at(pen).open = !s.pens.at(pen).open
          s.pens.at(pen).of = s.animals.at(0)
          s.animals.set(0, s.animals.at(0).with(pen))
          s.gate = s.gate.is === 'open' ? { is: 'shut' } : { is: 'open', by: 1, since: 3 }
        },
      },
    },
    goals: {
      twoPens: (s) => s.pens.count(({ open }) => open) === 2,
      theLastPen: { on: 'driver.feed', when: (s, { pen }) => pen === 2 && s.count === 0 },
      everyPenAtOnce: (s) => s.count === 5 && s.count < 5,
    },
  }),
)

const CASES = [
  { of: zoo.at('explored'), goal: 'twoPens', length: 2 },
  { of: zoo.at('explored'), goal: 'theLastPen', length: 3 },
  { of: twoPhaseCommit.at('explored'), goal: 'everybodyCommitted', length: 10 },
]

describe('wayTo', () => {
  it.each(CASES)('$goal takes $length steps, as the exploration says', ({ of, goal, length }) => {
    expect(explore(of).goals[goal]).toBe(length)
    const { steps, searched } = wayTo(of, goal)
    expect(steps).toHaveLength(length)
    expect(searched.cutShort).toBeUndefined()
  })

  it('says that there is none, and that it gave up', () => {
    expect(wayTo(zoo.at('explored'), 'everyPenAtOnce').steps).toBeUndefined()
    const gaveUp = wayTo(twoPhaseCommit.at('explored'), 'everybodyCommitted', { maxStates: 20 })
    expect(gaveUp.steps).toBeUndefined()
    expect(gaveUp.searched.cutShort).toMatch(/more than 20 states/)
    expect(() => wayTo(zoo.at('explored'), 'threePens')).toThrow(
      /no goal is called threePens; there are twoPens, everyPenAtOnce, theLastPen/,
    )
  })

  it('ends with the step that the goal asks for', () => {
    expect(wayTo(zoo.at('explored'), 'theLastPen').steps!.at(-1)).toMatchObject({
      action: 'driver.feed',
      args: { pen: 2 },
    })
  })
})

describe('a trace in ITF', () => {
  it.each(CASES)('of the way to $goal is read back state by state', ({ of, goal }) => {
    const { steps } = wayTo(of, goal)
    const text = JSON.stringify(itfOf(of, steps!, goal))
    const trace = JSON.parse(text)
    const cells = cellsOfItf(of.layout, trace)
    expect(cells).toHaveLength(steps!.length + 1)
    expect(cells[0]).toEqual(of.initial())
    for (const [i, { changes }] of steps!.entries())
      expect(differences(of.layout, cells[i]!, cells[i + 1]!)).toEqual(changes)
    expect(JSON.stringify(itfOf(of, steps!, goal))).toBe(text)
  })

  it('has the forms of the format', () => {
    const { steps } = wayTo(zoo.at('explored'), 'theLastPen')
    const { vars, params, states } = itfOf(zoo.at('explored'), steps!, 'reaches theLastPen')
    expect(params).toEqual([])
    expect(vars).toEqual(['mbt::actionTaken', 'count', 'wraps', 'names', 'pens', 'animals', 'gate'])
    for (const [i, state] of states.entries()) {
      expect(state['#meta'].index).toBe(i)
      expect(Object.keys(state).sort()).toEqual(['#meta', ...vars].sort())
    }
    expect(states[0]).toMatchObject({
      'mbt::actionTaken': 'init',
      count: { '#bigint': '-2' },
      names: 'ape',
      animals: [{ '#set': [] }, { '#set': [] }],
      gate: { tag: 'shut', value: { '#tup': [] } },
    })
    expect(states[1]).toMatchObject({
      'mbt::actionTaken': 'driver.feed',
      gate: { tag: 'open', value: { by: { '#bigint': '1' }, since: { '#bigint': '3' } } },
    })
    const first = states[0]!.pens as { of: unknown }[]
    expect(first[0]!.of).toEqual({ tag: 'None', value: { '#tup': [] } })
  })

  it('of a counterexample ends in the state that breaks the law', () => {
    const flawed = mailbox({ forgetsWhileMasked: true }).at('explored')
    const [violation] = explore(flawed).violations
    const last = cellsOfItf(flawed.layout, itfOf(flawed, violation!.steps, violation!.name)).at(-1)!
    expect(stateToJson(flawed.layout, last)).toEqual(violation!.state)
  })

  it('says where a round begins: in the state that the last one repeats', () => {
    const door = doorWithABell(['driver', 'device.doze', 'device.open']).at('explored')
    const [violation] = explore(door).violations
    const { states, loop } = itfOf(door, violation!.steps, violation!.name, violation!.loopFrom)
    expect([states.length, loop]).toEqual([4, 1])
    const cells = cellsOfItf(door.layout, { states } as ItfTrace)
    expect(cells.at(-1)).toEqual(cells[loop!])
  })
})
