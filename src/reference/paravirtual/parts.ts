/**
 * The named parts that a device is put together from: step tables, the order of steps, and decisions. A seeded fault
 * replaces exactly one of them; nothing else in the device is open to it.
 */

import type { GuestMemory } from '../memory.ts'
import { backend } from './backend.ts'
import { blk } from './blk.ts'
import { complete } from './complete.ts'
import { decisions } from './decisions.ts'
import type { Signals } from './device.ts'
import { fetch } from './fetch.ts'
import type { DeviceKind } from './kind.ts'
import { lifecycle } from './lifecycle.ts'
import type { CompleteStep, DeviceState, FetchStep, Queue } from './state.ts'

/** What a step sees: the state that it changes, and the world around the device. */
export interface Engine {
  /** `DeviceDescription.id`. */
  readonly id: string
  state: DeviceState
  signals: Signals
  readonly memory: GuestMemory
  readonly parts: Parts
  readonly options: DeviceOptions
  readonly kind: DeviceKind
}

export interface DeviceOptions {
  /** Largest queue size, in descriptors: a power of two up to 256. */
  readonly queueSize: number
  readonly queues: number
  /** Medium size in 512-byte sectors. */
  readonly capacity: number
  readonly readOnly: boolean
  /** Chains of one queue that the back end takes at a time. */
  readonly depth: number
  /** Steps that a device reset takes; 0: it is complete when the write returns. */
  readonly resetSteps: number
}

export type FetchTable = Record<FetchStep, (device: Engine, queue: Queue) => FetchStep>
export type CompleteTable = Record<CompleteStep, (device: Engine, queue: Queue) => CompleteStep>

export interface Parts {
  fetch: FetchTable
  complete: CompleteTable
  order: {
    /** What follows the last used element of a batch. */
    finish: readonly CompleteStep[]
    /** What an empty ring is left with. */
    sleep: readonly FetchStep[]
  }
  queue: typeof decisions
  lifecycle: typeof lifecycle
  backend: typeof backend
  blk: typeof blk
  mmio: {
    /** InterruptStatus after `acknowledged` was written to InterruptACK. */
    acknowledge(pending: number, acknowledged: number): number
  }
}

/** A device without faults. Each caller gets its own tables. */
export const honestParts = (): Parts => ({
  fetch: { ...fetch },
  complete: { ...complete },
  order: { finish: ['publishUsedIdx', 'readSuppression', 'notify'], sleep: ['arm', 'recheck'] },
  queue: { ...decisions },
  lifecycle: { ...lifecycle },
  backend: { ...backend },
  blk: { ...blk },
  mmio: { acknowledge: (pending, acknowledged) => pending & ~acknowledged },
})
