/** Names for bugs: the same for one bug found from different seeds, on different days, by different schedules. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { argsToJson, type Json } from '../language/state.ts'
import type { Plan } from '../play/plan.ts'
import type { Failing } from './kin.ts'
import { rawOf } from './steps.ts'

/**
 * A shrunk plan and the law that it breaks, as canonical JSON. Ids are numbered in the order in which they are first
 * used. How long the target was given to work between two acts is left out: it differs between targets of one fault. So
 * is an argument at the first value of its type: a machine that says more about the same action says the same.
 */
export const canonicalForm = (plan: Plan, { verdict, law }: Pick<Failing, 'verdict' | 'law'>): string => {
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
    const args: Record<string, Json> = {}
    const written = argsToJson(step.action, step.args)
    step.action.args.forEach(({ name, type }, arg) => {
      const isId = type.kind === 'id'
      const value = isId ? numbered(type.domain!, step.args[name]) : rawOf(step, arg)
      if (value !== 0) args[name] = isId ? value : written[name]!
    })
    steps.push({ act: step.action.name, args, ...(step.hostile ? { hostile: true } : {}) })
  }
  return canonicalize({ verdict, law, steps }) as string
}

/** Ten hexadecimal digits that name a bug: of its canonical form and the clause that it breaks, if it breaks one. */
export const bugId = (form: string, clauseId: string | undefined): string =>
  createHash('sha256')
    .update(canonicalize([clauseId ?? null, form]) as string)
    .digest('hex')
    .slice(0, 10)
