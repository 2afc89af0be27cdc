/**
 * Machines: what authors write (`machine`, `part`, `scoped`) and what every reader of a spec works on (`Machine`).
 *
 * A machine is a state, actions by actors, what actors owe, laws, and goals. It does no I/O and draws no numbers.
 */
import type { Clause } from './clause.ts'
import { type Layout, layoutOf } from './layout.ts'
import type { AnyScalar } from './scalar.ts'
import { type Symmetry, type SymmetryText, symmetryOf } from './symmetry.ts'
import type { ArgFields, Fields, Scalar, Seen, StateOf } from './types.ts'
import { viewOf } from './views.ts'

/** Who performs an action. `memory` is store buffers draining, `backend` a disk image or a network peer. */
export const ACTORS = [
  'driver',
  'device',
  'guest',
  'iommu',
  'irqchip',
  'hypervisor',
  'backend',
  'memory',
  'bus',
  'cpu',
] as const
export type Actor = (typeof ACTORS)[number]
/** `driver.publish`: the actor, then what it does. */
export type ActionName = `${Actor}.${string}`

/** A duty of the actor of an action, evaluated before its effect. */
export interface Duty<S, A> {
  readonly clause: Clause
  /** When the duty applies at all; where it does not, nothing is decided. Default: always. */
  readonly given?: (s: S, args: A) => boolean
  readonly holds: (s: S, args: A) => boolean
  /**
   * What the side under test is tempted to show in this state, and must not. Where it rests without having shown it, the
   * duty is decided: a target that breaks it would have been refused there.
   */
  readonly refrains?: (s: S) => A | undefined
  /** Holds even where behaviour is unspecified after a breach. */
  readonly safety?: true
}

export interface ActionBody<S, W, A> {
  /** One sentence in plain words. */
  readonly does?: string
  readonly args?: { readonly [P in keyof A]: Scalar<A[P]> }
  /** What makes the action possible at all. */
  readonly when?: (s: S, args: Readonly<A>) => boolean
  readonly requires?: { readonly [name: string]: Duty<S, Readonly<A>> }
  readonly effect?: (s: W, args: Readonly<A>) => void
  /** What a plain implementation would do next, if anything: plans are drawn against it. */
  readonly eager?: (s: S) => Readonly<A> | undefined
  /** A target shows this action only when it observes that much; elsewhere it is internal. */
  readonly seenBy?: 'dma'
  /** How often a plan draws it, beside the others. Default 1. */
  readonly weight?: number
  /** Performed on purpose only by a driver that breaks its duties. */
  readonly hostile?: true
}

/** What an actor owes: it may take its time, but it must not stay quiet while it owes. */
export interface Obligation<S> {
  readonly clause: Clause
  readonly when: (s: S) => boolean
  readonly safety?: true
}

/** On every fair path, a state where `from` holds is followed by one where `to` holds, or is one itself. */
export interface LeadsTo<S> {
  readonly clause: Clause
  readonly from: (s: S) => boolean
  readonly to: (s: S) => boolean
  readonly safety?: true
}

export interface Law<S> {
  readonly clause: Clause
  readonly holds: (s: S) => boolean
  readonly safety?: true
}

export interface StepLaw<S> {
  readonly clause: Clause
  readonly holds: (before: S, after: S, by: string) => boolean
  readonly safety?: true
}

/** A step that a run must take: `when` is seen before the effect. */
export type StepGoal<S, A> = {
  [K in keyof A]: { readonly on: K; readonly when?: (s: S, args: Readonly<A[K]>) => boolean }
}[keyof A]

type Misnamed<A> = { [K in Exclude<keyof A, ActionName>]: never }

