/**
 * How well campaigns find bugs that are known to be there: every seeded fault of the reference, from many seeds, beside
 * a plain random arm. Deterministic for a given seed.
 */
import { type PlanStepJson, planToJson } from '../kernel/play/plan.ts'
import { runSeed } from '../kernel/play/random.ts'
import { canonicalForm, lengthOf } from '../kernel/shrink/index.ts'
import { models } from '../models/index.ts'
import { type Fault, faults as registered } from '../reference/faults/index.ts'
import { loadDefault } from '../targets/module.ts'
import type { ReferenceOptions } from '../targets/reference.ts'
import { UsageError } from './exit.ts'
import { Ground, type Hit, linesOf } from './hunt.ts'
import { chooseMachines } from './models.ts'

export interface ScoreOptions {
  /** Ids of faults: `*` stands for any text, and `area:virtqueue` for an area. Several with commas. Default all. */
  readonly faults?: string
  /** Campaigns for each fault. Default 20. */
  readonly seeds?: number
  /** Runs of each machine in a campaign. Default 100. */
  readonly runs?: number
  /** Seed of the first campaign; the others count on. Default 1. */
  readonly seed?: number
  /** Files that export a `Fault`, or several, by default. Alone, or with those that `faults` names. */
  readonly modules?: readonly string[]
  readonly machines?: readonly string[] | 'all'
  /** Bound of the executions of one shrinking. Default 1500. */
  readonly shrinkExecutions?: number
  /** Bound of the executions of one walk for the shortest plan; 0 leaves it out. Default 20,000. */
  readonly walkExecutions?: number
  /** Whether the random arm runs too. Default true. */
  readonly baseline?: boolean
  readonly onProgress?: (done: ScoreProgress) => void
  readonly interrupted?: () => boolean
}

export interface ScoreProgress {
  readonly fault: string
  /** Pairs of fault and seed. */
  readonly done: number
  readonly of: number
  readonly found: number
}

/** The shortest counterexample of a fault. */
export interface ScoreExample extends Hit {
  readonly machine: string
  readonly requirement: string
  readonly expected: string
  readonly observed: string
  readonly plan: readonly PlanStepJson[]
  /** What was done and seen, one line a step. */
  readonly trace: readonly string[]
}

export interface FaultScore {
  readonly id: string
  readonly area: string
  readonly difficulty: string
  readonly what: string
  readonly replaces: string
  /** Campaigns that found it, of `seeds`. */
  readonly found: number
  readonly seeds: number
  /** Runs of each machine until it was found; undefined where more than that share of the campaigns missed it. */
  readonly medianRuns: number | undefined
  readonly p90Runs: number | undefined
  /** Median length of the counterexamples. */
  readonly steps: number | undefined
  /** The shortest length, proved by a walk of target and machine over the values of the counterexamples. */
  readonly shortest: number | undefined
  /** Counterexamples whose length was proved, and those of them within one step of it. */
  readonly proved: number
  readonly withinOne: number
  /** Different canonical forms, of the machine that gave the most: machines word one bug differently. */
  readonly forms: number
  /** The clause that most counterexamples break. */
  readonly clause: string | undefined
  /** Every campaign found it only by a law of hardening. */
  readonly hardening: boolean
  readonly seconds: number
  readonly baseline: { readonly found: number }
  readonly example: ScoreExample | undefined
}

export interface ScoreResult {
  readonly faults: readonly FaultScore[]
  /** Found pairs of fault and seed, of all. */
  readonly score: number
  readonly baseline: number
  readonly seed: number
  readonly runs: number
  readonly seconds: number
  readonly interrupted: boolean
}

/** Two queues, so that machines with a second queue can watch it. */
const BOUNDS: ReferenceOptions = { queues: 2 }
/** One run in so many draws the costly actions, as campaigns do. */
const RARE_EVERY = 100
const RARE_AT = 11
/** Shrinking a run with a costly action gets that part of the executions, and no walk. */
const COSTLY = 20

