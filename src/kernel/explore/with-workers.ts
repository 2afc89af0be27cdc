/** The explorer on several cores. */
import type { Machine } from '../language/index.ts'
import { CrewFailed, type CrewOptions } from './crew/crew.ts'
import { machineFrom } from './crew/orders.ts'
import type { Exploration, ExploreOptions } from './exploration.ts'
import { explore, Search } from './explore.ts'

/** What needs states in one order, or all transitions, is done by one thread. */
const isForOne = (machine: Machine, { onEdges, audit, liveness }: ExploreOptions): boolean =>
  onEdges !== undefined || audit === 'all' || (liveness !== false && machine.leadsTo.length > 0)

/**
 * Explores a machine that every thread makes for itself from `crew.origin`. The answer is that of `explore`, word for
 * word. Which of several ways to a state is found first depends on the threads; so where there are ways to be shown, one
 * thread searches again, until it has found them.
 */
export const exploreWithWorkers = async (crew: CrewOptions, options: ExploreOptions = {}): Promise<Exploration> => {
  const machine = await machineFrom(crew.origin)
  if (crew.threads < 2 || isForOne(machine, options)) return explore(machine, options)
  const search = new Search(machine, options, crew)
  let found: Exploration
  try {
    found = search.run()
  } catch (error) {
    if (error instanceof CrewFailed) return explore(machine, options)
    throw error
  }
  const { laws, isStuck } = search.found()
  const isLasso = found.violations.length > laws
  if ((laws === 0 && !isStuck && !isLasso) || options.interrupted?.() === true) return found
  const isAllFound = (): boolean => {
    const again = second.found()
    return !isLasso && again.laws === laws && again.isStuck === isStuck
  }
  const second: Search = new Search(machine, {
    ...options,
    ...(isLasso ? {} : { liveness: false }),
    interrupted: () => isAllFound() || options.interrupted?.() === true,
  })
  const shown = second.run()
  if (shown.violations.length < found.violations.length) return found
  return {
    ...found,
    seconds: found.seconds + shown.seconds,
    violations: shown.violations,
    stuck: { ...shown.stuck, count: found.stuck.count },
  }
}
