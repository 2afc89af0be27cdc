/** Names for bugs: the same for one bug found from different seeds, on different days, by different schedules. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { argsToJson, type Json } from '../language/state.ts'
import type { Plan } from '../play/plan.ts'
import type { RunResult } from '../play/run.ts'

/**
 * A shrunk plan and the law that it breaks, as canonical JSON. Ids are numbered in the order in which they are first
 * used. How long the target was given to work between two acts is left out: it differs between targets of one fault.
 */
export const canonicalForm = (plan: Plan, result: RunResult): string => {
  const domains = new Map<string, Map<unknown, number>>()
  const numbered = (domain: string, id: unknown): number => {
    const known = domains.get(domain) ?? new Map<unknown, number>()
    domains.set(domain, known)
    if (!known.has(id)) known.set(id, known.size)
    return known.get(id)!
  }
  const steps: Json[] = []
  for (const step of plan.steps) {
    if (step.do === 'save') steps.push('save')
    if (step.do !== 'act') continue
    const args: Record<string, Json> = argsToJson(step.action, step.args)
    for (const { name, type } of step.action.args)
      if (type.kind === 'id') args[name] = numbered(type.domain!, step.args[name])
    steps.push({ act: step.action.name, args, hostile: step.hostile })
  }
  return canonicalize({ verdict: result.verdict, law: result.finding?.law ?? null, steps }) as string
}

/** Ten hexadecimal digits that name a bug: of its canonical form and the clause that it breaks, if it breaks one. */
export const bugId = (form: string, clauseId: string | undefined): string =>
  createHash('sha256')
    .update(canonicalize([clauseId ?? null, form]) as string)
    .digest('hex')
    .slice(0, 10)
