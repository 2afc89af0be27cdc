/** The report for people: the summary of a campaign, ending with what failed and how to see it again. */
import type { CampaignResult, CounterexampleSummary, MachineResult } from '../campaign/types.ts'
import { escapeText } from '../contract/explain.ts'
import {
  clausesText,
  departures,
  type Found,
  goalCounts,
  hardeningOnes,
  knownOnes,
  type Look,
  lengthText,
  profilesText,
  replayCommand,
  toneOf,
  verdictOf,
  violations,
} from './facts.ts'
import { columns, counted, grouped, lasting, type Style, wrapped } from './style.ts'

const WIDTH = 110
const UNJUDGED_SHOWN = 3
/** So many machines that do not apply are told of with their reasons; `iospec targets` tells of all. */
const OTHERS_SHOWN = 3

const painted = (style: Style, tone: ReturnType<typeof toneOf>): ((text: string) => string) =>
  tone === 'good' ? style.green : tone === 'bad' ? style.red : style.yellow

/** One line for a machine, as it is printed when the machine is done. */
export const machineLine = (result: MachineResult, style: Style, width = 0): string => {
  const { machine, verdict, profile, runs, steps, seconds, reason } = result
  const { reached, of } = goalCounts(result)
  const name = style.bold(machine.padEnd(width))
  if (verdict === 'not-applicable') return `${name}  ${style.dim(`not applicable: ${escapeText(reason ?? '')}`)}`
  const by = profile === undefined ? '' : `, by profile ${escapeText(profile)}`
  const facts = `${counted(runs, 'run')}, ${counted(steps, 'step')}, goals ${reached}/${of}, ${lasting(seconds)}${by}`
  return `${name}  ${painted(style, toneOf(verdict))(verdict.padEnd(12))}  ${facts}`
}

/** Of what a target printed before it ended: the line that most often says why. */
const lastLine = (words: string): string => words.trim().split('\n').at(-1) ?? ''

/** One reason puts several goals out of reach. */
const byReason = (unreachable: MachineResult['unreachable']): Map<string, string[]> => {
  const reasons = new Map<string, string[]>()
  for (const [goal, why] of Object.entries(unreachable)) reasons.set(why, [...(reasons.get(why) ?? []), goal])
  return reasons
}

/** What a machine has to say beyond its line. */
const machineNotes = ({ verdict, reason, missed, unreachable, unjudged, inconclusive }: MachineResult): string[] => {
  const notes: string[] = []
  if (verdict === 'not-applicable') return notes
  if (missed.length > 0) notes.push(`goals never reached: ${missed.join(', ')}`)
  else if (reason !== undefined && toneOf(verdict) !== 'good') notes.push(reason)
  for (const [why, goals] of byReason(unreachable)) notes.push(`out of reach here: ${goals.join(', ')} (${why})`)
  if (inconclusive > 0) notes.push(`${counted(inconclusive, 'run')} could not be judged`)
  for (const { run, verdict: each, message, lastWords } of unjudged.slice(0, UNJUDGED_SHOWN)) {
    const last = lastLine(lastWords)
    notes.push(`  run ${run}: ${each}: ${message}${last === '' ? '' : `; it said last: ${last}`}`)
  }
  return notes.map(escapeText)
}

const field = (name: string, text: string): string => {
  const [first = '', ...rest] = wrapped(escapeText(text), WIDTH, 14).split('\n')
  return [`    ${name.padEnd(10)}${first.slice(14)}`, ...rest].join('\n')
}

