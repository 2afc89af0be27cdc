import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Exploration, explore, type Step } from '../../src/kernel/explore/index.ts'
import { type Actor, type Machine, viewOf } from '../../src/kernel/language/index.ts'
import { argsFromJson, differences, stateToJson } from '../../src/kernel/language/state.ts'
import { mailbox } from './machines/mailbox.ts'
import { buildMachine, machinePlan } from './machines/random-machine.ts'

const names = (steps: readonly Step[] | undefined) => steps?.map(({ action }) => action)

/** Walks a trace literally, from what it says alone: the last two states, and the last effect without its breach. */
const walk = (machine: Machine, steps: readonly Step[]): Record<'before' | 'effect' | 'after', Int32Array> => {
  let before = machine.initial()
  let after = before
  let effect = before
  for (const step of steps) {
    before = after
    after = before.slice()
    const action = machine.action(step.action)
    const args = argsFromJson(action, step.args)
    const seen = viewOf(machine.layout, before.slice())
    expect(action.when?.(seen, args) ?? true).toBe(true)
    const unspecified = machine.unspecified?.(seen) === true
    const broken = action.duties.filter(
      (duty) => (duty.safety || !unspecified) && (duty.given?.(seen, args) ?? true) && !duty.holds(seen, args),
    )
    expect(step.breaches ?? []).toEqual(broken.map(({ clause }) => clause.id))
    const next = viewOf(machine.layout, after)
    action.effect?.(next, args)
    effect = after.slice()
    for (const { clause } of broken) machine.breach?.(next, clause)
    expect(step.changes).toEqual(differences(machine.layout, before, after))
  }
  return { before, effect, after }
}

/** Every counterexample really ends in a broken law; those that go round are followed in `liveness.test.ts`. */
const prove = (machine: Machine, exploration: Exploration): void => {
  for (const { kind, name, steps, state } of exploration.violations) {
    const { before, effect, after } = walk(machine, steps)
    expect(stateToJson(machine.layout, after)).toEqual(state)
    const last = viewOf(machine.layout, after)
    if (kind === 'invariant') expect(machine.invariants.find((law) => law.name === name)?.holds(last)).toBe(false)
    else if (kind === 'obligation') expect(machine.owes.find((owed) => owed.name === name)?.when(last)).toBe(true)
    else if (kind === 'step') {
      const law = machine.steps.find((one) => one.name === name)
      const by = steps.at(-1)?.action ?? ''
      expect(law?.holds(viewOf(machine.layout, before), viewOf(machine.layout, effect), by)).toBe(false)
    }
  }
}

describe('a counterexample', () => {
  it('is a shortest one, and says what each step changed', () => {
    const lost = explore(mailbox({ forgetsWhileMasked: true }).at('explored'))
    expect(lost.result).toBe('violated')
    expect(lost.violations).toEqual([
      {
        name: 'noCompletionIsLost',
        kind: 'invariant',
        clause: 'MBOX-PEND',
        steps: [
          { action: 'driver.toggleMask', args: {}, changes: [{ path: 'mask', before: false, after: true }] },
          {
            action: 'driver.post',
            args: { page: 0 },
            changes: [
              { path: 'slot', before: null, after: 0 },
              { path: 'busy', before: false, after: true },
              { path: 'posts', before: 0, after: 1 },
            ],
          },
          {
            action: 'device.done',
            args: {},
            changes: [
              { path: 'slot', before: 0, after: null },
              { path: 'busy', before: true, after: false },
              { path: 'dones', before: 0, after: 1 },
            ],
          },
        ],
        state: expect.objectContaining({ seen: 0, dones: 1, pend: false, slot: null, mapped: [0] }),
      },
    ])
  })

  it('of a step law ends with the step that breaks it', () => {
    const { violations } = explore(mailbox({ acknowledgesEarly: true }).at('explored'))
    expect(violations.map(({ name, kind, steps }) => [name, kind, names(steps)])).toEqual([
      ['nothingIsMarkedSeenWithoutAnInterrupt', 'step', ['driver.post', 'device.done']],
    ])
  })

  it('of an obligation ends where nothing can happen any more; the state counts as stuck too', () => {
    const { violations, stuck, actions } = explore(mailbox({ oversleeps: true }).at('explored'))
    const way = ['driver.post', 'device.done', 'device.sleep']
    expect(violations.map(({ name, kind, clause, steps }) => [name, kind, clause, names(steps)])).toEqual([
      ['device.interrupt', 'obligation', 'MBOX-INTERRUPT', way],
    ])
    expect(stuck.count).toBe(128)
    expect(names(stuck.steps)).toEqual(way)
    expect(actions['driver.unplug']).toBe(0)
  })

  it('is found in hostile scope only, where a breach is named and waives what is not safety', () => {
    const honest = explore(mailbox().at('explored'))
    expect(honest).toMatchObject({
      result: 'holds',
      stuck: { count: 0 },
      goals: { aPageThatIsNotThere: null, anInterruptForAWrappedCount: 5 },
    })
    const hostile = explore(mailbox().at('explored'), { hostile: ['driver'] })
    expect(hostile.violations.map(({ name, steps }) => [name, names(steps)])).toEqual([
      ['onlyMappedPagesAreTouched', ['driver.post', 'device.touch', 'driver.unplug', 'driver.map']],
    ])
    const wild = explore(mailbox().at('explored'), { hostile: ['driver', 'device'] })
    expect(wild.violations[0]?.steps.map(({ action, args, breaches }) => [action, args, breaches])).toEqual([
      ['driver.post', { page: 0 }, undefined],
      ['device.touch', { page: 1 }, ['MBOX-FETCH', 'MBOX-DMA']],
    ])
  })

  it('of a machine drawn at random can be walked literally and ends in a broken law', () => {
    let walked = 0
    fc.assert(
      fc.property(machinePlan, fc.subarray<Actor>(['driver', 'device']), (plan, hostile) => {
        const machine = buildMachine(plan)
        const exploration = explore(machine, { hostile })
        prove(machine, exploration)
        walked += exploration.violations.filter(({ steps }) => steps.length > 1).length
      }),
      { numRuns: 150 },
    )
    expect(walked).toBeGreaterThan(10)
  })
})
