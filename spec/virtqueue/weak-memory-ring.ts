/**
 * The locations of a split ring on weak memory, and how a barrier acts on them. The programs of driver and device, and the
 * laws, are in `weak-memory.ts`.
 */
import { type ReadonlyCells, t } from '../../src/kernel/language/index.ts'
import {
  forgetsLoads,
  isOutdated,
  isPending,
  type Location,
  load,
  location,
  setAll,
  waitsForLoads,
  waitsForStores,
} from './memory-location.ts'
import { PLACES, type Place, strengthOf, type WeakBounds } from './weak-memory-barriers.ts'

/** What the driver writes for a request: two words of the descriptor, the buffer to be read, and the available entry. */
export const DRIVER_WORDS = ['address', 'length', 'request', 'entry'] as const
/** What the device writes for it: the buffer that it fills, and the used entry. */
export const DEVICE_WORDS = ['answer', 'used'] as const
export const WORDS = [...DRIVER_WORDS, ...DEVICE_WORDS] as const
const DRIVER_INDEXES = ['availIdx', 'usedEvent'] as const
const DEVICE_INDEXES = ['usedIdx', 'availEvent'] as const
export const INDEXES = [...DRIVER_INDEXES, ...DEVICE_INDEXES] as const

const OWN = {
  driver: { words: DRIVER_WORDS, indexes: DRIVER_INDEXES },
  device: { words: DEVICE_WORDS, indexes: DEVICE_INDEXES },
} as const
export type Side = keyof typeof OWN

type Slot = { readonly [W in (typeof WORDS)[number]]: Location }
type Ring = { readonly slots: ReadonlyCells<Slot> } & { readonly [I in (typeof INDEXES)[number]]: Location }
type Reading = Ring & { readonly driverReads: boolean; readonly deviceReads: boolean }

/** Every store of the side is in memory. */
export const isDrained = (side: Side, s: Ring): boolean => {
  const { words, indexes } = OWN[side]
  return (
    indexes.every((index) => !isPending(s[index])) &&
    s.slots.every((slot) => words.every((word) => !isPending(slot[word])))
  )
}

/** The side forgets what it loaded early: whatever the other side writes is loaded from now on. */
export const loadAfresh = (side: Side, s: Ring): void => {
  const { words, indexes } = OWN[side === 'driver' ? 'device' : 'driver']
  for (const index of indexes) load(s[index])
  for (let i = 0; i < s.slots.length; i++) for (const word of words) load(s.slots.at(i)[word])
}

/** A load may have been performed early, with an older value. */
export const canBe = (early: boolean, from: Readonly<Location>): boolean => !early || isOutdated(from)

export const weakRing = (bounds: WeakBounds) => {
  const { size, wrap, eventIdx } = bounds
  const number = t.mod(wrap)
  const at = location(number)
  const next = (request: number): number => number.plus(request, 1)
  const previous = (request: number): number => number.plus(request, -size)

  const barriers = Object.fromEntries(
    PLACES.map((place) => {
      const strength = strengthOf(bounds, place)
      const side: Side = place.startsWith('driver') ? 'driver' : 'device'
      const isReading = (s: Reading): boolean => (side === 'driver' ? s.driverReads : s.deviceReads)
      return [
        place,
        {
          stands: strength !== 'none',
          mayPass: (s: Reading): boolean =>
            !(waitsForLoads(strength) && isReading(s)) && (!waitsForStores(strength) || isDrained(side, s)),
          pass(s: Ring): void {
            if (forgetsLoads(strength)) loadAfresh(side, s)
          },
        },
      ]
    }),
  )

  return {
    number,
    state: {
      slots: t.array(size, t.record({ address: at, length: at, request: at, entry: at, answer: at, used: at })),
      availIdx: at,
      /** `used_event`, or without EVENT_IDX the flags word: 1 asks for silence. */
      usedEvent: at,
      usedIdx: at,
      /** `avail_event`, or the flags word of the used ring. */
      availEvent: at,
    },
    /** Every slot holds what would have been written for the request before its first. */
    initial(s: Ring): void {
      for (let slot = 0; slot < size; slot++)
        for (const word of WORDS) setAll(s.slots.at(slot)[word], previous(slot + 1))
    },
    barrier: (place: Place) => barriers[place]!,

    /** The slot of a request, the request after it, and the requests before and after it in the same slot. */
    slotOf: (request: number): number => (request + wrap - 1) % size,
    next,
    previous,
    following: (request: number): number => number.plus(request, size),

    /** Whether the other side wants to hear of the publication that led to `published`. */
    isWanted: (wish: number, published: number): boolean => (eventIdx === 1 ? next(wish) === published : wish === 0),
    /** What a side writes to be told of the publication after `position`. */
    armed: (position: number): number => (eventIdx === 1 ? position : 0),
  }
}
