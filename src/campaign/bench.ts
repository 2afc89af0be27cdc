/** The bench: does the jobs of a campaign in the thread that it is called in. */
import type { Description } from '../contract/target.ts'
import { TargetError } from '../contract/target.ts'
import type { Machine } from '../kernel/language/machine.ts'
import type { Model } from '../kernel/model.ts'
import { ModelError } from '../kernel/model.ts'
import { type Plan, type PlanStepJson, planFromJson, planToJson } from '../kernel/play/plan.ts'
import type { RunResult } from '../kernel/play/run.ts'
import { openTarget } from '../targets/index.ts'
import type { Counterexample } from './counterexample.ts'
import { describeFailure, escapeLines, traceToJson } from './describe-failure.ts'
import { followedBy } from './deviations.ts'
import { type ExamineOptions, examine } from './examine.ts'
import { UsageError } from './exit.ts'
import { failuresOf } from './failures.ts'
import type {
  BenchOptions,
  Examined,
  ExamineJob,
  Executor,
  Failure,
  Performed,
  PerformJob,
  PlayAnswer,
  PlayJob,
  Prepared,
  ReplayJob,
  RunItem,
} from './jobs.ts'
import { chooseMachines, loadModels } from './models.ts'
import { behavioursOf, boundsOf, equalTo, expectProfile } from './profiles.ts'
import { Interrupted, Pulse } from './pulse.ts'
import { compare, machineOf, plansOf, type ReplayResult } from './replay.ts'
import { type Opener, type Slot, type SlotOptions, Slots } from './slots.ts'
import { machineFor, preparedOf, Station } from './station.ts'
import { drainLedger, emptyTally } from './tally.ts'

/** Runs that may have left something behind in a target. */
const BEFORE_MAX = 8
/** So many runs one after the other that cannot be judged: the rest could not be either. */
const ADAPTER_ERRORS_MAX = 3

/** Stand-ins for what is found by address and name. */
export interface BenchParts {
  readonly opener?: Opener
  readonly models?: readonly Model[]
  readonly pulse?: Pulse
}

export class Bench implements Executor {
  readonly pulse: Pulse
  private readonly options: BenchOptions
  private readonly slots: Slots
  private readonly givenModels: readonly Model[] | undefined
  private models: readonly Model[] | undefined
  private description: Description | undefined
  private readonly stations = new Map<string, Station>()
  private readonly prepared = new Map<string, Prepared>()
  /** The target that plays now, and for which machine. */
  private playing: { readonly slot: Slot; readonly station: Station; readonly history: RunItem[] } | undefined

  constructor(options: BenchOptions, { opener, models, pulse = new Pulse() }: BenchParts = {}) {
    this.options = options
    this.givenModels = models
    this.pulse = pulse
    this.slots = new Slots(opener ?? ((open) => openTarget(options.address, open)), options.directory, pulse)
  }

  private async allModels(): Promise<readonly Model[]> {
    this.models ??= this.givenModels ?? (await loadModels(this.options.modelsFrom))
    return this.models
  }

  async machines(): Promise<readonly string[]> {
    return (await this.allModels()).map(({ machine }) => machine.name)
  }

  async identify(): Promise<{ readonly name: string; readonly version: string }> {
    const { name, version } = await this.described()
    return { name, version }
  }

  private async described(): Promise<Description> {
    if (this.description !== undefined) return this.description
    // Twice: the first opening also loads what is opened with.
    for (let i = 0; i < 2; i++) {
      const { target, close } = await this.slots.target(this.options.timeoutMs)
      try {
        this.description = target.describe()
      } finally {
        close()
      }
      if (!this.description.can.synchronous) break
    }
    return this.description!
  }

  private async modelOf(machine: string): Promise<Model> {
    const models = await this.allModels()
    chooseMachines(
      [machine],
      models.map((each) => each.machine.name),
    )
    return models.find((each) => each.machine.name === machine)!
  }

  async prepare(name: string): Promise<Prepared> {
    const known = this.prepared.get(name)
    if (known !== undefined) return known
    const description = await this.described()
    const model = await this.modelOf(name)
    const profile = this.profileOf(model, description)
    const machine = machineFor(model, description, boundsOf(model, profile))
    const made = (unavailable: Readonly<Record<string, string>>): Prepared => ({
      ...preparedOf(model, machine, description, unavailable, this.slots.cheap),
      ...(profile === undefined ? {} : { profile }),
    })
    let prepared: Prepared
    try {
      prepared = made(await this.unavailable(model, machine))
    } catch (error) {
      // Nothing is left that could be drawn.
      if (!(error instanceof RangeError)) throw error
      prepared = { ...made({}), notApplicable: error.message }
    }
    this.prepared.set(name, prepared)
    return prepared
  }

