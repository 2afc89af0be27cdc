/** Passes that make steps simpler: schedule, breaches, and arguments toward the first value of their type. */
import type { AnyScalar } from '../language/scalar.ts'
import type { PlanStep } from '../play/plan.ts'
import type { Pass } from './pass.ts'
import { type Act, rawOf, replaced, type Steps, without, withRaw } from './steps.ts'

/** Up to here every lower value is tried; above, the range is halved. */
const FEW = 8

/**
 * Lower raw values, simplest first, each with the number to go on from when it does; -1 is the start.
 * Of a set: none, then without each member. Of a long range: the first, then by bisection.
 */
function* lower(type: AnyScalar, raw: number, from = -1): Generator<readonly [number, number]> {
  if (type.kind === 'maybe') {
    if (from < 0 && raw > 0) yield [0, 0]
    if (raw > 1) for (const [inner, next] of lower(type.of!, raw - 1, from)) yield [inner + 1, next]
  } else if (type.kind === 'set') {
    if (from < 0 && raw !== 0) yield [0, 0]
    for (let member = Math.max(from, 0); member < type.members!; member++) {
      const bit = 1 << member
      if ((raw & bit) !== 0 && raw !== bit) yield [raw & ~bit, member]
    }
  } else if (type.kind === 'enum' || raw <= FEW) {
    for (let value = from + 1; value < raw; value++) yield [value, value]
  } else {
    if (from < 0) yield [0, 0]
    for (let passes = Math.max(from, 0); passes + 1 < raw; ) {
      const value = passes + ((raw - passes) >> 1)
      yield [value, passes]
      passes = value
    }
  }
}

/** Rests for counted steps, neighbours merged, and smaller counts. Place: the step, and where its count goes on. */
export const schedule: Pass = function* (steps, [first = 0, from = -2]) {
  for (let i = first, go = from; i < steps.length; i++, go = -2) {
    const step = steps[i]!
    if (step.do !== 'step') continue
    const following = steps[i + 1]
    if (go === -2) {
      yield [{ steps: replaced(steps, i, { do: 'settle' }) }, [i + 1]]
      if (following?.do === 'step') {
        const merged: PlanStep = { do: 'step', count: step.count + following.count }
        yield [{ steps: without(replaced(steps, i, merged), i + 1, i + 2) }, [i]]
      }
    }
    const count = { kind: 'int', cells: step.count, low: 1 } as const
    for (const [raw, next] of lower(count, step.count - 1, Math.max(go, -1)))
      yield [{ steps: replaced(steps, i, { do: 'step', count: raw + 1 }) }, [i, next]]
  }
}

/** Duties are kept again, as the step is or with one small argument changed. Place: the step. */
export const obedience: Pass = function* (steps, [first = 0]) {
  for (let i = first; i < steps.length; i++) {
    const step = steps[i]!
    if (step.do !== 'act' || !step.hostile) continue
    const obedient = { ...step, hostile: false }
    yield [{ steps: replaced(steps, i, obedient) }, [i + 1]]
    for (let arg = 0; arg < step.action.args.length; arg++) {
      const { type } = step.action.args[arg]!
      for (let raw = 0; raw < Math.min(type.cells, FEW); raw++)
        if (type.kind !== 'id' && raw !== rawOf(step, arg))
          yield [{ steps: replaced(steps, i, withRaw(obedient, arg, raw)) }, [i + 1]]
    }
  }
}

interface Slot {
  readonly at: number
  readonly arg: number
  readonly step: Act
  readonly type: AnyScalar
  readonly raw: number
}

const slotsOf = (steps: Steps): Slot[] =>
  steps.flatMap((step, at) =>
    step.do === 'act'
      ? step.action.args.map(({ type }, arg): Slot => ({ at, arg, step, type, raw: rawOf(step, arg) }))
      : [],
  )

/** Equal kinds of equal values are taken for the same thing: ids of one domain, or arguments of one name and range. */
const kindOf = ({ step, arg, type }: Slot): string =>
  type.kind === 'id' ? `id ${type.domain}` : `${step.action.args[arg]!.name} ${type.kind} ${type.low} ${type.cells}`

const withSlots = (steps: Steps, slots: readonly Slot[], raw: (slot: Slot) => number): PlanStep[] => {
  const out = steps.slice()
  for (const slot of slots) out[slot.at] = withRaw(out[slot.at] as Act, slot.arg, raw(slot))
  return out
}

/** Ids of each domain in the order in which they are first used. Place: the next domain. */
export const renamed: Pass = function* (steps, [next = 0]) {
  const domains = new Map<string, Slot[]>()
  for (const slot of slotsOf(steps))
    if (slot.type.kind === 'id') domains.set(slot.type.domain!, [...(domains.get(slot.type.domain!) ?? []), slot])
  const list = [...domains.values()]
  for (let i = next; i < list.length; i++) {
    const order = [...new Set(list[i]!.map(({ raw }) => raw))]
    if (order.some((raw, k) => raw !== k))
      yield [{ steps: withSlots(steps, list[i]!, ({ raw }) => order.indexOf(raw)) }, [i + 1]]
  }
}

/** Equal values are lowered together. Place: step and argument of the first of them, and where it goes on. */
export const together: Pass = function* (steps, [first = 0, firstArg = 0, from = -1]) {
  const slots = slotsOf(steps)
  const groups = new Map<string, Slot[]>()
  for (const slot of slots) {
    const key = `${kindOf(slot)} ${slot.raw}`
    groups.set(key, [...(groups.get(key) ?? []), slot])
  }
  for (const group of groups.values()) {
    const { at, arg, type, raw } = group[0]!
    if (group.length < 2 || at < first || (at === first && arg < firstArg)) continue
    for (const [value, next] of lower(type, raw, at === first && arg === firstArg ? from : -1))
      yield [{ steps: withSlots(steps, group, () => value) }, [at, arg, next]]
  }
}

/** Arguments are lowered: all that are no ids at once, then one after the other. Place: step and argument, and where it goes on. */
export const values: Pass = function* (steps, [first = 0, firstArg = 0, from = -1]) {
  const high = slotsOf(steps).filter(({ type, raw }) => type.kind !== 'id' && raw > 0)
  if (first === 0 && firstArg === 0 && from === -1 && high.length > 1)
    yield [{ steps: withSlots(steps, high, () => 0) }, [0, 0, -1]]
  for (const { at, arg, step, type, raw } of slotsOf(steps)) {
    if (at < first || (at === first && arg < firstArg)) continue
    for (const [value, next] of lower(type, raw, at === first && arg === firstArg ? from : -1))
      yield [{ steps: replaced(steps, at, withRaw(step, arg, value)) }, [at, arg, next]]
  }
}
