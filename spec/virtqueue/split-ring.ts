/**
 * The split format: a descriptor table, an available ring written by the driver, a used ring written by the device,
 * and two free-running indexes. The bytes are in `src/layout/split-ring.ts`; here is what they mean.
 */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { lifecycleState } from './lifecycle.ts'
import { headOf, queueState } from './queue.ts'

export interface RingBounds {
  /** Queue size: descriptors, and slots of each ring. */
  readonly size: number
  /** Modulus of the free-running indexes: 65,536 by the standard, smaller when explored. */
  readonly wrap: number
  /** Upper bound of the descriptors of one half (readable, writable) of a chain. */
  readonly parts: number
  /** Lower bound of the same: 1 where the device type wants both halves. */
  readonly least: number
  /** Where buffers are put: 1 anywhere, 2 also so that one ends with the last byte of memory. */
  readonly places: number
  /** Upper bound of a length in bytes. */
  readonly bytes: number
}

/**
 * How the descriptors of a chain are stored: in the table, in an indirect table, or direct ones and then an indirect.
 * `marked` is an indirect table whose descriptor has the WRITE flag, which means nothing there.
 */
export const via = t.oneOf('direct', 'indirect', 'mixed', 'marked')

/** What other parts may borrow. */
export const ringState = ({ size, wrap }: RingBounds) => ({
  /** `avail.idx` as published. */
  availIdx: t.mod(wrap),
  /** `used.idx` as published by the device. */
  usedIdx: t.mod(wrap),
  /** How far the driver has consumed the used ring. */
  seenIdx: t.mod(wrap),
  /** A lap is under way: many honest requests at once, up to just before the index wraps. */
  lapping: t.flag,
  /** Entries of the used ring, as published. */
  used: t.array(size, t.maybe(headOf(size))),
})

/** Which head is in each slot of the available ring. */
export const lineState = (size: number) => ({ line: t.array(size, t.maybe(headOf(size))) })

/** An area of guest memory, as the device sees it. */
export const area = t.oneOf(
  'descriptors',
  'avail',
  'used',
  // The device-readable and device-writable buffers of the chain that the argument `head` names.
  'readable',
  'writable',
  // The indirect table of that chain.
  'indirect',
  // Buffers of a chain that was returned already, or is added and not yet published.
  'stale',
  'early',
  // What was granted before the device or the queue was reset, and not since.
  'former',
  // A table descriptor of that chain, for the second time.
  'again',
  // Memory that no driver ever granted to this device, and addresses with no memory behind them.
  'foreign',
  'nowhere',
)

/** Where a lap ends: the next request wraps the index. */
export const beforeWrap = (wrap: number): number => wrap - 1

export type Via = 'direct' | 'indirect' | 'mixed' | 'marked'

/** Table descriptors that a chain takes. */
const tableCost = (kind: Via, readable: number, writable: number): number =>
  kind === 'direct' ? readable + writable : kind === 'mixed' ? 2 : 1