  /** The behaviour in use to judge by: the one that is asked for, or the one that the target is known to follow. */
  private profileOf(model: Model, target: Description): string | undefined {
    const { profile, followed = [] } = this.options
    const { name } = model.machine
    if (profile !== undefined) return model.profiles?.some((each) => each.name === profile) ? profile : undefined
    const known = followedBy(followed, target, name)
    if (known !== undefined) expectProfile([model], [name], known)
    return known
  }

  /** What cannot be done on the target: known only when the machine has found its device there. */
  private async unavailable(model: Model, machine: Machine): Promise<Readonly<Record<string, string>>> {
    const description = await this.described()
    if (model.notApplicable(description) !== undefined) return {}
    const station = new Station(model, machine, this.options)
    this.stations.set(machine.name, station)
    const slot = await this.openSlot(station)
    station.ready(description, slot.runner.unavailable)
    this.stopPlaying()
    this.playing = { slot, station, history: [] }
    return slot.runner.unavailable
  }

  private async station(machine: string): Promise<Station> {
    await this.prepare(machine)
    const station = this.stations.get(machine)
    if (station?.isReady) return station
    throw new UsageError(`${machine}: is not applicable to this target`)
  }

  private openSlot(station: Station, timeoutMs = Number.POSITIVE_INFINITY): Promise<Slot> {
    return this.slots.open(station.model, station.machine, {
      ...this.slotOptions(),
      timeoutMs: Math.min(timeoutMs, this.options.timeoutMs),
      ledger: station.ledger,
      tolerated: station.tolerated,
      meanwhile: station.ahead.go,
    })
  }

  private slotOptions(): Pick<SlotOptions, 'timeoutMs' | 'graceMs'> {
    const { timeoutMs, graceMs } = this.options
    return graceMs === undefined ? { timeoutMs } : { timeoutMs, graceMs }
  }

  private stopPlaying(): void {
    this.playing?.slot.close()
    this.playing = undefined
  }

  async play(job: PlayJob): Promise<PlayAnswer> {
    const station = await this.station(job.machine)
    if (this.playing?.station !== station || this.slots.cheap || job.timeoutMs !== undefined) this.stopPlaying()
    station.tolerated.clear()
    for (const law of job.tolerated) station.tolerated.add(law)
    const tally = emptyTally(station.ledger.book.clauses.length, station.ledger.goals.length)
    const failures: Failure[] = []
    const warnings: string[] = []
    const answer = (next: number, rest: Partial<PlayAnswer> = {}): PlayAnswer => {
      drainLedger(station.ledger, tally)
      return { tally, failures, rest: job.items.slice(next), interrupted: false, warnings, stopped: undefined, ...rest }
    }
    const hardened = new Set<string>()
    let adapterErrors = 0

    for (const [index, item] of job.items.entries()) {
      if (this.pulse.interrupted) return answer(index, { interrupted: true })
      if (job.untilMs !== undefined && Date.now() > job.untilMs) return answer(index)
      let plan: Plan
      try {
        plan = station.planOf(item)
      } catch (error) {
        if (!(error instanceof RangeError) || item.plan === undefined) throw error
        warnings.push(`${job.machine}: a plan of the corpus is left out: ${error.message}`)
        continue
      }
      station.expect(job.items[index + 1])
      let result: RunResult
      try {
        this.playing ??= { slot: await this.openSlot(station, job.timeoutMs), station, history: [] }
        result = this.playing.slot.run(plan, item.run)
      } catch (error) {
        this.stopPlaying()
        if (error instanceof Interrupted) return answer(index, { interrupted: true })
        const trouble = openingTrouble(error)
        if (trouble === undefined) throw error
        return answer(index, { stopped: trouble })
      }
      const { history, slot } = this.playing
      this.pulse.count(result.commands)
      tally.runs++
      tally.steps += result.performed.length
      tally.skipped += result.skipped
      tally.commands += result.commands
      for (const [law, count] of slot.runner.judge.met) tally.met.set(law, (tally.met.get(law) ?? 0) + count)
      slot.runner.judge.met.clear()
      for (const key of failuresOf(result)) {
        if (key.hardening) {
          if (hardened.has(key.law)) continue
          hardened.add(key.law)
        }
        failures.push({
          ...key,
          item,
          before: history.slice(-BEFORE_MAX),
          message: escapeLines(result.trouble?.message ?? result.finding?.observed ?? ''),
          lastWords: escapeLines(result.trouble?.lastWords ?? ''),
          timed: result.timed,
        })
      }
      history.push(item)
      if (history.length > BEFORE_MAX) history.shift()
      if (result.verdict === 'conforms') {
        adapterErrors = 0
        continue
      }
      // What broke a law may be broken for good; a fresh one tells more.
      if (result.trouble !== undefined || this.slots.cheap) this.stopPlaying()
      if (result.verdict === 'hangs') return answer(index + 1)
      const unusable = result.verdict === 'adapter-error' || result.verdict === 'spec-error'
      adapterErrors = unusable ? adapterErrors + 1 : 0
      if (adapterErrors === ADAPTER_ERRORS_MAX) {
        const { message, lastWords } = failures.at(-1)!
        return answer(index + 1, { stopped: { message, lastWords } })
      }
    }
    return answer(job.items.length)
  }

