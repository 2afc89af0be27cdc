/** `iospec explore`: every state of a machine within a scope. */

import { EXIT, type ExitCode, UsageError } from '../../campaign/exit.ts'
import { loadMachines } from '../../campaign/models.ts'
import { preview } from '../../contract/explain.ts'
import type { Exploration, Progress } from '../../kernel/explore/index.ts'
import { argumentsText, changesText } from '../../report/steps.ts'
import { columns, counted, grouped, lasting, type Style } from '../../report/style.ts'
import { choose } from '../choose.ts'
import { type Context, command } from '../command.ts'
import { liveRegion } from '../live.ts'
import { inThread } from '../thread.ts'

export const explore = command({
  name: 'explore',
  does: 'Walk every state of a machine within a scope, and judge every law in each',
  arguments: [{ name: '<machine>', does: 'name of the machine' }],
  options: ['scope', 'hostileActors', 'maxStates', 'models', 'quiet', 'json'],
  examples: [
    'iospec explore notification',
    'iospec explore split-ring --scope size=2,wrap=4',
    'iospec explore lifecycle --hostile driver',
    'iospec explore split-queue --max-states 100000 --json',
  ],
  async run(context, [name = ''], { scope = [], hostileActors = [], maxStates, models, quiet, json }) {
    const machines = await loadMachines(models)
    const machine = machines.find(
      (each) =>
        each.name ===
        choose(
          'machine',
          name,
          machines.map((one) => one.name),
        ),
    )!
    const asked = scopeOf(machine.name, machine.scopes, scope)
    const live = liveRegion(context, quiet || json)
    let result: Exploration
    try {
      result = await inThread(
        'explore',
        {
          machine: machine.name,
          ...(models === undefined ? {} : { modelsFrom: models }),
          ...asked,
          hostile: hostileActors,
          ...(maxStates === undefined ? {} : { maxStates }),
        },
        { signal: context.signal, onProgress: (progress) => live.show([progressLine(machine.name, progress)]) },
      )
    } finally {
      live.clear()
    }
    if (json) context.printJson({ ...result, result: result.result, violations: result.violations.map(asJson) })
    else printExploration(context, result)
    return exitCode(result)
  },
})

/** `queueSize=2,wrap=4`, `played`: the name of the scope and single bounds. */
const scopeOf = (
  machine: string,
  scopes: Readonly<Record<string, Readonly<Record<string, number>>>>,
  words: readonly string[],
): { scope: string; bounds: Record<string, number> } => {
  let scope = 'explored'
  const bounds: Record<string, number> = {}
  for (const word of words.flatMap((each) => each.split(','))) {
    const [key = '', value] = word.split('=', 2)
    if (value === undefined) {
      scope = choose(`scope of ${machine}`, key, Object.keys(scopes))
      continue
    }
    choose(`bound of ${machine}`, key, Object.keys(scopes.explored!))
    if (!/^\d{1,9}$/.test(value))
      throw new UsageError(`--scope ${key}: expected a whole number, found ${preview(value)}`)
    bounds[key] = Number(value)
  }
  return { scope, bounds }
}

/** Of the laws: which goals a scope can reach is for its reader to judge, who is shown those that it did not. */
const exitCode = ({ violations, result }: Exploration): ExitCode => {
  if (violations.length > 0) return EXIT.violation
  return result === 'cut-short' ? EXIT.inconclusive : EXIT.conforms
}

/** `clause` is always there, as null where a law has none. */
const asJson = (violation: Exploration['violations'][number]) => ({ ...violation, clause: violation.clause ?? null })

const progressLine = (machine: string, { states, transitions, depth, waiting, seconds }: Progress): string =>
  `${machine}  ${grouped(states)} states  ${grouped(transitions)} transitions  depth ${depth}  ` +
  `${grouped(waiting)} waiting  ${grouped(states / Math.max(seconds, 0.001))} states/s`

const printExploration = ({ print, style }: Context, result: Exploration): void => {
  const { machine, scope, states, transitions, depth, seconds, violations, stuck, goals, cutShort } = result
  const bounds = Object.entries(scope).map(([bound, value]) => `${bound}=${value}`)
  print(`${style.bold(machine)}  ${bounds.join(' ')}`)
  print(`${counted(states, 'state')}, ${counted(transitions, 'transition')}, depth ${depth}, ${lasting(seconds)}`)
  if (cutShort !== undefined) print(style.yellow(`cut short: ${cutShort}`))
  const unreached = Object.entries(goals).filter(([, at]) => at === null)
  const reached = Object.entries(goals).filter(([, at]) => at !== null)
  if (reached.length > 0) print(columns(reached.map(([goal, at]) => [`  goal ${goal}`, `at depth ${at}`])).join('\n'))
  for (const [goal] of unreached) print(style.yellow(`  goal ${goal} was never reached`))
  const never = Object.entries(result.actions).filter(([, count]) => count === 0)
  if (never.length > 0) print(style.dim(`  never possible: ${never.map(([action]) => action).join(', ')}`))
  if (stuck.count > 0) {
    print(style.yellow(`${counted(stuck.count, 'state')} in which nothing can happen; the nearest:`))
    printSteps(print, style, stuck.steps ?? [])
  }
  for (const violation of violations) {
    const clause = violation.clause === undefined ? '' : ` (${violation.clause})`
    print(
      style.red(
        `\n${violation.kind} ${violation.name}${clause} is broken after ${counted(violation.steps.length, 'step')}:`,
      ),
    )
    printSteps(print, style, violation.steps)
  }
  print(
    violations.length > 0
      ? style.red(`${counted(violations.length, 'law')} broken`)
      : result.result === 'cut-short'
        ? style.yellow('no law broken so far')
        : style.green('every law holds'),
  )
}

const printSteps = (print: Context['print'], style: Style, steps: Exploration['violations'][number]['steps']): void => {
  steps.forEach(({ action, args, changes, breaches = [] }, i) => {
    const breach = breaches.length === 0 ? '' : style.yellow(`  breaks ${breaches.join(', ')}`)
    print(`  ${String(i + 1).padStart(3)}. ${action}${argumentsText(args)}${breach}`)
    for (const line of changesText(changes)) print(style.dim(`       ${line}`))
  })
}
