/** What `iospec explore` can do with a machine: walk all of it, look for a goal, walk at random, walk a target. */
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { EXIT, type ExitCode, UsageError } from '../../campaign/exit.ts'
import { withFolder, writeJsonFile, writeWhole } from '../../campaign/files.ts'
import { readChosen } from '../../campaign/walk-letters.ts'
import type { TargetWalk } from '../../campaign/walk-target.ts'
import { preview } from '../../contract/explain.ts'
import type { Progress, Step } from '../../kernel/explore/index.ts'
import type { ScopedMachine } from '../../kernel/language/machine.ts'
import type { SimulationProgress } from '../../kernel/simulate/index.ts'
import { dotOf } from '../../report/dot.ts'
import { itfOf } from '../../report/itf.ts'
import { counted, grouped } from '../../report/style.ts'
import { parseAddress } from '../../targets/index.ts'
import { choose } from '../choose.ts'
import type { Context } from '../command.ts'
import { outputOf } from '../commands/targets.ts'
import { liveRegion } from '../live.ts'
import type { Values } from '../options.ts'
import { inThread } from '../thread.ts'
import type { ExploreJob } from '../thread-jobs.ts'
import { printExploration, printSimulation, printSteps, printWalk } from './print.ts'

/** Nobody looks at a picture of more states. */
const PICTURE_STATES = 300
/** States of target and machine that a walk keeps, where nothing else bounds it. */
const WALK_STATES = 2_000_000

export const TAKEN = [
  ...([
    'scope',
    'hostileActors',
    'maxStates',
    'memory',
    'exploreWorkers',
    'liveness',
    'symmetry',
    'goal',
    'itf',
    'dot',
  ] as const),
  ...([
    'simulate',
    'coverage',
    'seed',
    'walkTarget',
    'depth',
    'saves',
    'only',
    'time',
    'timeout',
    'directory',
    'write',
  ] as const),
  ...(['models', 'quiet', 'json'] as const),
] as const

/** A machine within a scope, and everything that was asked. */
export interface Asked {
  readonly context: Context
  readonly machine: ScopedMachine
  readonly job: ExploreJob
  readonly values: Values<(typeof TAKEN)[number]>
}

export const exploreWhole = async ({ context, machine, job, values }: Asked): Promise<ExitCode> => {
  const { json, itf, dot } = values
  if (dot !== undefined) {
    const graph = await inThread('graph', { ...job, maxStates: PICTURE_STATES }, { signal: context.signal })
    writeWhole(dot, dotOf(graph))
  }
  const live = liveRegion(context, values.quiet || json)
  const result = await inThread('explore', job, {
    signal: context.signal,
    onProgress: (progress) => live.show([progressLine(machine.name, progress)]),
  }).finally(live.clear)
  const [first] = result.violations
  if (itf !== undefined && first !== undefined)
    writeItf(itf, { machine, job }, first.steps, `breaks ${first.name}`, first.loopFrom)
  if (json) {
    const violations = result.violations.map((each) => ({ ...each, clause: each.clause ?? null }))
    context.printJson({ ...result, result: result.result, violations })
  } else {
    printExploration(context, result)
    if (itf !== undefined)
      context.print(first === undefined ? `nothing to write to ${preview(itf)}` : `trace in ${preview(itf)}`)
    if (dot !== undefined) context.print(`state graph in ${preview(dot)}`)
  }
  if (result.violations.length > 0) return EXIT.violation
  if (context.signal.aborted) return EXIT.interrupted
  // Which goals a scope can reach is for its reader to judge, who is shown those that it did not.
  return result.result === 'cut-short' ? EXIT.inconclusive : EXIT.conforms
}

export const exploreTo = async (goal: string, { context, machine, job, values }: Asked): Promise<ExitCode> => {
  const { goals, stepGoals } = machine.at(job.scope, job.bounds)
  const names = [...goals, ...stepGoals].map(({ name }) => name)
  choose(`goal of ${machine.name}`, goal, names)
  const { json, itf } = values
  const live = liveRegion(context, values.quiet || json)
  const { steps, searched } = await inThread(
    'wayTo',
    { ...job, goal },
    {
      signal: context.signal,
      onProgress: (progress) => live.show([progressLine(machine.name, progress)]),
    },
  ).finally(live.clear)
  if (itf !== undefined && steps !== undefined) writeItf(itf, { machine, job }, steps, `reaches ${goal}`)
  if (json)
    context.printJson({
      machine: machine.name,
      goal,
      steps: steps ?? null,
      ...searched,
      cutShort: searched.cutShort ?? null,
    })
  else if (steps !== undefined) {
    context.print(context.style.green(`goal ${goal} of ${machine.name} after ${counted(steps.length, 'step')}:`))
    printSteps(context, steps)
    if (itf !== undefined) context.print(`trace in ${preview(itf)}`)
  } else {
    const { states, cutShort } = searched
    context.print(
      context.style.yellow(
        cutShort === undefined
          ? `goal ${goal} cannot be reached within this scope (${counted(states, 'state')})`
          : `goal ${goal} was not reached; cut short: ${cutShort}`,
      ),
    )
  }
  if (steps !== undefined) return EXIT.conforms
  return context.signal.aborted ? EXIT.interrupted : EXIT.inconclusive
}

