/** Around a target that runs in our own process and that we did not write: whatever it throws is the end of it. */
import { type Target, TargetError, type TargetTrouble } from '../contract/target.ts'

const TROUBLES: readonly TargetTrouble[] = [
  'address',
  'start',
  'protocol',
  'refused',
  'dead',
  'hang',
  'livelock',
  'poisoned',
]

/** A `TargetError` of another copy of this package has another class and the same name. */
const troubleOf = (error: unknown, call: string): TargetError => {
  if (error instanceof TargetError) return error
  const { name, reason, message, lastWords } = error as Partial<TargetError>
  if (name === 'TargetError' && TROUBLES.includes(reason!))
    return new TargetError(reason!, String(message), String(lastWords ?? ''))
  const told = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new TargetError('dead', `${call}() threw ${told}`, error instanceof Error ? (error.stack ?? '') : '')
}

/** The same target; its exceptions are `TargetError`s, and after the first one that ends it, it is not asked again. */
export const watched = (target: Target): Target => {
  let end: TargetError | undefined
  const call = (name: string, args: readonly unknown[]): unknown => {
    if (end !== undefined && name !== 'close') throw end
    try {
      const result = (target as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...args)
      return name === 'migrate' ? watched(result as Target) : result
    } catch (error) {
      const trouble = troubleOf(error, name)
      if (trouble.reason !== 'refused') end = trouble
      throw trouble
    }
  }
  const around: Record<string, unknown> = {}
  for (const name of METHODS)
    if (typeof (target as unknown as Record<string, unknown>)[name] === 'function')
      around[name] = (...args: unknown[]) => call(name, args)
  return around as unknown as Target
}

const METHODS = [
  'describe',
  'reset',
  'read',
  'write',
  'load',
  'store',
  'events',
  'settle',
  'step',
  'control',
  'setLine',
  'migrate',
  'save',
  'restore',
  'fingerprint',
  'close',
] as const satisfies readonly (keyof Target)[]
