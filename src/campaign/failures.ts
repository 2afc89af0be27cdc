/** What tells one failure from another: verdict, law and clause. */
import type { Verdict } from '../kernel/judge/verdict.ts'
import type { RunResult } from '../kernel/play/run.ts'
import { type Failing, sameFailing } from '../kernel/shrink/index.ts'

/** The clause that a target breaks by such an end. */
export const TROUBLE_CLAUSES = { crashes: 'SAF-03', hangs: 'SAF-04', livelocks: 'SAF-02' } as const
export type TroubleVerdict = keyof typeof TROUBLE_CLAUSES

export const isTrouble = (verdict: Verdict): verdict is TroubleVerdict => verdict in TROUBLE_CLAUSES

/** The failures of a result, each in the terms of `Failing`. */
export const failuresOf = (result: RunResult): Failing[] => {
  const { verdict, finding } = result
  const keys: Failing[] = result.hardening.map(({ law, clause }) => ({
    verdict: 'violates',
    law,
    clause: clause!.id,
    hardening: true,
  }))
  if (verdict === 'conforms') return keys
  const law = finding?.law ?? verdict
  const clause = finding?.clause?.id ?? (isTrouble(verdict) ? TROUBLE_CLAUSES[verdict] : '')
  keys.unshift({ verdict, law, clause, hardening: false })
  return keys
}

/** Whether a run failed as this one did. */
export const fails =
  (key: Failing) =>
  (result: RunResult): boolean =>
    failuresOf(result).some((other) => sameFailing(key, other))