export const score = async (options: ScoreOptions = {}): Promise<ScoreResult> => {
  const { seeds = 20, runs = 100, seed = 1, interrupted = () => false } = options
  const start = performance.now()
  const own = await loadFaults(options.modules ?? [])
  const chosen = [...(own.length > 0 && options.faults === undefined ? [] : choose(options.faults)), ...own]
  const names = chooseMachines(
    options.machines ?? 'all',
    models.map(({ machine }) => machine.name),
  )
  const rows: FaultScore[] = []
  let done = 0
  let found = 0
  for (const fault of chosen) {
    if (interrupted()) break
    const grounds = models
      .filter(({ machine }) => names.includes(machine.name))
      .flatMap((model) => Ground.of(model, fault, BOUNDS) ?? [])
    const row = new Row(fault, grounds, options)
    for (let i = 0; i < seeds && !interrupted(); i++) {
      row.campaign(seed + i, runs)
      done++
      options.onProgress?.({ fault: fault.id, done, of: chosen.length * seeds, found: found + row.found })
      // Signals are heard between two campaigns.
      await new Promise((resolve) => setImmediate(resolve))
    }
    rows.push(row.result())
    found += row.found
    for (const ground of grounds) ground.close()
  }
  const pairs = rows.reduce((sum, row) => sum + row.seeds, 0)
  const share = (count: (row: FaultScore) => number): number =>
    pairs === 0 ? 0 : rows.reduce((sum, row) => sum + count(row), 0) / pairs
  return {
    faults: rows,
    score: share((row) => row.found),
    baseline: share((row) => row.baseline.found),
    seed,
    runs,
    seconds: (performance.now() - start) / 1000,
    interrupted: interrupted(),
  }
}

interface Caught {
  readonly runs: number
  readonly hit: Hit
  readonly steps: number
  readonly form: string
  readonly shortest: number | undefined
  readonly example: ScoreExample
}

/** Counts of one fault. */
class Row {
  private readonly fault: Fault
  private readonly grounds: readonly Ground[]
  private readonly options: ScoreOptions
  private readonly caught: Caught[] = []
  private readonly shortest = new Map<string, number | undefined>()
  private seeds = 0
  private byChance = 0
  private readonly start = performance.now()

  constructor(fault: Fault, grounds: readonly Ground[], options: ScoreOptions) {
    this.fault = fault
    this.grounds = grounds
    this.options = options
  }

  get found(): number {
    return this.caught.length
  }

  /** Plays every machine in turn until one of them finds something, or each had its runs. */
  campaign(seed: number, runs: number): void {
    this.seeds++
    for (const ground of this.grounds) ground.renew()
    const caught = this.hunt(seed, runs)
    if (caught !== undefined) this.caught.push(caught)
    if (this.options.baseline === false) return
    for (const ground of this.grounds) ground.renew()
    if (this.blindHunt(seed, runs)) this.byChance++
  }

  private hunt(seed: number, runs: number): Caught | undefined {
    for (let run = 0; run < runs; run++)
      for (const ground of this.grounds) {
        const plan = ground.drawer.draw(runSeed(seed, ground.machine.name, run), run % RARE_EVERY === RARE_AT)
        const hit = ground.try(plan)
        if (hit !== undefined) return this.examine(ground, plan, hit, run + 1)
        if (this.options.interrupted?.() === true) return undefined
      }
    return undefined
  }

  private blindHunt(seed: number, runs: number): boolean {
    for (let run = 0; run < runs; run++)
      for (const ground of this.grounds)
        if (ground.try(ground.blind.draw(runSeed(seed, ground.machine.name, run))) !== undefined) return true
    return false
  }

  private examine(ground: Ground, failing: Parameters<Ground['shrink']>[0], hit: Hit, runs: number): Caught {
    const { shrinkExecutions = 1500, walkExecutions = 20_000, interrupted = () => false } = this.options
    // A run with a costly action takes as long as hundreds of others.
    const costly = failing.steps.some((step) => step.do === 'act' && step.action.weight === 0)
    const bound = costly ? Math.ceil(shrinkExecutions / COSTLY) : shrinkExecutions
    const { plan, result } = ground.shrink(failing, hit, bound, interrupted)
    const cheap = !plan.steps.some((step) => step.do === 'act' && step.action.weight === 0)
    const hardened = hit.hardening ? result.hardening.find(({ law }) => law === hit.law) : undefined
    const finding = hardened ?? result.finding
    const broken = hardened === undefined ? result : { ...result, verdict: 'violates' as const, finding: hardened }
    const form = `${ground.machine.name} ${canonicalForm(plan, broken)}`
    if (cheap && walkExecutions > 0 && !this.shortest.has(form))
      this.shortest.set(form, ground.shortest(plan, hit, walkExecutions, interrupted))
    return {
      runs,
      hit,
      form,
      steps: lengthOf(plan),
      shortest: this.shortest.get(form),
      example: {
        ...hit,
        machine: ground.machine.name,
        requirement: finding?.clause?.requirement ?? '',
        expected: finding?.expected ?? 'a device that goes on working',
        observed: finding?.observed ?? result.trouble?.message ?? '',
        plan: planToJson(plan),
        trace: folded(linesOf(result.trace)),
      },
    }
  }

