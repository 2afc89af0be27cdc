/**
 * From a run that failed to a counterexample: confirmed on a fresh target, shrunk, its minimality looked into, and
 * confirmed once more.
 */
import { TargetError } from '../contract/target.ts'
import type { Machine } from '../kernel/language/machine.ts'
import type { Plan, PlanStep } from '../kernel/play/plan.ts'
import type { RunResult } from '../kernel/play/run.ts'
import { type Failing, type Kin, lengthOf, proveMinimal, sameFailing, shrinkKin } from '../kernel/shrink/index.ts'
import { describeFailure } from './describe-failure.ts'
import { fails, failuresOf, isTrouble } from './failures.ts'
import type { Examined, Failure } from './jobs.ts'
import { Lab } from './lab.ts'
import { type Behaviour, equalTo } from './profiles.ts'
import { Interrupted } from './pulse.ts'
import type { Slot, SlotOptions } from './slots.ts'
import type { Minimality, Reproduced, TargetIdentity } from './types.ts'

/** A failure that did not come again at once gets so many chances. */
const CHANCES = 5
/** How often a shrunk counterexample is run for confirmation where a target is no pure function of what we do. */
const CONFIRMATIONS = 3
/** Silence has to last so much longer when it is confirmed. */
const PATIENCE = 5
/** A hang costs its timeout each time: while it is looked into, it is believed sooner. */
const HANG_MS = 1000
const HANG_EXECUTIONS = 40
const TIMED_EXECUTIONS = 150
const MINIMALITY_EXECUTIONS = 4000
/** Some actions cost a hundred thousand steps; then less is looked at. Counted, not timed: what is found is not chance. */
const MINIMALITY_COMMANDS = 400_000
const MINIMALITY_MS = 20_000
const SHRINK_MS = 60_000
const GRACE_MS = 20

export interface ExamineOptions {
  readonly machine: Machine
  readonly identity: TargetIdentity
  readonly seed: number
  readonly shrinkExecutions: number
  readonly minimality: boolean
  readonly timeoutMs: number
  readonly graceMs?: number
  readonly tolerated: ReadonlySet<string>
  /** Opening is cheap, and nothing but our calls drives the target. */
  readonly cheap: boolean
  /** The target can be put into a known state, and can tell that it is. */
  readonly walkable: boolean
  /** It can be stopped in the middle of its work. */
  readonly canStep: boolean
  readonly synchronous: boolean
  readonly open: (options: SlotOptions) => Promise<Slot>
  readonly planOf: (item: Failure['item']) => Plan
  readonly interrupted: () => boolean
  /** Behaviours in use, to be compared with what is found. */
  readonly behaviours: () => readonly Behaviour[]
  /** The law of the failure is to be kept to. */
  readonly keepLaw: boolean
}

export const examine = async (failure: Failure, options: ExamineOptions): Promise<Examined> => {
  const labs: Lab[] = []
  try {
    // What fails without anything being overlooked is said without it.
    if (options.tolerated.size > 0) {
      const strict = { ...options, tolerated: new Set<string>() }
      const plan = options.planOf(failure.item)
      const first = await makeLab(failure, strict, labs)().once(plan)
      if (fails(failure)(first)) return await examineIn(makeLab(failure, strict, labs), failure, strict)
    }
    return await examineIn(makeLab(failure, options, labs), failure, options)
  } catch (error) {
    if (error instanceof Interrupted) return { outcome: 'interrupted' }
    throw error
  } finally {
    for (const each of labs) each.close()
  }
}

/** Labs are collected in `labs`, to be closed. */
const makeLab =
  (failure: Failure, options: ExamineOptions, labs: Lab[]): MakeLab =>
  ({ prelude = [], careful = false } = {}) => {
    const { tolerated, timeoutMs, graceMs = GRACE_MS, cheap } = options
    const slot: SlotOptions = {
      tolerated,
      timeoutMs: failure.verdict === 'hangs' && !careful ? Math.min(HANG_MS, timeoutMs) : timeoutMs,
      graceMs: failure.timed && careful ? graceMs * PATIENCE : graceMs,
    }
    const lab = new Lab({ open: () => options.open(slot), cheap, run: failure.item.run, prelude })
    labs.push(lab)
    return lab
  }

