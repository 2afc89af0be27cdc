/** Reports of a campaign, by name. */
import type { Render } from './facts.ts'
import { github } from './github.ts'
import { junit } from './junit.ts'
import { markdown } from './markdown.ts'

/** Every report that is written in one go when a campaign is over; `default` follows it on the terminal instead. */
export const renders: Readonly<Record<'json' | 'junit' | 'markdown' | 'github', Render>> = {
  json: (result) => `${JSON.stringify(result, null, 2)}\n`,
  junit,
  markdown,
  github,
}

export { bugReport } from './bug-report.ts'
export { look } from './look.ts'
export { markdown } from './markdown.ts'
export { progressOf } from './progress.ts'
export { styleOf } from './style.ts'
export { summaryLines } from './terminal.ts'
