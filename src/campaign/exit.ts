/** Exit codes, and which of several verdicts speaks for all. */
import { TargetError } from '../contract/target.ts'
import type { Verdict } from '../kernel/judge/verdict.ts'

export const EXIT = {
  conforms: 0,
  violation: 1,
  usage: 2,
  target: 3,
  inconclusive: 4,
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A command line, a configuration or a file that cannot be used, in one line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Strongest first: what a machine did decides over what could not be judged. */
const PRECEDENCE = [
  'violates',
  'crashes',
  'hangs',
  'livelocks',
  'spec-error',
  'adapter-error',
  'inconclusive',
  'conforms',
  'not-applicable',
] as const satisfies readonly Verdict[]

/** The verdict that speaks for several; nothing at all is `not-applicable`. */
export const strongest = (verdicts: readonly Verdict[]): Verdict =>
  PRECEDENCE.find((verdict) => verdicts.includes(verdict)) ?? 'not-applicable'

export const exitOf = (verdict: Verdict): ExitCode => {
  switch (verdict) {
    case 'violates':
    case 'crashes':
    case 'hangs':
    case 'livelocks':
      return EXIT.violation
    case 'spec-error':
    case 'adapter-error':
      return EXIT.target
    case 'inconclusive':
      return EXIT.inconclusive
    case 'conforms':
    case 'not-applicable':
      return EXIT.conforms
  }
}

/** Exit code of what a command threw; undefined for a mistake of our own. */
export const exitOfError = (error: unknown): ExitCode | undefined => {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof TargetError) return error.reason === 'address' ? EXIT.usage : EXIT.target
  return undefined
}
