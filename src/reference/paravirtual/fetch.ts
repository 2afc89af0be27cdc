/**
 * How a queue takes chains from the driver: one table entry is one step, one step is at most one access to guest
 * memory. Every descriptor is fetched exactly once; what is used later is what was validated.
 */

import { avail, DESC, DESC_FLAG, used } from '../../layout/split-ring.ts'
import { FEATURE } from '../../layout/virtio.ts'
import { accepted } from './decisions.ts'
import type { Halves } from './device.ts'
import type { Engine, FetchTable } from './parts.ts'
import { emptyRequest, type FetchStep, type Queue, type Request } from './state.ts'

/** Largest single transfer of payload, in bytes. */
export const BURST_BYTES = 512

const TWO_32 = 0x1_0000_0000
/** High halves from here on make addresses that a number cannot hold. No memory is there. */
const HIGH_LIMIT = 0x10_0000

/** Reads from a ring area. A refused access is logged by the memory. */
export function readRing(device: Engine, area: Halves, offset: number, bytes: number): Uint8Array | undefined {
  if (area[1] < HIGH_LIMIT) return device.memory.read(device.id, area[1] * TWO_32 + area[0] + offset, bytes)
  device.memory.refuse(device.id, 'read', wide(area, offset), bytes)
  return undefined
}

export function writeRing(device: Engine, area: Halves, offset: number, data: Uint8Array): boolean {
  if (area[1] < HIGH_LIMIT) return device.memory.write(device.id, area[1] * TWO_32 + area[0] + offset, data)
  device.memory.refuse(device.id, 'write', wide(area, offset), data.length)
  return false
}

const wide = ([low, high]: Halves, offset: number): bigint =>
  BigInt.asUintN(64, (BigInt(high) << 32n) + BigInt(low) + BigInt(offset))

export const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, (value >>> 8) & 0xff)

const le16 = (data: Uint8Array, at: number): number => data[at]! | (data[at + 1]! << 8)
const le32 = (data: Uint8Array, at: number): number => (le16(data, at) | (le16(data, at + 2) << 16)) >>> 0

/** The step after `step` on the way to sleep. */
const onTheWayToSleep = (device: Engine, step: FetchStep): FetchStep => {
  const { sleep } = device.parts.order
  return sleep[sleep.indexOf(step) + 1] ?? 'asleep'
}

const nextChain = (device: Engine, queue: Queue): FetchStep =>
  device.parts.queue.pendingCount(queue) > 0 ? 'reserve' : (device.parts.order.sleep[0] ?? 'asleep')

const wake = (device: Engine): FetchStep =>
  accepted(device, FEATURE.RING_EVENT_IDX) ? 'readAvailIdx' : 'suppressKicks'

/** Reads `avail.idx` and says how many entries are pending; -1: the queue had to stop. */
function lookAtRing(device: Engine, queue: Queue): number {
  const data = readRing(device, queue.driver, avail.idx, 2)
  if (data === undefined) {
    device.parts.queue.refuse(device, queue, 'ring outside memory')
    return -1
  }
  queue.availIdx = le16(data, 0)
  const pending = device.parts.queue.pendingCount(queue)
  if (device.parts.queue.pendingAcceptable(pending, queue.size)) return pending
  device.parts.queue.refuse(device, queue, 'avail.idx ran ahead')
  return -1
}

export const requestOf = (device: Engine, id: number): Request => {
  const { requests } = device.state
  for (const request of requests) if (request.id === id) return request
  throw new Error(`device ${device.id} has no request ${id}`)
}

const freeId = (device: Engine): number => {
  let id = 0
  while (device.state.requests.some((request) => request.id === id)) id++
  return id
}

/** The chain is complete: what the device type wants to read of it comes next. */
function endOfChain(device: Engine, queue: Queue, request: Request): FetchStep {
  const wanted = Math.min(request.readable, device.kind.inputLimit(device))
  request.input = new Uint8Array(wanted)
  queue.fetch.segment = 0
  queue.fetch.offset = 0
  queue.fetch.done = 0
  return wanted === 0 ? 'submit' : 'readBuffer'
}

