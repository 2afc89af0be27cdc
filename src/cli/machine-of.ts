/** The machine that a job is about. Threads that explore together make it each for themselves. */
import { UsageError } from '../campaign/exit.ts'
import { loadMachines } from '../campaign/models.ts'
import type { Machine, ScopedMachine } from '../kernel/language/index.ts'
import type { MachineJob } from './thread-jobs.ts'

/** The machine in a scope; a bound that it cannot have is a mistake of whoever gave it. */
export const within = (machine: ScopedMachine, scope: string, bounds: MachineJob['bounds']): Machine => {
  try {
    return machine.at(scope, bounds)
  } catch (error) {
    if (!(error instanceof RangeError) || Object.keys(bounds).length === 0) throw error
    throw new UsageError(`--scope: ${error.message}`)
  }
}

export const machineOf = async ({ machine, modelsFrom, scope, bounds }: MachineJob): Promise<Machine> => {
  const machines = await loadMachines(modelsFrom)
  return within(machines.find(({ name }) => name === machine)!, scope, bounds)
}
