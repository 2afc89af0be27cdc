/** Status, features and reset of a virtio device. VIRTIO 1.3 sections 2.1, 2.2, 2.4 and 2.6.1. */

import { FEATURE, STATUS } from '../../layout/virtio.ts'
import { encode } from '../plain.ts'
import type { Engine } from './parts.ts'
import { type DeviceState, freshQueue, type Queue } from './state.ts'

export const lifecycle = {
  /** Whether FEATURES_OK sticks: only what was offered, and never without VERSION_1. */
  featuresAcceptable: (offered: readonly number[], accepted: readonly number[]): boolean =>
    accepted.every((window, index) => (window & ~(offered[index] ?? 0)) === 0) &&
    ((accepted[FEATURE.VERSION_1 >>> 5]! >>> (FEATURE.VERSION_1 & 31)) & 1) === 1,

  /** Queues are processed from DRIVER_OK on. */
  isLive: (state: DeviceState): boolean =>
    (state.status & (STATUS.DRIVER_OK | STATUS.FEATURES_OK)) === (STATUS.DRIVER_OK | STATUS.FEATURES_OK) &&
    state.resetting === 0 &&
    state.busMaster,

  /** A driver that runs is told that the device needs a reset, 2.1.2. */
  tellNeedsReset: (device: Engine): void => {
    if ((device.state.status & STATUS.DRIVER_OK) !== 0) device.signals.configInterrupt()
  },

  /** A queue after a device reset: nothing of the old driver is left. */
  queueAfterReset: (old: Queue): Queue => freshQueue(old.index, old.sizeMax),

  /** A queue after RING_RESET: nothing of its positions or addresses is left. */
  queueAfterQueueReset: (old: Queue): Queue => freshQueue(old.index, old.sizeMax),

  /** Requests of a queue that is reset are never answered; `undefined` means all queues. */
  dropRequests: (state: DeviceState, queue: number | undefined): void => {
    const stays = (id: number) => {
      const owner = state.requests.find((request) => request.id === id)?.queue
      return queue !== undefined && owner !== queue
    }
    state.backend.held = state.backend.held.filter(stays)
    state.backend.ready = state.backend.ready.filter(stays)
    state.done = state.done.filter(stays)
    state.requests = state.requests.filter(({ id }) => stays(id))
  },

  /** The state as it is saved: all of it. */
  saved: (state: DeviceState): unknown => encode(state),
}
