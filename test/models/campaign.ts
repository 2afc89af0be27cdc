/** A small campaign for tests of models: plans drawn, performed and judged on one target. */
import type { Target } from '../../src/contract/target.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import type { Model } from '../../src/kernel/model.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { runSeed } from '../../src/kernel/play/random.ts'
import { Runner } from '../../src/kernel/play/run.ts'

export interface Campaign {
  /** How often each broken law was found, as `law@clause`; troubles by their verdict and message. */
  readonly found: Readonly<Record<string, number>>
  readonly hardening: Readonly<Record<string, number>>
  readonly goals: Readonly<Record<string, number>>
  /** What was decided, exercised, violated and departed from, by clause. */
  readonly clauses: ReturnType<Ledger['clauses']>
  readonly commands: number
  /** The first run that did not conform, for people. */
  readonly first: string | undefined
}

export const campaign = (
  model: Model,
  target: Target,
  { runs = 100, seed = 1, hostile = 0.25, tolerated = [] as readonly string[], untilFound = false, graceMs = 5 } = {},
): Campaign => {
  const description = target.describe()
  const chosen = model.scope?.(description) ?? { scope: 'played' }
  const machine = model.machine.at(chosen.scope, chosen.bounds)
  const ledger = new Ledger(machine)
  const runner = new Runner(model, machine, target, { ledger, tolerated: new Set(tolerated), graceMs })
  const unavailable = new Set(Object.keys(model.unavailable?.(description) ?? {}))
  const { step, save, migrate, synchronous } = description.can
  const drawer = new Drawer(machine, {
    played: model.played,
    unavailable,
    hostile,
    steps: step,
    synchronous: synchronous && !step,
    saves: save || migrate,
    maxSteps: 60,
  })
  const found: Record<string, number> = {}
  const hardening: Record<string, number> = {}
  let commands = 0
  let first: string | undefined
  const count = (in_: Record<string, number>, key: string): void => void (in_[key] = (in_[key] ?? 0) + 1)
  for (let run = 0; run < runs; run++) {
    const result = runner.run(drawer.draw(runSeed(seed, machine.name, run)))
    commands += result.commands
    for (const { law, clause } of result.hardening) count(hardening, `${law}@${clause?.id}`)
    if (result.verdict === 'conforms') continue
    const { finding, trouble } = result
    count(
      found,
      trouble === undefined ? `${finding?.law}@${finding?.clause?.id}` : `${result.verdict}: ${trouble.message}`,
    )
    first ??= [
      `run ${run}: ${result.verdict} ${finding?.law ?? ''} ${finding?.observed ?? trouble?.message}`,
      ...result.trace.map((each) =>
        each.by === 'schedule'
          ? `  ${each.do} ${each.count ?? ''}`
          : `  ${each.by} ${each.action.name} ${JSON.stringify(each.args)}`,
      ),
    ].join('\n')
    if (trouble !== undefined || untilFound) break
  }
  const names = [...machine.goals, ...machine.stepGoals].map(({ name }) => name)
  return {
    found,
    hardening,
    goals: Object.fromEntries(names.map((name, i) => [name, ledger.goals[i]!])),
    clauses: ledger.clauses(),
    commands,
    first,
  }
}
