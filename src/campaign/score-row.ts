/** The score of one seeded fault: campaigns from many seeds, each until it finds something, and what they found. */
import { type Plan, type PlanStepJson, planToJson } from '../kernel/play/plan.ts'
import { runSeed } from '../kernel/play/random.ts'
import { canonicalForm, type Failing, lengthOf, type Minimality } from '../kernel/shrink/index.ts'
import type { Fault } from '../reference/faults/index.ts'
import { type Ground, linesOf } from './hunt.ts'
import { isRare } from './station.ts'

/** How a fault is scored. */
export interface RowOptions {
  /** Runs of each machine in a campaign. Default 100. */
  readonly runs?: number
  /** Bound of the executions of one shrinking. Default 1500. */
  readonly shrinkExecutions?: number
  /** Bound of the executions of one walk for the shortest plan; 0 leaves it out. Default 20,000. */
  readonly walkExecutions?: number
  /** Whether the random arm runs too. Default true. */
  readonly baseline?: boolean
}

/** The shortest counterexample of a fault. */
export interface ScoreExample extends Failing {
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
  /** Median length of the counterexamples, as the shrinker left them. */
  readonly steps: number | undefined
  /** The shortest length, proved by a walk of target and machine over the values of the counterexamples. */
  readonly shortest: number | undefined
  /** Counterexamples whose length was proved, and those of them that the shrinker left within one step of it. */
  readonly proved: number
  readonly withinOne: number
  /** Different canonical forms of all campaigns, whatever the machine and the law. */
  readonly forms: number
  /** Those of each machine that found it; two machines may come to the same form. */
  readonly formsByMachine: Readonly<Record<string, number>>
  /** The clause that most counterexamples break. */
  readonly clause: string | undefined
  /** Every campaign found it only by a law of hardening. */
  readonly hardening: boolean
  readonly seconds: number
  readonly baseline: { readonly found: number }
  readonly example: ScoreExample | undefined
}

/** What one campaign found. */
interface Caught {
  readonly runs: number
  readonly failing: Failing
  readonly steps: number
  readonly form: string
  readonly shortest: number | undefined
  readonly example: ScoreExample
}

/** Counts of one fault. */
export class Row {
  private readonly fault: Fault
  private readonly grounds: readonly Ground[]
  private readonly options: RowOptions & { readonly runs: number }
  private readonly interrupted: () => boolean
  private readonly caught: Caught[] = []
  /** By the form that the shrinker came to. */
  private readonly walks = new Map<string, Minimality>()
  private seeds = 0
  private byChance = 0
  private readonly start = performance.now()

  constructor(fault: Fault, grounds: readonly Ground[], options: Row['options'], interrupted: () => boolean) {
    this.fault = fault
    this.grounds = grounds
    this.options = options
    this.interrupted = interrupted
  }

  /** Plays every machine in turn until one of them finds something, or each had its runs. */
  campaign(seed: number): void {
    for (const ground of this.grounds) ground.renew()
    const caught = this.hunt(seed)
    for (const ground of this.grounds) ground.renew()
    const byChance = this.options.baseline !== false && this.blindHunt(seed)
    // One that was cut short says nothing.
    if (this.interrupted()) return
    this.seeds++
    if (caught !== undefined) this.caught.push(caught)
    if (byChance) this.byChance++
  }

  close(): void {
    for (const ground of this.grounds) ground.close()
  }

  /** What is found first; where that is only hardening, the rest of the runs is given to breaches of the standard. */
  private hunt(seed: number): Caught | undefined {
    let hardening:
      | { readonly ground: Ground; readonly plan: Plan; readonly failing: Failing; readonly run: number }
      | undefined
    for (let run = 0; run < this.options.runs; run++)
      for (const ground of this.grounds) {
        if (this.interrupted()) return undefined
        const plan = ground.drawer.draw(runSeed(seed, ground.machine.name, run), isRare(run))
        const failing = ground.try(plan)
        if (failing?.hardening === false) return this.examine(ground, plan, failing, (hardening?.run ?? run) + 1)
        if (failing !== undefined) hardening ??= { ground, plan, failing, run }
      }
    if (hardening === undefined) return undefined
    const { ground, plan, failing, run } = hardening
    ground.renew()
    return this.examine(ground, plan, failing, run + 1)
  }

  private blindHunt(seed: number): boolean {
    for (let run = 0; run < this.options.runs; run++)
      for (const ground of this.grounds) {
        if (this.interrupted()) return false
        if (ground.try(ground.blind.draw(runSeed(seed, ground.machine.name, run))) !== undefined) return true
      }
    return false
  }

  private examine(ground: Ground, failed: Plan, first: Failing, runs: number): Caught {
    const { shrinkExecutions = 1500, walkExecutions = 20_000 } = this.options
    const { interrupted } = this
    const shrunk = ground.shrink(failed, first, shrinkExecutions, interrupted)
    const { failing } = shrunk
    const formOf = (plan: Plan): string => canonicalForm(plan, failing)
    const key = `${ground.machine.name} ${formOf(shrunk.plan)}`
    // A walk takes thousands of runs, too many where each has a costly action.
    const costly = shrunk.plan.steps.some((step) => step.do === 'act' && step.action.weight === 0)
    if (!costly && walkExecutions > 0 && !this.walks.has(key))
      this.walks.set(key, ground.walk(shrunk.plan, failing, walkExecutions, interrupted))
    const walk = this.walks.get(key)
    const plan = walk?.first ?? shrunk.plan
    const result = walk?.first === undefined ? shrunk.result : ground.execute(plan)
    const finding = failing.hardening ? result.hardening.find(({ law }) => law === failing.law) : result.finding
    return {
      runs,
      failing,
      form: formOf(plan),
      steps: lengthOf(shrunk.plan),
      shortest: walk?.minimality === 'proved' ? walk.shortest : undefined,
      example: {
        ...failing,
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
    const best = caught.toSorted(
      (a, b) => a.example.plan.length - b.example.plan.length || (a.form < b.form ? -1 : 1),
    )[0]
    return {
      ...{ id, area, difficulty, what, replaces, found: caught.length, seeds },
      medianRuns: quantile(caught, seeds, 0.5),
      p90Runs: quantile(caught, seeds, 0.9),
      steps: middle(caught.map(({ steps }) => steps)),
      shortest: shortest.length === 0 ? undefined : Math.min(...shortest),
      proved: proved.length,
      withinOne: proved.filter((each) => each.steps <= each.shortest! + 1).length,
      forms: formsOf(caught),
      formsByMachine: Object.fromEntries(
        this.grounds.flatMap(({ machine: { name } }) => {
          const count = formsOf(caught.filter(({ example }) => example.machine === name))
          return count === 0 ? [] : [[name, count]]
        }),
      ),
      clause: mostFrequent(caught.map(({ failing }) => failing.clause)),
      hardening: caught.length > 0 && caught.every(({ failing }) => failing.hardening),
      seconds: (performance.now() - this.start) / 1000,
      baseline: { found: this.byChance },
      example: best?.example,
    }
  }
}

const formsOf = (caught: readonly Caught[]): number => new Set(caught.map(({ form }) => form)).size

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
