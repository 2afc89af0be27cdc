/** What an exploration is asked and what it answers. */
import type { Actor } from '../language/index.ts'
import type { ScalarJson } from '../language/scalar.ts'
import type { Change, Json } from '../language/state.ts'
import type { Choice } from './choices.ts'

export interface ExploreOptions {
  /** Distinct states after which the run is cut short. Default and maximum: `MAX_STATES`. */
  readonly maxStates?: number
  /** Bytes that states and the table over them may take. Default: half of the machine's memory, at most 8 GiB. */
  readonly memoryBytes?: number
  /** Actors that may break their duties and take their `hostile` actions. Default: nobody. */
  readonly hostile?: readonly Actor[]
  /** States whose fast reading is held against the plain one, at a thousand times the cost. Default: a sample. */
  readonly audit?: 'sample' | 'all'
  /**
   * Whether of states that differ by a symmetry that the machine declares only one is walked. What is found of laws,
   * goals and stuck states is the same, with ways of the same length; states and transitions are fewer. Default: not.
   */
  readonly symmetry?: boolean
  /** Told every transition, batch by batch; costs about a third more. */
  readonly onEdges?: (edges: Edges) => void
  /** Whether what has to come in the end is judged too. Default: it is. */
  readonly liveness?: boolean
  /** Called about ten times a second. */
  readonly onProgress?: (progress: Progress) => void
  /** Asked after every batch of states; true ends the run as `cut-short`. */
  readonly interrupted?: () => boolean
}

/** Transitions, those that lead back to the same state included; arrays are used again for the next ones. */
export interface Edges {
  readonly count: number
  /** Numbers of states, in the order in which they were found: the initial one is 0. */
  readonly from: Int32Array
  readonly to: Int32Array
  /** What was done, by its place in `choices`. */
  readonly by: Int32Array
  readonly choices: readonly Choice[]
}

export interface Progress {
  readonly states: number
  readonly transitions: number
  /** Level that is being expanded. */
  readonly depth: number
  /** States that are known and not yet expanded. */
  readonly waiting: number
  readonly seconds: number
}

/** One transition of a trace. */
export interface Step {
  readonly action: string
  readonly args: Readonly<Record<string, ScalarJson>>
  /** What the transition changed, field by field. */
  readonly changes: readonly Change[]
  /** Clauses that the actor broke in taking it; absent where it kept all its duties. */
  readonly breaches?: readonly string[]
}

/** A law that some reachable state or transition breaks, with a shortest way there. */
export interface Violation {
  readonly name: string
  /**
   * `obligation`: something is owed in a state in which nothing can happen any more. `leads-to`: something that has to
   * come, an obligation or a `leadsTo` law, need not come on a path on which everybody who is fair gets his turn.
   */
  readonly kind: 'invariant' | 'step' | 'obligation' | 'leads-to'
  readonly clause: string | undefined
  /** From the initial state; empty when the initial state itself is at fault. */
  readonly steps: readonly Step[]
  /** Of `leads-to`: the steps from this one on go round for ever. Equal to their number: it stays as it is for ever. */
  readonly loopFrom?: number
  /** The state after the last step. */
  readonly state: Json
}

export interface Exploration {
  readonly machine: string
  readonly scope: Readonly<Record<string, number>>
  /** Distinct reachable states; under symmetry one for all that differ by it. */
  readonly states: number
  /**
   * Of a run under symmetry: how many states they stand for. As many as a run without it finds, if indexes that may be
   * turned on do go all the way round.
   */
  readonly represents?: number
  /** Enabled (state, action, arguments) triples, self-loops and known successors included. */
  readonly transitions: number
  /** Steps from the initial state to the farthest one; under symmetry to the nearest of those that differ by it. */
  readonly depth: number
  readonly seconds: number
  /** Of the laws only: stuck states and goals that were not reached are judged by the reader of the report. */
  readonly result: 'holds' | 'violated' | 'cut-short'
  /** Why not everything was seen. Present also beside `violated`. */
  readonly cutShort?: string
  /** Of what has to come in the end: whether it was decided. A run that was cut short decides nothing of it. */
  readonly liveness: 'decided' | 'undecided' | 'not-asked'
  /** One for each broken law. */
  readonly violations: readonly Violation[]
  /** States without a transition that the machine does not call final, and a shortest way to the first. */
  readonly stuck: { readonly count: number; readonly steps?: readonly Step[] }
  /** Steps of a shortest way to the goal, its own step included where it is one; null where none was seen. */
  readonly goals: Readonly<Record<string, number | null>>
  /** Transitions of each action; 0 where it was never possible. */
  readonly actions: Readonly<Record<string, number>>
}
