/** A campaign as Markdown: a table of machines, the clauses that need attention, and each counterexample drawn. */
import type { CampaignResult, MachineResult } from '../campaign/types.ts'
import { code, plain } from './bug-report.ts'
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
  type Render,
  replayCommand,
  verdictOf,
  violations,
} from './facts.ts'
import { sequenceDiagram } from './sequence.ts'
import { grouped, lasting } from './style.ts'

const machineRow = (result: MachineResult): string => {
  const { machine, verdict, profile, runs, steps, missed, reason, seconds } = result
  const { reached, of } = goalCounts(result)
  const note = missed.length > 0 ? `never reached: ${missed.join(', ')}` : (reason ?? '')
  const why = [note, profile === undefined ? '' : `by profile ${profile}`].filter((text) => text !== '').join('; ')
  const cells = [machine, verdict, grouped(runs), grouped(steps), `${reached}/${of}`, lasting(seconds), plain(why)]
  return `| ${cells.join(' | ')} |`
}

const counterexample = ({ machine, summary }: Found, { target }: CampaignResult, look: Look): string[] => {
  const { law, clause, requirement, basis, expected, observed, file, disclosure, verdict } = summary
  const found = file === undefined ? undefined : look(file)
  const command = replayCommand(summary, target.address)
  const equal = profilesText(summary.profiles)
  const shown = found !== undefined && disclosure === 'public'
  return [
    `### ${plain(machine.machine)}: ${plain(law)} (${verdict})`,
    '',
    `- **Clause:** ${clause} (${basis}): ${plain(requirement)}`,
    `- **Expected:** ${plain(expected)}`,
    `- **Observed:** ${plain(observed)}`,
    ...(equal === undefined ? [] : [`- **Profile:** ${plain(equal)}`]),
    `- **Steps:** ${plain(lengthText(summary, found))}`,
    ...(disclosure === 'private' ? ['- **Report this privately:** a guest can cause it.'] : []),
    ...(command === undefined ? [] : [`- **Replay:** ${code(command)}`]),
    '',
    ...(shown ? ['```mermaid', sequenceDiagram(found), '```', ''] : []),
  ]
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [title, '', ...lines, '']

export const markdown: Render = (result, look) => {
  const { target, seed, seconds, commands, machines, warnings } = result
  const brief = ({ machine, summary }: Found): string =>
    `- ${plain(machine.machine)}: ${plain(summary.law)} (${summary.clause})`
  return [
    `## iospec: ${plain(`${target.name} ${target.version}`)}: ${verdictOf(result)}`,
    '',
    `${code(target.address)}, seed ${seed}, ${grouped(commands)} commands in ${lasting(seconds)}`,
    '',
    '| machine | verdict | runs | steps | goals | time | |',
    '| --- | --- | --: | --: | --: | --: | --- |',
    ...machines.map(machineRow),
    '',
    `Clauses: ${clausesText(result)}.`,
    '',
    ...violations(result).flatMap((found) => counterexample(found, result, look)),
    ...section('Known deviations:', knownOnes(result).map(brief)),
    ...section(
      'Recommendations that are not followed:',
      departures(result).map(({ id, strength }) => `- ${id} (${strength})`),
    ),
    ...section('Hardening, which no standard demands:', hardeningOnes(result).map(brief)),
    ...section(
      'Warnings:',
      warnings.map((warning) => `- ${plain(warning)}`),
    ),
  ].join('\n')
}