export const fetch: FetchTable = {
  /** Runs only when there was a kick. */
  asleep(device, queue) {
    queue.kicked = false
    return wake(device)
  },

  /** While the device looks at the ring by itself it needs no kicks. With event indexes it just leaves avail_event behind. */
  suppressKicks(device, queue) {
    if (!writeRing(device, queue.device, used.flags, u16(1)))
      return device.parts.queue.refuse(device, queue, 'ring outside memory')
    queue.armed = false
    return 'readAvailIdx'
  },

  readAvailIdx(device, queue) {
    return lookAtRing(device, queue) < 0 ? 'stopped' : nextChain(device, queue)
  },

  /** A chain is counted before it is popped, and put back if there is no room for it. */
  reserve(device, queue) {
    queue.inUse++
    if (queue.inUse > queue.size) return device.parts.queue.refuse(device, queue, 'too many chains in use')
    if (device.parts.queue.hasRoom(device, queue)) return 'readHead'
    device.parts.queue.putBack(queue)
    return 'parked'
  },

  /** Runs only when `mayResume`. */
  parked() {
    return 'reserve'
  },

  readHead(device, queue) {
    const slot = device.parts.queue.slot(queue.lastAvail, queue)
    const data = readRing(device, queue.driver, avail.ring(slot), 2)
    if (data === undefined) return device.parts.queue.refuse(device, queue, 'ring outside memory')
    const head = le16(data, 0)
    if (head >= queue.size) return device.parts.queue.refuse(device, queue, 'head out of range')
    if (!device.parts.queue.headIsFree(device, queue, head))
      return device.parts.queue.refuse(device, queue, 'head in flight')
    queue.lastAvail = (queue.lastAvail + 1) & 0xffff
    const request = emptyRequest(freeId(device), queue.index, head)
    device.state.requests.push(request)
    const { fetch } = queue
    fetch.request = request.id
    fetch.index = head
    fetch.entries = queue.size
    fetch.indirect = false
    return 'readDescriptor'
  },

  readDescriptor(device, queue) {
    const { fetch } = queue
    const { queue: decide } = device.parts
    const offset = DESC.bytes * fetch.index
    const data = fetch.indirect
      ? device.memory.read(device.id, fetch.table + offset, DESC.bytes)
      : readRing(device, queue.desc, offset, DESC.bytes)
    if (data === undefined) return decide.refuse(device, queue, 'ring outside memory')
    const low = le32(data, DESC.address)
    const high = le32(data, DESC.address + 4)
    const bytes = le32(data, DESC.length)
    const flags = le16(data, DESC.flags)
    const next = le16(data, DESC.next)

    if ((flags & DESC_FLAG.INDIRECT) !== 0) {
      if (!decide.pointerAcceptable(device, flags, bytes, fetch.indirect))
        return decide.refuse(device, queue, 'indirect table malformed')
      if (!decide.rangeIsMemory(device.memory, low, high, bytes))
        return decide.refuse(device, queue, 'buffer outside memory')
      fetch.indirect = true
      fetch.table = high * TWO_32 + low
      fetch.entries = bytes / DESC.bytes
      fetch.index = 0
      return 'readDescriptor'
    }

    const request = requestOf(device, fetch.request)
    const { segments } = request
    const writable = (flags & DESC_FLAG.WRITE) !== 0
    if (!decide.lengthAcceptable(segments.length + 1, queue)) return decide.refuse(device, queue, 'chain too long')
    if (!decide.mayFollow(segments.at(-1)?.writable ?? false, writable))
      return decide.refuse(device, queue, 'readable after writable')
    if (!decide.rangeIsMemory(device.memory, low, high, bytes))
      return decide.refuse(device, queue, 'buffer outside memory')
    const from = fetch.indirect ? fetch.table + offset : queue.desc[1] * TWO_32 + queue.desc[0] + offset
    segments.push({ gpa: high * TWO_32 + low, bytes, writable, from })
    if (writable) request.writable += bytes
    else request.readable += bytes
    if ((flags & DESC_FLAG.NEXT) === 0) return endOfChain(device, queue, request)
    if (next >= fetch.entries) return decide.refuse(device, queue, 'next out of range')
    fetch.index = next
    return 'readDescriptor'
  },

  readBuffer(device, queue) {
    const { fetch } = queue
    const request = requestOf(device, fetch.request)
    while (fetch.offset === request.segments[fetch.segment]!.bytes) {
      fetch.segment++
      fetch.offset = 0
    }
    const segment = request.segments[fetch.segment]!
    const bytes = Math.min(BURST_BYTES, segment.bytes - fetch.offset, request.input.length - fetch.done)
    const data = device.memory.read(device.id, segment.gpa + fetch.offset, bytes)
    if (data === undefined) return device.parts.queue.refuse(device, queue, 'buffer outside memory')
    request.input.set(data, fetch.done)
    fetch.offset += bytes
    fetch.done += bytes
    return fetch.done < request.input.length ? 'readBuffer' : 'submit'
  },

  submit(device, queue) {
    const request = requestOf(device, queue.fetch.request)
    queue.fetch.request = -1
    device.parts.backend.accept(device, request)
    return nextChain(device, queue)
  },

  /** Ask for kicks again: first say so, then look once more, or a chain added in between is never seen. */
  arm(device, queue) {
    const done = accepted(device, FEATURE.RING_EVENT_IDX)
      ? writeRing(device, queue.device, used.availEvent(queue.size), u16(device.parts.queue.availEvent(queue)))
      : writeRing(device, queue.device, used.flags, u16(0))
    if (!done) return device.parts.queue.refuse(device, queue, 'ring outside memory')
    queue.armed = true
    return onTheWayToSleep(device, 'arm')
  },

  recheck(device, queue) {
    const pending = lookAtRing(device, queue)
    if (pending < 0) return 'stopped'
    return pending > 0 ? wake(device) : onTheWayToSleep(device, 'recheck')
  },

  stopped: () => 'stopped',
}
