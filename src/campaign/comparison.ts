/** One plan on several targets: the first step where they part, and what the machine says of each side. */
import canonicalize from 'canonicalize'
import { preview } from '../contract/explain.ts'
import type { Judge } from '../kernel/judge/judge.ts'
import { Judge as MakeJudge } from '../kernel/judge/judge.ts'
import type { Verdict } from '../kernel/judge/verdict.ts'
import type { Machine, ScopedMachine } from '../kernel/language/machine.ts'
import { argsFromJson } from '../kernel/language/state.ts'
import type { Model } from '../kernel/model.ts'
import type { PlanStepJson } from '../kernel/play/plan.ts'
import { parseAddress } from '../targets/index.ts'
import type { TraceStepJson } from './counterexample.ts'
import { UsageError } from './exit.ts'
import { withFolder } from './files.ts'
import type { Performed, PerformJob } from './jobs.ts'
import { readLog } from './log-file.ts'
import { chooseMachines, loadModels } from './models.ts'
import { benchOptions, checkOptions } from './options.ts'
import { RemoteBench } from './remote.ts'

/** What is performed: a plan at hand, or drawn ones up to the first on which the targets part. */
export type Performance =
  | { readonly machine: string; readonly plan: readonly PlanStepJson[]; readonly prelude: PerformJob['prelude'] }
  | { readonly machine: string; readonly seed: number; readonly runs: number }

export interface ComparisonOptions {
  readonly performance: Performance
  /** Two addresses or more. */
  readonly targets: readonly string[]
  readonly timeoutMs?: number
  readonly graceMs?: number
  readonly modelsFrom?: string
}

/** One target, from the step on in which it parts from the others. */
export interface Side {
  readonly address: string
  readonly name: string
  readonly version: string
  /** What it did in that step; undefined: nothing more. */
  readonly found: TraceStepJson | undefined
  /** Of the step, not of what came later. */
  readonly verdict: Verdict
  readonly law: string | undefined
  readonly clause: string | undefined
  readonly requirement: string | undefined
  /** Behaviours in use that do the same. */
  readonly profiles: readonly string[]
}

export interface Comparison {
  readonly machine: string
  /** Number of the drawn run; undefined where the plan was given. */
  readonly run: number | undefined
  readonly runs: number
  readonly plan: readonly PlanStepJson[]
  /** What all of them did and showed. */
  readonly common: readonly TraceStepJson[]
  readonly parted: boolean
  readonly sides: readonly Side[]
  /** Who is right, in one sentence. */
  readonly view: string
}

/** A log as a plan: what was performed, and where it was quiet; up to the second start. */
export const planOfLog = async (file: string, modelsFrom?: string): Promise<Performance> => {
  const { header, pieces } = await readLog(file)
  const models = await loadModels(modelsFrom)
  chooseMachines(
    [header.machine],
    models.map(({ machine }) => machine.name),
  )
  const { played, machine } = models.find((model) => model.machine.name === header.machine)!
  const { actions } = machine.at('played')
  const plan: PlanStepJson[] = []
  const done = { machine: header.machine, plan, prelude: [] }
  for await (const lines of pieces)
    for (const { number, entry } of lines) {
      if (entry.kind === 'restart' && plan.length > 0) return done
      if (entry.kind === 'quiet') plan.push({ do: 'settle' })
      if (entry.kind !== 'action') continue
      const known = actions.find(({ name }) => name === entry.action)
      if (known === undefined)
        throw new UsageError(
          `${preview(file)}, line ${number}: no action of ${header.machine} is called ${preview(entry.action)}`,
        )
      if (played.includes(known.actor))
        plan.push({ do: 'act', action: entry.action, args: entry.args, hostile: true } as PlanStepJson)
    }
  return done
}

