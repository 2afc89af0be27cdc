/** The models that a campaign plays with: those of this project, or those of a module. */
import { hintFor } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import type { ScopedMachine } from '../kernel/language/machine.ts'
import type { Model } from '../kernel/model.ts'
import { loadDefault } from '../targets/module.ts'
import { UsageError } from './exit.ts'

/** `modelsFrom`: a file whose default export is a list of models. */
export const loadModels = async (modelsFrom?: string): Promise<readonly Model[]> => {
  if (modelsFrom === undefined) return (await import('../models/index.ts')).models
  const models = await loadDefault(modelsFrom)
  if (Array.isArray(models) && models.length > 0 && models.every((model) => typeof model?.open === 'function'))
    return models as readonly Model[]
  throw new UsageError(`${preview(modelsFrom)}: expected a default export of models, found ${preview(models)}`)
}

/** Every machine that can be explored: those of this project, or those of the models of a module. */
export const loadMachines = async (modelsFrom?: string): Promise<readonly ScopedMachine[]> => {
  if (modelsFrom === undefined) return (await import('../../spec/index.ts')).machines
  return (await loadModels(modelsFrom)).map((model) => model.machine)
}

/** The names that are asked for, each once; throws a `UsageError` with the nearest name. */
export const chooseMachines = (asked: readonly string[] | 'all', known: readonly string[]): readonly string[] => {
  if (asked === 'all' || asked.includes('all')) return known
  for (const name of asked) {
    if (known.includes(name)) continue
    throw new UsageError(`no machine is called ${preview(name)}; ${hintFor(name, known)}`)
  }
  if (asked.length === 0) throw new UsageError(`expected the name of a machine or all; there are ${known.join(', ')}`)
  return [...new Set(asked)]
}
