/** A counterexample, done again step by step. */
import canonicalize from 'canonicalize'
import { hintFor } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import type { Verdict } from '../kernel/judge/verdict.ts'
import type { Machine, ScopedMachine } from '../kernel/language/machine.ts'
import { type Plan, type PlanStepJson, planFromJson } from '../kernel/play/plan.ts'
import type { RunResult } from '../kernel/play/run.ts'
import type { Failing } from '../kernel/shrink/index.ts'
import type { Counterexample, TraceStepJson } from './counterexample.ts'
import { traceToJson } from './describe-failure.ts'
import { UsageError } from './exit.ts'
import { fails, failuresOf } from './failures.ts'

export interface ReplayResult {
  /** The same law was broken again. */
  readonly reproduced: boolean
  readonly verdict: Verdict
  /** Of this replay; undefined when it conforms. */
  readonly clause: string | undefined
  readonly law: string | undefined
  readonly observed: string | undefined
  /** Index in the trace of the step that failed, or of the last one. */
  readonly step: number
  /** Where the replay left the recorded path first; undefined when it never did. */
  readonly diverged:
    | { readonly step: number; readonly expected: TraceStepJson | undefined; readonly found: TraceStepJson | undefined }
    | undefined
  readonly trace: readonly TraceStepJson[]
  readonly target: { readonly name: string; readonly version: string }
}

/** The key of the failure that a file is about. */
const keyOf = ({ verdict, finding: { law, clause } }: Counterexample): Failing => ({
  verdict,
  law,
  clause: clause.id,
  hardening: clause.basis === 'hardening',
})

/** The machine within the bounds of a file; throws a `UsageError` when it cannot have them. */
export const machineOf = ({ scope: { name, bounds } }: Counterexample, machine: ScopedMachine): Machine => {
  try {
    return machine.at(name, bounds)
  } catch (error) {
    throw new UsageError(`field \`scope\`: ${(error as Error).message}`)
  }
}

/** The plans of a file; throws a `UsageError` when the machine does not know what the file names. */
export const plansOf = (machine: Machine, file: Counterexample): { readonly plan: Plan; readonly prelude: Plan[] } => {
  const actions: string[] = machine.actions.map(({ name }) => name)
  const expectKnown = (field: string, steps: readonly object[]): void => {
    for (const [i, step] of steps.entries()) {
      // A step of the schedule has none.
      const { action } = step as { readonly action?: string }
      if (action === undefined || actions.includes(action)) continue
      const found = `no action of ${machine.name} is called ${preview(action)}; ${hintFor(action, actions)}`
      throw new UsageError(`field \`${field}.${i}.action\`: ${found}`)
    }
  }
  expectKnown('plan', file.plan)
  expectKnown('trace', file.trace)
  const read = (steps: readonly unknown[], field: string): Plan => {
    try {
      return planFromJson(machine, steps as readonly PlanStepJson[])
    } catch (error) {
      throw new UsageError(`field \`${field}\`: ${(error as Error).message}`)
    }
  }
  return {
    plan: read(file.plan, 'plan'),
    prelude: (file.prelude ?? []).map((steps, i) => read(steps, `prelude.${i}`)),
  }
}

/** What a replay came to. */
export const compare = (
  file: Counterexample,
  result: RunResult,
  target: { readonly name: string; readonly version: string },
): ReplayResult => {
  const trace = traceToJson(result.trace)
  const key = keyOf(file)
  const reproduced = fails(key)(result)
  const failures = failuresOf(result)
  const shown = reproduced ? key : failures[0]
  return {
    reproduced,
    verdict: reproduced ? file.verdict : result.verdict,
    clause: shown?.clause,
    law: shown?.law,
    observed: result.finding?.observed ?? result.trouble?.message ?? (reproduced ? file.finding.observed : undefined),
    step: Math.max(0, trace.length - 1),
    diverged: divergence(file.trace, trace),
    trace,
    target,
  }
}

/** Only what the target did can leave the path; notes are for people. */
const divergence = (recorded: readonly TraceStepJson[], seen: readonly TraceStepJson[]): ReplayResult['diverged'] => {
  const text = (step: TraceStepJson | undefined): string =>
    step === undefined ? '' : canonicalize(step.by === 'schedule' ? step : [step.by, step.action, step.args])!
  for (let i = 0; i < Math.max(recorded.length, seen.length); i++)
    if (text(recorded[i]) !== text(seen[i])) return { step: i, expected: recorded[i], found: seen[i] }
  return undefined
}
