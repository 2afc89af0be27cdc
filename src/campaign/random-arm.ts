/**
 * The plain random arm of a score: plans drawn blindly. Every action, every value of an argument and every schedule
 * step is equally likely; nothing is known of the state, and what turns out impossible is skipped by the run.
 */
import { Bits } from '../kernel/language/bits.ts'
import type { Action, Machine } from '../kernel/language/machine.ts'
import type { AnyScalar } from '../kernel/language/scalar.ts'
import { type DrawOptions, HOSTILE } from '../kernel/play/draw.ts'
import type { Plan, PlanStep } from '../kernel/play/plan.ts'
import { Random } from '../kernel/play/random.ts'

const LENGTH_MAX = 100
const STEPS_MAX = 24

const blindValue = (type: AnyScalar, random: Random): unknown => {
  const raw = random.below(type.cells)
  switch (type.kind) {
    case 'flag':
      return raw === 1
    case 'enum':
      return type.names![raw]
    case 'set':
      return Bits.of(raw)
    case 'maybe':
      return raw === 0 ? undefined : blindValue(type.of!, random)
    default:
      return type.low + raw
  }
}

export class RandomArm {
  private readonly ours: readonly Action[]
  private readonly hostile: number
  private readonly schedule: readonly ((random: Random) => PlanStep)[]

  constructor(machine: Machine, { played, unavailable, steps, saves, hostile = HOSTILE }: DrawOptions) {
    this.hostile = hostile
    this.ours = machine.actions.filter(
      // Weight 0 marks actions that cost a second each; both arms leave them to chosen runs.
      (action) => played.includes(action.actor) && !unavailable?.has(action.name) && action.weight > 0,
    )
    this.schedule = [
      () => ({ do: 'settle' }),
      ...(steps === true ? [(random: Random): PlanStep => ({ do: 'step', count: 1 + random.below(STEPS_MAX) })] : []),
      ...(saves === true ? [(): PlanStep => ({ do: 'save' })] : []),
    ]
  }

  draw(seed: number): Plan {
    const random = new Random(seed)
    const length = 1 + random.below(LENGTH_MAX)
    // The same share as in drawn plans: the arms differ in how they draw, and not in what they may do.
    const hostile = random.chance(this.hostile)
    const steps: PlanStep[] = []
    while (steps.length < length) {
      const pick = random.below(this.ours.length + this.schedule.length)
      const action = this.ours[pick]
      if (action === undefined) steps.push(this.schedule[pick - this.ours.length]!(random))
      else {
        const args = Object.fromEntries(action.args.map(({ name, type }) => [name, blindValue(type, random)]))
        steps.push({ do: 'act', action, args, hostile })
      }
    }
    return { steps }
  }
}
