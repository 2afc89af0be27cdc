/**
 * Device-specific configuration that changes under its reader: the capacity of a disk, which is 64 bits wide and read
 * in two halves, and the generation counter that tells a torn read from a whole one.
 *
 * The standard (4.1.4.3.1, 4.2.2.1) leaves it to the device when the counter moves: at the change, or only when a
 * driver reads a value that has changed. The law is what both have in common: between two reads of the counter, a half
 * that changed after some other part had been read must not pass unnoticed.
 */
import { machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

const half = t.oneOf('low', 'high')
const LOW = 0
const HIGH = 1

export const configSpace = scoped(
  'config-space',
  {
    explored: { lows: 2, highs: 2, generations: 2, mmio: 0 },
    played: { lows: 4, highs: 2, generations: 256, mmio: 0 },
  },
  ({ lows, highs, generations, mmio }) => {
    /** Contents of the two halves, numbered: the machine needs to know only which of them are equal. */
    const capacity = { low: t.below(lows), high: t.below(highs) }
    const generation = t.below(generations)
    return machine({
      source: 'VIRTIO 1.4',
      state: {
        /** `met`: ACKNOWLEDGE and DRIVER are set, so that the configuration can be read. `running`: DRIVER_OK. */
        phase: t.oneOf('reset', 'met', 'running'),
        asked: t.oneOf('nothing', 'generation', 'low', 'high'),
        capacity: t.record(capacity),
        /** The capacity when some half of it was read last, and which one. */
        atRead: t.record(capacity),
        lastRead: t.maybe(half),
        /** The counter when it was read last, and the halves that changed since. */
        generation: t.maybe(generation),
        changed: t.set(2),
        /** A half was read that changed both since the counter and since another half was read. */
        mustDiffer: t.flag,
        /** Both halves were read since the counter was, and no capacity ever was what they say together. */
        torn: t.flag,
        owed: t.flag,
        resets: t.below(2),
      },
      actions: {
        'driver.meet': {
          does: 'Sets ACKNOWLEDGE and DRIVER.',
          weight: 12,
          when: (s) => s.phase === 'reset',
          effect: (s) => void (s.phase = 'met'),
        },
        'driver.start': {
          does: 'Negotiates features and sets DRIVER_OK.',
          weight: 2,
          when: (s) => s.phase === 'met' && s.asked === 'nothing',
          effect: (s) => void (s.phase = 'running'),
        },
        'driver.reset': {
          does: 'Resets the device and waits until that is complete.',
          weight: 0.3,
          when: (s) => s.phase !== 'reset' && s.asked === 'nothing',
          effect(s) {
            s.phase = 'reset'
            s.lastRead = s.generation = undefined
            s.changed = noBits
            s.mustDiffer = s.torn = s.owed = false
            s.resets = 1
          },
        },
        'backend.resize': {
          does: 'Gives the medium another capacity.',
          args: capacity,
          weight: 5,
          when: (s, { low, high }) => s.asked === 'nothing' && (low !== s.capacity.low || high !== s.capacity.high),
          effect(s, { low, high }) {
            if (low !== s.capacity.low) s.changed = s.changed.with(LOW)
            if (high !== s.capacity.high) s.changed = s.changed.with(HIGH)
            s.capacity.low = low
            s.capacity.high = high
            if (s.phase === 'running') s.owed = true
          },
        },
        'driver.readGeneration': {
          weight: 9,
          when: (s) => s.phase !== 'reset' && s.asked === 'nothing',
          effect: (s) => void (s.asked = 'generation'),
        },
        'device.answerGeneration': {
          args: { value: generation },
          when: (s) => s.asked === 'generation',
          requires: {
            tellsOfATornRead: {
              clause: clause(mmio ? 'VIO-CFG-05' : 'VIO-CFG-04'),
              given: (s) => s.mustDiffer && s.generation !== undefined,
              holds: (s, { value }) => value !== s.generation,
            },
            restsWithTheConfiguration: {
              clause: clause('VIO-CFG-10'),
              given: (s) => mmio === 1 && s.generation !== undefined && s.changed.isEmpty,
              holds: (s, { value }) => value === s.generation,
            },
          },
          effect(s, { value }) {
            s.asked = 'nothing'
            s.generation = value
            s.changed = noBits
            s.mustDiffer = s.torn = false
            s.lastRead = undefined
          },
          eager(s) {
            if (s.asked !== 'generation') return undefined
            const last = s.generation ?? 0
            return { value: s.changed.isEmpty ? last : (last + 1) % generations }
          },
        },
        'driver.readCapacity': {
          does: 'Reads one half of the capacity.',
          args: { half },
          weight: 14,
          when: (s) => s.phase !== 'reset' && s.asked === 'nothing',
          effect: (s, { half }) => void (s.asked = half),
        },
        'device.answerCapacity': {
          does: 'Answers with one of the contents that the half has ever had, or with none of them.',
          args: { word: t.maybe(t.below(Math.max(lows, highs))) },
          when: (s) => s.asked === 'low' || s.asked === 'high',
          requires: {
            isThere: {
              clause: clause('VIO-CFG-02'),
              given: (s) => s.phase === 'met',
              holds: (_s, { word }) => word !== undefined,
            },
            lowHalf: {
              clause: clause('VIO-BLK-20'),
              given: (s) => s.asked === 'low',
              holds: (s, { word }) => word === s.capacity.low,
            },
            highHalf: {
              clause: clause('VIO-CFG-06'),
              given: (s) => s.asked === 'high',
              holds: (s, { word }) => word === s.capacity.high,
            },
          },
          effect(s) {
            const read = s.asked === 'low' ? 'low' : 'high'
            const lowMoved = s.lastRead !== undefined && s.capacity.low !== s.atRead.low
            const highMoved = s.lastRead !== undefined && s.capacity.high !== s.atRead.high
            const moved = read === 'low' ? lowMoved : highMoved
            // On MMIO the law speaks of torn reads only, 4.2.2.1; a half that is read twice is none.
            const counts = mmio === 0 || s.lastRead !== read
            if (moved && counts && s.changed.has(read === 'low' ? LOW : HIGH)) s.mustDiffer = true
            s.torn = lowMoved && highMoved && s.lastRead !== read
            s.asked = 'nothing'
            s.lastRead = read
            s.atRead.low = s.capacity.low
            s.atRead.high = s.capacity.high
          },
          eager(s) {
            if (s.asked === 'low') return { word: s.capacity.low }
            return s.asked === 'high' ? { word: s.capacity.high } : undefined
          },
        },
        'device.configInterrupt': {
          does: 'Sends a configuration change notification; one that announces nothing is allowed.',
          requires: {
            notAfterReset: {
              clause: clause('VIO-STAT-06'),
              given: (s) => s.phase === 'reset',
              holds: () => false,
            },
          },
          effect: (s) => void (s.owed = false),
          eager: (s) => (s.owed ? {} : undefined),
        },
      },
      owes: {
        // 2.5.2 has no key word for it, and 5.2.5.2 says SHOULD: a recommendation.
        'device.configInterrupt': { clause: clause('VIO-BLK-09'), when: (s) => s.owed },
      },
      invariants: {
        // With the duty on the counter: no torn read passes for a whole one.
        everyTornReadMustBeTold: {
          clause: clause(mmio ? 'VIO-CFG-05' : 'VIO-CFG-04'),
          holds: (s) => !s.torn || s.mustDiffer,
        },
      },
      goals: {
        aTornRead: (s) => s.torn,
        aReadBeforeDriverOk: (s) => s.phase === 'met' && s.lastRead !== undefined,
        aChangeWhileRunning: (s) => s.phase === 'running' && s.owed,
        aCounterThatMustDiffer: {
          on: 'driver.readGeneration',
          when: (s) => s.mustDiffer && s.generation !== undefined,
        },
        aSecondLife: (s) => s.resets > 0 && s.phase === 'running',
      },
    })
  },
)
