/** A walk on a target at an address: what it stands on, and what it comes to. */
import { type Description, type OpenOptions, type Target, TargetError } from '../contract/target.ts'
import { Ledger } from '../kernel/judge/ledger.ts'
import type { Actor, Basis, Clause } from '../kernel/language/index.ts'
import type { Machine } from '../kernel/language/machine.ts'
import type { Model } from '../kernel/model.ts'
import { type Plan, planToJson } from '../kernel/play/plan.ts'
import { Runner, type RunResult } from '../kernel/play/run.ts'
import type { Counterexample } from './counterexample.ts'
import { describeFailure } from './describe-failure.ts'
import { UsageError } from './exit.ts'
import { isTrouble } from './failures.ts'
import { machineFor } from './station.ts'
import { SCHEMA_VERSION } from './types.ts'
import { type WalkFailure, type WalkProgress, walk } from './walk.ts'
import { type Chosen, lettersOf } from './walk-letters.ts'

export interface WalkTargetOptions {
  readonly model: Model
  readonly address: string
  readonly open: () => Promise<Target>
  /** The machine in the scope that bounds the arguments. */
  readonly small: Machine
  readonly depth: number
  readonly maxStates: number
  /** Whether the target is saved and restored at every point too. It changes nothing in any machine. Default: it is. */
  readonly saves?: boolean
  readonly hostile: readonly Actor[]
  /** The actions to walk with; all that are not costly when empty. */
  readonly only: readonly Chosen[]
  readonly seconds?: number
  readonly interrupted?: () => boolean
  readonly heartbeat?: OpenOptions['heartbeat']
  readonly onProgress?: (progress: WalkingProgress) => void
}

export interface WalkingProgress extends WalkProgress {
  readonly seconds: number
}

/** What was found out about one law. */
export interface LawOutcome {
  readonly law: string
  readonly clause: string
  readonly basis: Basis
  /**
   * `departed`: a recommendation that was not followed. `undecided`: no plan led to a place where breaking it would
   * have shown.
   */
  readonly outcome: 'holds' | 'violated' | 'departed' | 'undecided'
}

/** A run that could not be judged. */
export interface Unwalked {
  readonly verdict: string
  readonly law: string
  readonly message: string
}

export interface TargetWalk {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly kind: 'walk'
  readonly machine: string
  readonly scope: Readonly<Record<string, number>>
  readonly target: { readonly name: string; readonly version: string; readonly address: string }
  readonly letters: number
  /** All plans up to this length were done. */
  readonly depth: number
  readonly closed: boolean
  /** Distinct states of target, session and machine that plans were continued from. */
  readonly states: number
  /** Plans done. */
  readonly transitions: number
  /** Those of them that end with a save and a restore; 0 where that was left out. */
  readonly saves: number
  readonly seconds: number
  readonly statesPerSecond: number
  /** Of the laws of the standard, up to that depth. */
  readonly result: 'holds' | 'violated' | 'cut-short' | 'not-judged'
  readonly cutShort: string | null
  readonly laws: readonly LawOutcome[]
  /** Length of a shortest plan that reaches it; null where none did. */
  readonly goals: Readonly<Record<string, number | null>>
  readonly counterexamples: readonly Counterexample[]
  readonly unjudged: readonly Unwalked[]
}

const PROGRESS_MS = 100

