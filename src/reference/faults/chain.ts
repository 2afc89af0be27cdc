/** Faults of how chains are counted, walked and checked. */

import { DESC, DESC_FLAG } from '../../layout/split-ring.ts'
import { requestOf } from '../paravirtual/fetch.ts'
import { honestParts } from '../paravirtual/parts.ts'
import type { Fault } from './fault.ts'

const honest = honestParts()

export const chainFaults: readonly Fault[] = [
  {
    id: 'vq-full-avail-ring-seen-as-empty',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Counts pending entries modulo the queue size: a full ring looks empty.',
    replaces: 'queue.pendingCount',
    install: (parts) => {
      parts.queue.pendingCount = (queue) => {
        const pending = honest.queue.pendingCount(queue)
        return pending === queue.size ? 0 : pending
      }
    },
  },
  {
    id: 'vq-avail-index-wrap-missed',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Compares avail.idx as a plain number: after it has wrapped past 2^16 nothing is pending any more.',
    replaces: 'queue.pendingCount',
    install: (parts) => {
      parts.queue.pendingCount = (queue) => Math.max(0, queue.availIdx - queue.lastAvail)
    },
  },
  {
    id: 'vq-avail-index-jump-accepted',
    area: 'virtqueue',
    difficulty: 'shallow',
    what: 'Believes an avail.idx that ran ahead by more than the queue size, and takes entries twice.',
    replaces: 'queue.pendingAcceptable',
    install: (parts) => {
      parts.queue.pendingAcceptable = () => true
    },
  },
  {
    id: 'vq-slot-masked-by-largest-size',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Takes ring positions modulo the largest queue size: a smaller queue is wrong from its second lap on.',
    replaces: 'queue.slot',
    install: (parts) => {
      parts.queue.slot = (position, queue) => position & (queue.sizeMax - 1)
    },
  },
  {
    id: 'vq-duplicate-head-in-flight',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Pops a head that it has not returned yet, and returns it twice.',
    replaces: 'queue.headIsFree',
    install: (parts) => {
      parts.queue.headIsFree = () => true
    },
  },
  {
    id: 'vq-unpop-leaks-inuse',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'A chain that is put back stays counted as in use: after some rounds valid chains are refused.',
    replaces: 'queue.putBack',
    needs: { depth: 2 },
    install: (parts) => {
      parts.queue.putBack = () => {}
    },
  },
  {
    id: 'vq-readable-after-writable-accepted',
    area: 'virtqueue',
    difficulty: 'shallow',
    what: 'Processes chains in which a readable descriptor follows a writable one.',
    replaces: 'queue.mayFollow',
    install: (parts) => {
      parts.queue.mayFollow = () => true
    },
  },
  {
    id: 'vq-buffer-at-end-of-memory-rejected',
    area: 'virtqueue',
    difficulty: 'shallow',
    what: 'Refuses a buffer whose last byte is the last byte of a memory region.',
    replaces: 'queue.rangeIsMemory',
    install: (parts) => {
      parts.queue.rangeIsMemory = (memory, low, high, bytes) => honest.queue.rangeIsMemory(memory, low, high, bytes + 1)
    },
  },
  {
    id: 'vq-loop-without-end',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Walks a chain without counting: a loop is walked for ever.',
    replaces: 'queue.lengthAcceptable',
    install: (parts) => {
      parts.queue.lengthAcceptable = () => true
    },
  },
  {
    id: 'vq-indirect-pointer-write-flag-honoured',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Refuses an indirect table whose descriptor has the WRITE flag, which means nothing there.',
    replaces: 'queue.pointerAcceptable',
    install: (parts) => {
      parts.queue.pointerAcceptable = (device, flags, bytes, nested) =>
        (flags & DESC_FLAG.WRITE) === 0 && honest.queue.pointerAcceptable(device, flags, bytes, nested)
    },
  },
  {
    id: 'vq-descriptor-length-double-fetch',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Fetches the length of a readable descriptor again before it copies, and trusts the second one unchecked.',
    replaces: 'fetch.readBuffer',
    install: (parts) => {
      parts.fetch.readBuffer = (device, queue) => {
        const { fetch } = queue
        const request = requestOf(device, fetch.request)
        while (fetch.offset === request.segments[fetch.segment]!.bytes) {
          fetch.segment++
          fetch.offset = 0
        }
        const segment = request.segments[fetch.segment]!
        if (fetch.offset === 0) {
          const data = device.memory.read(device.id, segment.from, DESC.bytes)!
          const bytes = new DataView(data.buffer).getUint32(DESC.length, true)
          request.readable += bytes - segment.bytes
          segment.bytes = bytes
          const input = new Uint8Array(Math.min(request.readable, device.parts.blk.inputLimit(device)))
          input.set(request.input.subarray(0, Math.min(fetch.done, input.length)))
          request.input = input
          if (fetch.done >= input.length) return 'submit'
        }
        return honest.fetch.readBuffer(device, queue)
      }
    },
  },
]
