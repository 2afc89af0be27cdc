/** What the threads of one exploration share and tell each other. */
import type { MessagePort } from 'node:worker_threads'
import type { Actor, Machine } from '../../language/index.ts'
import type { Ground } from '../wasm/ground.ts'

/**
 * Where a machine comes from: its functions cannot be sent to a thread, so each makes the machine for itself. A module,
 * the name of a function that it exports, and the argument for it, which can be cloned.
 */
export interface Origin {
  readonly url: string
  readonly make: string
  readonly argument: unknown
}

export const machineFrom = async ({ url, make, argument }: Origin): Promise<Machine> => {
  const made = ((await import(url)) as Readonly<Record<string, unknown>>)[make]
  if (typeof made !== 'function')
    throw new RangeError(`${url}: expected an exported function ${make} that makes a machine, found ${typeof made}`)
  return made(argument) as Promise<Machine>
}

/** Cells of the memory that all of them see. */
export const CELLS = {
  /** Threads that have made their machine. */
  ready: 0,
  /** Counts the orders; each is for all. */
  order: 1,
  /** Helpers that still work on it. */
  busy: 2,
  /** Not 0: no more batches are taken. */
  stop: 3,
  /** The next state to be expanded, and the first that is not. */
  next: 4,
  end: 5,
  /** The next number for a new state, and how many states there may be. */
  numbers: 6,
  limit: 7,
  mask: 8,
  /** Things heard that helpers put into their ports. */
  told: 9,
  /** Batches that were worked off: a sign of life. */
  batches: 10,
} as const

export interface HelperData {
  readonly origin: Origin
  readonly ground: Ground
  readonly hostile: readonly Actor[]
  readonly symmetry: boolean
  /** Of the helpers from 1 on; the one who gives orders is 0. */
  readonly lane: number
  readonly lanes: number
  readonly cells: Int32Array
  /** Transitions of each action. */
  readonly taken: Float64Array
  /** Numbers that it was given and did not use: the first, and the end. */
  readonly rest: Int32Array
  /** Where it puts a `Heard`. */
  readonly port: MessagePort
}

/** What a thread came upon in one order. */
export interface Heard {
  readonly broken: readonly {
    readonly kind: 'invariant' | 'step' | 'obligation'
    readonly law: number
    readonly id: number
    readonly choice?: number
  }[]
  readonly goals: readonly number[]
  readonly stepGoals: readonly number[]
  readonly stuck: readonly { readonly count: number; readonly first: number }[]
  /** It could not go on. */
  readonly error?: string
}

/** How many cells there are: no two threads write to one line of a cache for other reasons than these. */
export const CELLS_COUNT = 16
