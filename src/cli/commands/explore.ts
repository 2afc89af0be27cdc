/** `iospec explore`: every state of a machine within a scope, alone or on an implementation. */
import { availableParallelism } from 'node:os'
import { UsageError } from '../../campaign/exit.ts'
import { loadMachines, loadModels } from '../../campaign/models.ts'
import { preview } from '../../contract/explain.ts'
import { choose } from '../choose.ts'
import { command } from '../command.ts'
import { checkModes, exploreAtRandom, exploreTarget, exploreTo, exploreWhole, TAKEN } from '../explore/modes.ts'

/** More share a table that memory cannot serve. */
const WORKERS_MAX = 4

export const explore = command({
  name: 'explore',
  does: 'Walk every state of a machine within a scope, and judge every law in each',
  arguments: [{ name: '<machine>', does: 'name of the machine' }],
  options: TAKEN,
  examples: [
    'iospec explore notification',
    'iospec explore split-ring --scope size=2,wrap=4 --goal aWrappedIndex --itf wrap.itf.json',
    'iospec explore lifecycle --hostile driver',
    'iospec explore split-queue --simulate 10000000',
    'iospec explore device-status --target reference:virtio-blk --depth 5',
  ],
  async run(context, [name = ''], values) {
    checkModes(values)
    const { scope = [], hostileActors = [], maxStates, memory, models, walkTarget, simulate, goal } = values
    const machines =
      walkTarget === undefined ? await loadMachines(models) : (await loadModels(models)).map(({ machine }) => machine)
    const names = machines.map((one) => one.name)
    const machine = machines.find((each) => each.name === choose('machine', name, names))!
    const job = {
      ...{ machine: machine.name, hostile: hostileActors, ...scopeOf(machine.name, machine.scopes, scope) },
      ...(models === undefined ? {} : { modelsFrom: models }),
      ...(maxStates === undefined ? {} : { maxStates }),
      ...{ liveness: values.liveness, symmetry: values.symmetry },
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      workers: values.exploreWorkers ?? Math.min(WORKERS_MAX, availableParallelism()),
    }
    const asked = { context, machine, job, values }
    if (walkTarget !== undefined) return exploreTarget(walkTarget, asked)
    if (simulate !== undefined) return exploreAtRandom(simulate, asked)
    return goal === undefined ? exploreWhole(asked) : exploreTo(goal, asked)
  },
})

/** `queueSize=2,wrap=4`, `played`: the name of the scope and single bounds. */
const scopeOf = (
  machine: string,
  scopes: Readonly<Record<string, Readonly<Record<string, number>>>>,
  words: readonly string[],
): { scope: string; bounds: Record<string, number> } => {
  let scope = 'explored'
  const bounds: Record<string, number> = {}
  for (const word of words.flatMap((each) => each.split(','))) {
    const [key = '', value] = word.split('=', 2)
    if (value === undefined) {
      scope = choose(`scope of ${machine}`, key, Object.keys(scopes))
      continue
    }
    choose(`bound of ${machine}`, key, Object.keys(scopes.explored!))
    if (!/^\d{1,9}$/.test(value))
      throw new UsageError(`--scope ${key}: expected a whole number, found ${preview(value)}`)
    bounds[key] = Number(value)
  }
  return { scope, bounds }
}
