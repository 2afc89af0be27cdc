/** What a campaign is asked, what it tells while it works, and what it answers. All of it is plain JSON. */

import type { Verdict } from '../kernel/judge/verdict.ts'
import type { Basis, Strength } from '../kernel/language/clause.ts'

/** Version of the result and of the files that a campaign writes. */
export const SCHEMA_VERSION = 1

export interface CampaignOptions {
  /** Address of the target, for example `reference:virtio-blk`. */
  readonly target: string
  /** Names of machines; `all` for every one. */
  readonly machines: readonly string[] | 'all'
  /** Runs of each machine; the corpus comes on top. */
  readonly runs: number
  readonly seed: number
  /** Worker threads. What is found does not depend on it. Default 1. */
  readonly workers?: number
  /** No new run starts after so many seconds. */
  readonly seconds?: number
  /** How long one blocking call may take before it counts as a hang. Default 5000. */
  readonly timeoutMs?: number
  /** How long an asynchronous target may take before its silence counts a tenth. Default 20. */
  readonly graceMs?: number
  /** Share of the plans in which the driver may break duties, 0 to 1. Default a third; the command line asks for a quarter. */
  readonly hostile?: number
  /** Upper bound of the length of a plan. */
  readonly maxSteps?: number
  /** A machine is given up after so many different bugs. Default 10. */
  readonly maxBugs?: number
  /** A broken law is overlooked after so many different bugs of its own, so that others can be found. Default 3. */
  readonly maxPerLaw?: number
  /** A machine is given up after so many hangs, since each costs its timeout. Default 3. */
  readonly maxHangs?: number
  /** Bound of the executions that one shrinking may take; 0 leaves counterexamples as they were found. Default 1500. */
  readonly shrinkExecutions?: number
  /** Whether a walk over target and machine is tried, which proves a counterexample minimal. Default true. */
  readonly minimality?: boolean
  /** Where counterexamples, the corpus and files of targets go. Default `.iospec`. */
  readonly directory?: string
  /** Whether earlier failures are run first and new ones are kept. Default true. */
  readonly corpus?: boolean
  /** Whether counterexample files are written. Default true. */
  readonly write?: boolean
  /** Whether shipped lists of known deviations count. Default true. */
  readonly known?: boolean
  /** Further lists of known deviations. */
  readonly deviations?: readonly string[]
  /** For `log:`: whose duties are judged. Default `device`. */
  readonly side?: 'device' | 'driver' | 'both'
  /** A behaviour in use to judge by, for the machines that know it, instead of the standard's. */
  readonly profile?: string
  /** A module that exports `models`, instead of the ones of this project. */
  readonly modelsFrom?: string
}

export interface TargetIdentity {
  readonly name: string
  readonly version: string
  /** As it was given; for people, never opened by itself. */
  readonly address: string
}

export type ClauseStatus = 'kept' | 'violated' | 'known' | 'departed' | 'undecided' | 'not-applicable'

/** What a campaign proved about one clause. */
export interface ClauseRow {
  readonly id: string
  /** How often a law of it applied. */
  readonly exercised: number
  /** How often a breach would have been seen. */
  readonly decided: number
  readonly violated: number
  /** Recommendations that were not followed, and hardening that is missing. */
  readonly departed: number
  readonly status: ClauseStatus
  readonly basis: Basis
  readonly strength: Strength
  /** Why it is not applicable. */
  readonly reason?: string
}

/** `proved`: no shorter one exists. `at least 4`: none is shorter than four steps. `unknown`: nobody looked. */
export type Minimality = 'proved' | `at least ${number}` | 'unknown'

export interface Reproduced {
  readonly times: number
  readonly of: number
}

/** One bug, as a result shows it. The file has everything. */
export interface CounterexampleSummary {
  /** Undefined when nothing was to be written. */
  readonly file: string | undefined
  readonly bugId: string
  readonly clause: string
  readonly law: string
  readonly verdict: Verdict
  readonly basis: Basis
  readonly requirement: string
  readonly expected: string
  /** What was seen; text of a target in it is escaped. */
  readonly observed: string
  /** What the target printed last, escaped; empty where it printed nothing. */
  readonly lastWords: string
  /** Length of the counterexample. */
  readonly steps: number
  readonly minimality: Minimality
  /** A known deviation: it does not fail a campaign. */
  readonly known: boolean
  /** Number of the run that found it; negative for one of the corpus. */
  readonly run: number
  readonly reproduced: Reproduced
  /** Laws that it breaks on the way, as `law@clause`; they were overlooked to get there. */
  readonly overlooked: readonly string[]
  /** Laws that longer plans break, as `law@clause`: by the same mistake, as far as can be told. */
  readonly also: readonly string[]
  /** Behaviours in use beside the one that is judged by, which do the same. */
  readonly profiles: readonly string[]
  /** Runs that came to the same bug. */
  readonly runs: number
  /** A crash, hang or livelock that a guest causes: to be reported in private. */
  readonly disclosure: 'public' | 'private'
}

