/** Explorations, simulations and walks of targets, as they are printed. */
import type { TargetWalk } from '../../campaign/walk-target.ts'
import { escapeText } from '../../contract/explain.ts'
import type { Exploration, Step, Violation } from '../../kernel/explore/index.ts'
import { argumentsText, changesText } from '../../report/steps.ts'
import { columns, counted, grouped, lasting, type Style } from '../../report/style.ts'
import type { Context } from '../command.ts'
import type { Answers } from '../thread-jobs.ts'

type Printer = Pick<Context, 'print' | 'style'>

const head = ({ print, style }: Printer, { machine, scope }: Pick<Exploration, 'machine' | 'scope'>): void =>
  print(
    `${style.bold(machine)}  ${Object.entries(scope)
      .map(([bound, value]) => `${bound}=${value}`)
      .join(' ')}`,
  )

export const printExploration = (to: Printer, result: Answers['explore']['result']): void => {
  const { print, style } = to
  const { states, transitions, depth, seconds, statesPerSecond, bytesPerState, violations, stuck, cutShort } = result
  const { represents = states } = result
  head(to, result)
  print(`${counted(states, 'state')}, ${counted(transitions, 'transition')}, depth ${depth}, ${lasting(seconds)}`)
  if (represents !== states)
    print(
      style.dim(
        `they stand for ${grouped(represents)} states: the others differ by a symmetry (--no-symmetry walks them)`,
      ),
    )
  if (bytesPerState !== null)
    print(style.dim(`${grouped(statesPerSecond)} states/s, ${Math.round(bytesPerState)} bytes a state`))
  if (cutShort !== undefined) print(style.yellow(`cut short: ${cutShort}`))
  if (result.liveness === 'undecided') print(style.yellow('what has to come in the end is not decided'))
  printGoals(to, result.goals)
  const never = Object.entries(result.actions).filter(([, count]) => count === 0)
  if (never.length > 0) print(style.dim(`  never possible: ${never.map(([action]) => action).join(', ')}`))
  if (stuck.count > 0) {
    print(style.yellow(`${counted(stuck.count, 'state')} in which nothing can happen; the nearest:`))
    printSteps(to, stuck.steps ?? [])
  }
  printViolations(to, violations, 'after')
  print(
    violations.length > 0
      ? style.red(`${counted(violations.length, 'law')} broken`)
      : result.result === 'cut-short'
        ? style.yellow('no law broken so far')
        : style.green(
            `every law holds${result.liveness === 'not-asked' ? ', but for what has to come in the end' : ''}`,
          ),
  )
}

const printGoals = ({ print, style }: Printer, goals: Exploration['goals'], inOneLine = false): void => {
  const unreached = Object.entries(goals).filter(([, at]) => at === null)
  const reached = Object.entries(goals).filter(([, at]) => at !== null)
  if (reached.length > 0) print(columns(reached.map(([goal, at]) => [`  goal ${goal}`, `at depth ${at}`])).join('\n'))
  if (inOneLine && unreached.length > 0)
    print(style.dim(`  goals that no plan reached: ${unreached.map(([goal]) => goal).join(', ')}`))
  else for (const [goal] of unreached) print(style.yellow(`  goal ${goal} was never reached`))
}

const printViolations = (to: Printer, violations: readonly Violation[], when: string): void => {
  const { print, style } = to
  for (const { kind, name, clause, steps, loopFrom } of violations) {
    const by = clause === undefined ? '' : ` (${clause})`
    const how = loopFrom === undefined ? `is broken ${when}` : 'need not come, with'
    print(style.red(`\n${kind} ${name}${by} ${how} ${counted(steps.length, 'step')}:`))
    printSteps(to, steps, loopFrom)
    if (loopFrom === steps.length)
      print(style.yellow('       and it stays so for ever: nobody who is fair can do anything'))
    else if (loopFrom !== undefined) print(style.yellow(`       and so on for ever, from step ${loopFrom + 1}`))
  }
}

/** Those from `loopFrom` on go round for ever. */
export const printSteps = ({ print, style }: Printer, steps: readonly Step[], loopFrom?: number): void => {
  steps.forEach(({ action, args, changes, breaches = [] }, i) => {
    if (i === loopFrom) print(style.yellow('       for ever:'))
    const breach = breaches.length === 0 ? '' : style.yellow(`  breaks ${breaches.join(', ')}`)
    print(`  ${String(i + 1).padStart(3)}. ${action}${argumentsText(args)}${breach}`)
    for (const line of changesText(changes)) print(style.dim(`       ${line}`))
  })
}