export const walkTarget = async (options: WalkTargetOptions): Promise<TargetWalk> => {
  const {
    model,
    address,
    small,
    depth,
    maxStates,
    saves = true,
    hostile,
    only,
    seconds,
    interrupted,
    onProgress,
  } = options
  const start = performance.now()
  const ground = await Ground.on(options)
  try {
    const { machine, description, ledger } = ground
    const letters = lettersOf({
      ...{ machine, small, hostile, only, played: model.played },
      ...{ unavailable: ground.unavailable, steps: description.can.step, saves },
    })
    const elapsed = (): number => (performance.now() - start) / 1000
    const goals = [...machine.goals, ...machine.stepGoals].map(({ name }) => ({ name, at: null as number | null }))
    let progressAt = start
    const walked = await walk({
      ...{ machine, letters, depth, maxStates },
      execute: (plan, isLast) => ground.execute(plan, !isLast),
      ended: () => {
        if (interrupted?.() === true) return 'interrupted'
        return seconds !== undefined && elapsed() > seconds ? `the time was over after ${seconds} s` : undefined
      },
      onRun: (progress) => {
        for (const [i, goal] of goals.entries()) if (goal.at === null && ledger.goals[i]! > 0) goal.at = progress.depth
        if (onProgress === undefined || performance.now() < progressAt) return
        onProgress({ ...progress, seconds: elapsed() })
        progressAt = performance.now() + PROGRESS_MS
      },
    })
    const judged = walked.failures.filter(({ verdict }) => verdict === 'violates' || isTrouble(verdict))
    const unjudged = walked.failures.filter((failure) => !judged.includes(failure))
    const laws = outcomesOf(machine, model.played, ledger, walked.failures)
    const broken = judged.some((failure) => !failure.hardening)
    return {
      ...{ schemaVersion: SCHEMA_VERSION, kind: 'walk', machine: machine.name, scope: machine.scope },
      target: { name: description.name, version: description.version, address },
      ...{ letters: letters.length, depth: walked.depth, closed: walked.closed },
      ...{ states: walked.states, transitions: walked.transitions, saves: walked.saves, seconds: elapsed() },
      statesPerSecond: walked.states / Math.max(elapsed(), 0.001),
      result: broken
        ? 'violated'
        : unjudged.length > 0
          ? 'not-judged'
          : walked.cutShort === undefined
            ? 'holds'
            : 'cut-short',
      cutShort: walked.cutShort ?? null,
      laws,
      goals: Object.fromEntries(goals.map(({ name, at }) => [name, at])),
      counterexamples: judged.map((failure) => ground.describe(failure, address, walked.transitions)),
      unjudged: unjudged.map(({ verdict, law, result }) => ({
        ...{ verdict, law, message: result.finding?.observed ?? result.trouble?.message ?? '' },
      })),
    }
  } finally {
    ground.close()
  }
}

/** A target that is brought back to where it started before each plan. */
class Ground {
  readonly machine: Machine
  readonly description: Description
  readonly ledger: Ledger
  readonly unavailable: Readonly<Record<string, string>>
  private readonly options: WalkTargetOptions
  private target: Target | undefined
  /** The target is an instance that was restored, and did not start yet. */
  private isMoved = false
  private readonly start: string
  private back: (target: Target) => void

  static async on(options: WalkTargetOptions): Promise<Ground> {
    const target = await options.open()
    try {
      return new Ground(target, options)
    } catch (error) {
      target.close()
      throw error
    }
  }

  private constructor(target: Target, options: WalkTargetOptions) {
    const { model, address } = options
    this.options = options
    this.target = target
    this.description = target.describe()
    const { name, can } = this.description
    const reason = model.notApplicable(this.description)
    if (reason !== undefined) throw new UsageError(`${model.machine.name}: is not applicable to this target: ${reason}`)
    if (!can.fingerprint || !can.save || !can.synchronous)
      throw new UsageError(
        `${address}: expected a target that can be walked (synchronous, with save, restore and fingerprint), found ` +
          `that ${name} is ${can.synchronous ? 'synchronous' : 'not synchronous'}, save ${can.save}, fingerprint ` +
          `${can.fingerprint}; iospec run plays on any target`,
      )
    this.machine = machineFor(model, this.description)
    this.ledger = new Ledger(this.machine)
    this.start = target.fingerprint!()
    this.back = wayBack(target, this.start, () => this.runner(target).run({ steps: [] }))
    this.unavailable = this.runner(target).unavailable
  }