interface LabTerms {
  readonly prelude?: readonly Plan[]
  /** Silence has to last longer, and so has a hang. */
  readonly careful?: boolean
}
type MakeLab = (terms?: LabTerms) => Lab

const examineIn = async (newLab: MakeLab, failure: Failure, options: ExamineOptions): Promise<Examined> => {
  const found = await confirm(newLab, failure, options, fails(failure))
  if ('outcome' in found) return found
  const { plan, prelude, first } = found
  let { reproduced } = found

  const flaky = reproduced.times < reproduced.of
  const lab = newLab({ prelude })
  const bound =
    failure.verdict === 'hangs' ? HANG_EXECUTIONS : failure.timed ? TIMED_EXECUTIONS : Number.POSITIVE_INFINITY
  const maxExecutions = Math.min(options.shrinkExecutions, bound)
  const { interrupted } = options
  let small: Plan = { steps: first.performed }
  let result = first
  let failing: Failing = failure
  let also: readonly Kin[] = []
  let shrinking = { executions: 0, from: lengthOf(small), exhausted: true }
  if (maxExecutions > 0) {
    const until = performance.now() + SHRINK_MS
    const tired = (): boolean => interrupted() || performance.now() > until
    const shrunk = await lab.search((execute) =>
      shrinkKin(options.machine, plan, execute, failure, othersOf(failure, options), {
        maxExecutions,
        repeats: flaky ? 3 : 1,
        interrupted: tired,
        canStep: options.canStep,
      }),
    )
    if (fails(shrunk.failing)(shrunk.result)) {
      small = shrunk.plan
      result = shrunk.result
      failing = shrunk.failing
      also = shrunk.also
    }
    shrinking = { ...shrinking, executions: shrunk.executions, exhausted: shrunk.exhausted }
  }

  const same = fails(failing)
  let minimality: Minimality = 'unknown'
  if (options.minimality && options.walkable && prelude.length === 0 && !flaky && !isTrouble(failure.verdict)) {
    const proof = await prove(small, same, options)
    minimality = proof.minimality
    if (proof.first !== undefined) {
      const again = await lab.once(proof.first)
      if (same(again)) {
        small = { steps: again.performed.slice(0, proof.first.steps.length) }
        result = again
      } else minimality = 'unknown'
    }
  }

  if (!options.cheap || flaky) {
    const careful = newLab({ prelude, careful: true })
    const of = failure.verdict === 'hangs' ? 1 : CONFIRMATIONS
    let times = 0
    for (let i = 0; i < of && !interrupted(); i++) {
      const again = await careful.once(small)
      if (!same(again)) continue
      times++
      result = again
    }
    reproduced = { times, of }
    // Silence is a matter of time, and convicts only when most tries agree.
    const enough = result.timed ? 2 * times > of : times > 0
    if (!enough && !interrupted()) return { outcome: 'unconfirmed', reproduced }
  }
  const overlooked = await overlookedIn(newLab({ prelude }), small, options)
  const profiles = result.finding === undefined ? [] : equalTo(options.behaviours(), result.trace, options.tolerated)
  return {
    outcome: 'counterexample',
    counterexample: describeFailure(
      {
        failure: { ...failing, item: failure.item, timed: result.timed },
        ...{ plan: small, prelude, result, minimality, reproduced, shrinking, overlooked, also, profiles },
      },
      options,
    ),
  }
}

/** The ways in which a run failed; other laws than that of the failure only where they may take its place. */
const othersOf =
  (failure: Failure, { keepLaw }: ExamineOptions) =>
  (result: RunResult): readonly Failing[] =>
    // Silence that has to be waited for is weaker than what was seen.
    failuresOf(result).filter((each) => sameFailing(each, failure) || (!keepLaw && (failure.timed || !result.timed)))

/** Laws that the failure would have ended with, had they not been overlooked. */
const overlookedIn = async (lab: Lab, plan: Plan, { tolerated }: ExamineOptions): Promise<readonly string[]> => {
  if (tolerated.size === 0) return []
  await lab.once(plan)
  return lab.met
}

interface Confirmed {
  readonly plan: Plan
  readonly prelude: readonly Plan[]
  readonly first: RunResult
  readonly reproduced: Reproduced
}

