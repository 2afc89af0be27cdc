/** The hunt for one seeded fault: machines that play on a faulty reference, beside an honest one that must stay clean. */
import type { Target } from '../contract/target.ts'
import { describe } from '../kernel/judge/judge.ts'
import type { Machine } from '../kernel/language/machine.ts'
import { type Model, ModelError } from '../kernel/model.ts'
import { Drawer } from '../kernel/play/draw.ts'
import type { Plan } from '../kernel/play/plan.ts'
import { Runner, type RunResult, type TraceStep } from '../kernel/play/run.ts'
import { type Failing, type Minimality, proveMinimal, type ShrunkKin, shrinkKin } from '../kernel/shrink/index.ts'
import type { Fault } from '../reference/faults/index.ts'
import { openReference, type ReferenceOptions } from '../targets/reference.ts'
import { fails, failuresOf, isTrouble } from './failures.ts'
import { RandomArm } from './random-arm.ts'

/** Findings of a run that speak against the target, the worst first. */
const hitsOf = (result: RunResult): readonly Failing[] =>
  failuresOf(result).filter(({ verdict }) => verdict === 'violates' || isTrouble(verdict))

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

  private fresh(withFault: boolean, fingerprint = false): Runner {
    const { fault, ...plain } = this.options
    const seeded = fault as Fault
    const honest = {
      ...(seeded.transport === undefined ? {} : { transport: seeded.transport }),
      ...(seeded.board === undefined ? {} : { board: seeded.board }),
      ...seeded.needs,
      ...plain,
    }
    const target: Target = openReference(withFault ? this.options : honest)
    return new Runner(this.model, this.machine, target, { fingerprint })
  }

  /** Fresh machines on both sides: nothing is carried over from what was run before. */
  renew(): void {
    this.close()
    this.faulty = this.fresh(true)
    this.honest = this.fresh(false)
  }

  /** Runs a plan, and what it found that the honest reference does not show and that a fresh faulty one does. */
  try(plan: Plan): Failing | undefined {
    const hits = hitsOf(this.faulty.run(plan))
    if (hits.length === 0) return undefined
    // What a fault left behind in earlier runs is no proof about this plan.
    this.faulty.target.close()
    this.faulty = this.fresh(true)
    const again = this.faulty.run(plan)
    const without = this.honest.run(plan)
    return hits.find((hit) => fails(hit)(again) && !fails(hit)(without))
  }

  /** Runs a plan on a fresh faulty reference. */
  readonly execute = (plan: Plan): RunResult => this.executed(plan, false)

  private executed(plan: Plan, fingerprint: boolean): RunResult {
    this.faulty.target.close()
    this.faulty = this.fresh(true, fingerprint)
    return this.faulty.run(plan)
  }

  shrink(plan: Plan, hit: Failing, maxExecutions: number, interrupted: () => boolean): ShrunkKin {
    const canStep = this.faulty.target.describe().can.step
    return shrinkKin(this.machine, plan, this.execute, hit, hitsOf, { maxExecutions, interrupted, canStep })
  }

  /** What a walk over the values of the plan says, if it came to an end. */
  walk(plan: Plan, hit: Failing, maxExecutions: number, interrupted: () => boolean): Minimality {
    const execute = (candidate: Plan): RunResult => this.executed(candidate, true)
    const { machine } = this
    return proveMinimal({ plan, machine, execute, same: fails(hit), maxExecutions, interrupted })
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
