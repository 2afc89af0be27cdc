/**
 * What a driver must not do to a queue, and what robust devices do about it.
 *
 * The breaches are duties of the driver. What follows is *hardening*: the standard leaves the device free, but one that
 * takes a malformed chain for a good one, or loses it in silence, is open to its guest. Such findings are reported
 * under that name and never as a violation of the standard.
 */
import { type Clause, noBits, part, t } from '../../src/kernel/language/index.ts'
import { type ClauseId, clause } from '../clauses/index.ts'
import { lifecycleState } from './lifecycle.ts'
import { notificationState } from './notification.ts'
import { headOf, queueState } from './queue.ts'
import { serviceState } from './service.ts'
import { area, type RingBounds } from './split-ring.ts'

/** Each way to spoil a chain: the duty that the driver breaks, and what a robust device does. */
const spoilt = {
  loop: ['VIO-SPLIT-06', 'HRD-01'],
  headOutOfRange: ['VIO-SPLIT-23', 'HRD-02'],
  nextOutOfRange: ['VIO-SPLIT-23', 'HRD-03'],
  readableAfterWritable: ['VIO-SPLIT-03', 'HRD-04'],
  indirectEmpty: ['VIO-IND-06', 'HRD-10'],
  indirectOdd: ['VIO-IND-06', 'HRD-10'],
  indirectNested: ['VIO-IND-01', 'HRD-13'],
  indirectWithNext: ['VIO-IND-01', 'HRD-13'],
  addressWraps: ['VIO-SPLIT-46', 'HRD-11'],
  nowhere: ['VIO-SPLIT-46', 'HRD-17'],
  overRegions: ['VIO-SPLIT-46', 'HRD-17'],
  onDevice: ['VIO-SPLIT-46', 'HRD-08'],
  overRings: ['VIO-SPLIT-46', 'HRD-08'],
  zeroLength: ['VIO-SPLIT-47', 'HRD-29'],
  tooShort: ['VIO-BLK-16', 'HRD-16'],
} as const satisfies Record<string, readonly [ClauseId, ClauseId]>

type Spoilt = keyof typeof spoilt
const spoiltNames = Object.keys(spoilt) as Spoilt[]

/** `none` is a chain as it should be. */
export const defect = t.oneOf('none', ...spoiltNames)

/** Defects after which the chain must come back refused, or the device ask for a reset. The others may be served. */
const refusable: ReadonlySet<string> = new Set<Spoilt>([
  'loop',
  'nextOutOfRange',
  'readableAfterWritable',
  'indirectEmpty',
  'indirectOdd',
  'indirectNested',
  'addressWraps',
  'nowhere',
  'tooShort',
])

/** What a robust device does not serve, and the clause of each. */
export const refusals = spoiltNames
  .filter((name) => refusable.has(name))
  .map((name) => ({ name, hardening: clause(spoilt[name][1]) as Clause }))

const breaches = Object.fromEntries(
  spoiltNames.map((name) => [
    name,
    {
      clause: clause(spoilt[name][0]) as Clause,
      holds: (_s: unknown, args: { readonly defect: string }) => args.defect !== name,
    },
  ]),
)

/** What other parts may borrow. */
export const hostileState = (size: number) => ({
  /** Heads of published chains that are malformed beyond doubt. */
  malformed: t.set(headOf(size)),
  /** What the last of them suffers from. */
  why: defect,
})

export const hostile = ({ size }: RingBounds) => {
  const head = headOf(size)
  return part({
    source: 'VIRTIO 1.4',
    borrows: { ...queueState(size), ...lifecycleState, ...notificationState, ...serviceState },
    state: {
      ...hostileState(size),
      jumped: t.flag,
      doubled: t.flag,
      /** The device may look at other rings, in which there is nothing. */
      moved: t.flag,
    },
    actions: {
      'driver.add': {
        args: { head, defect },
        requires: breaches,
        // Seen before the queue takes note: a head that is outstanding already makes two chains of one.
        effect(s, { head, defect }) {
          const alone = s.chains.at(head).at === 'idle'
          if (!alone) s.doubled = true
          s.malformed = alone && refusable.has(defect) ? s.malformed.with(head) : s.malformed.without(head)
          if (refusable.has(defect)) s.why = defect
        },
      },
      'driver.scribble': {
        does: 'Changes a descriptor of a chain that is available.',
        args: {
          head,
          field: t.oneOf('length', 'address', 'next', 'flags'),
          /** The last descriptor is read last, so that a change can still be in time; the first is the head. */
          which: t.oneOf('last', 'first'),
        },
        hostile: true,
        weight: 2,
        when: (s, { head }) => s.queueUp && (s.chains.at(head).at === 'available' || s.chains.at(head).at === 'popped'),
        requires: { exposedIsUntouched: { clause: clause('VIO-STAT-11'), holds: () => false } },
        // What is read of it now may be a chain as it should be.
        effect: (s, { head }) => void (s.malformed = s.malformed.without(head)),
      },
      'driver.jump': { effect: (s) => void (s.jumped = true) },
      'device.touch': {
        args: { area, write: t.flag, head: t.maybe(head) },
        requires: {
          // Who takes such a chain for a good one has its two halves confused.
          writableIsNeverInput: {
            clause: clause('HRD-04'),
            given: (s, { area, head }) => area === 'writable' && head !== undefined && s.malformed.has(head),
            holds: (s, { write }) => write || s.why !== 'readableAfterWritable',
            safety: true,
          },
        },
      },
      'driver.rewriteRegisters': { effect: (s) => void (s.moved = true) },
      'device.return': {
        args: { head: t.maybe(head) },
        requires: {
          nothingIsTakenAfterAJump: {
            clause: clause('HRD-05'),
            // A head that was made available twice may come back twice.
            given: (s) => s.jumped && !s.doubled,
            holds: (s, { head }) =>
              head !== undefined && (s.chains.at(head).at === 'available' || s.chains.at(head).at === 'popped'),
            safety: true,
          },
        },
        effect(s, { head }) {
          if (head !== undefined) s.malformed = s.malformed.without(head)
        },
      },
      'device.finishReset': { effect: forgive },
      'device.finishQueueReset': { effect: forgive },
    },
    owes: {
      'device.needReset': {
        clause: clause('HRD-07'),
        when: (s) =>
          s.phase === 'running' &&
          s.agreed &&
          s.queueUp &&
          !s.needsReset &&
          !s.moved &&
          s.kicked &&
          !s.unchecked &&
          // A device that waits for its back end has not read everything.
          !s.held &&
          s.chains.some((chain, h) => chain.at !== 'added' && s.malformed.has(h)),
        safety: true,
      },
    },
    goals: {
      aMalformedChain: (s) => !s.malformed.isEmpty,
      anAnswerToABreach: (s) => s.needsReset,
    },
  })
}

const forgive = (s: {
  malformed: typeof noBits
  why: string
  jumped: boolean
  doubled: boolean
  moved: boolean
}): void => {
  s.malformed = noBits
  s.why = 'none'
  s.jumped = s.doubled = s.moved = false
}
