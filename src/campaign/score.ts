/**
 * How well campaigns find bugs that are known to be there: every seeded fault of the reference, from many seeds, beside
 * a plain random arm. What comes out depends on the seed, and not on the number of threads.
 */
import { availableParallelism } from 'node:os'
import { models } from '../models/index.ts'
import { type Fault, faults as registered } from '../reference/faults/index.ts'
import { loadDefault } from '../targets/module.ts'
import type { ReferenceOptions } from '../targets/reference.ts'
import { UsageError } from './exit.ts'
import { Ground } from './hunt.ts'
import { chooseMachines } from './models.ts'
import { type FaultScore, Row, type RowOptions } from './score-row.ts'
import { rowsOfThreads } from './score-threads.ts'

export type { FaultScore } from './score-row.ts'

/** What is asked; all of it can be posted to a thread. */
export interface ScoreJob extends RowOptions {
  /** Ids of faults: `*` stands for any text, and `area:virtqueue` for an area. Several with commas. Default all. */
  readonly faults?: string
  /** Campaigns for each fault. Default 20. */
  readonly seeds?: number
  /** Seed of the first campaign; the others count on. Default 1. */
  readonly seed?: number
  /** Files that export a `Fault`, or several, by default. Alone, or with those that `faults` names. */
  readonly modules?: readonly string[]
  readonly machines?: readonly string[] | 'all'
}

export interface ScoreOptions extends ScoreJob {
  /** Threads that share the faults. 0: none but the one that asks. Default: one for each processor. */
  readonly threads?: number
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

export interface ScoreResult {
  readonly faults: readonly FaultScore[]
  /** Found pairs of fault and seed, of all. */
  readonly score: number
  readonly baseline: number
  readonly seed: number
  readonly runs: number
  readonly seconds: number
  /** Stopped by a signal: what there is up to then, faults with fewer seeds than were asked for among it. */
  readonly interrupted: boolean
}

/** Two queues, so that machines with a second queue can watch it. */
const BOUNDS: ReferenceOptions = { queues: 2 }
const SEEDS = 20
const RUNS = 100
const SEED = 1

export const score = async ({
  threads = availableParallelism(),
  onProgress = () => {},
  interrupted = () => false,
  ...job
}: ScoreOptions = {}): Promise<ScoreResult> => {
  const start = performance.now()
  const chosen = await faultsOf(job)
  machinesOf(job)
  const of = chosen.length * (job.seeds ?? SEEDS)
  const rows: (FaultScore | undefined)[] = chosen.map(() => undefined)
  /** A row as far as it is. */
  const take = (index: number, row: FaultScore): void => {
    rows[index] = row
    const known = rows.filter((each) => each !== undefined)
    const sum = (count: (row: FaultScore) => number): number => known.reduce((all, each) => all + count(each), 0)
    onProgress({ fault: row.id, done: sum(({ seeds }) => seeds), of, found: sum(({ found }) => found) })
  }
  if (threads > 0)
    await rowsOfThreads({ job, faults: chosen.length, threads: Math.min(threads, chosen.length), take, interrupted })
  else
    for (const [index, fault] of chosen.entries()) await scoreFault(fault, job, (row) => take(index, row), interrupted)
  const scored = rows.filter((row) => row !== undefined)
  const pairs = scored.reduce((sum, row) => sum + row.seeds, 0)
  const share = (count: (row: FaultScore) => number): number =>
    pairs === 0 ? 0 : scored.reduce((sum, row) => sum + count(row), 0) / pairs
  return {
    faults: scored,
    score: share((row) => row.found),
    baseline: share((row) => row.baseline.found),
    seed: job.seed ?? SEED,
    runs: job.runs ?? RUNS,
    seconds: (performance.now() - start) / 1000,
    interrupted: interrupted(),
  }
}

/** The campaigns of one fault; its row is told after each of them. */
export const scoreFault = async (
  fault: Fault,
  job: ScoreJob,
  tell: (row: FaultScore) => void,
  interrupted: () => boolean,
): Promise<void> => {
  const { seeds = SEEDS, seed = SEED } = job
  const names = machinesOf(job)
  const grounds = models
    .filter(({ machine }) => names.includes(machine.name))
    .flatMap((model) => Ground.of(model, fault, BOUNDS) ?? [])
  const row = new Row(fault, grounds, { runs: RUNS, ...job }, interrupted)
  try {
    for (let i = 0; i < seeds && !interrupted(); i++) {
      row.campaign(seed + i)
      if (!interrupted()) tell(row.result())
      // Signals are heard between two campaigns.
      await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    row.close()
  }
}

/** The faults that are asked for, always in the same order. */
export const faultsOf = async ({ faults, modules = [] }: ScoreJob): Promise<readonly Fault[]> => {
  const own = await loadFaults(modules)
  return [...(own.length > 0 && faults === undefined ? [] : choose(faults)), ...own]
}

const machinesOf = ({ machines = 'all' }: ScoreJob): readonly string[] =>
  chooseMachines(
    machines,
    models.map(({ machine }) => machine.name),
  )

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
