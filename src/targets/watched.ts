/**
 * Around a target that runs in our own process and that we did not write: its exceptions are `TargetError`s, and an
 * answer of another type than the contract says is found where it was given, not where it is used.
 */
import { preview } from '../contract/explain.ts'
import { type DmaAccess, type DmaOutcome, type Target, TargetError, type TargetTrouble } from '../contract/target.ts'

type Call = keyof Target

/** Calls in which the device works: an exception out of them is its end. The others an adapter answers by itself. */
const WORK: readonly Call[] = [
  'reset',
  'read',
  'write',
  'settle',
  'step',
  'control',
  'setLine',
  'message',
  'acknowledge',
  'endOfInterrupt',
  'execute',
  'schedule',
  'advance',
  'dma',
  'migrate',
]

interface Answer {
  readonly expected: string
  fits(answer: unknown, args: readonly unknown[]): boolean
}

const bytes: Answer = { expected: 'a Uint8Array', fits: (answer) => answer instanceof Uint8Array }

/** What a call has to return; nothing is demanded of the others. */
const ANSWERS: Partial<Record<Call, Answer>> = {
  read: {
    expected: 'a bigint that fits the width',
    fits: (answer, [, width]) =>
      typeof answer === 'bigint' && answer >= 0n && answer >> BigInt(8 * Number(width)) === 0n,
  },
  load: {
    expected: 'a Uint8Array of the length that was asked for',
    fits: (answer, [, length]) => answer instanceof Uint8Array && answer.length === length,
  },
  events: {
    expected: 'a list of events',
    fits: (answer) => Array.isArray(answer) && answer.every((event) => typeof event?.kind === 'string'),
  },
  settle: {
    expected: '"quiet", "busy" or "dead"',
    fits: (answer) => answer === 'quiet' || answer === 'busy' || answer === 'dead',
  },
  step: { expected: 'true or false', fits: (answer) => typeof answer === 'boolean' },
  acknowledge: {
    expected: 'a vector from 0 to 255, or undefined',
    fits: (answer) =>
      answer === undefined || (Number.isInteger(answer) && (answer as number) >= 0 && (answer as number) <= 255),
  },
  dma: {
    expected: 'an outcome { moved?, data? } that fits the access',
    fits: (answer, [, access]) => {
      const { moved = 0, data } = (answer ?? { moved: -1 }) as DmaOutcome
      const { bytes } = access as DmaAccess
      return (
        Number.isInteger(moved) &&
        moved >= 0 &&
        moved <= bytes &&
        (data === undefined || (data instanceof Uint8Array && data.length === bytes))
      )
    },
  },
  migrate: { expected: 'a target', fits: (answer) => typeof answer === 'object' && answer !== null },
  save: bytes,
  fingerprint: { expected: 'a string', fits: (answer) => typeof answer === 'string' },
}

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
const troubleOf = (error: unknown, call: Call): TargetError => {
  if (error instanceof TargetError) return error
  const { name, reason, message, lastWords } = (error ?? {}) as Partial<TargetError>
  if (name === 'TargetError' && TROUBLES.includes(reason!))
    return new TargetError(reason!, String(message), String(lastWords ?? ''))
  const told = error instanceof Error ? `${error.name}: ${error.message}` : preview(error)
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return new TargetError(WORK.includes(call) ? 'dead' : 'refused', `${call}() threw ${told}`, stack)
}

const found = (answer: unknown): string =>
  typeof (answer as { then?: unknown } | undefined)?.then === 'function'
    ? 'a promise: only opening is asynchronous'
    : preview(answer)

/** The same target. After the trouble that ends it, it is not asked again; a request that was refused ends nothing. */
export const watched = (target: Target): Target => {
  let end: TargetError | undefined
  const called = target as unknown as Record<string, (...args: unknown[]) => unknown>
  const call = (name: Call, args: readonly unknown[]): unknown => {
    if (end !== undefined && name !== 'close') throw end
    try {
      const result = called[name]!(...args)
      const answer = ANSWERS[name]
      if (answer !== undefined && !answer.fits(result, args))
        throw new TargetError('protocol', `${name}(): expected ${answer.expected}, found ${found(result)}`)
      return name === 'migrate' ? watched(result as Target) : result
    } catch (error) {
      const trouble = troubleOf(error, name)
      if (trouble.reason !== 'refused') end = trouble
      throw trouble
    }
  }
  const around: Record<string, unknown> = {}
  for (const name of METHODS)
    if (typeof called[name] === 'function') around[name] = (...args: unknown[]) => call(name, args)
  return around as unknown as Target
}

const METHODS: readonly Call[] = [
  ...WORK,
  'describe',
  'load',
  'store',
  'events',
  'save',
  'restore',
  'fingerprint',
  'close',
]