/** Performs on every target in turn; throws a `UsageError` when the machine is not applicable to one. */
export const compareTargets = (
  { performance, targets, modelsFrom, ...given }: ComparisonOptions,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Comparison> => {
  for (const target of targets) parseAddress(target)
  return withFolder(async (directory) => {
    const { machine } = performance
    const seed = 'seed' in performance ? performance.seed : 0
    const crew = targets.map((target) => {
      const options = checkOptions({ ...given, target, machines: [machine], runs: 0, seed })
      return new RemoteBench(benchOptions(modelsFrom === undefined ? options : { ...options, modelsFrom }, directory))
    })
    const stop = (): void => {
      for (const each of crew) each.interrupt()
    }
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const model = (await loadModels(modelsFrom)).find((each) => each.machine.name === machine)
      const identities: Pick<Side, 'address' | 'name' | 'version'>[] = []
      for (const [i, each] of crew.entries()) {
        const { notApplicable } = await each.prepare(machine)
        if (notApplicable !== undefined)
          throw new UsageError(`${machine}: is not applicable to ${targets[i]!}: ${notApplicable}`)
        identities.push({ address: targets[i]!, ...(await each.identify()) })
      }
      const onAll = async (plan: readonly PlanStepJson[], prelude: PerformJob['prelude']): Promise<Found> => {
        const performed: Performed[] = []
        for (const each of crew) performed.push(await each.perform({ machine, plan, prelude }))
        return found(model!, performed)
      }
      const result = (
        { common, sides, parted }: Found,
        rest: Pick<Comparison, 'plan' | 'run' | 'runs'>,
      ): Comparison => {
        const told = sides.map((side, i) => ({ ...identities[i]!, ...side }))
        return { machine, ...rest, common, parted, sides: told, view: viewOf(parted, told) }
      }
      if ('plan' in performance) {
        const { plan, prelude } = performance
        return result(await onAll(plan, prelude), { plan, run: undefined, runs: 1 })
      }
      for (let run = 0; ; run++) {
        const plan = await crew[0]!.planOf({ machine, item: { run }, steps: Number.MAX_SAFE_INTEGER })
        const seen = await onAll(plan, [])
        if (seen.parted || run + 1 >= performance.runs) return result(seen, { plan, run, runs: run + 1 })
      }
    } finally {
      signal?.removeEventListener('abort', stop)
      await Promise.all(crew.map((each) => each.close()))
    }
  })
}

interface Found {
  readonly common: readonly TraceStepJson[]
  readonly sides: readonly Omit<Side, 'address' | 'name' | 'version'>[]
  readonly parted: boolean
}

const found = ({ machine }: Model, performed: readonly Performed[]): Found => {
  const shown = performed.map((own) =>
    own.trace.filter((step) => step.by !== 'schedule' && seenByAll(machine, step, performed)),
  )
  const text = (step: TraceStepJson | undefined): string =>
    step === undefined || step.by === 'schedule' ? '' : canonicalize([step.by, step.action, step.args])!
  const longest = Math.max(...shown.map((trace) => trace.length))
  let at = 0
  while (at < longest && new Set(shown.map((trace) => text(trace[at]))).size === 1) at++
  // Silence that breaks a law is a difference that no step shows.
  const failed = performed.some(({ verdict }, i) => verdict !== 'conforms' && shown[i]!.length <= at)
  const parted = at < longest || (failed && new Set(performed.map(({ law }) => law)).size > 1)
  return {
    common: shown[0]!.slice(0, at),
    parted,
    sides: performed.map((own, i) => {
      const { law, clause, requirement, profiles } = own
      // What comes after the parting is about a state that the others were not in.
      const here = own.verdict !== 'conforms' && shown[i]!.length <= at + 1
      return here
        ? { found: shown[i]![at], verdict: own.verdict, law, clause, requirement, profiles }
        : {
            found: shown[i]![at],
            verdict: 'conforms',
            law: undefined,
            clause: undefined,
            requirement: undefined,
            profiles: [],
          }
    }),
  }
}

/** Whether each target could have shown a step: what its bounds never allow is not to be seen there. */
const seenByAll = (machine: ScopedMachine, step: TraceStepJson, performed: readonly Performed[]): boolean =>
  step.by !== 'target' ||
  performed.every(
    (other) =>
      other.trace.includes(step) || couldShow(machine.at(other.scope.name, other.scope.bounds), step, other.trace),
  )

const couldShow = (
  machine: Machine,
  { action: name, args: json }: Extract<TraceStepJson, { by: 'target' }>,
  trace: readonly TraceStepJson[],
): boolean => {
  const action = machine.action(name)
  if (action.when === undefined) return true
  const args = argsFromJson(action, json)
  const judge: Judge = new MakeJudge(machine)
  for (const step of trace) {
    if (judge.possible(action, args)) return true
    if (step.by === 'schedule') continue
    const done = machine.action(step.action)
    const found = argsFromJson(done, step.args)
    if (step.by === 'us') judge.perform(done, found)
    else judge.observe(done, found)
  }
  return judge.possible(action, args)
}

const viewOf = (parted: boolean, sides: readonly Side[]): string => {
  const wrong = sides.filter(({ verdict }) => verdict !== 'conforms')
  const told = (some: readonly Side[]): string => some.map(({ address }) => address).join(', ')
  if (!parted)
    return wrong.length === 0
      ? 'they do the same, and it is allowed'
      : `they do the same, and it ${wrong[0]!.verdict} ${wrong[0]!.clause ?? ''}`.trimEnd()
  if (wrong.length === 0) return 'both ways are allowed'
  const right = sides.filter(({ verdict }) => verdict === 'conforms')
  const by = [...new Set(wrong.map(({ clause }) => clause).filter((clause) => clause !== undefined))].join(', ')
  return right.length === 0
    ? `none of them is right (${by})`
    : `${told(right)} ${right.length === 1 ? 'is' : 'are'} right; ${told(wrong)} ${wrong.length === 1 ? 'deviates' : 'deviate'} (${by})`
}
