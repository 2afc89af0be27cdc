/**
 * Machines drawn at random: every kind of type, guards, duties, breaches, laws of all kinds. A drawn machine is data,
 * so that a failing one can be printed and shrunk.
 */
import fc from 'fast-check'
import {
  type Clause,
  compile,
  type Erased,
  type ErasedBody,
  type Machine,
  type Type,
  t,
} from '../../../src/kernel/language/index.ts'
import { type AnyScalar, decodeScalar } from '../../../src/kernel/language/scalar.ts'

type FieldPlan =
  | { readonly kind: 'scalar'; readonly of: AnyScalar }
  | { readonly kind: 'array'; readonly length: number; readonly of: AnyScalar }
  | { readonly kind: 'record'; readonly a: AnyScalar; readonly b: AnyScalar }
  | { readonly kind: 'records'; readonly length: number; readonly a: AnyScalar }
  | { readonly kind: 'variant'; readonly x: AnyScalar }

/** Place number (modulo the number of places), the value's number (modulo its size), and whether it has to differ. */
interface TestPlan {
  readonly place: number
  readonly value: number
  readonly differs: boolean
}
interface WritePlan {
  readonly place: number
  /** What is written: a constant, plus the argument, plus what stands in another place. */
  readonly plus: number
  readonly withArgument: boolean
  readonly other: number | undefined
}
interface ActionPlan {
  readonly byDriver: boolean
  readonly hostile: boolean
  readonly ways: number
  readonly when: readonly TestPlan[]
  readonly duties: readonly {
    readonly given: TestPlan | undefined
    readonly holds: TestPlan
    readonly safety: boolean
  }[]
  readonly writes: readonly WritePlan[]
}
interface LawPlan {
  readonly one: TestPlan
  readonly other: TestPlan
  readonly safety: boolean
}
export interface MachinePlan {
  readonly fields: readonly FieldPlan[]
  readonly actions: readonly ActionPlan[]
  readonly invariants: readonly LawPlan[]
  readonly steps: readonly LawPlan[]
  /** Number of the action that is owed; none: one that the machine does not have. */
  readonly owes: readonly (LawPlan & { readonly on: number | undefined })[]
  readonly leadsTo: readonly { readonly from: TestPlan; readonly to: TestPlan; readonly safety: boolean }[]
  /** Numbers of actions. */
  readonly fair: readonly number[]
  readonly fairDriver: boolean
  readonly goals: readonly LawPlan[]
  readonly stepGoals: readonly { readonly on: number; readonly when: TestPlan | undefined }[]
  readonly breach: WritePlan | undefined
  readonly unspecified: TestPlan | undefined
  readonly final: TestPlan | undefined
}

/** One thing of the state that can be read and written as a number below `size`. */
interface Place {
  readonly size: number
  read(s: Erased): number
  write(s: Erased, index: number): void
}

const MOST_VALUES = 3

/** A few values of a type, the first (which a state starts with) and the last among them. */
const sample = (
  type: AnyScalar,
): { size: number; valueAt(index: number): unknown; indexOf(value: unknown): number } => {
  const size = Math.min(type.cells, MOST_VALUES)
  const values = Array.from({ length: size }, (_, i) =>
    decodeScalar(type, size === 1 ? 0 : Math.floor((i * (type.cells - 1)) / (size - 1))),
  )
  const keys = values.map((value) => JSON.stringify(value))
  return { size, valueAt: (index) => values[index], indexOf: (value) => keys.indexOf(JSON.stringify(value)) }
}

const placesOf = (field: FieldPlan, name: string): Place[] => {
  const scalar = (type: AnyScalar, get: (s: Erased) => unknown, set: (s: Erased, value: unknown) => void): Place => {
    const { size, valueAt, indexOf } = sample(type)
    return { size, read: (s) => indexOf(get(s)), write: (s, index) => set(s, valueAt(index)) }
  }
  switch (field.kind) {
    case 'scalar':
      return [
        scalar(
          field.of,
          (s) => s[name],
          (s, value) => void (s[name] = value),
        ),
      ]
    case 'array':
      return Array.from({ length: field.length }, (_, i) =>
        scalar(
          field.of,
          (s) => s[name].at(i),
          (s, value) => s[name].set(i, value),
        ),
      )
    case 'record':
      return [
        scalar(
          field.a,
          (s) => s[name].a,
          (s, value) => void (s[name].a = value),
        ),
        scalar(
          field.b,
          (s) => s[name].b,
          (s, value) => void (s[name].b = value),
        ),
      ]
    case 'records':
      return Array.from({ length: field.length }, (_, i) =>
        scalar(
          field.a,
          (s) => s[name].at(i).a,
          (s, value) => void (s[name].at(i).a = value),
        ),
      )
    case 'variant': {
      const { size, valueAt, indexOf } = sample(field.x)
      return [
        {
          size: size + 1,
          read: (s) => (s[name].is === 'none' ? 0 : 1 + indexOf(s[name].x)),
          write: (s, index) => void (s[name] = index === 0 ? { is: 'none' } : { is: 'some', x: valueAt(index - 1) }),
        },
      ]
    }
  }
}

