/** One machine made ready for one target: bounds, what cannot be done, what to draw plans with. */
import type { Description } from '../contract/target.ts'
import { Ledger } from '../kernel/judge/ledger.ts'
import type { Action, Machine } from '../kernel/language/machine.ts'
import type { Model } from '../kernel/model.ts'
import { Drawer } from '../kernel/play/draw.ts'
import { type Plan, planFromJson } from '../kernel/play/plan.ts'
import { runSeed } from '../kernel/play/random.ts'
import type { LawInfo, Prepared, RunItem } from './jobs.ts'

/** One run in a hundred draws the costly actions as well, such as a lap of a ring. */
const RARE_EVERY = 100
const RARE_AT = 11

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

  constructor(model: Model, machine: Machine, options: DrawingOptions) {
    this.model = model
    this.machine = machine
    this.options = options
    this.ledger = new Ledger(machine)
  }

  /** Once it is known what cannot be done on the target. */
  ready(description: Description, unavailable: Readonly<Record<string, string>>): void {
    const { step, save, migrate } = description.can
    const { hostile, maxSteps } = this.options
    this.drawer = new Drawer(this.machine, {
      played: this.model.played,
      unavailable: new Set(Object.keys(unavailable)),
      steps: step,
      saves: save || migrate,
      ...(hostile === undefined ? {} : { hostile }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
    })
  }

  get isReady(): boolean {
    return this.drawer !== undefined
  }

  planOf({ run, plan }: RunItem): Plan {
    if (plan !== undefined) return planFromJson(this.machine, plan)
    return this.drawer!.draw(runSeed(this.options.seed, this.machine.name, run), run % RARE_EVERY === RARE_AT)
  }
}

/** The bounds that fit a target; where none can be asked for, those that are played with. */
export const machineFor = (model: Model, description: Description): Machine => {
  const chosen = model.notApplicable(description) === undefined ? model.scope?.(description) : undefined
  return model.machine.at(chosen?.scope ?? 'played', chosen?.bounds)
}

/** The laws in the order of the ledger. */
const lawsOf = (machine: Machine): LawInfo[] => [
  ...machine.actions.flatMap(({ name, duties }) => duties.map(({ clause }) => ({ clause: clause.id, action: name }))),
  ...machine.owes.map(({ name, clause }) => ({ clause: clause.id, action: name })),
  ...machine.invariants.map(({ clause }) => ({ clause: clause.id, action: undefined })),
  ...machine.steps.map(({ clause }) => ({ clause: clause.id, action: undefined })),
]

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
export const preparedForLog = (machine: Machine): Prepared => ({
  machine: machine.name,
  scope: { name: machine.scopeName.split('+')[0]!, bounds: { ...machine.scope } },
  notApplicable: undefined,
  laws: lawsOf(machine),
  clauses: clausesOf(machine),
  goals: goalsOf(machine),
  unreachable: {},
  unavailable: {},
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
  const reasonOf = (action: Action): string | undefined => unavailable[action.name]
  const unreachable: Record<string, string> = {}
  for (const { name, action } of machine.stepGoals) {
    const reason = reasonOf(machine.actions[action]!)
    if (reason !== undefined) unreachable[name] = reason
  }
  if (notApplicable === undefined) Object.assign(unreachable, model.unreachableGoals?.(description))
  return { ...preparedForLog(machine), notApplicable, unreachable, unavailable, cheap }
}
