/** The reports that were asked for: which follow the campaign, which are written in the end, and where to. */
import { appendFileSync } from 'node:fs'
import { UsageError } from '../campaign/exit.ts'
import { expectWritable, writeWhole } from '../campaign/files.ts'
import type { CampaignEvent, CampaignResult } from '../campaign/types.ts'
import { look, markdown, progressOf, renders, summaryLines } from '../report/index.ts'
import type { Context } from './command.ts'
import { liveRegion } from './live.ts'

interface Asked {
  readonly name: string
  readonly file: string | undefined
}

const parse = (word: string): Asked => {
  const at = word.indexOf('=')
  return at < 0 ? { name: word, file: undefined } : { name: word.slice(0, at), file: word.slice(at + 1) }
}

export interface Reporting {
  readonly listen: (event: CampaignEvent) => void
  /** Writes everything; throws a `UsageError` when a file cannot be written. */
  finish(result: CampaignResult): void
  /** Takes the live region away when there is no result. */
  abandon(): void
}

export interface ReportOptions {
  readonly reporters: readonly string[]
  readonly json: boolean
  readonly quiet: boolean
}

export const reporting = (context: Context, { reporters, json, quiet }: ReportOptions): Reporting => {
  const asked = reporters.map(parse)
  for (const { name, file } of asked) {
    // The one for the terminal gives way, since it is what a configuration names as a matter of course.
    if (json && file === undefined && name !== 'default')
      throw new UsageError(`--reporter ${name}: expected =file beside --json, which has standard output to itself`)
    if (name === 'default' && file !== undefined)
      throw new UsageError(`--reporter default: expected no file, found one; it is for the terminal`)
    if (file !== undefined) expectWritable(file)
  }
  const onTerminal =
    !json && asked.every(({ name, file }) => name === 'default' || file !== undefined || name === 'github')
  const region = liveRegion(context, quiet || !onTerminal)
  const follow =
    onTerminal && !quiet ? progressOf({ print: context.print, region, style: context.style }) : (): void => {}
  return {
    listen: follow,
    abandon: region.clear,
    finish(result) {
      region.clear()
      if (json) context.printJson(result)
      if (onTerminal) context.print(summaryLines(result, look, context.style, quiet).join('\n'))
      const summary = context.env.GITHUB_STEP_SUMMARY
      const failures: unknown[] = []
      for (const { name, file } of asked) {
        if (name === 'default') continue
        try {
          const text = renders[name as keyof typeof renders](result, look)
          if (file !== undefined) writeWhole(file, text)
          else if (text !== '') context.print(text.trimEnd())
          if (name === 'github' && summary !== undefined && summary !== '')
            appendSummary(summary, markdown(result, look))
        } catch (error) {
          // The other reports are not to be lost with it.
          failures.push(error)
        }
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** Other steps of the job write to the same file. */
const appendSummary = (file: string, text: string): void => {
  try {
    appendFileSync(file, `${text}\n`)
  } catch (error) {
    throw new UsageError(`GITHUB_STEP_SUMMARY: cannot be written: ${(error as Error).message}`)
  }
}
