/**
 * The split ring on weak memory: what each barrier is for.
 *
 * Driver and device run their usual programs over memory as in `memory-location.ts`, and every barrier is a step. Whatever
 * is written for a request holds the number of the request, which is the index that publishes it: a stale value shows. The
 * bound `without` takes one barrier away: a law that rests on it is then broken, and the explorer has a shortest way there.
 *
 * The whole set is explored with notifications that order no memory at all. A scope that lacks a barrier has notifications
 * that order everything at both ends, so that what is lost there is lost for want of the barrier alone.
 */
import { machine, type ReadonlyCells, scoped, t } from '../../src/kernel/language/index.ts'
import { type ClauseId, clause } from '../clauses/index.ts'
import {
  drain,
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
import {
  checkWeakBounds,
  clauseUnder,
  type Place,
  strengthOf,
  type WeakBounds,
  weakScopes,
} from './weak-memory-barriers.ts'

/** Locations of each slot, and those of the ring as a whole: what one side writes and the other reads. */
const DRIVER_WORDS = ['address', 'length', 'request', 'entry'] as const
const DEVICE_WORDS = ['answer', 'used'] as const
const WORDS = [...DRIVER_WORDS, ...DEVICE_WORDS] as const
const DRIVER_INDEXES = ['availIdx', 'usedEvent'] as const
const DEVICE_INDEXES = ['usedIdx', 'availEvent'] as const
const INDEXES = [...DRIVER_INDEXES, ...DEVICE_INDEXES] as const

type Word = (typeof WORDS)[number]
type Index = (typeof INDEXES)[number]
type Slot = { readonly [W in Word]: Location }
type Ring = { readonly slots: ReadonlyCells<Slot> } & { readonly [I in Index]: Location }

const areInMemory = (ring: Ring, words: readonly Word[], indexes: readonly Index[]): boolean =>
  indexes.every((index) => !isPending(ring[index])) &&
  ring.slots.every((slot) => words.every((word) => !isPending(slot[word])))

const loadAll = (ring: Ring, words: readonly Word[], indexes: readonly Index[]): void => {
  for (const index of indexes) load(ring[index])
  for (let i = 0; i < ring.slots.length; i++) for (const word of words) load(ring.slots.at(i)[word])
}

const weakMemoryMachine = (bounds: WeakBounds) => {
  const { size, wrap, requests, eventIdx } = checkWeakBounds(bounds)
  const ordering = bounds.ordering === 1
  const number = t.mod(wrap)
  const at = location(number)

  /** The slot that the request of this number uses, and the numbers of its neighbours in the same slot. */
  const slotOf = (request: number): number => (request + wrap - 1) % size
  const previous = (request: number): number => number.plus(request, -size)
  const following = (request: number): number => number.plus(request, size)
  const next = (request: number): number => number.plus(request, 1)

  /** A load may have been performed early, with an older value. */
  const early = t.flag
  const can = (early: boolean, from: Readonly<Location>): boolean => !early || isOutdated(from)

  const has = (place: Place): boolean => strengthOf(bounds, place) !== 'none'
  const driverPasses = (place: Place, s: Ring & { readonly driverReads: boolean }): boolean =>
    !(waitsForLoads(strengthOf(bounds, place)) && s.driverReads) &&
    (!waitsForStores(strengthOf(bounds, place)) || areInMemory(s, DRIVER_WORDS, DRIVER_INDEXES))
  const devicePasses = (place: Place, s: Ring & { readonly deviceReads: boolean }): boolean =>
    !(waitsForLoads(strengthOf(bounds, place)) && s.deviceReads) &&
    (!waitsForStores(strengthOf(bounds, place)) || areInMemory(s, DEVICE_WORDS, DEVICE_INDEXES))
  const passDriver = (place: Place, s: Ring): void => {
    if (forgetsLoads(strengthOf(bounds, place))) loadAll(s, DEVICE_WORDS, DEVICE_INDEXES)
  }
  const passDevice = (place: Place, s: Ring): void => {
    if (forgetsLoads(strengthOf(bounds, place))) loadAll(s, DRIVER_WORDS, DRIVER_INDEXES)
  }
  const clauseOf = (own: ClauseId, ...restsOn: Place[]) => clause(clauseUnder(bounds, own, restsOn))

  /** Whether the other side wants to hear of the publication that led to `published`. */
  const isWanted = (wish: number, published: number): boolean =>
    eventIdx === 1 ? next(wish) === published : wish === 0
  /** What a side writes to be told of the publication after `position`. */
  const armed = (position: number): number => (eventIdx === 1 ? position : 0)

  return machine({
    source: 'VIRTIO 1.4',
    state: {
      // Written by the driver: two words of a descriptor, the buffer that the device reads, the available entry.
      // Written by the device: the buffer that the driver reads, the used entry.
      slots: t.array(size, t.record({ address: at, length: at, request: at, entry: at, answer: at, used: at })),
      availIdx: at,
      /** `used_event`, or without EVENT_IDX the flags word: 1 asks for silence. */
      usedEvent: at,
      usedIdx: at,
      /** `avail_event`, or the flags word of the used ring. */
      availEvent: at,
      /** Notifications that have arrived and were not yet taken. */
      kick: t.flag,
      interrupt: t.flag,

      /** Where the driver is in its program. */
      driver: t.oneOf(
        'idle',
        'wrote',
        'ordered',
        'published',
        'exposed',
        'kicking',
        'saw',
        'reading',
        'armed',
        'looking',
      ),
      /** It has armed and looked again: it will look no more before it is interrupted. */
      driverSleeps: t.flag,
      /** The last request whose return it has taken. */
      consumed: number,
      /** A load of the buffer of that request is under way: it may be performed late. */
      driverReads: t.flag,

      /** The same of the device. */
      device: t.oneOf(
        'idle',
        'saw',
        'reading',
        'wrote',
        'ordered',
        'published',
        'exposed',
        'interrupting',
        'armed',
        'looking',
      ),
      deviceSleeps: t.flag,
      taken: number,
      deviceReads: t.flag,
    },
    initial(s) {
      for (let slot = 0; slot < size; slot++)
        for (const word of WORDS) setAll(s.slots.at(slot)[word], number.plus(slot + 1, -size))
    },
    actions: {
      'memory.drainWord': {
        does: 'A store to a word of a slot leaves the store buffer.',
        args: { word: t.oneOf(...WORDS), slot: t.below(size) },
        when: (s, { word, slot }) => isPending(s.slots.at(slot)[word]),
        effect: (s, { word, slot }) => drain(s.slots.at(slot)[word]),
      },
      'memory.drainIndex': {
        does: 'A store to an index or a wish leaves the store buffer.',
        args: { index: t.oneOf(...INDEXES) },
        when: (s, { index }) => isPending(s[index]),
        effect: (s, { index }) => drain(s[index]),
      },
      'memory.loadIndex': {
        does: 'A load of an index or a wish is performed, before its turn if need be.',
        args: { index: t.oneOf(...INDEXES) },
        when: (s, { index }) => isOutdated(s[index]),
        effect: (s, { index }) => load(s[index]),
      },

      // The driver makes a chain available.
      'driver.add': {
        does: 'Writes descriptor, buffer and available entry.',
        when: (s) =>
          s.driver === 'idle' &&
          s.availIdx.stored !== requests &&
          number.distance(s.consumed, s.availIdx.stored) < size,
        effect(s) {
          const request = next(s.availIdx.stored)
          for (const word of DRIVER_WORDS) s.slots.at(slotOf(request))[word].stored = request
          s.driver = has('driver-before-index') ? 'wrote' : 'ordered'
        },
      },
      'driver.barrierBeforeIndex': {
        when: (s) => s.driver === 'wrote' && driverPasses('driver-before-index', s),
        effect(s) {
          passDriver('driver-before-index', s)
          s.driver = 'ordered'
        },
      },
      'driver.publish': {
        does: 'Writes `avail.idx`.',
        when: (s) => s.driver === 'ordered',
        effect(s) {
          s.availIdx.stored++
          s.driver = has('driver-after-index') ? 'published' : 'exposed'
        },
      },
      'driver.barrierAfterIndex': {
        when: (s) => s.driver === 'published' && driverPasses('driver-after-index', s),
        effect(s) {
          passDriver('driver-after-index', s)
          s.driver = 'exposed'
        },
      },
      'driver.check': {
        does: 'Reads what the device asks for.',
        when: (s) => s.driver === 'exposed',
        effect: (s) => void (s.driver = isWanted(s.availEvent.seen, s.availIdx.stored) ? 'kicking' : 'idle'),
      },
      'driver.kick': {
        when: (s) => s.driver === 'kicking' && (!ordering || areInMemory(s, DRIVER_WORDS, DRIVER_INDEXES)),
        effect(s) {
          s.kick = true
          s.driver = 'idle'
        },
      },

      // The driver takes a chain back, or goes to sleep.
      'driver.look': {
        does: 'Reads `used.idx`; with nothing new there, asks for an interrupt.',
        when: (s) => s.driver === 'idle' && !s.driverSleeps,
        effect(s) {
          if (s.usedIdx.seen !== s.consumed) s.driver = has('driver-before-entry') ? 'saw' : 'reading'
          else {
            s.usedEvent.stored = armed(s.consumed)
            s.driver = has('driver-after-arming') ? 'armed' : 'looking'
          }
        },
      },
      'driver.barrierBeforeEntry': {
        when: (s) => s.driver === 'saw' && driverPasses('driver-before-entry', s),
        effect(s) {
          passDriver('driver-before-entry', s)
          s.driver = 'reading'
        },
      },
      'driver.consume': {
        does: 'Reads the used entry, and begins to read the buffer.',
        args: { early },
        when: (s, { early }) =>
          s.driver === 'reading' && !s.driverReads && can(early, s.slots.at(slotOf(next(s.consumed))).used),
        effect(s, { early }) {
          s.consumed++
          if (!early) load(s.slots.at(slotOf(s.consumed)).used)
          s.driverReads = true
          s.driver = 'idle'
        },
      },
      'driver.read': {
        does: 'Has read the buffer.',
        args: { early },
        when: (s, { early }) => s.driverReads && can(early, s.slots.at(slotOf(s.consumed)).answer),
        effect(s, { early }) {
          if (!early) load(s.slots.at(slotOf(s.consumed)).answer)
          s.driverReads = false
        },
      },
      'driver.barrierAfterArming': {
        when: (s) => s.driver === 'armed' && driverPasses('driver-after-arming', s),
        effect(s) {
          passDriver('driver-after-arming', s)
          s.driver = 'looking'
        },
      },
      'driver.lookAgain': {
        does: 'Reads `used.idx` once more, and sleeps if there is nothing.',
        when: (s) => s.driver === 'looking',
        effect(s) {
          s.driverSleeps = !has('driver-second-look') || s.usedIdx.seen === s.consumed
          s.driver = 'idle'
        },
      },
      'driver.wake': {
        does: 'Takes an interrupt.',
        when: (s) => s.driver === 'idle' && s.interrupt,
        effect(s) {
          s.interrupt = s.driverSleeps = false
          if (ordering) loadAll(s, DEVICE_WORDS, DEVICE_INDEXES)
          if (eventIdx === 0) s.usedEvent.stored = 1
        },
      },

      // The device takes a chain, or goes to sleep.
      'device.look': {
        does: 'Reads `avail.idx`; with nothing new there, asks for a kick.',
        when: (s) => s.device === 'idle' && !s.deviceSleeps,
        effect(s) {
          if (s.availIdx.seen !== s.taken) s.device = has('device-before-entry') ? 'saw' : 'reading'
          else {
            s.availEvent.stored = armed(s.taken)
            s.device = has('device-after-arming') ? 'armed' : 'looking'
          }
        },
      },
      'device.barrierBeforeEntry': {
        when: (s) => s.device === 'saw' && devicePasses('device-before-entry', s),
        effect(s) {
          passDevice('device-before-entry', s)
          s.device = 'reading'
        },
      },
      'device.take': {
        does: 'Reads entry and descriptor, begins to read the buffer, and writes the answer and the used entry.',
        args: { earlyEntry: early, earlyAddress: early, earlyLength: early },
        when(s, { earlyEntry, earlyAddress, earlyLength }) {
          const slot = s.slots.at(slotOf(next(s.taken)))
          const loads = can(earlyEntry, slot.entry) && can(earlyAddress, slot.address) && can(earlyLength, slot.length)
          return loads && s.device === 'reading' && !s.deviceReads
        },
        effect(s, { earlyEntry, earlyAddress, earlyLength }) {
          s.taken++
          const slot = s.slots.at(slotOf(s.taken))
          if (!earlyEntry) load(slot.entry)
          if (!earlyAddress) load(slot.address)
          if (!earlyLength) load(slot.length)
          for (const word of DEVICE_WORDS) slot[word].stored = s.taken
          s.deviceReads = true
          s.device = has('device-before-index') ? 'wrote' : 'ordered'
        },
      },
      'device.read': {
        does: 'Has read the buffer.',
        args: { early },
        when: (s, { early }) => s.deviceReads && can(early, s.slots.at(slotOf(s.taken)).request),
        effect(s, { early }) {
          if (!early) load(s.slots.at(slotOf(s.taken)).request)
          s.deviceReads = false
        },
      },
      'device.barrierAfterArming': {
        when: (s) => s.device === 'armed' && devicePasses('device-after-arming', s),
        effect(s) {
          passDevice('device-after-arming', s)
          s.device = 'looking'
        },
      },
      'device.lookAgain': {
        does: 'Reads `avail.idx` once more, and sleeps if there is nothing.',
        when: (s) => s.device === 'looking',
        effect(s) {
          s.deviceSleeps = !has('device-second-look') || s.availIdx.seen === s.taken
          s.device = 'idle'
        },
      },
      'device.wake': {
        does: 'Takes a kick.',
        when: (s) => s.device === 'idle' && s.kick,
        effect(s) {
          s.kick = s.deviceSleeps = false
          if (ordering) loadAll(s, DRIVER_WORDS, DRIVER_INDEXES)
          if (eventIdx === 0) s.availEvent.stored = 1
        },
      },

      // The device returns the chain.
      'device.barrierBeforeIndex': {
        when: (s) => s.device === 'wrote' && devicePasses('device-before-index', s),
        effect(s) {
          passDevice('device-before-index', s)
          s.device = 'ordered'
        },
      },
      'device.publish': {
        does: 'Writes `used.idx`.',
        when: (s) => s.device === 'ordered',
        effect(s) {
          s.usedIdx.stored++
          s.device = has('device-after-index') ? 'published' : 'exposed'
        },
      },
      'device.barrierAfterIndex': {
        when: (s) => s.device === 'published' && devicePasses('device-after-index', s),
        effect(s) {
          passDevice('device-after-index', s)
          s.device = 'exposed'
        },
      },
      'device.check': {
        does: 'Reads what the driver asks for.',
        when: (s) => s.device === 'exposed',
        effect: (s) => void (s.device = isWanted(s.usedEvent.seen, s.usedIdx.stored) ? 'interrupting' : 'idle'),
      },
      'device.interrupt': {
        when: (s) => s.device === 'interrupting' && (!ordering || areInMemory(s, DEVICE_WORDS, DEVICE_INDEXES)),
        effect(s) {
          s.interrupt = true
          s.device = 'idle'
        },
      },
    },
    // What was loaded last of a location is what `seen` says after the step.
    steps: {
      aDescriptorIsNeverTorn: {
        clause: clauseOf('VIO-SPLIT-17', 'driver-before-index', 'device-before-entry'),
        holds(_before, s, by) {
          const { address, length } = s.slots.at(slotOf(s.taken))
          return by !== 'device.take' || address.seen === length.seen
        },
      },
      theDescriptorTakenIsTheOnePublished: {
        clause: clauseOf('VIO-SPLIT-17', 'driver-before-index', 'device-before-entry'),
        holds(_before, s, by) {
          const { entry, address } = s.slots.at(slotOf(s.taken))
          return by !== 'device.take' || (entry.seen === s.taken && address.seen === s.taken)
        },
      },
      theBufferReadIsTheOnePublished: {
        clause: clauseOf('VIO-SPLIT-17', 'driver-before-index', 'device-before-entry'),
        holds: (_before, s, by) =>
          by !== 'device.read' || s.slots.at(slotOf(s.taken)).request.seen !== previous(s.taken),
      },
      noBufferIsReadAfterItsReturn: {
        clause: clause('VIO-SPLIT-32'),
        holds: (_before, s, by) =>
          by !== 'device.read' || s.slots.at(slotOf(s.taken)).request.seen !== following(s.taken),
      },
      theUsedEntryIsTheOnePublished: {
        clause: clauseOf('VIO-SPLIT-28', 'device-before-index', 'driver-before-entry'),
        holds: (_before, s, by) => by !== 'driver.consume' || s.slots.at(slotOf(s.consumed)).used.seen === s.consumed,
      },
      theAnswerIsTheOnePublished: {
        clause: clauseOf('VIO-SPLIT-13', 'driver-before-entry'),
        holds: (_before, s, by) =>
          by !== 'driver.read' || s.slots.at(slotOf(s.consumed)).answer.seen !== previous(s.consumed),
      },
      noAnswerIsReadFromABufferHandedOutAgain: {
        clause: clause('ORD-04'),
        holds: (_before, s, by) =>
          by !== 'driver.read' || s.slots.at(slotOf(s.consumed)).answer.seen !== following(s.consumed),
      },
    },
    invariants: {
      // The driver has done its part and the device will look no more, yet there is something to look at.
      noKickIsLost: {
        clause: clauseOf('VIO-NTF-07', 'driver-after-index', 'device-after-arming', 'device-second-look'),
        holds: (s) =>
          !(s.deviceSleeps && s.device === 'idle' && !s.kick && s.driver === 'idle') || s.availIdx.memory === s.taken,
      },
      noInterruptIsLost: {
        clause: clauseOf(
          eventIdx === 1 ? 'VIO-NTF-03' : 'VIO-NTF-01',
          ...(['device-after-index', 'driver-after-arming', 'driver-second-look'] as const),
        ),
        holds: (s) =>
          !(s.driverSleeps && s.driver === 'idle' && !s.interrupt && s.device === 'idle') ||
          s.usedIdx.memory === s.consumed,
      },
    },
    final: (s) => s.driverSleeps && s.deviceSleeps && s.consumed === requests,
    goals: {
      bothSidesAsleep: (s) => s.driverSleeps && s.deviceSleeps && s.device === 'idle' && s.driver === 'idle',
      aSuppressedKick: { on: 'driver.check', when: (s) => !isWanted(s.availEvent.seen, s.availIdx.stored) },
      aSuppressedInterrupt: { on: 'device.check', when: (s) => !isWanted(s.usedEvent.seen, s.usedIdx.stored) },
      aSecondLookThatFindsSomething: { on: 'device.lookAgain', when: (s) => s.availIdx.seen !== s.taken },
      anIndexReadTooEarly: { on: 'driver.look', when: (s) => isOutdated(s.usedIdx) },
      aWrappedIndex: { on: 'driver.publish', when: (s) => next(s.availIdx.stored) === 0 },
    },
  })
}

export const weakMemory = scoped('weak-memory', weakScopes, weakMemoryMachine)
