/** A failure as data: everything that a counterexample file says about it. */
import { clause as clauseOf } from '../../spec/clauses/index.ts'
import { escapeText } from '../contract/explain.ts'
import type { Finding } from '../kernel/judge/verdict.ts'
import type { Clause } from '../kernel/language/clause.ts'
import type { Machine } from '../kernel/language/machine.ts'
import { argsToJson, differences } from '../kernel/language/state.ts'
import { type Plan, planToJson } from '../kernel/play/plan.ts'
import type { RunResult, TraceStep } from '../kernel/play/run.ts'
import { bugId, canonicalForm, type Failing, type Kin, lengthOf } from '../kernel/shrink/index.ts'
import type { Counterexample, TraceStepJson } from './counterexample.ts'
import { isTrouble, TROUBLE_CLAUSES } from './failures.ts'
import type { Failure } from './jobs.ts'
import { packageVersion } from './package.ts'
import { type Minimality, type Reproduced, SCHEMA_VERSION, type TargetIdentity } from './types.ts'

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

/** What failed, and where. */
interface Subject {
  readonly machine: Machine
  readonly identity: TargetIdentity
  readonly seed: number
}

interface Facts {
  readonly failure: Failing & Pick<Failure, 'item' | 'timed'>
  readonly plan: Plan
  readonly prelude: readonly Plan[]
  readonly result: RunResult
  readonly minimality: Minimality
  readonly reproduced: Reproduced
  readonly shrinking: { readonly executions: number; readonly from: number; readonly exhausted: boolean }
  /** As `law@clause`. */
  readonly overlooked: readonly string[]
  /** Laws that the same mistake breaks by longer plans. */
  readonly also?: readonly Kin[]
  /** Behaviours that allow the trace. */
  readonly profiles?: readonly string[]
}

/** Everything about a failure, as it is written to a file. */
export const describeFailure = (facts: Facts, options: Subject): Counterexample => {
  const {
    failure,
    plan,
    prelude,
    result,
    minimality,
    reproduced,
    shrinking,
    overlooked,
    also = [],
    profiles = [],
  } = facts
  const { machine, identity, seed } = options
  const broken = failure.hardening ? result.hardening.find(({ law }) => law === failure.law) : result.finding
  const clause = clauseFor(failure, broken)
  const trace = traceToJson(result.trace)
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
    bugId: bugId(canonicalForm(plan, failure), clause.id),
    shrink: shrinking,
    disclosure: isTrouble(failure.verdict) ? 'private' : 'public',
    replay: `iospec replay FILE --target ${shellWord(identity.address)}`,
    ...(trouble === undefined || trouble.lastWords === '' ? {} : { lastWords: escapeLines(trouble.lastWords) }),
    ...(result.timed ? { timed: true as const } : {}),
    ...(overlooked.length === 0 ? {} : { overlooked }),
    ...(profiles.length === 0 ? {} : { profiles }),
    ...(also.length === 0 ? {} : { also: also.map(describeKin) as NonNullable<Counterexample['also']> }),
  }
}

const describeKin = ({ failing: { law, clause }, plan }: Kin) => ({
  law,
  clause,
  steps: lengthOf(plan),
  plan: planToJson(plan),
})

const clauseFor = (failure: Failing, broken: Finding | undefined): Clause => {
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
