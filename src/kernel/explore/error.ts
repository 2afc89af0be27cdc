/** The one error of the explorers: a machine that cannot be explored as it is written. */
import type { Machine } from '../language/index.ts'
import { type Json, stateToJson } from '../language/state.ts'

export interface ExploreFault {
  /** What was being evaluated: `when`, `duty oneAtATime`, `effect`, `invariant noneIsLost`. */
  readonly part?: string
  readonly action?: string
  readonly args?: Readonly<Record<string, unknown>>
  /** Field of the state that was written out of its range. */
  readonly field?: string
  readonly state?: Json
}

const inWords = (scope: Readonly<Record<string, number>>): string =>
  Object.entries(scope)
    .map(([bound, value]) => `${bound}=${value}`)
    .join(', ')

/** The machine with its scope, as messages name it. */
export const nameOf = (machine: Machine): string => {
  const bounds = inWords(machine.scope)
  return `${machine.name} (scope ${machine.scopeName}${bounds === '' ? '' : `: ${bounds}`})`
}

/** `device.pop {"head":1}` */
const call = ({ action, args }: ExploreFault): string =>
  action === undefined
    ? ''
    : `${action}${args === undefined || Object.keys(args).length === 0 ? '' : ` ${JSON.stringify(args)}`}`

export class ExploreError extends Error {
  override readonly name = 'ExploreError'
  readonly machine: string
  readonly fault: ExploreFault

  constructor(machine: Machine, what: string, fault: ExploreFault = {}, cause?: unknown) {
    const where = [call(fault), fault.part].filter((text) => text !== undefined && text !== '').join(', ')
    const state = fault.state === undefined ? '' : `\n  in state ${JSON.stringify(fault.state)}`
    super(
      `${nameOf(machine)}: ${where === '' ? '' : `${where}: `}${what}${state}`,
      cause === undefined ? {} : { cause },
    )
    this.machine = machine.name
    this.fault = fault
  }
}

/** The field that a message of the views begins with: `ring.entries[3]: expected ...`. */
const fieldOf = (message: string): string | undefined => /^([\w$.[\]]+): expected/.exec(message)?.[1]

/** Wraps what an author's function threw. */
export const thrown = (machine: Machine, error: unknown, fault: ExploreFault): ExploreError => {
  const message = error instanceof Error ? error.message : String(error)
  const field = fieldOf(message)
  const kind = error instanceof RangeError || !(error instanceof Error) ? '' : `${error.name}: `
  return new ExploreError(machine, `${kind}${message}`, field === undefined ? fault : { ...fault, field }, error)
}

/** A function that may only read a state wrote to it. */
export const writeRefused = (machine: Machine, cells: Int32Array): ExploreError =>
  new ExploreError(
    machine,
    'a condition or law (when, requires, invariants, steps, goals, owes, unspecified, final) wrote to the state; ' +
      'only effects may',
    { state: stateToJson(machine.layout, cells) },
  )