/** Law, clause, expected, observed, length, replay, file: always in this order. */
const counterexampleText = (
  { machine, summary }: Found,
  target: string,
  look: Look,
  style: Style,
  paint: (text: string) => string,
): string[] => {
  const { law, clause, requirement, basis, expected, observed, verdict, file, disclosure, bugId, lastWords } = summary
  const found = file === undefined ? undefined : look(file)
  const place = found === undefined ? '' : ` (${found.finding.clause.source} ${found.finding.clause.section})`
  const said = lastLine(lastWords)
  const equal = profilesText(summary.profiles)
  const command = replayCommand(summary, target)
  return [
    `  ${paint(`${machine.machine}: ${law}`)} ${style.dim(`${law === verdict ? '' : `${verdict}, `}bug ${bugId}`)}`,
    field('law', law),
    field('clause', `${clause}${place}, ${basis}: ${requirement}`),
    field('expected', expected),
    field('observed', observed),
    ...(equal === undefined ? [] : [field('profile', equal)]),
    ...(said === '' ? [] : [field('it said', said)]),
    field('steps', lengthText(summary, found)),
    ...(disclosure === 'private' ? [field('careful', 'a guest can cause this: report it in private first')] : []),
    // Commands and paths are for copying: they are not wrapped.
    ...(command === undefined ? [] : [`    replay    ${escapeText(command)}`]),
    ...(file === undefined ? [] : [`    file      ${escapeText(file)}`]),
  ]
}

const briefly = ({ machine, summary }: Found): string =>
  `  ${machine.machine}: ${summary.law} (${summary.clause}), ${counted(summary.steps, 'step')}${summary.file === undefined ? '' : `: ${summary.file}`}`

const paintOf = (style: Style, { verdict }: CounterexampleSummary) => painted(style, toneOf(verdict))

/** The lines of the summary. */
export const summaryLines = (result: CampaignResult, look: Look, style: Style, withMachines = true): string[] => {
  const { target, seed, seconds, commands, machines, warnings, exit } = result
  const width = Math.max(0, ...machines.map(({ machine }) => machine.length))
  const lines: string[] = ['']
  const others = machines.filter(({ verdict }) => verdict === 'not-applicable')
  const isEach = others.length <= OTHERS_SHOWN || others.length === machines.length
  for (const machine of machines) {
    const isOther = machine.verdict === 'not-applicable'
    if (isOther ? isEach : withMachines) lines.push(machineLine(machine, style, width))
    const notes = machineNotes(machine)
    if (notes.length > 0 && !withMachines) lines.push(style.bold(machine.machine))
    lines.push(...notes.map((note) => style.yellow(`  ${note}`)))
  }
  if (!isEach)
    lines.push(
      style.dim(wrapped(`not about this target: ${others.map(({ machine }) => machine).join(', ')}`, WIDTH, 2)),
    )
  if (lines.length > 1) lines.push('')

  lines.push(`clauses   ${clausesText(result)}`)
  const known = knownOnes(result)
  if (known.length > 0)
    lines.push(`known     ${counted(known.length, 'deviation')}, not counted as failures:`, ...known.map(briefly))
  const departed = departures(result)
  if (departed.length > 0)
    lines.push(
      'recommendations that are not followed (no violations):',
      ...columns(departed.map(({ id, strength, departed: times }) => [`  ${id}`, strength, counted(times, 'time')])),
    )
  const hardening = hardeningOnes(result)
  if (hardening.length > 0)
    lines.push(
      'hardening, which no standard demands: after a driver broke a duty, robust devices do better here:',
      ...hardening.map(briefly).map(escapeText),
    )
  for (const warning of warnings) lines.push(style.yellow(`warning   ${escapeText(warning)}`))

  const failed = violations(result)
  const tone = exit === 0 ? style.green : exit === 1 || exit === 3 ? style.red : style.yellow
  const found = failed.length === 0 ? '' : `, ${counted(failed.length, 'bug')}`
  lines.push(
    `${tone(style.bold(verdictOf(result)))}${found}  ` +
      style.dim(
        `${escapeText(`${target.name} ${target.version}`)}, seed ${seed}, ${grouped(commands)} commands in ${lasting(seconds)}`,
      ),
  )
  for (const each of failed)
    lines.push('', ...counterexampleText(each, target.address, look, style, paintOf(style, each.summary)))
  return lines
}
