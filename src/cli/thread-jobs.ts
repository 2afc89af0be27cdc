/** What can be done in a thread, what it answers, and what it tells meanwhile. All of it can be cloned. */
import type { PostedError } from '../campaign/messages.ts'
import type { ScoreOptions, ScoreProgress, ScoreResult } from '../campaign/score.ts'
import type { CheckResult } from '../contract/check.ts'
import type { Description } from '../contract/target.ts'
import type { Exploration, ExploreOptions, Progress } from '../kernel/explore/index.ts'

/** Cells of the memory that both threads see. */
export const STOP = 0
export const BEATS = 1

export interface ExploreJob {
  readonly machine: string
  /** A module that exports models, instead of the machines of this project. */
  readonly modelsFrom?: string
  readonly scope: string
  readonly bounds: Readonly<Record<string, number>>
  readonly maxStates?: number
  readonly hostile: NonNullable<ExploreOptions['hostile']>
}

export interface TargetJob {
  readonly address: string
  readonly directory: string
  readonly timeoutMs: number
}

export interface Jobs {
  explore: ExploreJob
  check: TargetJob
  describe: TargetJob
  score: ScoreOptions
}

export interface Answers {
  explore: { readonly result: Exploration; readonly progress: Progress }
  check: { readonly result: readonly CheckResult[]; readonly progress: never }
  describe: { readonly result: Description; readonly progress: never }
  score: { readonly result: ScoreResult; readonly progress: ScoreProgress }
}

export type FromThread =
  | { readonly group: number }
  | { readonly progress: unknown }
  | { readonly result: unknown }
  | { readonly error: PostedError }
