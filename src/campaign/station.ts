/** One machine made ready for one target: bounds, what cannot be done, what to draw plans with. */
import type { Description } from '../contract/target.ts'
import { Ledger } from '../kernel/judge/ledger.ts'
import type { Clause } from '../kernel/language/clause.ts'
import type { Machine } from '../kernel/language/machine.ts'
import type { Model } from '../kernel/model.ts'
import { Drawer } from '../kernel/play/draw.ts'
import type { Drawing } from '../kernel/play/drawing.ts'
import { type Plan, planFromJson } from '../kernel/play/plan.ts'
import { runSeed } from '../kernel/play/random.ts'
import { Ahead } from './ahead.ts'
import type { LawInfo, Prepared, RunItem } from './jobs.ts'

/** Three runs in a hundred draw the costly actions as well, such as a lap of a ring. */
const RARE_EVERY = 33
const RARE_AT = 11
export const isRare = (run: number): boolean => run % RARE_EVERY === RARE_AT

export interface DrawingOptions {
  readonly seed: number
  readonly hostile?: number
  readonly maxSteps?: number
}

export class Station {
  readonly model: Model
  readonly machine: Machine
  readonly ledger: Ledger
  /** Laws that are overlooked; shared with the runner, changed between jobs. */
  readonly tolerated = new Set<string>()
  private readonly options: DrawingOptions
  private drawer: Drawer | undefined
  readonly ahead = new Ahead()

  constructor(model: Model, machine: Machine, options: DrawingOptions) {
    this.model = model
    this.machine = machine
    this.options = options
    this.ledger = new Ledger(machine)
  }

  /** Once it is known what cannot be done on the target. */
  ready(description: Description, unavailable: Readonly<Record<string, string>>): void {
    const { step, save, migrate, synchronous } = description.can
    const { hostile, maxSteps } = this.options
    this.drawer = new Drawer(this.machine, {
      played: this.model.played,
      unavailable: new Set(Object.keys(unavailable)),
      steps: step,
      // One that can be stopped in the middle of its work is to be.
      synchronous: synchronous && !step,
      saves: save || migrate,
      ...(hostile === undefined ? {} : { hostile }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
    })
  }

  get isReady(): boolean {
    return this.drawer !== undefined
  }

  planOf(item: RunItem): Plan {
    if (item.plan !== undefined) return planFromJson(this.machine, item.plan)
    return (this.ahead.take(item) ?? this.begin(item)).plan()
  }

  /** Says which run comes next, if one does: its plan is drawn while the target is busy with this one. */
  expect(item: RunItem | undefined): void {
    this.ahead.expect(item, item === undefined || item.plan !== undefined ? undefined : this.begin(item))
  }

  private begin({ run, toward }: RunItem): Drawing {
    return this.drawer!.begin(runSeed(this.options.seed, this.machine.name, run), isRare(run), toward)
  }
}

/** Within the bounds that fit a target; where none can be asked for, those that are played with. `more`: of a profile. */
export const machineFor = (
  model: Model,
  description: Description,
  more: Readonly<Record<string, number>> = {},
): Machine => {
  const chosen = model.notApplicable(description) === undefined ? model.scope?.(description) : undefined
  return model.machine.at(chosen?.scope ?? 'played', { ...chosen?.bounds, ...more })
}

/** The laws in the order of the ledger, each with the reason why it cannot be asked. */
const lawsOf = (machine: Machine, reasonOf: (action: string) => string | undefined): LawInfo[] => {
  const law = ({ clause }: { readonly clause: Clause }, action?: string): LawInfo => ({
    clause: clause.id,
    reason: action === undefined ? undefined : reasonOf(action),
  })
  return [
    ...machine.actions.flatMap(({ name, duties }) => duties.map((duty) => law(duty, name))),
    ...machine.owes.map((debt) => law(debt, debt.name)),
    ...machine.invariants.map((one) => law(one)),
    ...machine.steps.map((one) => law(one)),
  ]
}

const clausesOf = (machine: Machine): Prepared['clauses'] => {
  const laws = [
    ...machine.actions.flatMap(({ duties }) => duties),
    ...machine.owes,
    ...machine.invariants,
    ...machine.steps,
  ]
  return Object.fromEntries(laws.map(({ clause: { id, basis, strength } }) => [id, { basis, strength }]))
}

/** A machine that is judged and not played. */
export const preparedForLog = (
  machine: Machine,
  reasonOf: (action: string) => string | undefined = () => undefined,
): Prepared => ({
  machine: machine.name,
  scope: { name: machine.scopeName.split('+')[0]!, bounds: { ...machine.scope } },
  notApplicable: undefined,
  laws: lawsOf(machine, reasonOf),
  clauses: clausesOf(machine),
  goals: goalsOf(machine),
  unreachable: {},
  cheap: false,
})

const goalsOf = (machine: Machine): string[] => [...machine.goals, ...machine.stepGoals].map(({ name }) => name)

/** What the campaign has to know about a machine on a target. */
export const preparedOf = (
  model: Model,
  machine: Machine,
  description: Description,
  unavailable: Readonly<Record<string, string>>,
  cheap: boolean,
): Prepared => {
  const notApplicable = model.notApplicable(description)
  const reasonOf = (name: string): string | undefined =>
    unavailable[name] ??
    (model.played.includes(machine.action(name).actor) ? 'a duty of the side that is played here' : undefined)
  const unreachable: Record<string, string> = {}
  for (const { name } of machine.goals) if (unavailable[name] !== undefined) unreachable[name] = unavailable[name]
  for (const { name, action } of machine.stepGoals) {
    const reason = unavailable[name] ?? unavailable[machine.actions[action]!.name]
    if (reason !== undefined) unreachable[name] = reason
  }
  if (notApplicable === undefined) Object.assign(unreachable, model.unreachableGoals?.(description, machine))
  return { ...preparedForLog(machine, reasonOf), notApplicable, unreachable, cheap }
}
