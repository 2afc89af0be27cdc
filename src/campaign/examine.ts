/**
 * From a run that failed to a counterexample: confirmed on a fresh target, shrunk, its minimality looked into, and
 * confirmed once more.
 */
import { clause as clauseOf } from '../../spec/clauses/index.ts'
import { escapeText } from '../contract/explain.ts'
import { TargetError } from '../contract/target.ts'
import type { Finding, Verdict } from '../kernel/judge/verdict.ts'
import type { Clause } from '../kernel/language/clause.ts'
import type { Machine } from '../kernel/language/machine.ts'
import { argsToJson, differences } from '../kernel/language/state.ts'
import { type Plan, type PlanStep, planToJson } from '../kernel/play/plan.ts'
import type { RunResult, TraceStep } from '../kernel/play/run.ts'
import { bugId, canonicalForm, lengthOf, proveMinimal, shrink } from '../kernel/shrink/index.ts'
import type { Counterexample, TraceStepJson } from './counterexample.ts'
import type { Examined, Failure, FailureKey } from './jobs.ts'
import { Lab } from './lab.ts'
import { packageVersion } from './package.ts'
import { Interrupted } from './pulse.ts'
import type { Slot, SlotOptions } from './slots.ts'
import { type Minimality, type Reproduced, SCHEMA_VERSION, type TargetIdentity } from './types.ts'

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
/** Some actions cost a hundred thousand steps; then less is looked at. */
const MINIMALITY_MS = 3000
const SHRINK_MS = 60_000
const GRACE_MS = 20

/** The clause that a target breaks by such an end. */
export const TROUBLE_CLAUSES = { crashes: 'SAF-03', hangs: 'SAF-04', livelocks: 'SAF-02' } as const
export type TroubleVerdict = keyof typeof TROUBLE_CLAUSES

export const isTrouble = (verdict: Verdict): verdict is TroubleVerdict => verdict in TROUBLE_CLAUSES

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
  readonly synchronous: boolean
  readonly open: (options: SlotOptions) => Promise<Slot>
  readonly planOf: (item: Failure['item']) => Plan
  readonly interrupted: () => boolean
}

/** The failures of a result, in the terms of `Failure`. */
export const failuresOf = (result: RunResult): FailureKey[] => {
  const { verdict, finding } = result
  const keys: FailureKey[] = result.hardening.map(({ law, clause }) => ({
    verdict: 'violates',
    law,
    clause: clause!.id,
    hardening: true,
  }))
  if (verdict === 'conforms') return keys
  const law = finding?.law ?? verdict
  const clause = finding?.clause?.id ?? (isTrouble(verdict) ? TROUBLE_CLAUSES[verdict] : '')
  keys.unshift({ verdict, law, clause, hardening: false })
  return keys
}

const sameKey = (a: FailureKey, b: FailureKey): boolean =>
  a.verdict === b.verdict && a.law === b.law && a.clause === b.clause && a.hardening === b.hardening

/** Whether a run failed as this one did. */
export const fails =
  (key: FailureKey) =>
  (result: RunResult): boolean =>
    failuresOf(result).some((other) => sameKey(key, other))

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
  const same = fails(failure)
  const found = await confirm(newLab, failure, options, same)
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
  let shrinking = { executions: 0, from: lengthOf(small), exhausted: true }
  if (maxExecutions > 0) {
    const until = performance.now() + SHRINK_MS
    const tired = (): boolean => interrupted() || performance.now() > until
    const shrunk = await lab.search((execute) =>
      shrink(options.machine, plan, execute, same, { maxExecutions, repeats: flaky ? 3 : 1, interrupted: tired }),
    )
    if (same(shrunk.result)) {
      small = shrunk.plan
      result = shrunk.result
    }
    shrinking = { ...shrinking, executions: shrunk.executions, exhausted: shrunk.exhausted }
  }

  let minimality: Minimality = 'unknown'
  if (options.minimality && options.walkable && prelude.length === 0 && !flaky && !isTrouble(failure.verdict)) {
    const proof = await prove(small, same, options)
    minimality = proof.minimality
    if (proof.shorter !== undefined) {
      const again = await lab.once(proof.shorter)
      if (same(again)) {
        small = { steps: again.performed.slice(0, proof.shorter.steps.length) }
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
    const enough = failure.timed ? 2 * times > of : times > 0
    if (!enough && !interrupted()) return { outcome: 'unconfirmed', reproduced }
  }
  const overlooked = await overlookedIn(newLab({ prelude }), small, options)
  return {
    outcome: 'counterexample',
    counterexample: describeFailure(
      { failure, plan: small, prelude, result, minimality, reproduced, shrinking, overlooked },
      options,
    ),
  }
}

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
): Promise<{ minimality: Minimality; shorter?: Plan }> => {
  const { tolerated, timeoutMs, interrupted } = options
  const slot = await options.open({ tolerated, timeoutMs, fingerprint: true })
  try {
    const { runner } = slot
    const fresh = runner.target.save!()
    const execute = (candidate: Plan): RunResult => {
      // Whatever the run before left behind would be part of the fingerprint.
      runner.target.restore!(fresh)
      const result = slot.run(candidate, 0)
      if (result.trouble !== undefined) throw new NoProof(result.trouble.message)
      return result
    }
    const until = performance.now() + MINIMALITY_MS
    const proof = proveMinimal({
      plan,
      execute,
      same,
      maxExecutions: MINIMALITY_EXECUTIONS,
      interrupted: () => interrupted() || performance.now() > until,
    })
    const minimality = proof.minimality === 'at least' ? (`at least ${proof.bound ?? 0}` as const) : proof.minimality
    return proof.shorter === undefined ? { minimality } : { minimality, shorter: proof.shorter }
  } catch (error) {
    if (error instanceof NoProof || error instanceof TargetError) return { minimality: 'unknown' }
    throw error
  } finally {
    slot.close()
  }
}