  result(): FaultScore {
    const { id, area, difficulty, what, replaces } = this.fault
    const { caught, seeds } = this
    const proved = caught.filter(({ shortest }) => shortest !== undefined)
    const shortest = proved.map(({ shortest }) => shortest!)
    const best = caught.toSorted((a, b) => a.steps - b.steps || (a.form < b.form ? -1 : 1))[0]
    return {
      ...{ id, area, difficulty, what, replaces, found: caught.length, seeds },
      medianRuns: quantile(caught, seeds, 0.5),
      p90Runs: quantile(caught, seeds, 0.9),
      steps: middle(caught.map(({ steps }) => steps)),
      shortest: shortest.length === 0 ? undefined : Math.min(...shortest),
      proved: proved.length,
      withinOne: proved.filter((each) => each.steps <= each.shortest! + 1).length,
      forms: Math.max(0, ...formsByMachine(caught).values()),
      clause: mostFrequent(caught.map(({ hit }) => hit.clause)),
      hardening: caught.length > 0 && caught.every(({ hit }) => hit.hardening),
      seconds: (performance.now() - this.start) / 1000,
      baseline: { found: this.byChance },
      example: best?.example,
    }
  }
}

const formsByMachine = (caught: readonly Caught[]): Map<string, number> => {
  const forms = new Map<string, Set<string>>()
  for (const { example, form } of caught)
    forms.set(example.machine, (forms.get(example.machine) ?? new Set()).add(form))
  return new Map([...forms].map(([machine, set]) => [machine, set.size]))
}

/** The same lines over and over (a livelock has a hundred thousand) are given once. */
const folded = (lines: readonly string[]): string[] => {
  const out: string[] = []
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!
    let times = 1
    while (lines[i + times] === line) times++
    out.push(line)
    if (times > 3) out.push(`  (${times} times)`)
    else for (let more = 1; more < times; more++) out.push(line)
    i += times
  }
  return out
}

const middle = (numbers: readonly number[]): number | undefined =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Runs within which this share of the campaigns had found the fault. */
const quantile = (caught: readonly { readonly runs: number }[], seeds: number, share: number): number | undefined =>
  caught.map(({ runs }) => runs).toSorted((a, b) => a - b)[Math.ceil(seeds * share) - 1]

const mostFrequent = (words: readonly string[]): string | undefined => {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]?.[0]
}

const choose = (pattern: string | undefined): readonly Fault[] => {
  if (pattern === undefined || pattern === '') return registered
  const chosen = registered.filter((fault) => pattern.split(',').some((part) => fits(fault, part.trim())))
  if (chosen.length > 0) return chosen
  throw new UsageError(`no fault fits '${pattern}'; there are ${registered.map(({ id }) => id).join(', ')}`)
}

const fits = ({ id, area }: Fault, part: string): boolean => {
  const [text, word] = part.startsWith('area:') ? [area, part.slice(5)] : [id, part]
  const escaped = word.split('*').map((piece) => piece.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}$`).test(text)
}

const isFault = (value: unknown): value is Fault => {
  const { id, replaces, install } = (value ?? {}) as Partial<Fault>
  return typeof id === 'string' && typeof replaces === 'string' && typeof install === 'function'
}

/** Faults of one's own; throws a `UsageError` that names the file. */
const loadFaults = async (files: readonly string[]): Promise<readonly Fault[]> => {
  const all: Fault[] = []
  for (const file of files) {
    const value = await loadDefault(file)
    const list = Array.isArray(value) ? value : [value]
    if (list.length === 0 || !list.every(isFault))
      throw new UsageError(
        `${file}: expected a default export of a fault (id, replaces, install) or a list of them, found ${list.length === 0 ? 'an empty list' : typeof list.find((each) => !isFault(each))}`,
      )
    all.push(...list)
  }
  return all
}