  private async examineOptions(machine: string, tolerated: readonly string[]): Promise<ExamineOptions> {
    const station = await this.station(machine)
    const description = await this.described()
    const { name, version, can } = description
    const { address, seed, shrinkExecutions, minimality } = this.options
    return {
      machine: station.machine,
      identity: { name, version, address },
      seed,
      shrinkExecutions,
      minimality,
      ...this.slotOptions(),
      tolerated: new Set(tolerated),
      cheap: this.slots.cheap,
      walkable: can.fingerprint && can.save,
      canStep: can.step,
      synchronous: can.synchronous,
      open: (options) => this.slots.open(station.model, station.machine, options),
      planOf: (item) => station.planOf(item),
      interrupted: () => this.pulse.interrupted,
      behaviours: () => behavioursOf(station.model, station.machine),
      keepLaw: false,
    }
  }

  async examine({ machine, failure, tolerated, keepLaw }: ExamineJob): Promise<Examined> {
    return examine(failure, { ...(await this.examineOptions(machine, tolerated)), keepLaw: keepLaw === true })
  }

  async planOf({ machine, item, steps }: Parameters<Executor['planOf']>[0]): Promise<PlanStepJson[]> {
    return planToJson((await this.station(machine)).planOf(item)).slice(0, steps)
  }

  async sketch({ machine, failure, tolerated }: ExamineJob): Promise<Counterexample> {
    const options = await this.examineOptions(machine, tolerated)
    const plan = options.planOf(failure.item)
    const acts = plan.steps.flatMap((step) =>
      step.do === 'act' ? [{ by: 'us' as const, action: step.action, args: step.args }] : [],
    )
    const result: RunResult = {
      verdict: failure.verdict,
      finding: undefined,
      trouble: { message: failure.message, lastWords: failure.lastWords },
      hardening: [],
      trace: acts,
      performed: plan.steps,
      skipped: 0,
      commands: 0,
      timed: false,
      states: undefined,
    }
    const shrinking = { executions: 0, from: plan.steps.length, exhausted: true }
    const reproduced = { times: 1, of: 1 }
    return describeFailure(
      { failure, plan, prelude: [], result, minimality: 'unknown', reproduced, shrinking, overlooked: [] },
      options,
    )
  }

  async replay({ counterexample }: ReplayJob): Promise<ReplayResult> {
    const description = await this.described()
    const model = await this.modelOf(counterexample.machine)
    const reason = model.notApplicable(description)
    if (reason !== undefined)
      throw new UsageError(`${counterexample.machine}: is not applicable to this target: ${reason}`)
    const machine = machineOf(counterexample, model.machine)
    const { plan, prelude } = plansOf(machine, counterexample)
    const tolerated = new Set(counterexample.overlooked)
    const slot = await this.slots.open(model, machine, { ...this.slotOptions(), tolerated })
    try {
      for (const before of prelude) slot.run(before, counterexample.run)
      return compare(counterexample, slot.run(plan, counterexample.run), {
        name: description.name,
        version: description.version,
      })
    } finally {
      slot.close()
    }
  }

  async perform({ machine, plan, prelude }: PerformJob): Promise<Performed> {
    const station = await this.station(machine)
    const slot = await this.slots.open(station.model, station.machine, { ...this.slotOptions(), tolerated: new Set() })
    try {
      for (const before of prelude) slot.run(planFromJson(station.machine, before), 0)
      const result = slot.run(planFromJson(station.machine, plan), 0)
      const [failure] = failuresOf(result).filter(({ hardening }) => !hardening)
      return {
        scope: (await this.prepare(machine)).scope,
        trace: traceToJson(result.trace),
        verdict: result.verdict,
        law: failure?.law,
        clause: failure?.clause,
        requirement: result.finding?.clause?.requirement,
        profiles:
          result.finding === undefined
            ? []
            : equalTo(behavioursOf(station.model, station.machine), result.trace, new Set()),
      }
    } finally {
      slot.close()
    }
  }

  async close(): Promise<void> {
    this.stopPlaying()
  }
}

/** Why there is no target to go on with; undefined when that is not what an error is about. */
const openingTrouble = (error: unknown): { message: string; lastWords: string } | undefined => {
  if (error instanceof TargetError)
    return { message: escapeLines(error.message), lastWords: escapeLines(error.lastWords) }
  if (error instanceof ModelError) return { message: escapeLines(error.message), lastWords: '' }
  return undefined
}