  private runner(target: Target, fingerprint = true): Runner {
    const { heartbeat } = this.options
    return new Runner(this.options.model, this.machine, target, {
      ...{ fingerprint, ledger: this.ledger },
      ...(heartbeat === undefined ? {} : { heartbeat }),
    })
  }

  /** Each plan gets a session of its own: what an old one remembers would count as part of the state. */
  execute(plan: Plan, fingerprint: boolean): RunResult | Promise<RunResult> {
    const { target } = this
    if (target === undefined) return this.reopen().then(() => this.execute(plan, fingerprint))
    this.back(target)
    if (this.isMoved && target.fingerprint!() !== this.start) {
      this.giveUp(target)
      return this.execute(plan, fingerprint)
    }
    const runner = this.runner(target, fingerprint)
    const result = runner.run(plan)
    this.isMoved = runner.target !== target
    this.target = runner.target
    if (result.trouble !== undefined) this.giveUp(runner.target)
    return result
  }

  private giveUp(target: Target): void {
    target.close()
    this.target = undefined
    this.isMoved = false
  }

  private async reopen(): Promise<void> {
    this.target = await this.options.open()
  }

  describe(failure: WalkFailure, address: string, executions: number): Counterexample {
    const { machine, description } = this
    const steps = failure.plan.steps
    return describeFailure(
      {
        failure: { ...failure, item: { run: 0, plan: planToJson({ steps }) }, timed: false },
        ...{ plan: failure.plan, prelude: [], result: failure.result, overlooked: [] },
        // Every shorter plan of these letters was done before it.
        minimality: isTrouble(failure.verdict) ? 'unknown' : 'proved',
        reproduced: { times: 1, of: 1 },
        shrinking: { executions, from: steps.length, exhausted: false },
      },
      { machine, identity: { name: description.name, version: description.version, address }, seed: 0 },
    )
  }

  close(): void {
    this.target?.close()
  }
}

/** The cheapest way back to the state in which a target was opened: a power cycle, where that is one. */
const wayBack = (target: Target, start: string, soil: () => void): ((target: Target) => void) => {
  const fresh = target.save!()
  const ways: ((target: Target) => void)[] = [(one) => one.restore!(fresh)]
  if (target.describe().can.resets.includes('system')) ways.unshift((one) => one.reset('system'))
  for (const way of ways) {
    soil()
    way(target)
    if (target.fingerprint!() === start) return way
  }
  throw new TargetError(
    'protocol',
    'expected the fingerprint that the target was opened with after its saved state was restored, found another',
  )
}

/** Laws of the side under test, in the order of the machine. */
const outcomesOf = (machine: Machine, played: readonly Actor[], ledger: Ledger, failures: readonly WalkFailure[]) => {
  const law = (name: string, clause: Clause) => ({ law: name, clause, isTheirs: true })
  const named = [
    ...machine.actions.flatMap(({ name, actor, duties }) =>
      duties.map((duty) => ({ ...law(`${name}.${duty.name}`, duty.clause), isTheirs: !played.includes(actor) })),
    ),
    ...machine.owes.map(({ name, clause }) => law(`owes ${name}`, clause)),
    ...[...machine.invariants, ...machine.steps].map(({ name, clause }) => law(name, clause)),
  ]
  const isBroken = ({ law, clause }: (typeof named)[number]): boolean =>
    failures.some((failure) => failure.law === law && failure.clause === clause.id)
  return named.flatMap((each, i): LawOutcome[] => {
    if (!each.isTheirs) return []
    const { law, clause } = each
    const outcome = isBroken(each)
      ? 'violated'
      : ledger.departed[i]! > 0
        ? 'departed'
        : ledger.decided[i]! > 0
          ? 'holds'
          : 'undecided'
    return [{ law, clause: clause.id, basis: clause.basis, outcome }]
  })
}
