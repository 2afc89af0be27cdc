/** What programs get from `iospec`: machines and clauses to read, explore and play, campaigns and their reports. */
export { type ClauseId, clause, clauses } from '../spec/clauses/index.ts'
export { machines } from '../spec/index.ts'
export type { Counterexample } from './campaign/counterexample.ts'
export { UsageError } from './campaign/exit.ts'
export {
  type CampaignHooks,
  type ReplayOptions,
  readCounterexample,
  replayCounterexample,
  runCampaign,
} from './campaign/main-side.ts'
export type { ReplayResult } from './campaign/replay.ts'
export { type FaultScore, type ScoreOptions, type ScoreResult, score } from './campaign/score.ts'
export type * from './campaign/types.ts'
export { type CheckResult, checkTarget } from './contract/check.ts'
export * from './contract/index.ts'
export { type Exploration, type ExploreOptions, explore } from './kernel/explore/index.ts'
export type { Verdict } from './kernel/judge/verdict.ts'
export type { Action, Actor, Args, Clause, Machine, ScopedMachine } from './kernel/language/index.ts'
export { Bits, clear, compose, machine, noBits, part, scoped, t } from './kernel/language/index.ts'
export { type Model, ModelError, type Session, type Sink } from './kernel/model.ts'
export { models } from './models/index.ts'
export { bugReport } from './report/index.ts'
export { openTarget } from './targets/index.ts'
