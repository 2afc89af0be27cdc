/** Everything that a virtio device remembers, as plain data: it is saved, restored and fingerprinted as it stands. */

import type { Halves, QueueRegisters } from './device.ts'

/** Program counter of the part of a queue that takes chains from the driver. */
export type FetchStep =
  | 'asleep'
  | 'suppressKicks'
  | 'readAvailIdx'
  | 'reserve'
  | 'parked'
  | 'readHead'
  | 'readDescriptor'
  | 'readBuffer'
  | 'submit'
  | 'arm'
  | 'recheck'
  | 'stopped'

/** Program counter of the part of a queue that gives chains back. */
export type CompleteStep =
  | 'idle'
  | 'writeBuffer'
  | 'writeStatus'
  | 'writeUsedElement'
  | 'publishUsedIdx'
  | 'readSuppression'
  | 'notify'
  | 'stopped'

/** One descriptor of a chain, after validation: all of its bytes are guest memory. */
export interface Segment {
  gpa: number
  bytes: number
  writable: boolean
  /** Where the descriptor itself was fetched from. */
  from: number
}

/** A chain that the device has popped and not returned. */
export interface Request {
  /** Smallest number that no other request of the device has. */
  id: number
  queue: number
  head: number
  segments: Segment[]
  /** Total device-readable and device-writable bytes. */
  readable: number
  writable: number
  /** `taken`: being read. `waiting`: with the back end. `done`: to be returned. */
  stage: 'taken' | 'waiting' | 'done'
  /** The device-readable bytes, as far as the device type wants them. */
  input: Uint8Array
  /** What goes to the front of the device-writable bytes. */
  output: Uint8Array
  /** What goes to the last device-writable byte; -1: nothing. */
  status: number
  /** The back end was told to fail this one. */
  doomed: boolean
}

export interface FetchRegisters {
  pc: FetchStep
  /** The request that is being put together; -1: none. */
  request: number
  /** Table that is being walked: GPA, number of entries, and index of the next descriptor. */
  table: number
  entries: number
  index: number
  indirect: boolean
  /** Cursor of the copy: segment, offset in it, bytes done. */
  segment: number
  offset: number
  done: number
}

export interface CompleteRegisters {
  pc: CompleteStep
  request: number
  segment: number
  offset: number
  done: number
  /** What `readSuppression` found. */
  suppression: number
}

export interface Queue extends QueueRegisters {
  index: number
  kicked: boolean
  /** The driver broke a rule of the ring: nothing is processed until reset. */
  broken: boolean
  /** Ring positions, free-running modulo 2^16: next entry to pop, `avail.idx` as last read. */
  lastAvail: number
  availIdx: number
  /** Next used element to write, and `used.idx` as last published. */
  usedIdx: number
  publishedIdx: number
  /** `used.idx` at the last decision about a notification. */
  signalled: number
  /** The driver may rely on the device to see kicks: the last thing written was "kick me". */
  armed: boolean
  /** Chains popped and not returned. */
  inUse: number
  fetch: FetchRegisters
  complete: CompleteRegisters
}

/** The back end: a disk that answers when it is told to. */
export interface Backend {
  holding: boolean
  /** So many of the next requests to arrive fail. */
  failures: number
  /** Ids of requests: kept back, and ready to be answered, oldest first. */
  held: number[]
  ready: number[]
  sectors: number
  /** Content of each sector that was ever written, by number; the others hold a pattern. */
  written: Record<string, Uint8Array>
}

export interface DeviceState {
  status: number
  /** Steps that a reset under way still takes; 0: none. */
  resetting: number
  /** Features that the driver accepted, in 32-bit windows. */
  features: number[]
  busMaster: boolean
  configGeneration: number
  writeback: number
  queues: Queue[]
  /** Popped and not returned, oldest first. */
  requests: Request[]
  /** Ids of requests that are done, in the order in which they became so. */
  done: number[]
  backend: Backend
  /** Program that gets the next step. */
  turn: number
}

const noAddress = (): Halves => [0, 0]

export const freshQueue = (index: number, sizeMax: number): Queue => ({
  index,
  sizeMax,
  size: sizeMax,
  enabled: false,
  resetting: false,
  desc: noAddress(),
  driver: noAddress(),
  device: noAddress(),
  kicked: false,
  broken: false,
  lastAvail: 0,
  availIdx: 0,
  usedIdx: 0,
  publishedIdx: 0,
  signalled: 0,
  armed: true,
  inUse: 0,
  fetch: { pc: 'asleep', request: -1, table: 0, entries: 0, index: 0, indirect: false, segment: 0, offset: 0, done: 0 },
  complete: { pc: 'idle', request: -1, segment: 0, offset: 0, done: 0, suppression: 0 },
})

/** A chain as it is when only its head is known. */
export const emptyRequest = (id: number, queue: number, head: number): Request => ({
  id,
  queue,
  head,
  segments: [],
  readable: 0,
  writable: 0,
  stage: 'taken',
  input: new Uint8Array(0),
  output: new Uint8Array(0),
  status: -1,
  doomed: false,
})