/** Sees the failure again on a fresh target, if need be after the runs that came before it. */
const confirm = async (
  newLab: MakeLab,
  failure: Failure,
  options: ExamineOptions,
  same: (result: RunResult) => boolean,
): Promise<Confirmed | Extract<Examined, { outcome: 'unconfirmed' }>> => {
  const plan = options.planOf(failure.item)
  const lab = newLab({ careful: true })
  const first = await lab.once(plan)
  if (same(first)) return { plan, prelude: [], first, reproduced: { times: 1, of: 1 } }

  const before = failure.before.map((item) => options.planOf(item))
  for (let count = 1; count <= before.length; count++) {
    const prelude = before.slice(-count)
    const joined = joinByReset(options.machine, [...prelude, plan])
    if (joined !== undefined) {
      const result = await lab.once(joined)
      if (same(result)) return { plan: joined, prelude: [], first: result, reproduced: { times: 1, of: 1 } }
    }
    const result = await newLab({ prelude }).once(plan)
    if (!same(result)) continue
    const needed = await dropRuns(newLab, prelude, plan, same)
    return {
      plan,
      prelude: needed,
      first: await newLab({ prelude: needed }).once(plan),
      reproduced: { times: 1, of: 1 },
    }
  }

  let seen: RunResult | undefined
  let times = 0
  for (let i = 1; i < CHANCES; i++) {
    const again = await lab.once(plan)
    if (!same(again)) continue
    seen = again
    times++
  }
  const reproduced = { times, of: CHANCES }
  if (seen === undefined) return { outcome: 'unconfirmed', reproduced }
  return { plan, prelude: [], first: seen, reproduced }
}

/** Leaves out the runs that the failure does not need. */
const dropRuns = async (
  newLab: MakeLab,
  prelude: readonly Plan[],
  plan: Plan,
  same: (result: RunResult) => boolean,
): Promise<readonly Plan[]> => {
  let needed = prelude
  for (let i = 0; i < needed.length && needed.length > 1; ) {
    const fewer = needed.filter((_, k) => k !== i)
    if (same(await newLab({ prelude: fewer }).once(plan))) needed = fewer
    else i++
  }
  return needed
}

/** Several runs as one, with a reset by the driver between them; undefined when the machine knows none. */
const joinByReset = (machine: Machine, plans: readonly Plan[]): Plan | undefined => {
  const reset = machine.actions.find(({ name, args }) => name === 'driver.reset' && args.length === 0)
  if (reset === undefined) return undefined
  const between: PlanStep[] = [
    { do: 'settle' },
    { do: 'act', action: reset, args: {}, hostile: false },
    { do: 'settle' },
  ]
  return { steps: plans.flatMap(({ steps }, i) => (i === 0 ? steps : [...between, ...steps])) }
}

/** The walk needs a target that lives on, and one did not. */
class NoProof extends Error {}

const prove = async (
  plan: Plan,
  same: (result: RunResult) => boolean,
  options: ExamineOptions,
): Promise<{ minimality: Minimality; first?: Plan }> => {
  const { tolerated, timeoutMs, interrupted } = options
  const slot = await options.open({ tolerated, timeoutMs, fingerprint: true, afresh: true })
  try {
    const fresh = slot.runner.target.save!()
    let commands = 0
    const execute = (candidate: Plan): RunResult => {
      // Whatever the run before left behind would be part of the fingerprint.
      slot.runner.target.restore!(fresh)
      const result = slot.run(candidate, 0)
      if (result.trouble !== undefined) throw new NoProof(result.trouble.message)
      commands += result.commands
      return result
    }
    const until = performance.now() + MINIMALITY_MS
    const proof = proveMinimal({
      plan,
      machine: options.machine,
      execute,
      same,
      maxExecutions: MINIMALITY_EXECUTIONS,
      interrupted: () => interrupted() || commands > MINIMALITY_COMMANDS || performance.now() > until,
    })
    const minimality = proof.minimality === 'at least' ? (`at least ${proof.bound ?? 0}` as const) : proof.minimality
    return proof.first === undefined ? { minimality } : { minimality, first: proof.first }
  } catch (error) {
    if (error instanceof NoProof || error instanceof TargetError) return { minimality: 'unknown' }
    throw error
  } finally {
    slot.close()
  }
}