/** The text of a machine; `F` is its state, `B` what it borrows from the parts that it is composed with. */
export interface Body<F extends Fields, B extends Fields, A> {
  /** The standard that the machine states, with its version. */
  readonly source: string
  readonly state: F
  /** State of other parts that this one reads and never writes. */
  readonly borrows?: B
  /** What is interchangeable. Of this machine by itself: a product says so for itself, see `compose`. */
  readonly symmetry?: SymmetryText
  readonly initial?: (s: StateOf<F>) => void
  readonly actions: {
    readonly [K in keyof A]: ActionBody<Seen<StateOf<F & B>>, StateOf<F> & Seen<StateOf<B>>, A[K]>
  } & Misnamed<A>
  readonly owes?: {
    readonly [action: ActionName]: Obligation<Seen<StateOf<F & B>>> | readonly Obligation<Seen<StateOf<F & B>>>[]
  }
  /** What comes of what, sooner or later: `aSleepingDriverWakes`. */
  readonly leadsTo?: { readonly [name: string]: LeadsTo<Seen<StateOf<F & B>>> }
  /**
   * Who does not stay idle for ever, beside those who owe and beside the memory: an action that is possible without end
   * is taken at some time; an actor, as a process, does something at some time.
   */
  readonly fair?: readonly (ActionName | Actor)[]
  readonly invariants?: { readonly [name: string]: Law<Seen<StateOf<F & B>>> }
  readonly steps?: { readonly [name: string]: StepLaw<Seen<StateOf<F & B>>> }
  /** States to be reached, or steps to be taken, without which a run has proved nothing. */
  readonly goals?: {
    readonly [name: string]: ((s: Seen<StateOf<F & B>>) => boolean) | StepGoal<Seen<StateOf<F & B>>, A>
  }
  /** What a breach of a driver's duty does to the state; behaviour is unspecified where `unspecified` then holds. */
  readonly breach?: (s: StateOf<F>, clause: Clause) => void
  readonly unspecified?: (s: Seen<StateOf<F & B>>) => boolean
  /** States in which nothing more can happen by right; elsewhere they count as stuck. */
  readonly final?: (s: Seen<StateOf<F & B>>) => boolean
}

// Below the author's level everything is erased: a state is a view, arguments are a record.
// biome-ignore lint/suspicious/noExplicitAny: the erased form is checked by the author's types above.
export type Erased = any
export type Args = Readonly<Record<string, unknown>>
type ErasedAction = Omit<ActionBody<Erased, Erased, Erased>, 'args'> & { readonly args?: ArgFields }
interface ErasedStepGoal {
  readonly on: string
  readonly when?: (s: Erased, args: Erased) => boolean
}
export type ErasedBody = Omit<
  Body<Fields, Fields, never>,
  'actions' | 'initial' | 'breach' | 'unspecified' | 'final' | 'goals'
> & {
  readonly goals?: { readonly [name: string]: ((s: Erased) => boolean) | ErasedStepGoal }
  readonly actions: { readonly [name: string]: ErasedAction }
  readonly initial?: ((s: Erased) => void) | undefined
  readonly breach?: ((s: Erased, clause: Clause) => void) | undefined
  readonly unspecified?: ((s: Erased) => boolean) | undefined
  readonly final?: ((s: Erased) => boolean) | undefined
}

/** Checks the author's text; the result is handed to `scoped` or `compose`. */
export const machine = <F extends Fields, A>(body: Body<F, Record<never, never>, A>): ErasedBody =>
  body as unknown as ErasedBody

/** Like `machine`, for a part that borrows state and is closed only by `compose`. */
export const part = <F extends Fields, B extends Fields, A>(
  body: Body<F, B, A> & { readonly borrows: B },
): ErasedBody => body as unknown as ErasedBody

