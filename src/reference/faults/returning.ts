/** Faults of how chains are given back, and of what outlives a reset. */

import { BLK_TYPE } from '../../layout/blk.ts'
import { DESC, used } from '../../layout/split-ring.ts'
import { u16, writeRing } from '../paravirtual/fetch.ts'
import { honestParts } from '../paravirtual/parts.ts'
import type { Request } from '../paravirtual/state.ts'
import type { Fault } from './fault.ts'

const honest = honestParts()

const isWrite = (request: Request | undefined): request is Request => request?.input[0] === BLK_TYPE.OUT

export const returningFaults: readonly Fault[] = [
  {
    id: 'vq-mergeable-used-id-is-last-descriptor',
    area: 'virtqueue',
    difficulty: 'shallow',
    what: 'The used element names the last descriptor of the chain, not its head.',
    replaces: 'queue.usedId',
    install: (parts) => {
      parts.queue.usedId = ({ desc, size }, request) => {
        const index = (request.segments.at(-1)!.from - desc[0]) / DESC.bytes
        return index >= 0 && index < size ? index : request.head
      }
    },
  },
  {
    id: 'vq-control-used-len-counts-readable',
    area: 'virtqueue',
    difficulty: 'shallow',
    what: 'The used length counts the readable bytes of the chain too.',
    replaces: 'queue.usedLength',
    install: (parts) => {
      parts.queue.usedLength = (request) => honest.queue.usedLength(request) + request.readable
    },
  },
  {
    id: 'vq-used-length-counts-unwritten',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'The used length is that of the whole writable part, also of a failed read that wrote none of the data.',
    replaces: 'queue.usedLength',
    install: (parts) => {
      parts.queue.usedLength = (request) => request.writable
    },
  },
  {
    id: 'vq-used-shadow-held-until-batch-full',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Publishes used elements only in pairs: a single request is never seen to complete.',
    replaces: 'queue.publishesNow',
    install: (parts) => {
      parts.queue.publishesNow = (queue) => ((queue.usedIdx - queue.publishedIdx) & 0xffff) >= 2
    },
  },
  {
    id: 'vq-used-index-before-element',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'Publishes used.idx before the element is there: a driver that looks in between takes an old one.',
    replaces: 'complete.writeUsedElement',
    install: (parts) => {
      parts.complete.writeUsedElement = (device, queue) => {
        const { complete } = queue
        if (complete.offset !== -1) {
          writeRing(device, queue.device, used.idx, u16(queue.usedIdx + 1))
          complete.offset = -1
          return 'writeUsedElement'
        }
        complete.offset = 0
        return honest.complete.writeUsedElement(device, queue)
      }
    },
  },
  {
    id: 'vq-in-order-promise-broken',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'Returns chains in the order in which the back end answered, although IN_ORDER was negotiated.',
    replaces: 'queue.nextDone',
    install: (parts) => {
      parts.queue.nextDone = ({ state }, queue) => {
        const mine = (id: number) =>
          state.requests.find((request) => request.id === id && request.queue === queue.index)
        const id = state.done.find((candidate) => mine(candidate) !== undefined)
        return id === undefined ? undefined : mine(id)
      }
    },
  },
  {
    id: 'vq-malformed-chain-never-returned',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'A chain that is no request is dropped without a used element: its descriptors are lost to the driver.',
    replaces: 'blk.refuse',
    install: (parts) => {
      parts.blk.refuse = ({ state }, request) => {
        state.requests.splice(state.requests.indexOf(request), 1)
      }
    },
  },
  {
    id: 'vq-blk-merged-request-double-completion',
    area: 'virtqueue',
    difficulty: 'deep',
    what: 'A write that fails takes the next waiting write with it, which is then carried out and returned once more.',
    replaces: 'backend.answer',
    install: (parts) => {
      parts.backend.answer = (device) => {
        const { requests, backend } = device.state
        const find = (id: number | undefined) => requests.find((request) => request.id === id)
        const [first, second] = [find(backend.ready[0]), find(backend.ready[1])]
        honest.backend.answer(device)
        if (first?.doomed !== true || !isWrite(first) || !isWrite(second) || first.queue !== second.queue) return
        const id = Math.max(...requests.map((request) => request.id)) + 1
        const again = { ...second, id, status: first.status }
        requests.push(again)
        device.parts.backend.finish(device, again)
      }
    },
  },
  {
    id: 'vq-tx-completion-after-reset',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'A request that the back end keeps survives a device reset and is returned to the next driver.',
    replaces: 'lifecycle.dropRequests',
    install: (parts) => {
      parts.lifecycle.dropRequests = (state, queue) => {
        if (queue !== undefined) honest.lifecycle.dropRequests(state, queue)
      }
    },
  },
  {
    id: 'vq-queue-reset-leaves-requests',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'A request that the back end keeps survives the reset of its queue and is returned after it is enabled again.',
    replaces: 'lifecycle.dropRequests',
    install: (parts) => {
      parts.lifecycle.dropRequests = (state, queue) => {
        if (queue === undefined) honest.lifecycle.dropRequests(state, queue)
      }
    },
  },
  {
    id: 'vq-queue-reset-keeps-positions',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'A queue goes on where it was before its reset, not at the start of the rings.',
    replaces: 'lifecycle.queueAfterQueueReset',
    install: (parts) => {
      parts.lifecycle.queueAfterQueueReset = (old) => ({
        ...honest.lifecycle.queueAfterQueueReset(old),
        lastAvail: old.lastAvail,
        usedIdx: old.publishedIdx,
        publishedIdx: old.publishedIdx,
        signalled: old.signalled,
      })
    },
  },
  {
    id: 'vq-ring-address-survives-reset',
    area: 'virtqueue',
    difficulty: 'medium',
    what: 'A queue stays enabled over a device reset, with the rings of the old driver.',
    replaces: 'lifecycle.queueAfterReset',
    install: (parts) => {
      parts.lifecycle.queueAfterReset = (old) => ({
        ...honest.lifecycle.queueAfterReset(old),
        enabled: old.enabled,
        size: old.size,
        desc: old.desc,
        driver: old.driver,
        device: old.device,
      })
    },
  },
]
