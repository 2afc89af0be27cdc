/** What every report says about a campaign, worked out once: order, counts, verdicts in words. */
import type { Counterexample } from '../campaign/counterexample.ts'
import type {
  CampaignResult,
  ClauseRow,
  ClauseStatus,
  CounterexampleSummary,
  MachineResult,
} from '../campaign/types.ts'
import type { Verdict } from '../kernel/judge/verdict.ts'

/** Reads the file of a counterexample, if there is one that can be read. */
export type Look = (file: string) => Counterexample | undefined

/** Turns a result into the text of a report. */
export type Render = (result: CampaignResult, look: Look) => string

/** The verdict of a whole campaign, from its exit code. */
export const verdictOf = ({ exit, interrupted, machines }: CampaignResult): string => {
  if (interrupted) return 'interrupted'
  if (machines.length > 0 && machines.every(({ verdict }) => verdict === 'not-applicable'))
    return 'nothing is applicable'
  switch (exit) {
    case 0:
      return 'conforms'
    case 1:
      return 'violates'
    case 3:
      return 'the target or its adapter broke'
    default:
      return 'inconclusive'
  }
}

/** Whether a verdict speaks against the device, leaves it open, or speaks for it. */
export const toneOf = (verdict: Verdict): 'good' | 'bad' | 'open' => {
  switch (verdict) {
    case 'conforms':
    case 'not-applicable':
      return 'good'
    case 'inconclusive':
      return 'open'
    default:
      return 'bad'
  }
}

export interface Found {
  readonly machine: MachineResult
  readonly summary: CounterexampleSummary
}

const each = (result: CampaignResult, of: (machine: MachineResult) => readonly CounterexampleSummary[]): Found[] =>
  result.machines.flatMap((machine) => of(machine).map((summary) => ({ machine, summary })))

/** Counterexamples that fail the campaign. */
export const violations = (result: CampaignResult): Found[] =>
  each(result, ({ counterexamples }) => counterexamples.filter(({ known }) => !known))
export const knownOnes = (result: CampaignResult): Found[] =>
  each(result, ({ counterexamples }) => counterexamples.filter(({ known }) => known))
export const hardeningOnes = (result: CampaignResult): Found[] => each(result, ({ hardening }) => hardening)

/** Recommendations that were not followed. */
export const departures = ({ clauses }: CampaignResult): ClauseRow[] =>
  clauses.filter(({ status, basis }) => status === 'departed' && basis !== 'hardening')

const STATUSES = ['kept', 'violated', 'known', 'departed', 'undecided', 'not-applicable'] as const

/** What people read for a status that does not speak for itself. */
const STATUS_WORDS: Partial<Record<ClauseStatus, string>> = {
  known: 'known to be broken',
  departed: 'advised and not followed',
  'not-applicable': 'not applicable',
}

/** `64 kept, 2 recommended and not followed`: how many clauses there are of each status, in a fixed order. */
export const clausesText = ({ clauses }: Pick<CampaignResult, 'clauses'>): string =>
  STATUSES.map((status) => [status, clauses.filter((row) => row.status === status).length] as const)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${STATUS_WORDS[status] ?? status}`)
    .join(', ') || 'none'

/** Goals that count: those that can be reached on the target. */
export const goalCounts = ({ goals, missed, unreachable }: MachineResult): { reached: number; of: number } => {
  const of = Object.keys(goals).filter((goal) => !(goal in unreachable)).length
  return { reached: of - missed.length, of }
}

/** A word as a shell takes it. */
const shellWord = (word: string): string =>
  /^[\w:./@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** The one command that replays it; undefined when no file was written. */
export const replayCommand = ({ file }: CounterexampleSummary, target: string): string | undefined =>
  file === undefined ? undefined : `iospec replay ${shellWord(file)} --target ${shellWord(target)}`

/** `deviates from the data sheet, equals profile KVM`; undefined where it equals none. */
export const profilesText = (profiles: readonly string[]): string | undefined =>
  profiles.length === 0
    ? undefined
    : `deviates from the data sheet, equals ${profiles.length === 1 ? 'profile' : 'profiles'} ${profiles.join(', ')}`

/** `12 before shrinking, 4 after; proved minimal`. */
export const lengthText = (summary: CounterexampleSummary, found: Counterexample | undefined): string => {
  const { steps, minimality, reproduced, runs, overlooked, also } = summary
  const before = found === undefined ? '' : `${found.shrink.from} before shrinking, `
  const shortest =
    minimality === 'proved'
      ? 'proved shortest'
      : minimality === 'unknown'
        ? 'shortest length unknown'
        : `none shorter than ${minimality.slice('at least '.length)}`
  const flaky = reproduced.times < reproduced.of ? `; reproduced ${reproduced.times} of ${reproduced.of}` : ''
  const again = runs > 1 ? `; ${runs} runs came to it` : ''
  const others = overlooked.length > 0 ? `; breaks on the way ${overlooked.join(', ')}` : ''
  const laws = also.length > 0 ? `; longer plans break ${also.join(', ')}` : ''
  return `${before}${steps} after; ${shortest}${flaky}${again}${others}${laws}`
}