export interface Action {
  readonly index: number
  readonly name: ActionName
  readonly actor: Actor
  readonly does: string
  readonly args: readonly { readonly name: string; readonly type: AnyScalar }[]
  /** The first argument that is an id: in plans it is a reference. */
  readonly reference: { readonly name: string; readonly type: AnyScalar } | undefined
  readonly when: ((s: Erased, args: Args) => boolean) | undefined
  readonly duties: readonly (Duty<Erased, Args> & { readonly name: string })[]
  readonly effect: ((s: Erased, args: Args) => void) | undefined
  readonly eager: ((s: Erased) => Args | undefined) | undefined
  readonly seenBy: 'dma' | undefined
  readonly weight: number
  readonly hostile: boolean
}

/** A machine within one scope, ready to be explored, played or judged with. */
export interface Machine {
  readonly name: string
  readonly source: string
  readonly scopeName: string
  readonly scope: Readonly<Record<string, number>>
  readonly layout: Layout
  /** Empty where nothing is declared to be interchangeable. */
  readonly symmetry: Symmetry
  readonly actions: readonly Action[]
  readonly owes: readonly (Obligation<Erased> & { readonly name: string; readonly actor: Actor })[]
  readonly leadsTo: readonly (LeadsTo<Erased> & { readonly name: string })[]
  /** Actions that are weakly fair, those of a process together: the ones that the author names, and all of the memory. */
  readonly fair: readonly { readonly name: string; readonly actions: readonly number[] }[]
  readonly invariants: readonly (Law<Erased> & { readonly name: string })[]
  readonly steps: readonly (StepLaw<Erased> & { readonly name: string })[]
  /** Goals that are states. */
  readonly goals: readonly { readonly name: string; readonly holds: (s: Erased) => boolean }[]
  /** Goals that are steps: `when` is asked before the effect of the action. */
  readonly stepGoals: readonly {
    readonly name: string
    readonly action: number
    readonly when: (s: Erased, args: Args) => boolean
  }[]
  readonly breach: ((s: Erased, clause: Clause) => void) | undefined
  readonly unspecified: ((s: Erased) => boolean) | undefined
  readonly final: ((s: Erased) => boolean) | undefined
  /** The action of a name; throws a RangeError that names the machine. */
  action(name: string): Action
  /** Fresh cells in the initial state. */
  initial(): Int32Array
}

const actorOf = (name: string, machineName: string): Actor => {
  const actor = name.slice(0, name.indexOf('.')) as Actor
  if (!ACTORS.includes(actor))
    throw new TypeError(`${machineName}: action ${name}: expected an actor (${ACTORS.join(', ')}) before the dot`)
  return actor
}

/** What the author names, and each action of the memory by itself. */
const fairOf = (machineName: string, named: readonly string[], actions: readonly Action[]): Machine['fair'] => {
  const memory = actions.filter(({ actor }) => actor === 'memory').map(({ name }) => name)
  return [...new Set([...named, ...memory])].map((name) => {
    const meant = actions.filter((action) => action.name === name || action.actor === name)
    if (meant.length === 0)
      throw new TypeError(`${machineName}: fair: expected an action, or an actor that has any, found ${name}`)
    return { name, actions: meant.map(({ index }) => index) }
  })
}

const entries = <V>(record: { readonly [name: string]: V } | undefined): [string, V][] => Object.entries(record ?? {})

