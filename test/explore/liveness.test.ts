import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { machines } from '../../spec/index.ts'
import { type Choice, choicesOf } from '../../src/kernel/explore/choices.ts'
import { type Exploration, explore, type Violation } from '../../src/kernel/explore/index.ts'
import { judgeLivenessNaively } from '../../src/kernel/explore/naive-liveness.ts'
import { take } from '../../src/kernel/explore/retrace.ts'
import { cellsAlong } from '../../src/kernel/explore/way-to.ts'
import { type Actor, type Erased, type Machine, viewOf } from '../../src/kernel/language/index.ts'
import { argsToJson } from '../../src/kernel/language/state.ts'
import { doorWithABell } from './machines/door-with-a-bell.ts'
import { mailbox } from './machines/mailbox.ts'
import { buildMachine, machinePlan } from './machines/random-machine.ts'

const inTime = ({ violations }: Exploration): Violation[] =>
  violations.filter(({ kind }) => kind === 'leads-to' || kind === 'obligation')
const named = (violations: readonly Violation[]): string[] => violations.map(({ name, clause }) => `${name} ${clause}`)

/** Follows a lasso on the machine, and looks for somebody fair who is wronged by it. */
const follow = (machine: Machine, { name, clause, steps, loopFrom }: Violation, hostile: readonly Actor[]): void => {
  const cells = cellsAlong(machine, steps)
  const choices = choicesOf(machine).all
  const taken = steps.map(({ action, args }, i): Choice => {
    const choice = choices.find(
      (one) => one.action.name === action && JSON.stringify(argsToJson(one.action, one.args)) === JSON.stringify(args),
    )!
    expect(take(machine, choice, cells[i]!, hostile)?.after).toEqual(cells[i + 1])
    return choice
  })
  expect(cells.at(-1)).toEqual(cells[loopFrom!])
  const loop = cells.slice(loopFrom)
  const around = taken.slice(loopFrom)
  const views = cells.map((one) => viewOf(machine.layout, one) as Erased)
  const isFree = (s: Erased): boolean => machine.unspecified?.(s) === true

  const owed = machine.owes.find((one) => one.name === name && one.clause.id === clause)
  const law = machine.leadsTo.find((one) => one.name === name && one.clause.id === clause)
  const isOpen = (s: Erased): boolean =>
    owed === undefined
      ? !law!.to(s) && (law!.safety === true || !isFree(s))
      : owed.when(s) && (owed.safety === true || !isFree(s))
  for (const s of views.slice(loopFrom)) expect(isOpen(s)).toBe(true)
  if (owed !== undefined) expect(around.map(({ action }) => action.name)).not.toContain(name)
  else {
    const begun = views.findLastIndex((s, i) => law!.from(s) && i <= loopFrom!)
    expect(begun).toBeGreaterThanOrEqual(0)
    const first = views.findIndex((s, i) => law!.from(s) && views.slice(i).every(isOpen))
    expect(first).toBeGreaterThanOrEqual(0)
  }

  const isPossible = (action: number, at: Int32Array): boolean =>
    choices.some((choice) => choice.action.index === action && take(machine, choice, at, hostile) !== undefined)
  const isWronged = (actions: readonly number[], asks: (s: Erased) => boolean): boolean =>
    !around.some(({ action }) => actions.includes(action.index)) &&
    loop.every((at) => actions.some((action) => isPossible(action, at)) && asks(viewOf(machine.layout, at)))
  for (const { actions } of machine.fair) expect(isWronged(actions, () => true)).toBe(false)
  for (const action of machine.actions) {
    const debts = machine.owes.filter((one) => one.name === action.name)
    const asks = (s: Erased): boolean => debts.some((one) => one.when(s) && (one.safety === true || !isFree(s)))
    expect(isWronged([action.index], asks)).toBe(false)
  }
}

