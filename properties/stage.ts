/** A machine on a reference of its own, with plans to play. */
import { Ledger } from '../src/kernel/judge/ledger.ts'
import type { Model } from '../src/kernel/model.ts'
import { PlanArbitrary } from '../src/kernel/play/arbitrary.ts'
import { Drawer } from '../src/kernel/play/draw.ts'
import { Runner } from '../src/kernel/play/run.ts'
import { models } from '../src/models/index.ts'
import { boards } from '../src/reference/index.ts'
import { openReference, type ReferenceOptions } from '../src/targets/reference.ts'

export interface Stage {
  readonly name: string
  readonly runner: Runner
  readonly ledger: Ledger
  readonly plans: PlanArbitrary
}

export interface StageOptions {
  readonly saves?: boolean
  readonly hostile?: number
  readonly maxSteps?: number
}

/** Undefined where the machine is not about such a device. */
export const stage = (model: Model, reference: ReferenceOptions, options: StageOptions = {}): Stage | undefined => {
  const target = openReference({ queues: 2, ...reference })
  const description = target.describe()
  if (model.notApplicable(description) !== undefined) return undefined
  const chosen = model.scope?.(description)
  const machine = model.machine.at(chosen?.scope ?? 'played', chosen?.bounds)
  const ledger = new Ledger(machine)
  const runner = new Runner(model, machine, target, { ledger })
  const { step, save, migrate } = description.can
  const drawer = new Drawer(machine, {
    played: model.played,
    unavailable: new Set(Object.keys(runner.unavailable)),
    steps: step,
    saves: options.saves ?? (save || migrate),
    ...(options.hostile === undefined ? {} : { hostile: options.hostile }),
    ...(options.maxSteps === undefined ? {} : { maxSteps: options.maxSteps }),
  })
  const { board, ...rest } = reference
  const where = [...(board === undefined ? [] : [`board ${board.name}`])]
  for (const [name, value] of Object.entries(rest)) where.push(`${name} ${value}`)
  return {
    name: `${machine.name}${where.length === 0 ? '' : ` with ${where.join(', ')}`}`,
    runner,
    ledger,
    plans: new PlanArbitrary(drawer),
  }
}

/** Each board, with nothing else said. */
export const BOARDS: readonly ReferenceOptions[] = boards.map((board) => ({ board }))

/** A machine on the first reference that it is about. */
export const anyStage = (model: Model, options: StageOptions = {}): Stage => {
  for (const reference of [{}, { transport: 'mmio' } as const, ...BOARDS]) {
    const found = stage(model, reference, options)
    if (found !== undefined) return found
  }
  throw new Error(`${model.machine.name}: the reference has nothing that it is about`)
}

/** Every machine on every one of these references. */
export const stages = (references: readonly ReferenceOptions[], options: StageOptions = {}): Stage[] =>
  models.flatMap((model) => references.flatMap((reference) => stage(model, reference, options) ?? []))
