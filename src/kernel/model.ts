/**
 * A model joins a machine to targets: how the actions that we play are performed on an implementation, and how what
 * the implementation does is read back as actions of the machine. It pokes and looks; it never judges.
 */
import type { Description, Target } from '../contract/target.ts'
import type { Action, Actor, Args, Machine, ScopedMachine } from './language/machine.ts'

/** Takes what was observed, as an action of the machine, in the order in which it happened. */
export type Sink = (action: Action, args: Args, note?: string) => void

export interface Model {
  readonly machine: ScopedMachine
  /** The actors that we perform; the actions of all others are observed. */
  readonly played: readonly Actor[]
  /** Why this target cannot be asked, or undefined when it can. */
  notApplicable(target: Description): string | undefined
  /** Bounds of the machine that fit this target; default: the `played` scope as it is. */
  scope?(target: Description): { readonly scope: string; readonly bounds?: Readonly<Record<string, number>> }
  /**
   * Behaviours in use beside the one that is judged by, each with the bounds that allow it: where a trace deviates, the
   * report says which of them it equals.
   */
  readonly profiles?: readonly { readonly name: string; readonly bounds: Readonly<Record<string, number>> }[]
  /** Actions of the machine that cannot be performed or seen on this target, each with the reason. */
  unavailable?(target: Description): Readonly<Record<string, string>>
  /** Goals of the machine, within its bounds, that cannot be reached on this target, each with the reason. */
  unreachableGoals?(target: Description, machine: Machine): Readonly<Record<string, string>>
  /**
   * Finds the device; throws a ModelError when the target is not what its description says. `alive` is called in the
   * middle of actions that take long, lest they be taken for a hang.
   */
  open(target: Target, machine: Machine, sink: Sink, alive?: () => void): Session
}

/** One target, driven. The same session serves many runs. */
export interface Session {
  /** Brings the target into the initial state of the machine, whatever went before, and forgets pending events. */
  start(): void
  /** Performs an action that we play. Answers that it draws go to the sink. */
  perform(action: Action, args: Args): void
  /**
   * Reads everything that the target shows and that was not told yet, and tells the sink. At a `rest` silence is about
   * to be judged, so that what is costly to look at counts too; at the `end` of a run all of it does.
   */
  collect(at?: 'rest' | 'end'): void
  /** Actions that this very device cannot perform or show, and goals out of its reach, each with the reason. */
  readonly unavailable?: Readonly<Record<string, string>>
  /** The device that `step` and `control` of the target are about. */
  readonly device: string
  /**
   * All that it remembers of a run, as text: two states of a walked implementation are told apart by it. Absent: the
   * session remembers nothing that neither the target nor the machine shows.
   */
  remembers?(): string
  /** After the target moved into a fresh instance (save and restore, migration): go on with that one. */
  move(target: Target): void
}

/** The target does not do what its description or the transport demands, so that nothing can be judged. */
export class ModelError extends Error {
  override readonly name = 'ModelError'
}
