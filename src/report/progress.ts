/** What is told while a campaign works: one live region on a terminal, plain lines elsewhere. */
import { match, P } from 'ts-pattern'
import type { CampaignEvent } from '../campaign/types.ts'
import { escapeText } from '../contract/explain.ts'
import { counted, grouped, type Style } from './style.ts'
import { machineLine } from './terminal.ts'

/** Where progress goes; see the command line for the one that is on a terminal. */
export interface Region {
  show(lines: readonly string[]): void
  clear(): void
}

export interface ProgressOptions {
  readonly print: (line: string) => void
  readonly region: Region
  readonly style: Style
}

/** So many fresh targets of a machine are told of; a device that always dies would fill the screen. */
const RESTARTS_TOLD = 3

/** Follows the events of a campaign. */
export const progressOf = ({ print, region, style }: ProgressOptions): ((event: CampaignEvent) => void) => {
  const findings: string[] = []
  let width = 0
  let now = ''
  let restarts = 0
  /** A line that stays, above the region. */
  const keep = (line: string): void => {
    region.clear()
    print(line)
  }
  const draw = (): void => region.show([now, ...findings.slice(-5)])
  return (event) =>
    match(event)
      .with({ kind: 'campaign-start' }, ({ target, machines, runs, seed, workers }) => {
        width = Math.max(0, ...machines.map((machine) => machine.length))
        const what = [
          target.address,
          `${counted(runs, 'run')} of ${counted(machines.length, 'machine')}`,
          `seed ${seed}`,
          counted(workers, 'worker'),
        ]
        const name = escapeText(`${target.name} ${target.version}`)
        keep(`${style.bold(name)}  ${style.dim(escapeText(what.join(', ')))}`)
      })
      .with({ kind: 'machine-start' }, ({ machine }) => {
        findings.length = 0
        restarts = 0
        now = `${style.bold(machine.padEnd(width))}  starting`
        draw()
      })
      .with({ kind: 'progress' }, ({ machine, phase, runs, of, commands, goals, bugs, seconds }) => {
        const rate = seconds < 0.05 ? '' : `${grouped(runs / seconds)} runs/s`
        const cells = [
          `${runs}/${of} runs`,
          rate,
          `${grouped(commands)} commands`,
          `goals ${goals.reached}/${goals.of}`,
          bugs === 0 ? '' : counted(bugs, 'finding'),
          phase === 'examining' ? 'shrinking' : '',
        ]
        now = `${style.bold(machine.padEnd(width))}  ${cells.filter((cell) => cell !== '').join('  ')}`
        draw()
      })
      .with({ kind: 'finding' }, ({ hardening, law, clause, run }) => {
        const word = hardening ? style.yellow('hardening') : style.red('found')
        findings.push(`  ${word} ${law} (${clause}) in run ${run}`)
        draw()
      })
      .with({ kind: 'shrinking' }, draw)
      // The summary tells at once of all machines that are about something else.
      .with({ kind: 'machine-done', result: { verdict: 'not-applicable' } }, () => {
        now = ''
      })
      .with({ kind: 'machine-done' }, ({ result }) => keep(machineLine(result, style, width)))
      .with({ kind: 'target-restarted' }, ({ run, message }) => {
        restarts++
        const more = restarts === RESTARTS_TOLD ? ' (further ones are not told)' : ''
        if (restarts <= RESTARTS_TOLD)
          keep(
            style.yellow(
              `  ${run < 0 ? 'an earlier failure' : `run ${run}`}: ${escapeText(message)}; going on with a fresh target${more}`,
            ),
          )
      })
      .with({ kind: 'warning' }, ({ message }) => keep(style.yellow(`  warning: ${escapeText(message)}`)))
      .with({ kind: 'output' }, ({ text }) => keep(style.dim(`  the target printed: ${escapeText(text)}`)))
      .with({ kind: P.union('counterexample', 'unjudged', 'campaign-done') }, () => region.clear())
      .exhaustive()
}