const typeOf = (field: FieldPlan): Type => {
  switch (field.kind) {
    case 'scalar':
      return field.of
    case 'array':
      return t.array(field.length, field.of)
    case 'record':
      return t.record({ a: field.a, b: field.b })
    case 'records':
      return t.array(field.length, t.record({ a: field.a }))
    case 'variant':
      return t.variant({ none: {}, some: { x: field.x } })
  }
}

const clause = (id: string) => ({ id }) as Clause

export const buildMachine = (plan: MachinePlan): Machine => {
  const places = plan.fields.flatMap((field, i) => placesOf(field, `f${i}`))
  const placeAt = (n: number): Place => places[n % places.length]!
  const test =
    ({ place, value, differs }: TestPlan) =>
    (s: Erased): boolean => {
      const { size, read } = placeAt(place)
      return (read(s) === value % size) !== differs
    }
  const write = ({ place, plus, withArgument, other }: WritePlan, s: Erased, argument: number): void => {
    const { size, write } = placeAt(place)
    write(s, (plus + (withArgument ? argument : 0) + (other === undefined ? 0 : placeAt(other).read(s))) % size)
  }
  const either = ({ one, other }: LawPlan) => {
    const tests = [test(one), test(other)]
    return (s: Erased) => tests.some((holds) => holds(s))
  }
  const numbered = <P, V>(plans: readonly P[], name: string, of: (p: P, i: number) => V): Record<string, V> =>
    Object.fromEntries(plans.map((p, i) => [`${name}${i}`, of(p, i)]))
  const safe = (safety: boolean) => (safety ? { safety: true } : {})

  const actionNames = plan.actions.map(({ byDriver }, i) => `${byDriver ? 'driver' : 'device'}.a${i}`)

  const owedNames: string[] = []
  for (const [i, { on }] of plan.owes.entries()) {
    const name = on === undefined ? undefined : actionNames[on % actionNames.length]!
    owedNames.push(name === undefined || owedNames.includes(name) ? `device.owed${i}` : name)
  }

  const body = {
    source: 'random',
    state: Object.fromEntries(plan.fields.map((field, i) => [`f${i}`, typeOf(field)])),
    actions: Object.fromEntries(
      plan.actions.map(({ hostile, ways, when, duties, writes }, i) => [
        actionNames[i]!,
        {
          ...(hostile ? { hostile: true } : {}),
          ...(ways > 1 ? { args: { n: t.below(ways), h: t.flag } } : {}),
          ...(when.length > 0 ? { when: (s: Erased) => when.every((one) => test(one)(s)) } : {}),
          requires: numbered(duties, 'duty', ({ given, holds, safety }, d) => ({
            clause: clause(`C-${i}-${d}`),
            ...(given === undefined ? {} : { given: test(given) }),
            holds: test(holds),
            ...safe(safety),
          })),
          ...(writes.length > 0
            ? {
                effect(s: Erased, args: Erased) {
                  for (const one of writes) write(one, s, (args.n ?? 0) + (args.h ? 1 : 0))
                },
              }
            : {}),
        },
      ]),
    ),
    owes: Object.fromEntries(
      plan.owes.map((law, i) => [owedNames[i]!, { clause: clause(`O-${i}`), when: either(law), ...safe(law.safety) }]),
    ),
    leadsTo: numbered(plan.leadsTo, 'comes', ({ from, to, safety }, i) => ({
      ...{ clause: clause(`L-${i}`), from: test(from), to: test(to) },
      ...safe(safety),
    })),
    fair: [
      ...plan.fair.map((n) => actionNames[n % actionNames.length]!),
      ...(plan.fairDriver && plan.actions.some(({ byDriver }) => byDriver) ? ['driver'] : []),
    ],
    invariants: numbered(plan.invariants, 'law', (law, i) => ({
      clause: clause(`I-${i}`),
      holds: either(law),
      ...safe(law.safety),
    })),
    steps: numbered(plan.steps, 'step', ({ one, other, safety }, i) => ({
      clause: clause(`S-${i}`),
      holds: (before: Erased, after: Erased, by: string) =>
        by === 'device.a0' || test(one)(before) || test(other)(after),
      ...safe(safety),
    })),
    goals: {
      ...numbered(plan.goals, 'goal', (law) => (s: Erased) => test(law.one)(s) && test(law.other)(s)),
      ...numbered(plan.stepGoals, 'taken', ({ on, when }) => ({
        on: actionNames[on % actionNames.length]!,
        ...(when === undefined ? {} : { when: (s: Erased, args: Erased) => !args.h && test(when)(s) }),
      })),
    },
    breach: plan.breach === undefined ? undefined : (s: Erased) => write(plan.breach!, s, 0),
    unspecified: plan.unspecified === undefined ? undefined : test(plan.unspecified),
    final: plan.final === undefined ? undefined : test(plan.final),
  } as unknown as ErasedBody
  return compile('random', body, 'drawn', {})
}