export const exploreAtRandom = async (steps: number, { context, machine, job, values }: Asked): Promise<ExitCode> => {
  const { json, itf, seed, coverage } = values
  const live = liveRegion(context, values.quiet || json)
  const drawn = seed === 'random' ? randomInt(2 ** 31) : seed
  const result = await inThread(
    'simulate',
    { ...job, steps, coverage, seed: Math.abs(drawn) },
    {
      signal: context.signal,
      onProgress: (progress) =>
        live.show(['depth' in progress ? progressLine(machine.name, progress) : walkingLine(machine.name, progress)]),
    },
  ).finally(live.clear)
  const [first] = result.violations
  if (itf !== undefined && first !== undefined) writeItf(itf, { machine, job }, first.steps, `breaks ${first.name}`)
  if (json) context.printJson({ ...result, coverage: coverageOf(result) })
  else printSimulation(context, result)
  if (result.violations.length > 0) return EXIT.violation
  return result.result === 'cut-short' ? EXIT.interrupted : EXIT.conforms
}

/** Share of all states that the walks saw; null where it is not known. */
const coverageOf = ({
  distinct,
  explored,
}: {
  readonly distinct: number | null
  readonly explored: { readonly states: number; readonly cutShort?: string } | null
}): number | null =>
  distinct === null || explored === null || explored.cutShort !== undefined ? null : distinct / explored.states

export const exploreTarget = async (address: string, { context, machine, job, values }: Asked): Promise<ExitCode> => {
  parseAddress(address)
  const { json, quiet, depth, saves, only = [], time, timeout, directory, write, maxStates = WALK_STATES } = values
  const chosen = readChosen(machine, only)
  const live = liveRegion(context, quiet || json)
  const result = await withFolder((folder) =>
    inThread(
      'walk',
      {
        ...{ ...job, address, directory: folder, timeoutMs: timeout, depth, maxStates, saves, only: chosen },
        ...(time === undefined ? {} : { seconds: time }),
      },
      {
        ...{ signal: context.signal, timeoutMs: timeout, onOutput: outputOf(context) },
        onProgress: (progress) =>
          live.show([
            `${progressLine(machine.name, progress)}  ${grouped(progress.transitions / Math.max(progress.seconds, 0.001))} plans/s`,
          ]),
      },
    ),
  ).finally(live.clear)
  const files = result.counterexamples.map((found) => {
    if (!write) return undefined
    const file = path.join(directory, 'counterexamples', `${machine.name}-${found.bugId}.json`)
    writeJsonFile(file, found)
    return file
  })
  if (json) {
    const counterexamples = result.counterexamples.map(({ bugId, finding, steps, minimality, verdict }, i) => ({
      ...{ file: files[i] ?? null, bugId, clause: finding.clause.id, law: finding.law, verdict, steps, minimality },
    }))
    context.printJson({ ...result, counterexamples })
  } else printWalk(context, result, files)
  return context.signal.aborted && result.result !== 'violated' ? EXIT.interrupted : exitOfWalk(result)
}

const exitOfWalk = ({ result }: TargetWalk): ExitCode => {
  switch (result) {
    case 'violated':
      return EXIT.violation
    case 'not-judged':
      return EXIT.target
    case 'cut-short':
      return EXIT.inconclusive
    case 'holds':
      return EXIT.conforms
  }
}

const writeItf = (
  file: string,
  { machine, job }: Pick<Asked, 'machine' | 'job'>,
  steps: readonly Step[],
  about: string,
  loop?: number,
) => writeWhole(file, `${JSON.stringify(itfOf(machine.at(job.scope, job.bounds), steps, about, loop), null, 1)}\n`)

const progressLine = (machine: string, { states, transitions, depth, waiting, seconds }: Progress): string =>
  `${machine}  ${grouped(states)} states  ${grouped(transitions)} transitions  depth ${depth}  ` +
  `${grouped(waiting)} waiting  ${grouped(states / Math.max(seconds, 0.001))} states/s`

/** What cannot be asked together. */
export const checkModes = ({ walkTarget, simulate, goal, dot, itf }: Asked['values']): void => {
  const modes = { '--target': walkTarget, '--simulate': simulate, '--goal': goal }
  const given = Object.entries(modes).flatMap(([flag, value]) => (value === undefined ? [] : [flag]))
  if (given.length > 1) throw new UsageError(`${given.join(' and ')} cannot be given together`)
  if (dot !== undefined && given.length > 0) throw new UsageError(`--dot cannot be given with ${given[0]}`)
  if (itf !== undefined && walkTarget !== undefined)
    throw new UsageError('--itf cannot be given with --target: what a target did is in its counterexample file')
}

const walkingLine = (machine: string, { steps, walks, seconds }: SimulationProgress): string =>
  `${machine}  ${grouped(steps)} steps  ${grouped(walks)} walks  ${grouped(steps / Math.max(seconds, 0.001))} steps/s`