/** Makes a machine of an author's text. */
export const compile = (
  name: string,
  body: ErasedBody,
  scopeName: string,
  scope: Readonly<Record<string, number>>,
): Machine => {
  const borrowed = Object.keys(body.borrows ?? {}).filter((field) => !(field in body.state))
  if (borrowed.length > 0)
    throw new TypeError(
      `${name}: ${borrowed.join(', ')} is borrowed and owned by no part: compose the machine with its owner`,
    )
  const layout = layoutOf(body.state)
  const actions = entries(body.actions).map(
    ([actionName, action], index): Action => ({
      index,
      name: actionName as ActionName,
      actor: actorOf(actionName, name),
      does: action.does ?? '',
      args: entries(action.args).map(([argName, type]) => ({
        name: argName,
        type: type as AnyScalar,
      })),
      reference: entries(action.args)
        .filter(([, type]) => type.kind === 'id')
        .map(([argName, type]) => ({ name: argName, type: type as AnyScalar }))[0],
      when: action.when,
      duties: entries(action.requires).map(([duty, text]) => ({ name: duty, ...text })),
      effect: action.effect,
      eager: action.eager,
      seenBy: action.seenBy,
      weight: action.weight ?? 1,
      hostile: action.hostile ?? false,
    }),
  )
  const byName = new Map(actions.map((action) => [action.name as string, action]))
  const actionOf = (wanted: string): Action => {
    const found = byName.get(wanted)
    if (found === undefined) throw new RangeError(`${name}: no action is called ${JSON.stringify(wanted)}`)
    return found
  }
  const start = new Int32Array(layout.cells)
  body.initial?.(viewOf(layout, start) as Erased)
  return {
    name,
    source: body.source,
    scopeName,
    scope,
    layout,
    symmetry: symmetryOf(name, body.symmetry, layout),
    actions,
    owes: entries(body.owes as Record<string, Obligation<Erased> | readonly Obligation<Erased>[]>).flatMap(
      ([owed, text]) =>
        [text].flat().map((one) => ({ name: owed, actor: actorOf(owed, name), ...(one as Obligation<Erased>) })),
    ),
    leadsTo: entries(body.leadsTo).map(([law, text]) => ({ name: law, ...text })),
    fair: fairOf(name, body.fair ?? [], actions),
    invariants: entries(body.invariants).map(([law, text]) => ({ name: law, ...text })),
    steps: entries(body.steps).map(([law, text]) => ({ name: law, ...text })),
    goals: entries(body.goals).flatMap(([goal, text]) =>
      typeof text === 'function' ? [{ name: goal, holds: text }] : [],
    ),
    stepGoals: entries(body.goals).flatMap(([goal, text]) =>
      typeof text === 'function'
        ? []
        : [{ name: goal, action: actionOf(text.on).index, when: text.when ?? (() => true) }],
    ),
    breach: body.breach as Machine['breach'],
    unspecified: body.unspecified,
    final: body.final,
    action: actionOf,
    initial: () => start.slice(),
  }
}

/** A machine over its scopes. `explored` bounds exhaustive search, `played` is what campaigns use. */
export interface ScopedMachine {
  readonly name: string
  readonly scopes: { readonly [scope: string]: Readonly<Record<string, number>> }
  /** The machine in a named scope, with single bounds replaced. */
  at(scope: string, bounds?: Readonly<Record<string, number>>): Machine
}

export const scoped = <const P extends Record<string, number>>(
  name: string,
  scopes: {
    readonly explored: P
    readonly played: { readonly [K in keyof P]: number }
    readonly [other: string]: { readonly [K in keyof P]: number }
  },
  build: (scope: { readonly [K in keyof P]: number }) => ErasedBody,
): ScopedMachine => ({
  name,
  scopes,
  at: (scopeName, bounds = {}) => {
    const named = scopes[scopeName]
    if (named === undefined)
      throw new RangeError(
        `${name}: no scope is called ${JSON.stringify(scopeName)}; there are ${Object.keys(scopes).join(', ')}`,
      )
    for (const [bound, value] of Object.entries(bounds)) {
      if (!(bound in named))
        throw new RangeError(
          `${name}: scope has no bound ${JSON.stringify(bound)}; there are ${Object.keys(named).join(', ')}`,
        )
      if (!Number.isInteger(value) || value < 0)
        throw new RangeError(`${name}: bound ${bound}: expected a whole number, found ${String(value)}`)
    }
    const scope = { ...named, ...bounds }
    const label =
      Object.keys(bounds).length === 0
        ? scopeName
        : `${scopeName}+${Object.entries(bounds)
            .map(([k, v]) => `${k}=${v}`)
            .join(',')}`
    return compile(name, build(scope as { readonly [K in keyof P]: number }), label, scope)
  },
})
