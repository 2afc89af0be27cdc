/** Plans as a fast-check arbitrary: fast-check stays the engine of seeds, paths and interruption. */
import fc from 'fast-check'
import { candidates, type Position } from '../shrink/candidates.ts'
import type { Drawer } from './draw.ts'
import { type Plan, planToJson } from './plan.ts'

/** Prints a plan as its JSON form; actions themselves would print as the whole machine. */
const printable = (plan: Plan): Plan => {
  const print = (): string => JSON.stringify(planToJson(plan))
  return Object.defineProperty({ ...plan }, fc.toStringMethod, { value: print })
}

/** Draws plans, and shrinks them as `shrink` does, but without what a run tells about a plan. */
export class PlanArbitrary extends fc.Arbitrary<Plan> {
  private readonly drawer: Pick<Drawer, 'draw'>

  constructor(drawer: Pick<Drawer, 'draw'>) {
    super()
    this.drawer = drawer
  }

  // A plan depends on one number, so that run by run the same numbers give the same plans.
  override generate(mrng: fc.Random): fc.Value<Plan> {
    return new fc.Value(printable(this.drawer.draw(mrng.nextInt())), undefined)
  }

  override canShrinkWithoutContext(value: unknown): value is Plan {
    return Array.isArray((value as Plan | undefined)?.steps)
  }

  override shrink(plan: Plan, context: unknown): fc.Stream<fc.Value<Plan>> {
    return fc.stream(valuesOf(plan, context as Position | undefined))
  }
}

function* valuesOf(plan: Plan, from: Position | undefined): Generator<fc.Value<Plan>, void, undefined> {
  for (const { plan: smaller, next } of candidates(plan, from)) yield new fc.Value(printable(smaller), next)
}
