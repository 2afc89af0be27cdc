/** Annotations of GitHub Actions, one line each. The summary of the job is the Markdown report. */
import { escapeText } from '../contract/explain.ts'
import { hardeningOnes, profilesText, type Render, replayCommand, toneOf, violations } from './facts.ts'

const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')

const line = (level: 'error' | 'warning' | 'notice', title: string, message: readonly string[]): string =>
  `::${level} title=${property(escapeText(title))}::${data(message.map(escapeText).join('\n'))}`

export const github: Render = (result) => {
  const lines = violations(result).map(({ machine, summary }) => {
    const { law, clause, requirement, expected, observed } = summary
    const command = replayCommand(summary, result.target.address)
    const equal = profilesText(summary.profiles)
    return line('error', `${machine.machine}: ${law}`, [
      `${clause}: ${requirement}`,
      `expected ${expected}`,
      `observed ${observed}`,
      ...(equal === undefined ? [] : [equal]),
      ...(command === undefined ? [] : [command]),
    ])
  })
  for (const { machine, verdict, reason = verdict, counterexamples } of result.machines) {
    if (toneOf(verdict) === 'open') lines.push(line('warning', `${machine}: inconclusive`, [reason]))
    else if (toneOf(verdict) === 'bad' && counterexamples.length === 0)
      lines.push(line('error', `${machine}: ${verdict}`, [reason]))
  }
  for (const { machine, summary } of hardeningOnes(result))
    lines.push(
      line('notice', `${machine.machine}: ${summary.law} (hardening)`, [`${summary.clause}: ${summary.requirement}`]),
    )
  for (const warning of result.warnings) lines.push(line('warning', 'iospec', [warning]))
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}