const scalars: fc.Arbitrary<AnyScalar> = fc.constantFrom<AnyScalar[]>(
  t.flag,
  t.int(-2, 0),
  t.int(-1_000_000, 1_000_000),
  t.int(7, 7),
  t.below(2 ** 31),
  t.mod(3),
  t.mod(65_536),
  t.oneOf('p', 'q', 'r'),
  t.set(2),
  t.set(31),
  t.id('head', 3),
  t.maybe(t.flag),
  t.maybe(t.int(-5, 300)),
)

const field: fc.Arbitrary<FieldPlan> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('scalar' as const), of: scalars }) },
  fc.record({ kind: fc.constant('array' as const), length: fc.integer({ min: 1, max: 3 }), of: scalars }),
  fc.record({ kind: fc.constant('record' as const), a: scalars, b: scalars }),
  fc.record({ kind: fc.constant('records' as const), length: fc.integer({ min: 1, max: 2 }), a: scalars }),
  fc.record({ kind: fc.constant('variant' as const), x: scalars }),
)

const number = fc.nat({ max: 11 })
const test = fc.record({ place: number, value: number, differs: fc.boolean() })
const perhaps = <V>(of: fc.Arbitrary<V>): fc.Arbitrary<V | undefined> => fc.option(of, { nil: undefined })
const write = fc.record({ place: number, plus: number, withArgument: fc.boolean(), other: perhaps(number) })
const law = fc.record({ one: test, other: test, safety: fc.boolean() })
const few = <V>(of: fc.Arbitrary<V>): fc.Arbitrary<V[]> => fc.array(of, { maxLength: 2, size: 'max' })
const unless = fc.integer({ min: 0, max: 3 }).map((n) => n === 0)

const action: fc.Arbitrary<ActionPlan> = fc.record({
  byDriver: fc.boolean(),
  hostile: unless,
  ways: fc.integer({ min: 1, max: 3 }),
  when: fc.array(test, { maxLength: 1 }),
  duties: few(fc.record({ given: perhaps(test), holds: test, safety: fc.boolean() })),
  writes: fc.array(write, { minLength: 1, maxLength: 3 }),
})

export const machinePlan: fc.Arbitrary<MachinePlan> = fc.record({
  fields: fc.array(field, { minLength: 1, maxLength: 4, size: 'max' }),
  actions: fc.array(action, { minLength: 1, maxLength: 6, size: 'max' }),
  invariants: few(law),
  steps: few(law),
  owes: few(fc.record({ one: test, other: test, safety: fc.boolean(), on: perhaps(number) })),
  leadsTo: few(fc.record({ from: test, to: test, safety: fc.boolean() })),
  fair: few(number),
  fairDriver: fc.boolean(),
  goals: few(law),
  stepGoals: few(fc.record({ on: number, when: perhaps(test) })),
  breach: perhaps(write),
  unspecified: perhaps(test),
  final: perhaps(test),
})