/** A run that could not be judged, or a finding that did not come again. */
export interface Unjudged {
  readonly run: number
  readonly verdict: Verdict
  /** Of the finding that was not confirmed. */
  readonly law?: string
  readonly clause?: string
  readonly message: string
  /** What the target printed last, escaped. */
  readonly lastWords: string
  readonly reproduced?: Reproduced
}

/** A known deviation and how often it was met. */
export interface DeviationSeen {
  readonly law: string
  readonly clause: string
  readonly met: number
  readonly reason: string
  /** Its clause was decided a thousand times without it. */
  readonly stale: boolean
}

export interface MachineResult {
  readonly machine: string
  /** Name of the scope and its bounds. */
  readonly scope: { readonly name: string; readonly bounds: Readonly<Record<string, number>> }
  /** The behaviour in use that it was judged by: asked for, or known to be followed. Absent: the data sheet. */
  readonly profile?: string
  readonly runs: number
  /** Steps of plans that were performed. */
  readonly steps: number
  /** Actions performed and observed, and device steps. */
  readonly commands: number
  readonly verdict: Verdict
  /** Why the verdict is not `conforms`, in one line. */
  readonly reason: string | undefined
  /** How often each goal was reached. */
  readonly goals: Readonly<Record<string, number>>
  /** Goals that were not reached though they can be. */
  readonly missed: readonly string[]
  /** Goals that cannot be reached on this target, each with the reason. */
  readonly unreachable: Readonly<Record<string, string>>
  readonly counterexamples: readonly CounterexampleSummary[]
  /** What robust devices do otherwise; no violation of the standard. */
  readonly hardening: readonly CounterexampleSummary[]
  /** At most the first 20. */
  readonly unjudged: readonly Unjudged[]
  /** Runs that could not be judged. */
  readonly inconclusive: number
  readonly deviations: readonly DeviationSeen[]
  readonly clauses: readonly ClauseRow[]
  readonly seconds: number
}

export interface CampaignResult {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly target: TargetIdentity
  readonly seed: number
  readonly seconds: number
  readonly commands: number
  /** Stopped by a signal: what there is up to then. */
  readonly interrupted: boolean
  /** The exit code that it comes to. */
  readonly exit: number
  readonly machines: readonly MachineResult[]
  readonly clauses: readonly ClauseRow[]
  readonly warnings: readonly string[]
}

/** What a campaign tells while it works, in order. `progress` comes at most ten times a second. */
export type CampaignEvent =
  | {
      readonly kind: 'campaign-start'
      readonly target: TargetIdentity
      readonly machines: readonly string[]
      readonly runs: number
      readonly seed: number
      readonly workers: number
    }
  | { readonly kind: 'machine-start'; readonly machine: string; readonly runs: number }
  | {
      readonly kind: 'progress'
      readonly machine: string
      readonly phase: 'playing' | 'examining'
      readonly runs: number
      readonly of: number
      readonly commands: number
      /** Goals reached so far, of those that can be. */
      readonly goals: { readonly reached: number; readonly of: number }
      /** Different bugs so far, known ones not counted. */
      readonly bugs: number
      readonly seconds: number
    }
  /** A run broke a law, not yet confirmed or shrunk. Each law is told once a machine. */
  | {
      readonly kind: 'finding'
      readonly machine: string
      readonly run: number
      readonly verdict: Verdict
      readonly law: string
      readonly clause: string
      readonly hardening: boolean
    }
  | { readonly kind: 'shrinking'; readonly machine: string; readonly run: number; readonly law: string }
  | {
      readonly kind: 'counterexample'
      readonly machine: string
      readonly hardening: boolean
      readonly summary: CounterexampleSummary
    }
  | { readonly kind: 'unjudged'; readonly machine: string; readonly unjudged: Unjudged }
  /** A target crashed, hung or broke its contract, and a fresh one takes its place. */
  | { readonly kind: 'target-restarted'; readonly machine: string; readonly run: number; readonly message: string }
  | { readonly kind: 'warning'; readonly message: string }
  /** What an in-process target printed, escaped. */
  | { readonly kind: 'output'; readonly text: string }
  | { readonly kind: 'machine-done'; readonly result: MachineResult }
  | { readonly kind: 'campaign-done'; readonly result: CampaignResult }

/** Told while a campaign works. */
export type Listener = (event: CampaignEvent) => void
