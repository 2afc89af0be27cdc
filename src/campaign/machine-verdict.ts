/** What the campaign of one machine comes to, in one word and with the reason. */
import type { Verdict } from '../kernel/judge/verdict.ts'
import { strongest } from './exit.ts'
import type { CounterexampleSummary, Unjudged } from './types.ts'

/** More runs than this that cannot be judged make a campaign inconclusive. */
const INCONCLUSIVE_SHARE = 0.01

/** A campaign that is over. */
interface Ending {
  /** Why the machine says nothing about this target. */
  readonly notApplicable: string | undefined
  readonly counterexamples: readonly CounterexampleSummary[]
  readonly runs: number
  /** Why it ended before all runs were done. */
  readonly ended: string | undefined
  /** Some of the runs that could not be judged, how many there are, and what they came to. */
  readonly unjudged: readonly Unjudged[]
  readonly unjudgedRuns: number
  readonly unjudgedVerdicts: ReadonlySet<Verdict>
  /** A law that was found broken and never came again. */
  readonly unresolved: string | undefined
  /** Goals that can be reached and were not. */
  readonly missed: readonly string[]
}

interface Judged {
  readonly verdict: Verdict
  readonly reason: string | undefined
}

export const verdictOf = (ending: Ending): Judged => {
  const { notApplicable, counterexamples, runs, ended, unjudged, unjudgedRuns, missed, unresolved } = ending
  if (notApplicable !== undefined) return { verdict: 'not-applicable', reason: notApplicable }
  const broken = counterexamples.filter(({ known }) => !known)
  if (broken.length > 0) {
    const laws = [...new Set(broken.map(({ law, clause }) => `${law} (${clause})`))].join(', ')
    const verdict = strongest(broken.map((each) => each.verdict))
    return { verdict, reason: ended === undefined ? laws : `${laws}; ${ended}` }
  }
  for (const verdict of ['spec-error', 'adapter-error'] as const)
    if (ending.unjudgedVerdicts.has(verdict))
      return { verdict, reason: unjudged.find((one) => one.verdict === verdict)?.message ?? ended }
  const inconclusive = (reason: string): Judged => ({ verdict: 'inconclusive', reason })
  if (ended !== undefined && (runs === 0 || missed.length > 0 || ended === 'interrupted')) return inconclusive(ended)
  if (unresolved !== undefined) return inconclusive(`${unresolved} was broken and did not come again`)
  if (unjudgedRuns > INCONCLUSIVE_SHARE * runs)
    return inconclusive(`${unjudgedRuns} of ${runs} runs: ${unjudged[0]?.message}`)
  if (missed.length > 0) return inconclusive(`never reached: ${missed.join(', ')}; try more runs`)
  return { verdict: 'conforms', reason: undefined }
}
