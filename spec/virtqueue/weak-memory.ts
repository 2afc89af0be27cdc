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
import { machine, scoped, t } from '../../src/kernel/language/index.ts'
import { type ClauseId, clause } from '../clauses/index.ts'
import { drain, isOutdated, isPending, load } from './memory-location.ts'
import { checkWeakBounds, clauseUnder, type Place, type WeakBounds, weakScopes } from './weak-memory-barriers.ts'
import {
  canBe,
  DEVICE_WORDS,
  DRIVER_WORDS,
  INDEXES,
  isDrained,
  loadAfresh,
  WORDS,
  weakRing,
} from './weak-memory-ring.ts'

const early = t.flag

const weakMemoryMachine = (bounds: WeakBounds) => {
  const { size, requests, eventIdx } = checkWeakBounds(bounds)
  const ordering = bounds.ordering === 1
  const { state, initial, number, barrier, slotOf, next, previous, following, isWanted, armed } = weakRing(bounds)
  const clauseOf = (own: ClauseId, ...restsOn: Place[]) => clause(clauseUnder(bounds, own, restsOn))

  return machine({
    source: 'VIRTIO 1.4',
    state: {
      ...state,
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
    initial,
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
          s.driver = barrier('driver-before-index').stands ? 'wrote' : 'ordered'
        },
      },
      'driver.barrierBeforeIndex': {
        when: (s) => s.driver === 'wrote' && barrier('driver-before-index').mayPass(s),
        effect(s) {
          barrier('driver-before-index').pass(s)
          s.driver = 'ordered'
        },
      },
      'driver.publish': {
        does: 'Writes `avail.idx`.',
        when: (s) => s.driver === 'ordered',
        effect(s) {
          s.availIdx.stored++
          s.driver = barrier('driver-after-index').stands ? 'published' : 'exposed'
        },
      },
      'driver.barrierAfterIndex': {
        when: (s) => s.driver === 'published' && barrier('driver-after-index').mayPass(s),
        effect(s) {
          barrier('driver-after-index').pass(s)
          s.driver = 'exposed'
        },
      },
      'driver.check': {
        does: 'Reads what the device asks for.',
        when: (s) => s.driver === 'exposed',
        effect: (s) => void (s.driver = isWanted(s.availEvent.seen, s.availIdx.stored) ? 'kicking' : 'idle'),
      },
      'driver.kick': {
        when: (s) => s.driver === 'kicking' && (!ordering || isDrained('driver', s)),
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
          if (s.usedIdx.seen !== s.consumed) s.driver = barrier('driver-before-entry').stands ? 'saw' : 'reading'
          else {
            s.usedEvent.stored = armed(s.consumed)
            s.driver = barrier('driver-after-arming').stands ? 'armed' : 'looking'
          }
        },
      },
      'driver.barrierBeforeEntry': {
        when: (s) => s.driver === 'saw' && barrier('driver-before-entry').mayPass(s),
        effect(s) {
          barrier('driver-before-entry').pass(s)
          s.driver = 'reading'
        },
      },
      'driver.consume': {
        does: 'Reads the used entry, and begins to read the buffer.',
        args: { early },
        when: (s, { early }) =>
          s.driver === 'reading' && !s.driverReads && canBe(early, s.slots.at(slotOf(next(s.consumed))).used),
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
        when: (s, { early }) => s.driverReads && canBe(early, s.slots.at(slotOf(s.consumed)).answer),
        effect(s, { early }) {
          if (!early) load(s.slots.at(slotOf(s.consumed)).answer)
          s.driverReads = false
        },
      },
      'driver.barrierAfterArming': {
        when: (s) => s.driver === 'armed' && barrier('driver-after-arming').mayPass(s),
        effect(s) {
          barrier('driver-after-arming').pass(s)
          s.driver = 'looking'
        },
      },
      'driver.lookAgain': {
        does: 'Reads `used.idx` once more, and sleeps if there is nothing.',
        when: (s) => s.driver === 'looking',
        effect(s) {
          s.driverSleeps = !barrier('driver-second-look').stands || s.usedIdx.seen === s.consumed
          s.driver = 'idle'
        },
      },
      'driver.wake': {
        does: 'Takes an interrupt.',
        when: (s) => s.driver === 'idle' && s.interrupt,
        effect(s) {
          s.interrupt = s.driverSleeps = false
          if (ordering) loadAfresh('driver', s)
          if (eventIdx === 0) s.usedEvent.stored = 1
        },
      },

      // The device takes a chain, or goes to sleep.
      'device.look': {
        does: 'Reads `avail.idx`; with nothing new there, asks for a kick.',
        when: (s) => s.device === 'idle' && !s.deviceSleeps,
        effect(s) {
          if (s.availIdx.seen !== s.taken) s.device = barrier('device-before-entry').stands ? 'saw' : 'reading'
          else {
            s.availEvent.stored = armed(s.taken)
            s.device = barrier('device-after-arming').stands ? 'armed' : 'looking'
          }
        },
      },
      'device.barrierBeforeEntry': {
        when: (s) => s.device === 'saw' && barrier('device-before-entry').mayPass(s),
        effect(s) {
          barrier('device-before-entry').pass(s)
          s.device = 'reading'
        },
      },
      'device.take': {
        does: 'Reads entry and descriptor, begins to read the buffer, and writes the answer and the used entry.',
        args: { earlyEntry: early, earlyAddress: early, earlyLength: early },
        when(s, { earlyEntry, earlyAddress, earlyLength }) {
          const slot = s.slots.at(slotOf(next(s.taken)))
          const loads =
            canBe(earlyEntry, slot.entry) && canBe(earlyAddress, slot.address) && canBe(earlyLength, slot.length)
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
          s.device = barrier('device-before-index').stands ? 'wrote' : 'ordered'
        },
      },
      'device.read': {
        does: 'Has read the buffer.',
        args: { early },
        when: (s, { early }) => s.deviceReads && canBe(early, s.slots.at(slotOf(s.taken)).request),
        effect(s, { early }) {
          if (!early) load(s.slots.at(slotOf(s.taken)).request)
          s.deviceReads = false
        },
      },
      'device.barrierAfterArming': {
        when: (s) => s.device === 'armed' && barrier('device-after-arming').mayPass(s),
        effect(s) {
          barrier('device-after-arming').pass(s)
          s.device = 'looking'
        },
      },
      'device.lookAgain': {
        does: 'Reads `avail.idx` once more, and sleeps if there is nothing.',
        when: (s) => s.device === 'looking',
        effect(s) {
          s.deviceSleeps = !barrier('device-second-look').stands || s.availIdx.seen === s.taken
          s.device = 'idle'
        },
      },
      'device.wake': {
        does: 'Takes a kick.',
        when: (s) => s.device === 'idle' && s.kick,
        effect(s) {
          s.kick = s.deviceSleeps = false
          if (ordering) loadAfresh('device', s)
          if (eventIdx === 0) s.availEvent.stored = 1
        },
      },

      // The device returns the chain.
      'device.barrierBeforeIndex': {
        when: (s) => s.device === 'wrote' && barrier('device-before-index').mayPass(s),
        effect(s) {
          barrier('device-before-index').pass(s)
          s.device = 'ordered'
        },
      },
      'device.publish': {
        does: 'Writes `used.idx`.',
        when: (s) => s.device === 'ordered',
        effect(s) {
          s.usedIdx.stored++
          s.device = barrier('device-after-index').stands ? 'published' : 'exposed'
        },
      },
      'device.barrierAfterIndex': {
        when: (s) => s.device === 'published' && barrier('device-after-index').mayPass(s),
        effect(s) {
          barrier('device-after-index').pass(s)
          s.device = 'exposed'
        },
      },
      'device.check': {
        does: 'Reads what the driver asks for.',
        when: (s) => s.device === 'exposed',
        effect: (s) => void (s.device = isWanted(s.usedEvent.seen, s.usedIdx.stored) ? 'interrupting' : 'idle'),
      },
      'device.interrupt': {
        when: (s) => s.device === 'interrupting' && (!ordering || isDrained('device', s)),
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
    fair: ['driver', 'device'],
    // As long as something is out, something comes back: without end, nobody can ask for a moment when nothing is out.
    leadsTo: {
      whatIsPublishedComesBack: {
        clause: clauseOf(
          'VIO-SPLIT-36',
          ...(['driver-after-index', 'device-after-arming', 'device-second-look'] as const),
          ...(['device-after-index', 'driver-after-arming', 'driver-second-look'] as const),
        ),
        from: (s) => s.availIdx.stored !== s.consumed,
        to: (s) => s.driver === 'reading',
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
