/** What silence decides: a duty that the side under test was tempted to break, and that it would have been refused for. */
import { expect, it } from 'vitest'
import { clause as clauseOf } from '../../spec/clauses/index.ts'
import { Judge } from '../../src/kernel/judge/judge.ts'
import { machine, scoped, t } from '../../src/kernel/language/index.ts'

const clause = clauseOf('VIO-PCI-09')

const toy = scoped('toy', { explored: { lines: 2 }, played: { lines: 2 } }, ({ lines }) => {
  const line = t.below(lines)
  return machine({
    source: 'test',
    state: { happened: t.flag, mapped: t.flag },
    actions: {
      'driver.map': { args: { on: t.flag }, effect: (s, { on }) => void (s.mapped = on) },
      'driver.provoke': { effect: (s) => void (s.happened = true) },
      'device.tell': {
        args: { line },
        requires: {
          onlyWhereMapped: { clause, holds: (s) => s.mapped, refrains: (s) => (s.happened ? { line: 1 } : undefined) },
        },
      },
    },
  })
})

const judged = (map: boolean, provoke: boolean, hidden: Readonly<Record<string, string>> = {}): number => {
  const judge = new Judge(toy.at('played'))
  const { machine } = judge
  judge.perform(machine.action('driver.map'), { on: map })
  if (provoke) judge.perform(machine.action('driver.provoke'), {})
  expect(judge.quiet()).toBeUndefined()
  judge.refrained(hidden)
  const { decided, exercised } = judge.ledger.clauses().get(clause.id)!
  expect(exercised).toBe(decided)
  return decided
}

it('decides where the action would have been refused, and nowhere else', () => {
  expect(judged(false, true)).toBe(1)
  // Nothing tempts it; what tempts it is allowed; it could not be seen.
  expect(judged(false, false)).toBe(0)
  expect(judged(true, true)).toBe(0)
  expect(judged(false, true, { 'device.tell': 'it is not shown' })).toBe(0)
})
