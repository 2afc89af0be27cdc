/** What is told while a campaign works: one live region on a terminal, plain lines elsewhere. */
import type { CampaignEvent } from '../campaign/types.ts'
import { escapeText } from '../contract/explain.ts'
import { columns, counted, grouped, type Style } from './style.ts'
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

/** Follows the events of a campaign. */
export const progressOf = ({ print, region, style }: ProgressOptions): ((event: CampaignEvent) => void) => {
  const findings: string[] = []
  let width = 0
  let now = ''
  /** A line that stays, above the region. */
  const keep = (line: string): void => {
    region.clear()
    print(line)
  }
  const draw = (): void => region.show([now, ...findings.slice(-5)])
  return (event) => {
    switch (event.kind) {
      case 'campaign-start': {
        const { target, machines, runs, seed, workers } = event
        width = Math.max(0, ...machines.map((machine) => machine.length))
        const name = escapeText(`${target.name} ${target.version}`)
        keep(
          `${style.bold(name)}  ${style.dim(`${escapeText(target.address)}, ${counted(runs, 'run')} of ${counted(machines.length, 'machine')}, seed ${seed}, ${counted(workers, 'worker')}`)}`,
        )
        return
      }
      case 'machine-start':
        findings.length = 0
        now = `${style.bold(event.machine.padEnd(width))}  starting`
        return draw()
      case 'progress': {
        const { machine, phase, runs, of, commands, bugs, seconds } = event
        const rate = seconds < 0.05 ? '' : `${grouped(runs / seconds)} runs/s`
        const cells = [
          `${runs}/${of} runs`,
          rate,
          `${grouped(commands)} steps`,
          bugs === 0 ? '' : counted(bugs, 'finding'),
        ]
        const doing = phase === 'examining' ? 'shrinking' : ''
        now = `${style.bold(machine.padEnd(width))}  ${columns([[...cells, doing]])[0]}`
        return draw()
      }
      case 'finding':
        findings.push(
          `  ${event.hardening ? style.yellow('hardening') : style.red('found')} ${event.law} (${event.clause}) in run ${event.run}`,
        )
        return draw()
      case 'shrinking':
        return draw()
      case 'machine-done':
        return keep(machineLine(event.result, style, width))
      case 'target-restarted':
        return keep(style.yellow(`  run ${event.run}: ${escapeText(event.message)}; going on with a fresh target`))
      case 'warning':
        return keep(style.yellow(`  warning: ${escapeText(event.message)}`))
      case 'output':
        return keep(style.dim(`  the target printed: ${escapeText(event.text)}`))
      case 'counterexample':
      case 'unjudged':
      case 'campaign-done':
        return region.clear()
    }
  }
}
