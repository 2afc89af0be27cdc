/** What can be done in a thread, what it answers, and what it tells meanwhile. All of it can be cloned. */
import type { PostedError } from '../campaign/messages.ts'
import type { ScoreOptions, ScoreProgress, ScoreResult } from '../campaign/score.ts'
import type { Chosen } from '../campaign/walk-letters.ts'
import type { TargetWalk, WalkingProgress } from '../campaign/walk-target.ts'
import type { CheckResult } from '../contract/check.ts'
import type { Description } from '../contract/target.ts'
import type { StateGraph } from '../kernel/explore/graph.ts'
import type { Exploration, ExploreOptions, Progress } from '../kernel/explore/index.ts'
import type { WayTo } from '../kernel/explore/way-to.ts'
import type { Simulation, SimulationProgress } from '../kernel/simulate/index.ts'

/** Cells of the memory that both threads see. */
export const STOP = 0
export const BEATS = 1

/** A machine within a scope. */
export interface MachineJob {
  readonly machine: string
  /** A module that exports models, instead of the machines of this project. */
  readonly modelsFrom?: string
  readonly scope: string
  readonly bounds: Readonly<Record<string, number>>
  readonly hostile: NonNullable<ExploreOptions['hostile']>
}

export interface ExploreJob extends MachineJob {
  readonly maxStates?: number
  readonly memoryBytes?: number
  readonly liveness?: boolean
  /** Threads that walk every state together. */
  readonly workers: number
  readonly symmetry?: boolean
}

/** What an exploration cost. */
export interface Cost {
  readonly statesPerSecond: number
  /** Memory of the process at its peak, less what it took before; null where the states are too few to tell. */
  readonly bytesPerState: number | null
}

export interface WayJob extends ExploreJob {
  readonly goal: string
}

export interface GraphJob extends MachineJob {
  readonly maxStates: number
}

export interface SimulateJob extends ExploreJob {
  readonly steps: number
  readonly seed: number
  /** Explores the scope first, to know of how many states the walks saw how many. */
  readonly coverage: boolean
}

export interface WalkJob extends MachineJob, TargetJob {
  readonly depth: number
  readonly maxStates: number
  readonly saves: boolean
  readonly only: readonly Chosen[]
  readonly seconds?: number
}

export interface TargetJob {
  readonly address: string
  readonly directory: string
  readonly timeoutMs: number
}

export interface Jobs {
  explore: ExploreJob
  wayTo: WayJob
  graph: GraphJob
  simulate: SimulateJob
  walk: WalkJob
  check: TargetJob
  describe: TargetJob
  score: ScoreOptions
}

export interface Answers {
  explore: { readonly result: Exploration & Cost; readonly progress: Progress }
  wayTo: { readonly result: WayTo; readonly progress: Progress }
  graph: { readonly result: StateGraph; readonly progress: never }
  simulate: {
    readonly result: Simulation & { readonly explored: Pick<Exploration, 'states' | 'cutShort'> | null }
    /** Of the exploration that comes first for the sake of coverage, then of the walks. */
    readonly progress: Progress | SimulationProgress
  }
  walk: { readonly result: TargetWalk; readonly progress: WalkingProgress }
  check: { readonly result: readonly CheckResult[]; readonly progress: never }
  describe: { readonly result: Description; readonly progress: never }
  score: { readonly result: ScoreResult; readonly progress: ScoreProgress }
}

export type FromThread =
  | { readonly group: number }
  | { readonly progress: unknown }
  | { readonly result: unknown }
  | { readonly error: PostedError }