export const splitRing = (bounds: RingBounds) => {
  const { size, wrap, parts, least, bytes, places } = bounds
  const head = headOf(size)
  const index = t.mod(wrap)
  const half = t.int(least, parts)
  return part({
    source: 'VIRTIO 1.4',
    borrows: { ...queueState(size), ...lifecycleState },
    state: {
      ...ringState(bounds),
      /** Chains added and not yet published. */
      pending: t.below(size + 1),
      /** Entries that the device made visible since it last said so. */
      unpublished: t.below(size + 1),
      /** Table descriptors of each chain, by head. */
      costs: t.array(head, t.below(size + 1)),
      /** Table descriptors of all chains together. */
      taken: t.below(size + 1),
      ...lineState(size),
    },
    actions: {
      'driver.add': {
        args: {
          head,
          /** Descriptors of the readable and of the writable half. */
          readable: half,
          writable: half,
          via,
          /** 1: the last buffer ends with the last byte of memory. */
          place: t.below(places),
        },
        weight: 5,
        when: (s, { readable, writable, via }) => {
          if (!s.queueUp || s.phase !== 'running' || s.lapping || s.pending >= size) return false
          if (readable + writable < (via === 'mixed' ? 2 : 1)) return false
          return s.taken + tableCost(via, readable, writable) <= size
        },
        requires: {
          indirectWasNegotiated: {
            clause: clause('VIO-IND-01'),
            given: (_s, { via }) => via !== 'direct',
            holds: (s) => s.indirect,
          },
          chainFitsTheQueue: {
            clause: clause('VIO-IND-02'),
            holds: (_s, { readable, writable, via }) => readable + writable + (via === 'direct' ? 0 : 1) <= size,
          },
        },
        effect(s, { head, readable, writable, via }) {
          s.costs.set(head, tableCost(via, readable, writable))
          s.taken = s.taken + tableCost(via, readable, writable)
          s.line.set((s.availIdx + s.pending) % size, head)
          s.pending = s.pending + 1
        },
      },
      'driver.publish': {
        weight: 6,
        when: (s) => s.pending > 0 && s.phase === 'running' && s.queueUp,
        effect(s) {
          s.availIdx = index.plus(s.availIdx, s.pending)
          s.pending = 0
        },
      },
      'driver.jump': {
        does: 'Moves the available index further than the queue is long.',
        hostile: true,
        when: (s) => s.queueUp && s.phase === 'running' && !s.lapping && s.pending === 0,
        requires: { stepByStep: { clause: clause('VIO-SPLIT-08'), holds: () => false } },
        effect: (s) => void (s.availIdx = index.plus(s.availIdx, size + 1)),
      },
      'device.touch': {
        does: 'Accesses guest memory.',
        args: { area, write: t.flag, head: t.maybe(head) },
        seenBy: 'dma',
        requires: {
          notAfterReset: { clause: clause('VIO-STAT-06'), holds: (s) => s.phase !== 'reset', safety: true },
          insideTheQueue: {
            clause: clause('VIO-SPLIT-21'),
            given: (s) => s.phase !== 'reset' && !s.broken,
            holds: (_s, { area }) => area !== 'foreign' && area !== 'nowhere',
          },
          onlyWhatWasGranted: {
            clause: clause('SAF-01'),
            given: (s) => s.phase !== 'reset' && s.broken,
            holds: (_s, { area }) => area !== 'foreign' && area !== 'nowhere',
            safety: true,
          },
          onlyOfALiveQueue: {
            clause: clause('VIO-QRST-01'),
            given: (s) => s.phase === 'running',
            holds: (s, { area }) => (s.queueUp || s.queueResetting) && area !== 'former',
          },
          notAfterTheReturn: { clause: clause('VIO-SPLIT-32'), holds: (_s, { area }) => area !== 'stale' },
          notBeforeTheIndex: { clause: clause('VIO-SPLIT-45'), holds: (_s, { area }) => area !== 'early' },
          // A driver that doubled a head makes the device read its descriptors twice.
          eachOnce: { clause: clause('HRD-06'), given: (s) => !s.broken, holds: (_s, { area }) => area !== 'again' },
          tableIsReadOnly: {
            clause: clause('VIO-SPLIT-05'),
            given: (_s, { write }) => write,
            holds: (_s, { area }) => area !== 'descriptors',
          },
          indirectTableIsReadOnly: {
            clause: clause('VIO-IND-10'),
            given: (_s, { write }) => write,
            holds: (_s, { area }) => area !== 'indirect',
          },
          availRingIsReadOnly: {
            clause: clause('VIO-SPLIT-26'),
            given: (_s, { write }) => write,
            holds: (_s, { area }) => area !== 'avail',
          },
          readableIsReadOnly: {
            clause: clause('VIO-SPLIT-04'),
            given: (_s, { write }) => write,
            holds: (_s, { area }) => area !== 'readable',
          },
          writableIsNotRead: {
            clause: clause('VIO-SPLIT-22'),
            given: (_s, { write }) => !write,
            holds: (_s, { area }) => area !== 'writable',
          },
        },
      },
      'device.return': {
        args: {
          head: t.maybe(head),
          /** `used.len`, and how many bytes of the writable buffers the device has in fact written; both capped. */
          len: t.int(0, bytes),
          filled: t.int(0, bytes),
        },
        requires: {
          lengthIsWritten: {
            clause: clause('VIO-SPLIT-13'),
            given: (_s, { head }) => head !== undefined,
            holds: (_s, { len, filled }) => len <= filled,
          },
          // While the status does not yet read zero, what was under way may still end.
          notAfterReset: { clause: clause('VIO-STAT-06'), holds: (s) => s.phase !== 'reset' },
          onlyOfALiveQueue: {
            clause: clause('VIO-QRST-01'),
            given: (s) => s.phase === 'running',
            holds: (s) => s.queueUp || s.queueResetting,
          },
        },
        effect(s, { head }) {
          s.used.set(s.usedIdx % size, head)
          s.usedIdx++
          if (s.unpublished < size) s.unpublished = s.unpublished + 1
        },
        eager: () => ({ len: 0, filled: 0 }) as never,
      },
      'device.publish': {
        does: 'Has moved the used index by so many entries.',
        args: { count: index },
        requires: {
          indexCountsBuffers: { clause: clause('VIO-SPLIT-11'), holds: (s, { count }) => count === s.unpublished },
        },
        effect: (s) => void (s.unpublished = 0),
        eager: (s) => (s.unpublished > 0 ? { count: s.unpublished } : undefined),
      },
      'driver.consume': {
        args: { head },
        when: (s, { head }) => s.seenIdx !== s.usedIdx && s.unpublished === 0 && s.used.at(s.seenIdx % size) === head,
        effect(s, { head }) {
          s.used.set(s.seenIdx % size, undefined)
          s.seenIdx++
          s.taken = s.taken - s.costs.at(head)
          s.costs.set(head, 0)
        },
      },
      'driver.lap': {
        does: 'Sends request after request until the indexes are about to wrap.',
        weight: 0,
        when: (s) => {
          const left = s.broken ? 0 : beforeWrap(wrap) - s.availIdx
          return (
            s.queueUp && s.phase === 'running' && left > 0 && s.seenIdx === s.availIdx && s.pending === 0 && !s.lapping
          )
        },
        effect(s) {
          s.availIdx = s.usedIdx = s.seenIdx = beforeWrap(wrap)
          s.lapping = true
        },
      },
      'device.lap': {
        does: 'Has returned each request of the lap once, in used entries that name it.',
        args: { exactly: t.flag },
        when: (s) => s.lapping,
        requires: { eachOnce: { clause: clause('VIO-SPLIT-10'), holds: (_s, { exactly }) => exactly } },
        effect: (s) => void (s.lapping = false),
        eager: (s) => (s.lapping ? { exactly: true } : undefined),
      },
      'device.finishReset': {
        effect: empty,
      },
      'device.finishQueueReset': {
        effect: empty,
      },
    },
    owes: {
      'device.publish': { clause: clause('VIO-SPLIT-11'), when: (s) => s.unpublished > 0 },
      'device.lap': { clause: clause('VIO-SPLIT-36'), when: (s) => s.lapping },
    },
    invariants: {
      usedIdxNeverRunsAhead: {
        clause: clause('VIO-SPLIT-11'),
        holds: (s) => index.distance(s.seenIdx, s.usedIdx) <= index.distance(s.seenIdx, s.availIdx),
      },
      outstandingChainsFitTheRing: {
        clause: clause('VIO-SPLIT-20'),
        holds: (s) => index.distance(s.seenIdx, s.availIdx) <= size,
      },
    },
    goals: {
      aFullRing: (s) => index.distance(s.usedIdx, s.availIdx) === size,
      aWrappedIndex: { on: 'device.return', when: (s) => s.usedIdx === wrap - 1 },
      aCompletionOutOfOrder: {
        on: 'device.return',
        when: (s, { head }) => head !== undefined && head !== s.line.at(s.usedIdx % size),
      },
      anIndirectChain: { on: 'driver.add', when: (_s, { via }) => via === 'indirect' || via === 'marked' },
      aMixedChain: { on: 'driver.add', when: (_s, { via }) => via === 'mixed' },
    },
  })
}

/** Fresh rings: nothing is in them, and the indexes are zero. */
const empty = (s: {
  availIdx: number
  usedIdx: number
  seenIdx: number
  pending: number
  unpublished: number
  taken: number
  lapping: boolean
  readonly costs: { fill(value: number): void }
  readonly used: { fill(value: undefined): void }
  readonly line: { fill(value: undefined): void }
}): void => {
  s.availIdx = s.usedIdx = s.seenIdx = s.pending = s.unpublished = s.taken = 0
  s.lapping = false
  s.costs.fill(0)
  s.used.fill(undefined)
  s.line.fill(undefined)
}
