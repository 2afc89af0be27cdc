/** Judges a recorded trace without driving anything: the device by its duties, the driver by its own. */
import { preview } from '../contract/explain.ts'
import { describe, Judge } from '../kernel/judge/judge.ts'
import type { Finding } from '../kernel/judge/verdict.ts'
import type { Action, Args, Machine } from '../kernel/language/machine.ts'
import { argsFromJson } from '../kernel/language/state.ts'
import type { Model } from '../kernel/model.ts'
import { clauseRows, mergeRows } from './clauses.ts'
import { EXIT, exitOf, UsageError } from './exit.ts'
import type { Prepared } from './jobs.ts'
import { type LogHeader, type LogLine, readLog } from './log-file.ts'
import { chooseMachines, loadModels } from './models.ts'
import type { FullOptions } from './options.ts'
import { boundsOf } from './profiles.ts'
import { preparedForLog } from './station.ts'
import { drainLedger, emptyTally } from './tally.ts'
import { type CampaignResult, type Listener, type MachineResult, SCHEMA_VERSION } from './types.ts'

/** A broken law in a log. */
interface LogFinding {
  /** Of the file, from 1. */
  readonly line: number
  /** Whose duty it was. */
  readonly side: 'device' | 'driver'
  readonly finding: Finding
}

interface Observed {
  readonly findings: readonly LogFinding[]
  readonly prepared: Prepared
  readonly tally: ReturnType<typeof emptyTally>
}

/** So many breaches of the driver's duties are listed. */
const BREACHES_MAX = 100

/** Reads the log through, or until it is told to stop; the device is judged up to its first violation after each start. */
const observe = async (
  file: string,
  models: readonly Model[],
  { machines: asked, side = 'device', profile }: FullOptions,
  signal?: AbortSignal,
): Promise<Observed & { readonly header: LogHeader }> => {
  const { header, pieces } = await readLog(file, signal)
  const known = models.map(({ machine }) => machine.name)
  chooseMachines([header.machine], known)
  const wanted = chooseMachines(asked, known)
  if (!wanted.includes(header.machine))
    throw new UsageError(`${preview(file)}: expected a log of ${wanted.join(', ')}, found one of ${header.machine}`)
  const model = models.find(({ machine }) => machine.name === header.machine)!
  const machine = machineOf(file, model, header, profile)
  const judge = new Judge(machine)
  const findings: LogFinding[] = []
  let runs = 0
  let commands = 0
  let waiting = false
  const start = (): void => {
    judge.restart()
    runs++
    waiting = false
  }
  const take = (line: number, finding: Finding | undefined): void => {
    for (const one of judge.hardening) findings.push({ line, side: 'device', finding: one })
    judge.hardening.length = 0
    if (finding === undefined) return
    findings.push({ line, side: 'device', finding })
    // The state tells nothing any more: wait for the next start.
    waiting = true
  }
  const judged = ({ number, entry }: LogLine): void => {
    if (entry.kind === 'restart') start()
    if (waiting) return
    if (entry.kind === 'quiet') take(number, judge.quiet())
    if (entry.kind !== 'action') return
    commands++
    const { action, args } = actionOf(file, number, machine, entry.action, entry.args)
    if (!model.played.includes(action.actor)) {
      take(number, judge.observe(action, args))
      return
    }
    if (!judge.possible(action, args)) throw impossible(file, number, action, args)
    if (side !== 'device')
      for (const finding of breaches(judge, action, args))
        if (findings.length < BREACHES_MAX) findings.push({ line: number, side: 'driver', finding })
    take(number, judge.perform(action, args))
  }
  start()
  for await (const lines of pieces) for (const line of lines) judged(line)
  const prepared = preparedForLog(machine, (name) =>
    side === 'device' && model.played.includes(machine.action(name).actor)
      ? 'a duty of the driver: judged with side driver'
      : undefined,
  )
  const tally = emptyTally(prepared.laws.length, prepared.goals.length)
  drainLedger(judge.ledger, tally)
  Object.assign(tally, { runs, commands, steps: commands })
  return { header, findings, prepared, tally }
}

const machineOf = (file: string, model: Model, { scope }: LogHeader, profile: string | undefined): Machine => {
  try {
    return model.machine.at(scope?.name ?? 'played', { ...scope?.bounds, ...boundsOf(model, profile) })
  } catch (error) {
    throw new UsageError(`${preview(file)}, line 1: field \`scope\`: ${(error as Error).message}`)
  }
}

const actionOf = (
  file: string,
  line: number,
  machine: Machine,
  name: string,
  json: Readonly<Record<string, unknown>>,
): { action: Action; args: Args } => {
  try {
    const action = machine.action(name)
    return { action, args: argsFromJson(action, json) }
  } catch (error) {
    throw new UsageError(`${preview(file)}, line ${line}: ${(error as Error).message}`)
  }
}

