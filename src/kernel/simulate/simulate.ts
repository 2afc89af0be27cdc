/**
 * Random walks of a machine alone: a look into scopes that are too large to be explored. Every step is drawn evenly
 * from what is possible, and every law is judged after it.
 */
import { totalmem } from 'node:os'
import { type Choices, choicesOf } from '../explore/choices.ts'
import { ExploreError, writeRefused } from '../explore/error.ts'
import type { Step, Violation } from '../explore/index.ts'
import { diagnose, stepOf, take } from '../explore/retrace.ts'
import type { Actor, Machine } from '../language/index.ts'
import { ReadOnlyError } from '../language/packed-views.ts'
import { stateToJson } from '../language/state.ts'
import { wordLayoutOf } from '../language/word-layout.ts'
import type { SimulateOptions, Simulation } from './simulation.ts'
import { Walker } from './walker.ts'

const WALK_LENGTH = 1000
/** Rounds between looks at the clock and at the one who may interrupt. */
const STRETCH = 1 << 7
const PROGRESS_MS = 100

const whole = (option: string, value: number, least: number): number => {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new RangeError(`simulate: ${option}: expected a whole number from ${least} on, found ${String(value)}`)
}

interface Law {
  readonly name: string
  readonly clause: { readonly id: string }
}

class Simulator {
  private readonly machine: Machine
  private readonly options: SimulateOptions
  private readonly hostile: readonly Actor[]
  private readonly choices: Choices
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
    this.goals = [...machine.goals, ...machine.stepGoals].map(() => false)
    const { hostile, choices } = this
    const reached = (goal: number): void => void (this.goals[goal] = true)
    this.walker = new Walker({
      ...{ machine, choices, hostile },
      steps: whole('steps', options.steps, 1),
      walkLength: whole('walkLength', options.walkLength ?? WALK_LENGTH, 1),
      seed: whole('seed', options.seed, 0),
      distinctBytes: options.distinct === true ? Math.floor(totalmem() / 2) : undefined,
      hearer: {
        invariantBroken: (law, place) => this.note('invariant', machine.invariants[law]!, place),
        goalReached: reached,
        stepBroken: (law, place) => this.note('step', machine.steps[law]!, place),
        stepGoalReached: (goal) => reached(machine.goals.length + goal),
        rested: (place, duty) => this.rest(place, duty),
      },
    })
  }

  run(): Simulation {
    const { interrupted, onProgress, steps } = this.options
    const { walker } = this
    let progressAt = this.startedAt + PROGRESS_MS
    let stopped = false
    while (walker.steps < steps && !stopped) {
      const before = walker.steps
      this.guarded(() => {
        for (let round = 0; round < STRETCH && walker.steps < steps; round++) walker.round()
      })
      // In an initial state in which nothing can happen no step is left to take.
      if (walker.steps === before) break
      stopped = interrupted?.() === true
      if (onProgress === undefined || performance.now() < progressAt) continue
      onProgress(this.progress())
      progressAt = performance.now() + PROGRESS_MS
    }
    if (walker.steps === steps) this.guarded(() => walker.round())
    this.audit()
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
    const { steps, walks, distinct } = this.walker
    const seconds = (performance.now() - this.startedAt) / 1000
    return { steps, walks, seconds, distinct: distinct ?? null }
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

  private note(kind: Violation['kind'], { name, clause }: Law, place: number): void {
    const { steps, cells } = this.retrace(place)
    this.violations.push({ name, kind, clause: clause.id, steps, state: stateToJson(this.machine.layout, cells) })
  }

  /** Nothing can happen any more: nothing may be owed, and the machine has to call the state final. */
  private rest(place: number, duty: boolean): void {
    const { machine, walker } = this
    machine.owes.forEach((debt, i) => {
      if (this.owed.has(i) || (!duty && debt.safety !== true) || !debt.when(walker.state)) return
      this.owed.add(i)
      this.note('obligation', debt, place)
    })
    if (machine.final?.(walker.state) === true) return
    this.stuckCount++
    this.stuckSteps ??= this.retrace(place).steps
  }

  /** A walk so far, step by step, and the state that it has come to. */
  private retrace(place: number): { steps: Step[]; cells: Int32Array } {
    const { machine, walker } = this
    const steps: Step[] = []
    let cells = machine.initial()
    for (const k of walker.pathOf(place)) {
      const choice = this.choices.all[k]!
      const taken = take(machine, choice, cells, this.hostile)
      if (taken === undefined) throw this.impure(cells, choice.action.name)
      steps.push(stepOf(machine, choice, cells, taken))
      cells = taken.after
    }
    return { steps, cells }
  }

  /** The fast reading against the plain one, on one walk. */
  private audit(): void {
    const { layout } = this.machine
    const { cells } = this.retrace(0)
    const words = wordLayoutOf(layout)
    const plain = new Int32Array(words.words)
    words.pack(cells, plain, 0)
    if (this.walker.wordsOf(0).some((word, i) => word !== plain[i])) throw this.impure(cells)
  }

  private impure(cells: Int32Array, action?: string): ExploreError {
    return new ExploreError(
      this.machine,
      'a walk was taken again and went elsewhere: some function of the machine depends on more than the state',
      { ...(action === undefined ? {} : { action }), state: stateToJson(this.machine.layout, cells) },
    )
  }

  /** Which of the author's functions threw: a choice is in the path before its effect, so that taking it throws again. */
  private explain(error: unknown): unknown {
    if (error instanceof ExploreError) return error
    const { cells } = this.retrace(this.walker.at())
    if (error instanceof ReadOnlyError) return writeRefused(this.machine, cells)
    return diagnose(this.machine, this.choices.all, cells, this.hostile, error)
  }
}

/** Walks a machine at random within its scope. Throws an `ExploreError` when it cannot be walked as it is written. */
export const simulate = (machine: Machine, options: SimulateOptions): Simulation =>
  new Simulator(machine, options).run()
