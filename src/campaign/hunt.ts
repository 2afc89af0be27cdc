/** The hunt for one seeded fault: machines that play on a faulty reference, beside an honest one that must stay clean. */
import type { Target } from '../contract/target.ts'
import { describe } from '../kernel/judge/judge.ts'
import type { Finding, Verdict } from '../kernel/judge/verdict.ts'
import type { Machine } from '../kernel/language/machine.ts'
import { type Model, ModelError } from '../kernel/model.ts'
import { Drawer } from '../kernel/play/draw.ts'
import type { Plan } from '../kernel/play/plan.ts'
import { Runner, type RunResult, type TraceStep } from '../kernel/play/run.ts'
import { lengthOf, proveMinimal, type Shrunk, shrink } from '../kernel/shrink/index.ts'
import type { Fault } from '../reference/faults/index.ts'
import { openReference, type ReferenceOptions } from '../targets/reference.ts'
import { RandomArm } from './random-arm.ts'

/** What a run found: the law, and whether breaking it violates the standard or only what robust devices do. */
export interface Hit {
  readonly verdict: Verdict
  readonly law: string
  readonly clause: string
  readonly hardening: boolean
}

/** Findings of a run that speak against the target, the worst first. */
const hitsOf = (result: RunResult): Hit[] => {
  const hit = ({ law, clause }: Finding, hardening: boolean): Hit => ({
    verdict: 'violates',
    law,
    clause: clause?.id ?? '',
    hardening,
  })
  const hits: Hit[] = []
  if (result.verdict === 'violates' && result.finding !== undefined) hits.push(hit(result.finding, false))
  if (result.verdict === 'crashes' || result.verdict === 'hangs' || result.verdict === 'livelocks')
    hits.push({ verdict: result.verdict, law: result.verdict, clause: SURVIVES, hardening: false })
  return [...hits, ...result.hardening.map((finding) => hit(finding, true))]
}

/** A guest must not be able to stop its device from working. */
const SURVIVES = 'SAF-05'

const has = (result: RunResult, hit: Hit): boolean =>
  hitsOf(result).some((other) => other.verdict === hit.verdict && other.law === hit.law && other.clause === hit.clause)

/** One machine on the reference, with the fault and without. */
export class Ground {
  readonly machine: Machine
  readonly model: Model
  readonly drawer: Drawer
  readonly blind: RandomArm
  private readonly options: ReferenceOptions
  private faulty: Runner
  private honest: Runner

  private constructor(model: Model, machine: Machine, options: ReferenceOptions) {
    this.model = model
    this.machine = machine
    this.options = options
    this.faulty = this.fresh(true)
    this.honest = this.fresh(false)
    const { step, save, migrate } = this.faulty.target.describe().can
    const drawing = {
      played: model.played,
      unavailable: new Set(Object.keys(this.faulty.unavailable)),
      steps: step,
      saves: save || migrate,
    }
    this.drawer = new Drawer(machine, drawing)
    this.blind = new RandomArm(machine, drawing)
  }

  /** Undefined where the machine is not about such a target. */
  static of(model: Model, fault: Fault, bounds: ReferenceOptions): Ground | undefined {
    const options = { ...bounds, fault }
    const target = openReference(options)
    const description = target.describe()
    target.close()
    if (model.notApplicable(description) !== undefined) return undefined
    const chosen = model.scope?.(description)
    try {
      return new Ground(model, model.machine.at(chosen?.scope ?? 'played', chosen?.bounds), options)
    } catch (error) {
      // The fault spoils what the driver finds its device by: another machine is about that.
      if (error instanceof ModelError) return undefined
      throw error
    }
  }

  private fresh(withFault: boolean): Runner {
    const { fault, ...plain } = this.options
    const seeded = fault as Fault
    const honest = {
      ...(seeded.transport === undefined ? {} : { transport: seeded.transport }),
      ...seeded.needs,
      ...plain,
    }
    const target: Target = openReference(withFault ? this.options : honest)
    return new Runner(this.model, this.machine, target, { fingerprint: true })
  }

  /** Fresh machines on both sides: nothing is carried over from what was run before. */
  renew(): void {
    this.close()
    this.faulty = this.fresh(true)
    this.honest = this.fresh(false)
  }

  /** Runs a plan, and what it found that the honest reference does not show and that a fresh faulty one does. */
  try(plan: Plan): Hit | undefined {
    const hits = hitsOf(this.faulty.run(plan))
    if (hits.length === 0) return undefined
    // What a fault left behind in earlier runs is no proof about this plan.
    this.faulty.target.close()
    this.faulty = this.fresh(true)
    const again = this.faulty.run(plan)
    const without = this.honest.run(plan)
    return hits.find((hit) => has(again, hit) && !has(without, hit))
  }

  private execute = (plan: Plan): RunResult => {
    this.faulty.target.close()
    this.faulty = this.fresh(true)
    return this.faulty.run(plan)
  }

  shrink(plan: Plan, hit: Hit, maxExecutions: number, interrupted: () => boolean): Shrunk {
    return shrink(this.machine, plan, this.execute, (result) => has(result, hit), { maxExecutions, interrupted })
  }

  /** Length of the shortest plan of the same values that breaks the same law, if the walk came to an end. */
  shortest(plan: Plan, hit: Hit, maxExecutions: number, interrupted: () => boolean): number | undefined {
    const same = (result: RunResult): boolean => has(result, hit)
    const proof = proveMinimal({ plan, execute: this.execute, same, maxExecutions, interrupted })
    return proof.minimality === 'proved' ? (proof.shortest ?? lengthOf(plan)) : undefined
  }

  close(): void {
    this.faulty.target.close()
    this.honest.target.close()
  }
}

/** A trace as people read it, one line a step. */
export const linesOf = (trace: readonly TraceStep[]): string[] =>
  trace.map((step) => {
    if (step.by === 'schedule') return step.count === undefined ? step.do : `${step.do} ${step.count}`
    const note = step.note === undefined ? '' : `  (${step.note})`
    return `${step.by === 'us' ? '>' : '<'} ${describe(step.action, step.args)}${note}`
  })