export const traceToJson = (trace: readonly TraceStep[]): TraceStepJson[] =>
  trace.map((step) => {
    if (step.by === 'schedule')
      return step.count === undefined
        ? { by: 'schedule', do: step.do }
        : { by: 'schedule', do: step.do, count: step.count }
    const { by, action, args, note } = step
    return {
      by,
      action: action.name,
      args: argsToJson(action, args),
      ...(note === undefined ? {} : { note: escapeText(note) }),
    }
  })

/** Text of a target, line by line harmless. */
export const escapeLines = (text: string): string => text.split('\n').map(escapeText).join('\n')

interface Facts {
  readonly failure: FailureKey & Pick<Failure, 'item' | 'timed'>
  readonly plan: Plan
  readonly prelude: readonly Plan[]
  readonly result: RunResult
  readonly minimality: Minimality
  readonly reproduced: Reproduced
  readonly shrinking: { readonly executions: number; readonly from: number; readonly exhausted: boolean }
  /** As `law@clause`. */
  readonly overlooked: readonly string[]
}

/** Everything about a failure, as it is written to a file. */
export const describeFailure = (facts: Facts, options: ExamineOptions): Counterexample => {
  const { failure, plan, prelude, result, minimality, reproduced, shrinking, overlooked } = facts
  const { machine, identity, seed } = options
  const broken = failure.hardening ? result.hardening.find(({ law }) => law === failure.law) : result.finding
  const clause = clauseFor(failure, broken)
  const trace = traceToJson(result.trace)
  const form = canonicalForm(plan, broken === undefined ? result : { ...result, verdict: 'violates', finding: broken })
  const { trouble } = result
  const { before, after } = result.states ?? {}
  return {
    schemaVersion: SCHEMA_VERSION,
    kind: 'counterexample',
    iospec: packageVersion,
    machine: machine.name,
    scope: { name: machine.scopeName.split('+')[0]!, bounds: { ...machine.scope } },
    target: { ...identity },
    seed,
    run: failure.item.run,
    verdict: failure.verdict as Counterexample['verdict'],
    finding: {
      law: failure.law,
      kind: isTrouble(failure.verdict) ? 'trouble' : (broken?.kind as 'duty'),
      clause: {
        id: clause.id,
        section: clause.section,
        source: clause.source,
        basis: clause.basis,
        strength: clause.strength,
        requirement: clause.requirement,
      },
      action: broken?.action ?? lastAction(trace),
      expected: broken?.expected ?? clause.requirement,
      observed: escapeText(broken?.observed ?? trouble?.message ?? ''),
      at: failedAt(trace, broken, failure.hardening),
    },
    difference:
      before === undefined || after === undefined
        ? []
        : differences(machine.layout, before, after).map((d) => ({ ...d })),
    plan: planToJson(plan) as Counterexample['plan'],
    ...(prelude.length === 0 ? {} : { prelude: prelude.map(planToJson) as NonNullable<Counterexample['prelude']> }),
    trace,
    steps: lengthOf(plan),
    minimality,
    reproduced,
    bugId: bugId(form, clause.id),
    shrink: shrinking,
    disclosure: isTrouble(failure.verdict) ? 'private' : 'public',
    replay: `iospec replay FILE --target ${shellWord(identity.address)}`,
    ...(trouble === undefined || trouble.lastWords === '' ? {} : { lastWords: escapeLines(trouble.lastWords) }),
    ...(result.timed ? { timed: true as const } : {}),
    ...(overlooked.length === 0 ? {} : { overlooked }),
  }
}

const clauseFor = (failure: FailureKey, broken: Finding | undefined): Clause => {
  if (broken?.clause !== undefined) return broken.clause
  if (isTrouble(failure.verdict)) return clauseOf(TROUBLE_CLAUSES[failure.verdict])
  throw new TypeError(`${failure.law}: a failure without a clause`)
}

const lastAction = (trace: readonly TraceStepJson[]): string => {
  for (let i = trace.length - 1; i >= 0; i--) {
    const step = trace[i]!
    if (step.by !== 'schedule') return step.action
  }
  return ''
}

/** The step that broke the law: the last one, but a run goes on after a hardening finding. */
const failedAt = (trace: readonly TraceStepJson[], broken: Finding | undefined, hardening: boolean): number => {
  if (hardening) {
    const at = trace.findIndex((step) => step.by === 'target' && step.action === broken?.action)
    if (at >= 0) return at
  }
  return Math.max(0, trace.length - 1)
}

/** A word as a shell takes it. */
const shellWord = (word: string): string =>
  /^[\w:./@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
