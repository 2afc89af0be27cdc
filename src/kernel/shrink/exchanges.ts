/**
 * Passes that give one thing for another where nothing can be taken away alone. Their candidates grow with the square
 * of the length, so they come last, on short plans only, and not where a single action takes a second.
 */
import type { Action } from '../language/machine.ts'
import { CARRIES } from '../play/mood.ts'
import type { PlanStep } from '../play/plan.ts'
import type { Means, Pass } from './pass.ts'
import { isCostly } from './removals.ts'
import { type Act, compareLists, compareSteps, rawOf, replaced, type Steps, without, withRaw } from './steps.ts'

const REAIMED_MAX = 32
const SUBSTITUTED_MAX = 12
/** So many steps at most stay after a costly action. */
const AFTER_COSTLY = 4
/** Arguments below this are taken for references, such as "the second request that is held". */
const REFERENCES = 8
const AIMS = 4
/** Counts of device steps: dense where they are few, up to what a request takes and a little more. */
const COUNTS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22]

const isShort = (steps: Steps, limit: number): boolean => steps.length <= limit && !steps.some(isCostly)

const NEAR = 4

/** Other counts: those nearby, then those that are usual. */
const recounted = (count: number): number[] => {
  const counts = new Set<number>()
  for (let away = 1; away <= NEAR; away++) {
    if (count > away) counts.add(count - away)
    counts.add(count + away)
  }
  for (const usual of COUNTS) if (usual !== count) counts.add(usual)
  return [...counts]
}

/** The step with one small argument aimed at something else, or the rest cut short. */
function* aims(step: PlanStep, means: Means): Generator<PlanStep> {
  if (step.do !== 'act') {
    if (step.do === 'settle' && means.steps) for (const count of COUNTS) yield { do: 'step', count }
    if (step.do === 'step') for (const count of recounted(step.count)) yield { do: 'step', count }
    return
  }
  for (let arg = 0; arg < step.action.args.length; arg++) {
    const { type } = step.action.args[arg]!
    if (type.kind !== 'id' && type.kind !== 'int' && type.kind !== 'mod') continue
    const raw = rawOf(step, arg)
    if (raw >= REFERENCES) continue
    for (let aim = 0; aim < Math.min(AIMS, type.cells); aim++) if (aim !== raw) yield withRaw(step, arg, aim)
  }
}

/** One step goes, and one later step is aimed at something else. Place: the first of them. */
export const reaimed: Pass = function* (steps, [next = 0], means) {
  if (!isShort(steps, REAIMED_MAX)) return
  for (let i = next; i < steps.length; i++)
    for (let j = i + 1; j < steps.length; j++)
      for (const aimed of aims(steps[j]!, means))
        yield [{ steps: [...steps.slice(0, i), ...steps.slice(i + 1, j), aimed, ...steps.slice(j + 1)] }, [i]]
}

/**
 * The device gets more time, or less, so that the end of the plan can go, or so that an argument before can be lowered,
 * which changes how long the device takes. Place: the step that is counted anew.
 */
export const retimed: Pass = function* (steps, [next = 0]) {
  if (!isShort(steps, REAIMED_MAX)) return
  for (let i = next; i < steps.length; i++) {
    const step = steps[i]!
    if (step.do !== 'step') continue
    for (const count of recounted(step.count)) {
      const anew = replaced(steps, i, { do: 'step', count })
      for (let end = i + 1; end < steps.length; end++) yield [{ steps: anew.slice(0, end) }, [i]]
      for (let before = 0; before < i; before++) {
        const act = steps[before]!
        if (act.do !== 'act') continue
        for (let arg = 0; arg < act.action.args.length; arg++)
          if (rawOf(act, arg) > 0) yield [{ steps: replaced(anew, before, withRaw(act, arg, 0)) }, [i]]
      }
    }
  }
}