const impossible = (file: string, line: number, action: Action, args: Args): UsageError =>
  new UsageError(
    `${preview(file)}, line ${line}: expected an action that is possible here, found ${preview(describe(action, args))}`,
  )

/** Duties of the driver that an action breaks; counted as the judge counts those of the device. */
const breaches = ({ ledger, state }: Judge, action: Action, args: Args): Finding[] => {
  const broken: Finding[] = []
  action.duties.forEach(({ name, clause, given, holds }, i) => {
    if (!(given?.(state, args) ?? true)) return
    const law = ledger.book.duties[action.index]! + i
    ledger.exercised[law]!++
    ledger.decided[law]!++
    if (holds(state, args)) return
    ledger.violated[law]!++
    broken.push({
      verdict: 'violates',
      hardening: clause.basis === 'hardening',
      kind: 'duty',
      law: `${action.name}.${name}`,
      clause,
      action: action.name,
      args,
      expected: clause.requirement,
      observed: describe(action, args),
    })
  })
  return broken
}

/** A log as a campaign of one machine. */
export const judgeLog = async (
  file: string,
  options: FullOptions,
  { listener = () => {}, signal }: { readonly listener?: Listener; readonly signal?: AbortSignal } = {},
): Promise<CampaignResult> => {
  const started = performance.now()
  if (file === '') throw new UsageError('expected `log:` and a file such as log:./trace.jsonl')
  const models = await loadModels(options.modelsFrom)
  const { header, findings, prepared, tally } = await observe(file, models, options, signal)
  const { machine } = prepared
  const target = { ...header.target, address: options.target }
  listener({ kind: 'campaign-start', target, machines: [machine], runs: tally.runs, seed: options.seed, workers: 0 })
  listener({ kind: 'machine-start', machine, runs: tally.runs })
  const interrupted = signal?.aborted ?? false
  const seconds = (performance.now() - started) / 1000
  const result = resultOf({ prepared, tally, findings, interrupted }, options.side, seconds)
  listener({ kind: 'machine-done', result })
  const campaign: CampaignResult = {
    schemaVersion: SCHEMA_VERSION,
    target,
    seed: options.seed,
    seconds: result.seconds,
    commands: tally.commands,
    interrupted,
    exit: interrupted ? EXIT.interrupted : exitOf(result.verdict),
    machines: [result],
    clauses: mergeRows([result.clauses]),
    warnings: [],
  }
  listener({ kind: 'campaign-done', result: campaign })
  return campaign
}

const resultOf = (
  { prepared, tally, findings, interrupted }: Observed & { readonly interrupted: boolean },
  side: FullOptions['side'],
  seconds: number,
): MachineResult => {
  const judged = findings.filter((one) => side === 'both' || one.side === side)
  const broken = judged.filter(({ finding }) => finding.verdict === 'violates' && !finding.hardening)
  const unusable = judged.find(({ finding }) => finding.verdict !== 'violates')
  const goals = Object.fromEntries(prepared.goals.map((name, i) => [name, tally.goals[i]!]))
  const violated = new Set(broken.map(({ finding }) => finding.clause!.id))
  const told = (one: LogFinding): string => `line ${one.line}: ${one.finding.law}, ${one.finding.observed}`
  const [first] = broken
  const whole = interrupted ? ('inconclusive' as const) : ('conforms' as const)
  const verdict = first !== undefined ? 'violates' : unusable !== undefined ? unusable.finding.verdict : whole
  return {
    machine: prepared.machine,
    scope: prepared.scope,
    runs: tally.runs,
    steps: tally.steps,
    commands: tally.commands,
    verdict,
    reason:
      first !== undefined
        ? told(first)
        : unusable !== undefined
          ? told(unusable)
          : interrupted
            ? 'interrupted'
            : undefined,
    goals,
    // A log shows what happened; nobody could have steered it to a goal.
    missed: [],
    unreachable: {},
    counterexamples: broken.map(summaryOf),
    hardening: judged.filter(({ finding }) => finding.hardening).map(summaryOf),
    unjudged: [],
    inconclusive: 0,
    deviations: [],
    clauses: clauseRows(prepared, tally, { violated, known: new Set() }),
    seconds,
  }
}

const summaryOf = ({ line, finding }: LogFinding): MachineResult['counterexamples'][number] => ({
  file: undefined,
  bugId: '',
  clause: finding.clause!.id,
  law: finding.law,
  verdict: 'violates',
  basis: finding.clause!.basis,
  requirement: finding.clause!.requirement,
  expected: finding.expected,
  observed: `line ${line}: ${finding.observed}`,
  lastWords: '',
  steps: line,
  minimality: 'unknown',
  known: false,
  run: 0,
  reproduced: { times: 1, of: 1 },
  overlooked: [],
  also: [],
  profiles: [],
  runs: 1,
  disclosure: 'public',
})
