/**
 * Products of machines. A part never redeclares what another part owns: it borrows it. Actions of the same name are one
 * joint action, possible when every part says so, with the duties of all and the effects in the order of the parts.
 */
import type { Clause } from './clause.ts'
import type { Erased, ErasedBody } from './machine.ts'
import type { SymmetryText } from './symmetry.ts'
import type { Type } from './types.ts'

export interface Seams {
  /** Fields that some part borrows. Every one of them, and no other. */
  readonly shared: readonly string[]
  /** Actions that several parts take part in. Every one of them, and no other. */
  readonly synchronised: readonly string[]
  /** What is interchangeable in the product, whatever its parts say of themselves. */
  readonly symmetry?: SymmetryText
}

type ErasedAction = Erased

const sameList = (what: string, declared: readonly string[], actual: ReadonlySet<string>): void => {
  const missing = [...actual].filter((name) => !declared.includes(name))
  const extra = declared.filter((name) => !actual.has(name))
  if (missing.length > 0) throw new TypeError(`compose: ${what} lacks ${missing.join(', ')}`)
  if (extra.length > 0)
    throw new TypeError(`compose: ${what} names ${extra.join(', ')}, which the parts do not have in common`)
}

const mergeArgs = (name: string, actions: readonly ErasedAction[]): Record<string, Type> => {
  const args: Record<string, Type> = {}
  for (const action of actions)
    for (const [arg, type] of Object.entries<Type>(action.args ?? {})) {
      const known = args[arg]
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(type))
        throw new TypeError(`compose: argument ${arg} of ${name} has two types`)
      args[arg] = known ?? type
    }
  return args
}

type Test = (...args: Erased[]) => boolean

const partsOf = new WeakMap<Test, readonly Test[]>()

/** The tests of which one was composed: it passes where all of them do. Any other is its own only part. */
export const conjunctsOf = (test: Test): readonly Test[] => partsOf.get(test)?.flatMap(conjunctsOf) ?? [test]

/** All of `tests` pass; undefined tests pass. */
const allOf = (tests: readonly (Test | undefined)[]): Test | undefined => {
  const given = tests.filter((test) => test !== undefined)
  const [first, second] = given
  if (given.length <= 1) return first
  const all: Test =
    given.length === 2 ? (a, b) => first!(a, b) && second!(a, b) : (a, b) => given.every((test) => test(a, b))
  partsOf.set(all, given)
  return all
}

const eachOf = (
  effects: readonly (((...args: Erased[]) => void) | undefined)[],
): ((...args: Erased[]) => void) | undefined => {
  const given = effects.filter((effect) => effect !== undefined)
  const [first, second] = given
  if (given.length === 0) return undefined
  if (given.length === 1) return first
  if (given.length === 2)
    return (a, b) => {
      first!(a, b)
      second!(a, b)
    }
  return (a, b) => {
    for (const effect of given) effect(a, b)
  }
}

const joint = (name: string, parts: readonly (readonly [string, ErasedAction])[]): ErasedAction => {
  const actions = parts.map(([, action]) => action)
  if (actions.length === 1) return actions[0]
  const requires: Record<string, unknown> = {}
  for (const [, action] of parts)
    for (const [duty, text] of Object.entries(action.requires ?? {})) {
      if (duty in requires) throw new TypeError(`compose: ${name} has two duties called ${duty}`)
      requires[duty] = text
    }
  const eagers = actions.map((action) => action.eager).filter((eager) => eager !== undefined)
  const eager =
    eagers.length === 0
      ? undefined
      : (s: Erased) => {
          let merged: Record<string, unknown> | undefined
          for (const one of eagers) {
            const args = one(s)
            if (args === undefined) return undefined
            merged = merged === undefined ? args : { ...merged, ...args }
          }
          return merged
        }
  return {
    does: actions.map((action) => action.does).find((does) => does !== undefined),
    args: mergeArgs(name, actions),
    when: allOf(actions.map((action) => action.when)),
    requires,
    effect: eachOf(actions.map((action) => action.effect)),
    eager,
    seenBy: actions.map((action) => action.seenBy).find((seen) => seen !== undefined),
    weight: actions.map((action) => action.weight).find((weight) => weight !== undefined) ?? 1,
    hostile: actions.some((action) => action.hostile === true) || undefined,
  }
}

const union = <V>(
  parts: readonly (readonly [string, ErasedBody])[],
  of: (body: ErasedBody) => Readonly<Record<string, V>> | undefined,
): Record<string, V> => {
  const all: Record<string, V> = {}
  for (const [partName, body] of parts)
    for (const [name, value] of Object.entries(of(body) ?? {})) {
      if (name in all) throw new TypeError(`compose: ${partName} redeclares ${name}`)
      all[name] = value
    }
  return all
}

/** The product of the parts, itself a machine text: it can be explored, played, judged with, and composed again. */
export const compose = (parts: Readonly<Record<string, ErasedBody>>, seams: Seams): ErasedBody => {
  const list = Object.entries(parts)
  const state = union(list, (body) => body.state)
  const owners = new Map(
    list.flatMap(([partName, body]) => Object.keys(body.state).map((field) => [field, partName] as const)),
  )
  const borrowed = new Set<string>()
  const open: Record<string, Type> = {}
  for (const [partName, body] of list)
    for (const [field, type] of Object.entries(body.borrows ?? {})) {
      const owner = owners.get(field)
      if (owner === undefined) {
        open[field] = type
        continue
      }
      borrowed.add(field)
      if (JSON.stringify(state[field]) !== JSON.stringify(type))
        throw new TypeError(`compose: ${partName} borrows ${field} with another type than ${owner} declares`)
    }
  sameList('shared', seams.shared, borrowed)

  const byAction = new Map<string, [string, ErasedAction][]>()
  for (const [partName, body] of list)
    for (const [name, action] of Object.entries(body.actions))
      byAction.set(name, [...(byAction.get(name) ?? []), [partName, action]])
  sameList(
    'synchronised',
    seams.synchronised,
    new Set([...byAction].filter(([, of]) => of.length > 1).map(([name]) => name)),
  )

  const owes: Record<string, unknown[]> = {}
  for (const [, body] of list)
    for (const [name, text] of Object.entries(body.owes ?? {})) owes[name] = [...(owes[name] ?? []), ...[text].flat()]

  const bodies = list.map(([, body]) => body)
  const unspecified = bodies.map((body) => body.unspecified).filter((test) => test !== undefined)
  const finals = bodies.map((body) => body.final).filter((test) => test !== undefined)
  return {
    source: [...new Set(bodies.map((body) => body.source))].join('; '),
    state,
    ...(seams.symmetry === undefined ? {} : { symmetry: seams.symmetry }),
    ...(Object.keys(open).length === 0 ? {} : { borrows: open }),
    initial: eachOf(bodies.map((body) => body.initial)),
    actions: Object.fromEntries([...byAction].map(([name, of]) => [name, joint(name, of)])),
    owes,
    leadsTo: union(list, (body) => body.leadsTo),
    fair: [...new Set(bodies.flatMap((body) => body.fair ?? []))],
    invariants: union(list, (body) => body.invariants),
    steps: union(list, (body) => body.steps),
    goals: union(list, (body) => body.goals),
    breach: eachOf(bodies.map((body) => body.breach)) as ((s: Erased, clause: Clause) => void) | undefined,
    unspecified: unspecified.length === 0 ? undefined : (s: Erased) => unspecified.some((test) => test(s)),
    final: finals.length === 0 ? undefined : (s: Erased) => finals.every((test) => test(s)),
  } as unknown as ErasedBody
}