export const printSimulation = (to: Printer, result: Answers['simulate']['result']): void => {
  const { print, style } = to
  const { steps, walks, seconds, stepsPerSecond, seed, violations, stuck, goals } = result
  head(to, result)
  print(
    `${counted(steps, 'step')} in ${counted(walks, 'walk')}, ${lasting(seconds)}, ${grouped(stepsPerSecond)} steps/s, seed ${seed}`,
  )
  const seen = coverageText(result)
  if (seen !== undefined) print(seen)
  const missed = Object.entries(goals).filter(([, reached]) => !reached)
  if (missed.length > 0) print(style.yellow(`  goals that no walk came to: ${missed.map(([goal]) => goal).join(', ')}`))
  if (stuck.count > 0) {
    print(style.yellow(`${counted(stuck.count, 'walk')} came to where nothing can happen; the first:`))
    printSteps(to, stuck.steps ?? [])
  }
  printViolations(to, violations, 'by a walk of')
  print(
    violations.length > 0
      ? style.red(`${counted(violations.length, 'law')} broken`)
      : style.yellow('no walk broke a law; of states that no walk saw, this says nothing'),
  )
}

/** How many states the walks saw, of those that there are. */
const coverageText = ({ distinct, explored }: Answers['simulate']['result']): string | undefined => {
  if (distinct === null || explored === null) return undefined
  if (explored.cutShort !== undefined)
    return `${counted(distinct, 'distinct state')} of more than ${grouped(explored.states)}`
  const share = (100 * distinct) / explored.states
  const percent = share > 99.9 && distinct < explored.states ? '99.9' : share.toFixed(1)
  return `${counted(distinct, 'distinct state')} of ${grouped(explored.states)}: ${percent} %`
}

export const printWalk = (to: Printer, result: TargetWalk, files: readonly (string | undefined)[]): void => {
  const { print, style } = to
  const { machine, target, letters, depth, closed, states, transitions, saves, seconds, cutShort } = result
  print(`${style.bold(machine)}  ${style.dim(escapeText(`${target.name} ${target.version}`))}`)
  print(`every plan of up to ${counted(depth, 'step')} out of ${counted(letters, 'way')} to go on`)
  print(
    `${counted(states, 'state')} of target and machine, ${counted(transitions, 'plan')}, ${lasting(seconds)}, ` +
      `${grouped(transitions / Math.max(seconds, 0.001))} plans/s`,
  )
  if (saves > 0) print(`${counted(saves, 'plan')} of these ${saves === 1 ? 'ends' : 'end'} with a save and a restore`)
  if (closed) print('no longer plan leads to a new state')
  if (cutShort !== null) print(style.yellow(`cut short: ${cutShort}`))
  printGoals(to, result.goals, true)
  printLaws(to, result)
  for (const { verdict, law, message } of result.unjudged)
    print(style.yellow(`cannot be judged: ${verdict}, ${law}: ${escapeText(message)}`))
  for (const [i, { finding, steps, bugId, minimality, replay }] of result.counterexamples.entries()) {
    const what = finding.clause.basis === 'hardening' ? 'hardening' : 'violates'
    print(style.red(`\n${what} ${finding.law} (${finding.clause.id}), bug ${bugId}`))
    print(`  expected  ${escapeText(finding.expected)}`)
    print(`  observed  ${escapeText(finding.observed)}`)
    print(`  steps     ${steps}${minimality === 'proved' ? ', and no shorter plan of these steps breaks it' : ''}`)
    if (files[i] !== undefined) print(`  replay    ${escapeText(replay.replace('FILE', files[i]))}`)
  }
  print(`\n${verdictText(style, result)}`)
}

const printLaws = ({ print, style }: Printer, { laws }: TargetWalk): void => {
  const named = (outcome: TargetWalk['laws'][number]['outcome']): string[] =>
    laws.filter((one) => one.outcome === outcome).map(({ law, clause }) => `${law} (${clause})`)
  const count = (outcome: TargetWalk['laws'][number]['outcome']): number => named(outcome).length
  print(
    `${counted(laws.length, 'law')}: ${count('holds')} held, ${count('violated')} broken, ` +
      `${count('departed')} recommendations not followed, ${count('undecided')} never put to the test`,
  )
  const undecided = named('undecided')
  if (undecided.length > 0) print(style.dim(`  never put to the test: ${undecided.join(', ')}`))
}

const verdictText = (style: Style, { result, depth, closed }: TargetWalk): string => {
  switch (result) {
    case 'violated':
      return style.red('the implementation breaks the machine')
    case 'not-judged':
      return style.yellow('some plans could not be judged')
    case 'cut-short':
      return style.yellow(`no law broken so far; all plans of up to ${counted(depth, 'step')} were done`)
    case 'holds':
      return style.green(
        closed
          ? 'every law holds in every plan of these steps'
          : `every law holds in every plan of up to ${counted(depth, 'step')}`,
      )
  }
}
