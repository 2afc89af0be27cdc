/**
 * The barriers of the split ring: where they stand, how strong they have to be, which clause demands them, and the
 * scopes in which one of them is missing or weaker.
 */
import type { ClauseId } from '../clauses/index.ts'
import type { Strength } from './memory-location.ts'

/** A place in the program of a side that reordering must not cross. */
export interface Barrier {
  readonly strength: Strength
  /** Who demands it. */
  readonly clause: ClauseId
}

/** In this order they are numbered from 1 on: the number is the bound `without`. */
export const BARRIERS = {
  /** Descriptor and ring entry before `avail.idx`; and the last reads of a buffer before it is handed out again. */
  'driver-before-index': { strength: 'release', clause: 'VIO-SPLIT-17' },
  /** `avail.idx` before what the device asks for is read. */
  'driver-after-index': { strength: 'full', clause: 'VIO-SPLIT-18' },
  /** `used.idx` before the used entry and the buffer behind it. */
  'driver-before-entry': { strength: 'read', clause: 'ORD-01' },
  /** What the driver asks for before it looks at `used.idx` again. */
  'driver-after-arming': { strength: 'full', clause: 'VIO-NTF-20' },
  /** `avail.idx` before the available entry, the descriptor, and the buffer behind it. */
  'device-before-entry': { strength: 'read', clause: 'ORD-02' },
  /** Used entry and buffer before `used.idx`; and the last reads of a buffer before it is returned. */
  'device-before-index': { strength: 'release', clause: 'VIO-SPLIT-28' },
  /** `used.idx` before what the driver asks for is read. */
  'device-after-index': { strength: 'full', clause: 'VIO-NTF-18' },
  /** What the device asks for before it looks at `avail.idx` again. */
  'device-after-arming': { strength: 'full', clause: 'VIO-SPLIT-19' },
  /** No barriers, but as easily forgotten: having armed, each side looks again before it sleeps. */
  'driver-second-look': { strength: 'full', clause: 'VIO-NTF-20' },
  'device-second-look': { strength: 'full', clause: 'VIO-SPLIT-19' },
} as const satisfies Readonly<Record<string, Barrier>>

export type Place = keyof typeof BARRIERS
export const PLACES = Object.keys(BARRIERS) as readonly Place[]

/** What may be left of a barrier, by the number that the bound `keeps` has. */
export const LEFTOVERS = ['none', 'write', 'read', 'release'] as const

export interface WeakBounds {
  /** Queue size. */
  readonly size: number
  /** Modulus of the free-running indexes: at least three times the size, or stale and fresh could be mistaken. */
  readonly wrap: number
  /** After so many the driver makes no more available; with the modulus or more of them it never ends. */
  readonly requests: number
  /** 1: notifications are suppressed by position, else by flags. */
  readonly eventIdx: number
  /** 1: sending a notification waits for earlier stores, and taking one forgets early loads; else neither. */
  readonly ordering: number
  /** Number of the barrier that is missing or weakened; 0: none is. */
  readonly without: number
  /** What is left of that barrier, a number of `LEFTOVERS`. */
  readonly keeps: number
}

/** How strong the barrier of a place is within these bounds. */
export const strengthOf = ({ without, keeps }: WeakBounds, place: Place): Strength =>
  PLACES[without - 1] === place ? LEFTOVERS[keeps]! : BARRIERS[place].strength

/** The clause of a law: of the barrier that these bounds lack if the law rests on it, else its own. */
export const clauseUnder = ({ without }: WeakBounds, own: ClauseId, restsOn: readonly Place[]): ClauseId => {
  const missing = restsOn.find((place) => PLACES[without - 1] === place)
  return missing === undefined ? own : BARRIERS[missing].clause
}

/** Refuses bounds of which an exploration would say nothing, or the wrong thing. */
export const checkWeakBounds = (bounds: WeakBounds): WeakBounds => {
  const refuse = (bound: keyof WeakBounds, expected: string): never => {
    throw new RangeError(`weak-memory: bound ${bound}: expected ${expected}, found ${bounds[bound]}`)
  }
  const { size, wrap, eventIdx, ordering, without, keeps } = bounds
  if (size < 1) refuse('size', 'at least 1')
  if (wrap < 3 * size || wrap % size !== 0) refuse('wrap', `a multiple of the size ${size}, three times it or more`)
  if (eventIdx > 1) refuse('eventIdx', '0 or 1')
  if (ordering > 1) refuse('ordering', '0 or 1')
  if (without > PLACES.length) refuse('without', `0, or the number of a barrier from 1 to ${PLACES.length}`)
  if (keeps >= LEFTOVERS.length) refuse('keeps', `a number from 0 to ${LEFTOVERS.length - 1}, ${LEFTOVERS.join(', ')}`)
  return bounds
}

const whole = { size: 1, wrap: 3, requests: 3, eventIdx: 1, ordering: 0, without: 0, keeps: 0 }
/** What is stale shows with the first request, what was asked for too late, or is used again, with the second. */
const once = { ...whole, requests: 1, ordering: 1 }
const twice = { ...whole, requests: 2, ordering: 1 }

/** `without-…` for each barrier; `weak-…-before-index` where stores are ordered and loads are not. */
export const weakScopes = {
  explored: whole,
  flags: { ...whole, eventIdx: 0 },
  pair: { ...whole, size: 2, wrap: 6 },
  played: whole,
  ...Object.fromEntries(
    PLACES.map((place, i) => [`without-${place}`, { ...(place.includes('-before-') ? once : twice), without: i + 1 }]),
  ),
  'weak-driver-before-index': { ...twice, without: PLACES.indexOf('driver-before-index') + 1, keeps: 1 },
  'weak-device-before-index': { ...twice, without: PLACES.indexOf('device-before-index') + 1, keeps: 1 },
}
