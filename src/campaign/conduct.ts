/** A whole campaign: machine after machine, on executors that somebody else made. */
import path from 'node:path'
import { TargetError } from '../contract/target.ts'
import { ModelError } from '../kernel/model.ts'
import { mergeRows } from './clauses.ts'
import { keepInCorpus, readCorpus } from './corpus.ts'
import { Crew } from './crew.ts'
import { KnownDeviations, knownLists } from './deviations.ts'
import { EXIT, exitOf } from './exit.ts'
import { writeJsonFile } from './files.ts'
import type { Executor, Prepared } from './jobs.ts'
import { MachineCampaign } from './machine-campaign.ts'
import { chooseMachines } from './models.ts'
import { checkOptions, type FullOptions } from './options.ts'
import { Interrupted, type Pulse } from './pulse.ts'
import {
  type CampaignEvent,
  type CampaignOptions,
  type CampaignResult,
  type Listener,
  type MachineResult,
  SCHEMA_VERSION,
} from './types.ts'

const PROGRESS_MS = 100

export interface Conducting {
  readonly listener?: Listener
  /** Whether to stop: asked between jobs. */
  readonly interrupted?: () => boolean
}

/** Runs a campaign on executors; a target that does not start is a `TargetError`, a bad option a `UsageError`. */
export const conduct = async (
  given: CampaignOptions,
  executors: readonly (Executor & { readonly pulse: Pulse })[],
  { listener = () => {}, interrupted = () => false }: Conducting = {},
): Promise<CampaignResult> => {
  const options = checkOptions(given)
  const started = performance.now()
  const warnings: string[] = []
  const tell = (event: CampaignEvent): void => {
    if (event.kind === 'warning') warnings.push(event.message)
    listener(event)
  }
  const lists = knownLists(options)
  const [first] = executors
  let names: readonly string[] = []
  let target = { name: '', version: '', address: options.target }
  try {
    names = chooseMachines(options.machines, await first!.machines())
    target = { ...target, ...(await first!.identify()) }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    names = []
  }
  const known = new KnownDeviations(lists, target, new Date().toISOString().slice(0, 10))
  for (const message of known.expired) tell({ kind: 'warning', message })
  const { runs, seed } = options
  tell({ kind: 'campaign-start', target, machines: names, runs, seed, workers: executors.length })

  const endMs = options.seconds === undefined ? undefined : Date.now() + options.seconds * 1000
  const machines: MachineResult[] = []
  for (const [i, machine] of names.entries()) {
    if (interrupted()) break
    const untilMs = endMs === undefined ? undefined : shareOf(endMs, Date.now(), names.length - i)
    const result = await oneMachine(machine, { options, executors, tell, interrupted, known, untilMs })
    if (result === undefined) break
    machines.push(result)
    for (const { law, clause, stale } of result.deviations)
      if (stale)
        tell({
          kind: 'warning',
          message: `${machine}: known deviation ${law}@${clause}: stale, its clause was decided a thousand times without it`,
        })
    tell({ kind: 'machine-done', result })
  }
  const result: CampaignResult = {
    schemaVersion: SCHEMA_VERSION,
    target,
    seed,
    seconds: (performance.now() - started) / 1000,
    commands: machines.reduce((sum, { commands }) => sum + commands, 0),
    interrupted: interrupted(),
    exit: interrupted() ? EXIT.interrupted : exitOfAll(machines),
    machines,
    clauses: mergeRows(machines.map(({ clauses }) => clauses)),
    warnings,
  }
  tell({ kind: 'campaign-done', result })
  return result
}

/** The moment until which the first of `left` machines may play; what it leaves of its share is for the others. */
const shareOf = (endMs: number, nowMs: number, left: number): number => nowMs + Math.max(0, endMs - nowMs) / left

/** 1 before 3 before 4 before 0. Where no machine could be asked nothing was proved. */
const exitOfAll = (machines: readonly MachineResult[]): number => {
  if (machines.every(({ verdict }) => verdict === 'not-applicable')) return EXIT.inconclusive
  const codes = machines.map(({ verdict }) => exitOf(verdict))
  return [EXIT.violation, EXIT.target, EXIT.inconclusive].find((code) => codes.includes(code)) ?? EXIT.conforms
}

interface Context {
  readonly options: FullOptions
  readonly executors: readonly (Executor & { readonly pulse: Pulse })[]
  readonly tell: Listener
  readonly interrupted: () => boolean
  readonly known: KnownDeviations
  readonly untilMs: number | undefined
}

const oneMachine = async (machine: string, context: Context): Promise<MachineResult | undefined> => {
  const { options, executors, tell, interrupted, known, untilMs } = context
  const { runs } = options
  tell({ kind: 'machine-start', machine, runs })
  let prepared: Prepared
  try {
    // Every one of them is waited for: an executor that still prepares can be given nothing else.
    const answers = await Promise.allSettled(executors.map((executor) => executor.prepare(machine)))
    const all = answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason
      return answer.value
    })
    // Opening was measured by each of them; where one found it slow it counts as slow.
    prepared = all.find(({ cheap }) => !cheap) ?? all[0]!
  } catch (error) {
    if (error instanceof Interrupted) return undefined
    if (error instanceof TargetError || error instanceof ModelError) return unusable(machine, error)
    throw error
  }
  const startedMs = performance.now()
  let done = 0
  let commands = 0
  let toldAt = 0
  const progress = (): void => {
    for (const { pulse } of executors) {
      const more = pulse.take()
      done += more.runs
      commands += more.commands
    }
    const now = performance.now()
    if (now - toldAt < PROGRESS_MS) return
    toldAt = now
    const seconds = (now - startedMs) / 1000
    const ran = Math.min(done, runs)
    const { goals } = campaign
    tell({ kind: 'progress', machine, phase, runs: ran, of: runs, commands, goals, bugs: campaign.bugs, seconds })
  }
  let phase: 'playing' | 'examining' = 'playing'
  const crew = new Crew(executors, {
    onChunk: progress,
    onPhase: (now) => {
      phase = now
      progress()
    },
    onRestart: (run, message) => tell({ kind: 'target-restarted', machine, run, message }),
  })
  const campaign = new MachineCampaign(prepared, crew, {
    runs,
    maxBugs: options.maxBugs,
    maxPerLaw: options.maxPerLaw,
    maxHangs: options.maxHangs,
    untilMs,
    known,
    corpus: options.corpus
      ? readCorpus(options.directory, machine, (message) => tell({ kind: 'warning', message }))
      : [],
    listener: tell,
    keep: (found) => {
      if (options.corpus) keepInCorpus(options.directory, found)
      if (!options.write) return undefined
      const file = path.join(options.directory, 'counterexamples', `${machine}-${found.bugId}.json`)
      writeJsonFile(file, found)
      return file
    },
    interrupted,
    now: () => performance.now(),
  })
  const timer = setInterval(progress, PROGRESS_MS)
  try {
    return await campaign.run()
  } finally {
    clearInterval(timer)
  }
}

/** A machine that found no device that it could talk to. */
const unusable = (machine: string, error: Error): MachineResult => ({
  machine,
  scope: { name: 'played', bounds: {} },
  runs: 0,
  steps: 0,
  commands: 0,
  verdict: 'adapter-error',
  reason: error.message,
  goals: {},
  missed: [],
  unreachable: {},
  counterexamples: [],
  hardening: [],
  unjudged: [],
  inconclusive: 0,
  deviations: [],
  clauses: [],
  seconds: 0,
})
