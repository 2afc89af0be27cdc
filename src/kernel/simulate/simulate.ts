/**
 * Random walks of a machine alone: a look into scopes that are too large to be explored. Every step is drawn evenly
 * from what is possible, and every law is judged after it.
 */
import { type Choices, choicesOf } from '../explore/choices.ts'
import { ExploreError } from '../explore/error.ts'
import type { Step, Violation } from '../explore/index.ts'
import { diagnose, stepOf, take } from '../explore/retrace.ts'
import type { Actor, Machine } from '../language/index.ts'
import { stateToJson } from '../language/state.ts'
import { Seen } from './seen.ts'
import type { SimulateOptions, Simulation } from './simulation.ts'
import { Walker } from './walker.ts'

const WALK_LENGTH = 1000
/** Steps between looks at the clock and at the one who may interrupt. */
const STRETCH = 1 << 16
const PROGRESS_MS = 100

const whole = (option: string, value: number, least: number): number => {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new RangeError(`simulate: ${option}: expected a whole number from ${least} on, found ${String(value)}`)
}

class Simulator {
  private readonly machine: Machine
  private readonly options: SimulateOptions
  private readonly hostile: readonly Actor[]
  private readonly choices: Choices
  private readonly seen: Seen | undefined
  private readonly walker: Walker
  private readonly violations: Violation[] = []
  private readonly goals: boolean[]
  private readonly owed = new Set<number>()
  private stuckCount = 0
  private stuckSteps: Step[] | undefined
  private readonly startedAt = performance.now()

  constructor(machine: Machine, options: SimulateOptions) {
    this.machine = machine
    this.options = options
    this.hostile = options.hostile ?? []
    this.choices = choicesOf(machine)
    this.seen = options.distinct === true ? new Seen(machine.layout) : undefined
    this.goals = [...machine.goals, ...machine.stepGoals].map(() => false)
    const { hostile, choices, seen } = this
    const walkLength = whole('walkLength', options.walkLength ?? WALK_LENGTH, 1)
    this.walker = new Walker({
      ...{ machine, choices, hostile, walkLength, seen, seed: whole('seed', options.seed, 0) },
      hearer: {
        broken: (kind, law) => this.broken(kind, law),
        reached: (goal) => void (this.goals[goal] = true),
        resting: () => this.rest(),
      },
    })
  }

  run(): Simulation {
    const { interrupted, onProgress } = this.options
    const steps = whole('steps', this.options.steps, 1)
    const { walker } = this
    let progressAt = this.startedAt + PROGRESS_MS
    let stopped = false
    this.guarded(() => walker.begin())
    while (walker.steps < steps && !stopped) {
      const before = walker.steps
      this.guarded(() => walker.run(Math.min(STRETCH, steps - before)))
      // In an initial state in which nothing can happen no step is left to take.
      if (walker.steps === before) break
      stopped = interrupted?.() === true
      if (onProgress === undefined || performance.now() < progressAt) continue
      onProgress(this.progress())
      progressAt = performance.now() + PROGRESS_MS
    }
    return this.report(stopped)
  }

  private guarded(body: () => void): void {
    try {
      body()
    } catch (error) {
      throw this.explain(error)
    }
  }

  private progress() {
    const { steps, walks } = this.walker
    const seconds = (performance.now() - this.startedAt) / 1000
    return { steps, walks, seconds, distinct: this.seen?.count ?? null }
  }

  private report(stopped: boolean): Simulation {
    const { machine, options, violations, walker } = this
    const progress = this.progress()
    return {
      ...{ machine: machine.name, scope: machine.scope, seed: options.seed },
      ...progress,
      stepsPerSecond: progress.steps / Math.max(progress.seconds, 0.001),
      result: violations.length > 0 ? 'violated' : stopped ? 'cut-short' : 'passed',
      violations,
      stuck: { count: this.stuckCount, ...(this.stuckSteps === undefined ? {} : { steps: this.stuckSteps }) },
      goals: Object.fromEntries([...machine.goals, ...machine.stepGoals].map(({ name }, i) => [name, this.goals[i]!])),
      actions: Object.fromEntries(machine.actions.map(({ name, index }) => [name, walker.taken[index]!])),
    }
  }

  private broken(kind: 'invariant' | 'step', index: number): void {
    const law = (kind === 'invariant' ? this.machine.invariants : this.machine.steps)[index]!
    this.note(kind, law.name, law.clause.id)
  }

  private note(kind: Violation['kind'], name: string, clause: string): void {
    const { steps, cells } = this.retrace()
    this.violations.push({ name, kind, clause, steps, state: stateToJson(this.machine.layout, cells) })
  }

  /** Nothing can happen any more: nothing may be owed, and the machine has to call the state final. */
  private rest(): void {
    const { machine, walker } = this
    const isFree = machine.unspecified?.(walker.state) === true
    machine.owes.forEach((debt, i) => {
      if (this.owed.has(i) || (isFree && debt.safety !== true) || !debt.when(walker.state)) return
      this.owed.add(i)
      this.note('obligation', debt.name, debt.clause.id)
    })
    if (machine.final?.(walker.state) === true) return
    this.stuckCount++
    this.stuckSteps ??= this.retrace().steps
  }

  /** The walk so far, step by step, and the state that it has come to. */
  private retrace(): { steps: Step[]; cells: Int32Array } {
    const { machine, walker } = this
    const steps: Step[] = []
    let cells = machine.initial()
    for (const k of walker.path.subarray(0, walker.length)) {
      const choice = this.choices.all[k]!
      const taken = take(machine, choice, cells, this.hostile)
      if (taken === undefined)
        throw new ExploreError(
          machine,
          'a step of a walk was not possible again: some function of the machine depends on more than the state',
          { action: choice.action.name, state: stateToJson(machine.layout, cells) },
        )
      steps.push(stepOf(machine, choice, cells, taken))
      cells = taken.after
    }
    return { steps, cells }
  }

  /** Which of the author's functions threw: a choice is in the path before its effect, so that taking it throws again. */
  private explain(error: unknown): unknown {
    if (error instanceof ExploreError) return error
    const { cells } = this.retrace()
    return diagnose(this.machine, this.choices.all, cells, this.hostile, error)
  }
}

/** Walks a machine at random within its scope. Throws an `ExploreError` when it cannot be walked as it is written. */
export const simulate = (machine: Machine, options: SimulateOptions): Simulation =>
  new Simulator(machine, options).run()
