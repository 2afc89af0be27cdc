/** `iospec compare`: one plan on several targets, and who is right where they part. */
import { randomInt } from 'node:crypto'
import { type Comparison, compareTargets, type Performance, planOfLog, type Side } from '../../campaign/comparison.ts'
import type { TraceStepJson } from '../../campaign/counterexample.ts'
import { exitOf, strongest, UsageError } from '../../campaign/exit.ts'
import { readCounterexample } from '../../campaign/main-side.ts'
import { loadModels } from '../../campaign/models.ts'
import { escapeText } from '../../contract/explain.ts'
import { profilesText } from '../../report/facts.ts'
import { argumentsText } from '../../report/steps.ts'
import { columns, wrapped } from '../../report/style.ts'
import { type Context, command } from '../command.ts'
import { liveRegion } from '../live.ts'

const WIDTH = 110

export const compare = command({
  name: 'compare',
  does: 'Perform one plan on several targets, and tell where they part and who is right',
  arguments: [{ name: '<what>', does: 'a counterexample or a log (.jsonl), or a machine whose plans are drawn' }],
  options: ['compareTargets', 'seed', 'compareRuns', 'timeout', 'grace', 'models', 'json'],
  examples: [
    'iospec compare .iospec/counterexamples/pic-1f2e3d4c.json --target qemu:pc --target v86:pic --target kvm:pic',
    'iospec compare pic --seed 7 --target reference:pic --target qemu:pc',
  ],
  async run(
    context,
    [what = ''],
    { compareTargets: targets = [], seed, compareRuns: runs, timeout, grace, models, json },
  ) {
    if (targets.length < 2)
      throw new UsageError(`expected two targets or more, found ${targets.length}; give --target for each`)
    const performance = await performanceOf(what, seed === 'random' ? randomInt(2 ** 32) : seed, runs, models)
    const live = liveRegion(context, json)
    live.show([`comparing ${targets.map(escapeText).join(', ')}`])
    const result = await compareTargets(
      {
        ...{ performance, targets, timeoutMs: timeout },
        ...(grace === undefined ? {} : { graceMs: grace }),
        ...(models === undefined ? {} : { modelsFrom: models }),
      },
      { signal: context.signal },
    ).finally(live.clear)
    if (json) context.printJson(result)
    else print(context, result)
    return exitOf(strongest(result.sides.map(({ verdict }) => verdict)))
  },
})

const performanceOf = async (
  what: string,
  seed: number,
  runs: number,
  models: string | undefined,
): Promise<Performance> => {
  const known = (await loadModels(models)).map(({ machine }) => machine.name)
  if (known.includes(what)) return { machine: what, seed, runs }
  if (what.endsWith('.jsonl')) return planOfLog(what, models)
  const { machine, plan, prelude = [] } = readCounterexample(what)
  return { machine, plan, prelude } as Performance
}

const stepText = (step: TraceStepJson | undefined): string => {
  if (step === undefined || step.by === 'schedule') return 'nothing more'
  return `${step.by === 'us' ? '>' : '<'} ${step.action}${argumentsText(step.args)}`
}

const sideText = ({ verdict, law, clause, profiles }: Side): string => {
  if (verdict === 'conforms') return 'allowed'
  const equal = profilesText(profiles)
  const about = clause === undefined ? '' : ` ${law} (${clause})`
  return `${verdict}${about}${equal === undefined ? '' : `; ${equal}`}`
}

const print = ({ print: line, style }: Context, result: Comparison): void => {
  const { common, sides, parted, run, runs, view } = result
  if (run !== undefined && parted) line(style.dim(`run ${run} of ${result.machine}`))
  if (parted || run === undefined)
    for (const [i, step] of common.entries()) line(`  ${String(i + 1).padStart(3)}. ${escapeText(stepText(step))}`)
  if (parted) line(style.yellow(`they part at step ${common.length + 1}:`))
  if (parted || sides.some(({ verdict }) => verdict !== 'conforms'))
    line(
      columns(
        sides.map((side) => [
          `  ${escapeText(side.address)}`,
          escapeText(stepText(side.found)),
          escapeText(sideText(side)),
        ]),
      ).join('\n'),
    )
  const requirements = new Map(
    sides.flatMap(({ clause, requirement = '' }) => (clause === undefined ? [] : [[clause, requirement]])),
  )
  for (const [clause, requirement] of requirements) line(wrapped(escapeText(`${clause}: ${requirement}`), WIDTH, 2))
  line(parted ? style.bold(escapeText(view)) : `${escapeText(view)} (${runs === 1 ? 'one plan' : `${runs} plans`})`)
}