/** The action with the first values of its arguments. */
const plain = (action: Action): Act => {
  let step: Act = { do: 'act', action, args: {}, hostile: action.hostile }
  for (let arg = 0; arg < action.args.length; arg++) step = withRaw(step, arg, 0)
  return step
}

/** The action as it is most plainly; one with a choice of names and nothing else has a plain form for each of them. */
const plainForms = (action: Action): Act[] => {
  const form = plain(action)
  const [only, ...others] = action.args
  if (only?.type.kind !== 'enum' || others.length > 0) return [form]
  return Array.from({ length: Math.min(AIMS, only.type.cells) }, (_, raw) => withRaw(form, 0, raw))
}

/** Two or three steps go for one, or one for a simpler one. Place: how many go (3, 2, 1), and the first of them. */
export const substituted: Pass = function* (steps, [many = 3, next = 0], means) {
  if (!isShort(steps, SUBSTITUTED_MAX)) return
  const breaches = steps.some((step) => step.do === 'act' && step.hostile)
  const acts = means.actions.filter((action) => action.weight > 0 && (breaches || !action.hostile)).flatMap(plainForms)
  const rests: PlanStep[] = [{ do: 'settle' }]
  if (means.steps) for (const count of COUNTS) rests.push({ do: 'step', count })
  for (let go = many, first = next; go >= 1; go--, first = 0)
    for (let i = first; i + go <= steps.length; i++)
      for (const step of go === 3 ? rests : go === 2 ? [...acts, ...rests] : acts)
        if (compareSteps(step, steps[i]!) < 0 || go > 1)
          yield [{ steps: [...steps.slice(0, i), step, ...without(steps, 0, i + go)] }, [go, i]]
}

/** The action with a duty broken, if it breaks one by such arguments: the first values, or one choice of another name. */
const breachesOf = (action: Action): Act[] => {
  if (action.duties.length === 0 && !action.hostile) return []
  const form = { ...plain(action), hostile: true }
  const choices = action.args.flatMap(({ type }, arg) =>
    type.kind === 'enum' ? Array.from({ length: type.cells - 1 }, (_, raw) => withRaw(form, arg, raw + 1)) : [],
  )
  return [form, ...choices]
}

/**
 * One breach is often as good as another: a simpler one goes for it and for all that comes after, alone or with one more
 * action that carries the machine along. Place: the breach.
 */
export const rebroken: Pass = function* (steps, [next = 0], means) {
  if (!isShort(steps, SUBSTITUTED_MAX)) return
  const usual = means.actions.filter(({ weight, hostile }) => weight >= CARRIES && !hostile).map(plain)
  for (let i = next; i < steps.length; i++) {
    const step = steps[i]!
    if (step.do !== 'act' || !step.hostile) continue
    for (const breach of means.actions.filter(({ weight }) => weight > 0).flatMap(breachesOf)) {
      const broken = [...steps.slice(0, i), breach]
      for (const plan of [broken, ...usual.map((act) => [...broken, act])])
        if (compareLists(plan, steps) < 0) yield [{ steps: plan }, [i]]
    }
  }
}

/**
 * All that a long plan does in the middle goes for one costly action, which does as much as thousands of others: what
 * takes many steps by its nature, such as an index that wraps, is told in a few. A plan that has one keeps nothing else
 * of its middle. Place: the next one.
 */
export const summed: Pass = function* (steps, [next = 0], means) {
  if (steps.length <= SUBSTITUTED_MAX) return
  const there = steps.findIndex(isCostly)
  const costly =
    there >= 0
      ? [steps[there]!]
      : means.actions.filter((action) => action.weight === 0 && !action.hostile).map((action) => plain(action))
  for (let i = next; i < costly.length; i++)
    for (let after = 0; after <= Math.min(AFTER_COSTLY, steps.length - 1 - Math.max(there, 0)); after++)
      yield [{ steps: [steps[0]!, costly[i]!, ...steps.slice(steps.length - after)] }, [i]]
}
