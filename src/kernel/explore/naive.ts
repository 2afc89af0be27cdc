/**
 * A second explorer, as plain as can be: the oracle that the fast one is tested against. It shares no code with it, and
 * keeps no state but in a Map under its JSON. A hundred times slower and hungrier; for small scopes only.
 */
import type { Action, Actor, Args, Machine } from '../language/index.ts'
import { type AnyScalar, decodeScalar } from '../language/scalar.ts'
import { stateToJson } from '../language/state.ts'
import { viewOf } from '../language/views.ts'

export interface NaiveExploration {
  readonly states: number
  readonly transitions: number
  readonly depth: number
  /** Kind and name of each broken law, with the length of a shortest counterexample. */
  readonly violations: Readonly<Record<string, number>>
  readonly stuck: number
  readonly goals: Readonly<Record<string, number | null>>
  readonly actions: Readonly<Record<string, number>>
}

const valuesOf = (type: AnyScalar): unknown[] => Array.from({ length: type.cells }, (_, raw) => decodeScalar(type, raw))

const everyArgs = (action: Action): Args[] =>
  action.args.reduce<Args[]>(
    (all, { name, type }) => all.flatMap((args) => valuesOf(type).map((value) => ({ ...args, [name]: value }))),
    [{}],
  )

export const exploreNaively = (machine: Machine, hostile: readonly Actor[] = []): NaiveExploration => {
  const { layout } = machine
  const depths = new Map<string, number>()
  const queue: Int32Array[] = []
  const violations: Record<string, number> = {}
  const goals: Record<string, number | null> = {}
  for (const { name } of [...machine.goals, ...machine.stepGoals]) goals[name] = null
  const actions: Record<string, number> = Object.fromEntries(machine.actions.map(({ name }) => [name, 0]))
  let transitions = 0
  let stuck = 0
  let depth = 0

  const meet = (cells: Int32Array, at: number): void => {
    const key = JSON.stringify(stateToJson(layout, cells))
    if (depths.has(key)) return
    depths.set(key, at)
    queue.push(cells)
  }
  const breaks = (law: string, length: number): void => {
    violations[law] = Math.min(violations[law] ?? length, length)
  }

  meet(machine.initial(), 0)
  for (const cells of queue) {
    const s = viewOf(layout, cells.slice())
    depth = depths.get(JSON.stringify(stateToJson(layout, cells)))!
    const unspecified = machine.unspecified?.(s) === true
    for (const { name, holds } of machine.goals) if (holds(s)) goals[name] ??= depth
    for (const { name, holds, safety } of machine.invariants)
      if ((safety || !unspecified) && !holds(s)) breaks(`invariant ${name}`, depth)

    let enabled = 0
    for (const action of machine.actions) {
      const isHostile = hostile.includes(action.actor)
      if (action.hostile && !isHostile) continue
      for (const args of everyArgs(action)) {
        if (action.when && !action.when(s, args)) continue
        const applying = action.duties.filter(
          (duty) => (duty.safety || !unspecified) && (duty.given === undefined || duty.given(s, args)),
        )
        const broken = applying.filter((duty) => !duty.holds(s, args))
        if (broken.length > 0 && !isHostile) continue
        enabled++
        actions[action.name]!++
        for (const { name, action: index, when } of machine.stepGoals)
          if (index === action.index && when(s, args)) goals[name] ??= depth + 1
        const after = cells.slice()
        const n = viewOf(layout, after)
        action.effect?.(n, args)
        const unspecifiedAfter = machine.unspecified?.(n) === true
        for (const { name, holds, safety } of machine.steps)
          if ((safety || !unspecifiedAfter) && !holds(s, n, action.name)) breaks(`step ${name}`, depth + 1)
        for (const duty of broken) machine.breach?.(n, duty.clause)
        meet(after, depth + 1)
      }
    }
    transitions += enabled
    if (enabled > 0) continue
    for (const { name, when, safety } of machine.owes)
      if ((safety || !unspecified) && when(s)) breaks(`obligation ${name}`, depth)
    if (machine.final?.(s) !== true) stuck++
  }
  return { states: depths.size, transitions, depth, violations, stuck, goals, actions }
}