const agree = (machine: Machine, hostile: readonly Actor[] = []): Violation[] => {
  const found = inTime(explore(machine, { hostile }))
  // Of obligations one by one: two of a name can share a clause too.
  expect([...new Set(named(found))].sort()).toEqual([...new Set(judgeLivenessNaively(machine, hostile))].sort())
  for (const one of found) if (one.kind === 'leads-to') follow(machine, one, hostile)
  return found
}

describe('what has to come in the end', () => {
  it('is judged as the naive fixpoint does, on machines drawn at random, and each lasso is one', () => {
    const seen = { rests: 0, rounds: 0, obligations: 0, laws: 0, long: 0, kept: 0 }
    fc.assert(
      fc.property(machinePlan, fc.subarray(['driver', 'device'] as const), (plan, hostile) => {
        const machine = buildMachine(plan)
        const found = agree(machine, hostile).filter(({ kind }) => kind === 'leads-to')
        if (found.some(({ steps, loopFrom }) => steps.length === loopFrom)) seen.rests++
        if (found.some(({ steps, loopFrom }) => steps.length > loopFrom!)) seen.rounds++
        if (found.some(({ steps, loopFrom }) => steps.length > loopFrom! + 1)) seen.long++
        if (found.some(({ clause }) => clause!.startsWith('O-'))) seen.obligations++
        if (found.some(({ clause }) => clause!.startsWith('L-'))) seen.laws++
        if (machine.leadsTo.length > 0 && found.length === 0) seen.kept++
      }),
      { numRuns: 120 },
    )
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(3)
  }, 30_000)

  it('is judged alike on machines of the project, honest and hostile', () => {
    for (const [name, hostile] of [
      ['queue', []],
      ['lifecycle', []],
      ['lifecycle', ['driver']],
      ['mmio-interrupt', []],
      ['mmio-interrupt', ['driver']],
      ['bus-order', []],
    ] as const)
      expect(agree(machines.find((one) => one.name === name)!.at('explored'), hostile)).toEqual([])
    expect(agree(mailbox().at('explored'))).toEqual([])
  })

  it('is shown by a shortest way to a round that leaves out nobody who is fair', () => {
    const { violations, liveness, result } = explore(
      doorWithABell(['driver', 'device.doze', 'device.open']).at('explored'),
    )
    expect({ liveness, result }).toEqual({ liveness: 'decided', result: 'violated' })
    expect(violations).toMatchObject([{ kind: 'leads-to', name: 'whoWaitsIsLetIn', clause: 'DOOR', loopFrom: 1 }])
    expect(violations[0]!.steps.map(({ action }) => action)).toEqual(['driver.ring', 'device.doze', 'driver.ring'])
    expect(explore(doorWithABell(['device.doze', 'device.open'], true).at('explored'))).toMatchObject({
      ...{ result: 'holds', liveness: 'decided' },
    })
  })

  it('rests on those who are fair, and on the search being complete', () => {
    // Nobody has to do anything: it stays as it is.
    const idle = doorWithABell([]).at('explored')
    expect(explore(idle).violations).toMatchObject([{ steps: [{ action: 'driver.ring' }], loopFrom: 1 }])
    expect(explore(idle, { liveness: false })).toMatchObject({ result: 'holds', liveness: 'not-asked' })
    expect(explore(idle, { maxStates: 2 })).toMatchObject({
      ...{ result: 'cut-short', liveness: 'undecided', violations: [] },
    })
    const onABus = machines.find(({ name }) => name === 'bus-order')!.at('explored')
    expect(explore(onABus, { memoryBytes: 300_000 })).toMatchObject({
      ...{ states: 880, result: 'cut-short', liveness: 'undecided' },
      cutShort: expect.stringMatching(/^the transitions of 880 states need more than 300000 bytes/),
    })
    expect(() => doorWithABell(['device.sleep']).at('explored')).toThrow(
      /door: fair: expected an action.*found device\.sleep/,
    )
  })
})
