/** The back end: a disk that answers requests in the order, and at the time, that the harness asks for. */

import type { Control } from '../../contract/index.ts'
import { requestOf } from './fetch.ts'
import type { Engine } from './parts.ts'
import type { Backend, Request } from './state.ts'

export const freshBackend = (sectors: number): Backend => ({
  holding: false,
  failures: 0,
  held: [],
  ready: [],
  sectors,
  written: {},
})

export const backend = {
  /** A complete chain arrives from a queue. */
  accept(device: Engine, request: Request): void {
    const { kind } = device
    const state = device.state.backend
    if (!kind.isRequest(device, request)) {
      kind.refuse(device, request)
      return
    }
    request.stage = 'waiting'
    if (kind.keeps?.(device, request)) return
    if (state.failures > 0) {
      state.failures--
      request.doomed = true
    }
    if (state.holding) state.held.push(request.id)
    else state.ready.push(request.id)
  },

  /** One answer: what the request does to the medium happens now, not earlier. */
  answer(device: Engine): void {
    const request = requestOf(device, device.state.backend.ready.shift()!)
    device.kind.perform(device, request)
    device.parts.backend.finish(device, request)
  },

  /** The queue may give the request back from now on. */
  finish(device: Engine, request: Request): void {
    request.stage = 'done'
    device.state.done.push(request.id)
  },

  control(device: Engine, control: Control): void {
    const state = device.state.backend
    switch (control.do) {
      case 'hold':
        state.holding = true
        return
      case 'release':
        state.ready.push(...(control.order === 'fifo' ? state.held : state.held.toReversed()))
        state.held = []
        state.holding = false
        return
      case 'release-one':
        state.ready.push(...state.held.splice(control.index, 1))
        return
      case 'fail':
        state.failures = control.count
        return
      case 'resize':
        device.kind.resize?.(device, control.sectors)
    }
  },
}
