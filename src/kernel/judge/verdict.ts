/** What a judge finds. Nothing here is thrown: a finding is data. */
import type { Clause } from '../language/clause.ts'
import type { Args } from '../language/machine.ts'

/** The answer of a whole run, one enum everywhere. */
export const VERDICTS = [
  'conforms',
  'violates',
  'crashes',
  'hangs',
  'livelocks',
  'inconclusive',
  'not-applicable',
  'adapter-error',
  'spec-error',
] as const
export type Verdict = (typeof VERDICTS)[number]

/**
 * How a law came to be broken: an action that the side under test must not have performed, something that it owes and
 * keeps quiet about, or a state or step that must not be.
 */
export type FindingKind = 'duty' | 'obligation' | 'invariant' | 'step'

/** A law that was broken by the side under test, or (for `adapter`, `spec`) a run that cannot be judged. */
export interface Finding {
  readonly verdict: 'violates' | 'adapter-error' | 'spec-error'
  /** A hardening finding is reported under that name and is no violation of the standard. */
  readonly hardening: boolean
  readonly kind: FindingKind | 'impossible' | 'throws'
  /** Name of the law in the machine. */
  readonly law: string
  readonly clause: Clause | undefined
  /** The action that broke it, or the one that is owed. */
  readonly action: string
  readonly args: Args
  readonly expected: string
  readonly observed: string
}
