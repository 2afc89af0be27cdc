/**
 * How a queue gives chains back: data, status, used element, then `used.idx`, and only after that a look at whether
 * the driver wants to be notified. Requests that are done at the same time share one publication.
 */

import { avail, used } from '../../layout/split-ring.ts'
import { FEATURE } from '../../layout/virtio.ts'
import { accepted } from './decisions.ts'
import { BURST_BYTES, readRing, requestOf, u16, writeRing } from './fetch.ts'
import type { CompleteTable, Engine } from './parts.ts'
import type { CompleteStep, Queue, Request } from './state.ts'

/** The step after `step` once the batch is on the ring. */
const onTheWayToIdle = (device: Engine, step: CompleteStep): CompleteStep => {
  const { finish } = device.parts.order
  return finish[finish.indexOf(step) + 1] ?? 'idle'
}

function start(queue: Queue, request: Request): CompleteStep {
  const { complete } = queue
  complete.request = request.id
  complete.segment = 0
  complete.offset = 0
  complete.done = 0
  while (complete.segment < request.segments.length && !request.segments[complete.segment]!.writable) complete.segment++
  if (request.output.length > 0) return 'writeBuffer'
  return request.status >= 0 ? 'writeStatus' : 'writeUsedElement'
}

const forget = (device: Engine, request: Request): void => {
  const { requests, done } = device.state
  requests.splice(requests.indexOf(request), 1)
  const place = done.indexOf(request.id)
  if (place >= 0) done.splice(place, 1)
}

export const complete: CompleteTable = {
  /** Runs only when `nextDone` has something. */
  idle(device, queue) {
    const request = device.parts.queue.nextDone(device, queue)
    return request === undefined ? 'idle' : start(queue, request)
  },

  writeBuffer(device, queue) {
    const { complete } = queue
    const request = requestOf(device, complete.request)
    while (complete.offset === request.segments[complete.segment]!.bytes) {
      complete.segment++
      complete.offset = 0
    }
    const segment = request.segments[complete.segment]!
    const bytes = Math.min(BURST_BYTES, segment.bytes - complete.offset, request.output.length - complete.done)
    const data = request.output.slice(complete.done, complete.done + bytes)
    if (!device.memory.write(device.id, segment.gpa + complete.offset, data))
      return device.parts.queue.refuse(device, queue, 'buffer outside memory')
    complete.offset += bytes
    complete.done += bytes
    if (complete.done < request.output.length) return 'writeBuffer'
    return request.status >= 0 ? 'writeStatus' : 'writeUsedElement'
  },

  writeStatus(device, queue) {
    const request = requestOf(device, queue.complete.request)
    const last = request.segments.findLast((segment) => segment.writable && segment.bytes > 0)!
    if (!device.memory.write(device.id, last.gpa + last.bytes - 1, Uint8Array.of(request.status)))
      return device.parts.queue.refuse(device, queue, 'buffer outside memory')
    return 'writeUsedElement'
  },

  writeUsedElement(device, queue) {
    const { queue: decide, order } = device.parts
    const request = requestOf(device, queue.complete.request)
    const id = decide.usedId(queue, request)
    const length = decide.usedLength(request)
    const element = Uint8Array.of(
      id & 0xff,
      (id >>> 8) & 0xff,
      0,
      0,
      length & 0xff,
      (length >>> 8) & 0xff,
      (length >>> 16) & 0xff,
      (length >>> 24) & 0xff,
    )
    if (!writeRing(device, queue.device, used.ring(decide.slot(queue.usedIdx, queue)), element))
      return decide.refuse(device, queue, 'ring outside memory')
    queue.usedIdx = (queue.usedIdx + 1) & 0xffff
    queue.inUse--
    queue.complete.request = -1
    forget(device, request)
    if (((queue.usedIdx - queue.publishedIdx) & 0xffff) < queue.size) {
      const next = decide.nextDone(device, queue)
      if (next !== undefined) return start(queue, next)
    }
    return decide.publishesNow(queue) ? (order.finish[0] ?? 'idle') : 'idle'
  },

  publishUsedIdx(device, queue) {
    if (!writeRing(device, queue.device, used.idx, u16(queue.usedIdx)))
      return device.parts.queue.refuse(device, queue, 'ring outside memory')
    queue.publishedIdx = queue.usedIdx
    return onTheWayToIdle(device, 'publishUsedIdx')
  },

  /** Only what the driver says after it could see the new index counts. */
  readSuppression(device, queue) {
    const offset = accepted(device, FEATURE.RING_EVENT_IDX) ? avail.usedEvent(queue.size) : avail.flags
    const data = readRing(device, queue.driver, offset, 2)
    if (data === undefined) return device.parts.queue.refuse(device, queue, 'ring outside memory')
    queue.complete.suppression = data[0]! | (data[1]! << 8)
    return onTheWayToIdle(device, 'readSuppression')
  },

  notify(device, queue) {
    const { needsInterrupt } = device.parts.queue
    const eventIdx = accepted(device, FEATURE.RING_EVENT_IDX)
    const due = needsInterrupt(eventIdx, queue.complete.suppression, queue.usedIdx, queue.signalled)
    queue.signalled = queue.usedIdx
    if (due) device.signals.queueInterrupt(queue.index)
    return onTheWayToIdle(device, 'notify')
  },

  stopped: () => 'stopped',
}
