/** Decisions of the split virtqueue engine, one question each. VIRTIO 1.3 section 2.7. */

import { DESC, DESC_FLAG } from '../../layout/split-ring.ts'
import { FEATURE, STATUS } from '../../layout/virtio.ts'
import type { GuestMemory } from '../memory.ts'
import type { Engine } from './parts.ts'
import type { Queue, Request } from './state.ts'

/** Whether the driver accepted feature `bit`. */
export const accepted = (device: Engine, bit: number): boolean =>
  ((device.state.features[bit >>> 5]! >>> (bit & 31)) & 1) === 1

/** Why a queue stops being processed; for people who read a trace. */
type Breach =
  | 'ring outside memory'
  | 'avail.idx ran ahead'
  | 'head out of range'
  | 'head in flight'
  | 'too many chains in use'
  | 'chain too long'
  | 'next out of range'
  | 'buffer outside memory'
  | 'readable after writable'
  | 'indirect table malformed'

export const decisions = {
  /** Entries made available and not popped. Free-running 16-bit positions: a full ring is not an empty one. */
  pendingCount: (queue: Queue): number => (queue.availIdx - queue.lastAvail) & 0xffff,

  /** A driver that keeps the rules never has more pending than the ring holds. */
  pendingAcceptable: (pending: number, size: number): boolean => pending <= size,

  /** Ring slot of a free-running position. */
  slot: (position: number, queue: Queue): number => position & (queue.size - 1),

  /** A head that is popped and not returned cannot be popped again. */
  headIsFree: (device: Engine, queue: Queue, head: number): boolean => {
    for (const request of device.state.requests)
      if (request.head === head && request.queue === queue.index) return false
    return true
  },

  /** Whether the back end takes another chain of this queue. `inUse` counts the one that asks. */
  hasRoom: (device: Engine, queue: Queue): boolean => {
    let mine = 0
    for (const request of device.state.requests) if (request.queue === queue.index) mine++
    return mine < device.options.depth
  },

  /** Whether a queue that waits for room may try again. */
  mayResume: (device: Engine, queue: Queue): boolean => device.parts.queue.hasRoom(device, queue),

  /** A chain that was reserved and not popped after all. */
  putBack: (queue: Queue): void => {
    queue.inUse--
  },

  /** A range is valid iff all of its bytes are memory. The high half is checked first: past 2^52 numbers are not exact. */
  rangeIsMemory: (memory: GuestMemory, low: number, high: number, bytes: number): boolean =>
    high < 0x10_0000 && memory.covers(high * 0x1_0000_0000 + low, bytes),

  /** Device-readable descriptors come first, 2.7.4.2. */
  mayFollow: (previousWritable: boolean, writable: boolean): boolean => writable || !previousWritable,

  /** The chain is no longer than the queue size, which also ends loops, 2.7.5.3.1. */
  lengthAcceptable: (descriptors: number, queue: Queue): boolean => descriptors <= queue.size,

  /** A descriptor that refers to a table. Its WRITE flag means nothing, 2.7.5.3.2. */
  pointerAcceptable: (device: Engine, flags: number, bytes: number, nested: boolean): boolean =>
    accepted(device, FEATURE.RING_INDIRECT_DESC) &&
    !nested &&
    (flags & DESC_FLAG.NEXT) === 0 &&
    bytes > 0 &&
    bytes % DESC.bytes === 0,

  usedId: (_queue: Queue, request: Request): number => request.head,

  /**
   * Bytes written without a gap from the first writable one on. The status byte sits at the end of the writable part,
   * so it counts only when nothing before it was left out.
   */
  usedLength: (request: Request): number => {
    const gapless = request.output.length
    return request.status >= 0 && gapless === request.writable - 1 ? gapless + 1 : gapless
  },

  /** The next request to give back: the oldest that is done, or in order if the driver was promised that. */
  nextDone: (device: Engine, queue: Queue): Request | undefined => {
    const inOrder = accepted(device, FEATURE.IN_ORDER)
    if (!inOrder) {
      for (const id of device.state.done) {
        const request = device.state.requests.find((candidate) => candidate.id === id)
        if (request?.queue === queue.index) return request
      }
      return undefined
    }
    const oldest = device.state.requests.find((request) => request.queue === queue.index)
    return oldest?.stage === 'done' ? oldest : undefined
  },

  /** Whether what was written to the used ring so far is published now. */
  publishesNow: (_queue: Queue): boolean => true,

  /** `found` is avail.flags or used_event, read after publishing. 2.7.7.2. */
  needsInterrupt: (eventIdx: boolean, found: number, usedIdx: number, signalled: number): boolean =>
    eventIdx ? ((usedIdx - found - 1) & 0xffff) < ((usedIdx - signalled) & 0xffff) : (found & 1) === 0,

  /** The position whose publication the driver has to kick for. */
  availEvent: (queue: Queue): number => queue.lastAvail,

  /** The driver broke a rule of the ring: the queue stops, the device asks for a reset. */
  refuse: (device: Engine, queue: Queue, _breach: Breach): 'stopped' => {
    queue.broken = true
    queue.fetch.pc = 'stopped'
    queue.complete.pc = 'stopped'
    device.state.status |= STATUS.DEVICE_NEEDS_RESET
    device.parts.lifecycle.tellNeedsReset(device)
    return 'stopped'
  },
}
