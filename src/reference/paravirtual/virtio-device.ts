/** A virtio device of any type, whatever its transport: registers of the seam, and who gets the next step. */

import { type Control, TargetError } from '../../contract/index.ts'
import { FEATURE, STATUS } from '../../layout/virtio.ts'
import type { GuestMemory } from '../memory.ts'
import { decode, unlike } from '../plain.ts'
import { freshBackend } from './backend.ts'
import { accepted } from './decisions.ts'
import type { VirtioDevice } from './device.ts'
import type { DeviceKind } from './kind.ts'
import type { DeviceOptions, Engine, Parts } from './parts.ts'
import { type DeviceState, emptyRequest, freshQueue, type Queue } from './state.ts'

export interface EngineDevice extends VirtioDevice {
  control(control: Control): void
  /** Power-on: a fresh medium and a back end that holds nothing. */
  powerOn(): void
  /** The live state itself, for fingerprints. */
  readonly engine: Engine
}

const silent = { queueInterrupt() {}, configInterrupt() {} }

const freshState = (options: DeviceOptions): DeviceState => ({
  status: 0,
  resetting: 0,
  features: [0, 0],
  busMaster: true,
  configGeneration: 0,
  writeback: 1,
  queues: Array.from({ length: options.queues }, (_, index) => freshQueue(index, options.queueSize)),
  requests: [],
  done: [],
  backend: freshBackend(options.capacity),
  turn: 0,
})

/** What a state of the right shape can still name that does not exist: requests and steps. */
function strangers(state: DeviceState, parts: Parts): string | undefined {
  const { requests, done, backend, queues } = state
  for (const [index, request] of requests.entries()) {
    const trouble = unlike(emptyRequest(0, 0, 0), request, `state.device.requests[${index}]`)
    if (trouble !== undefined) return trouble
  }
  for (const id of [...done, ...backend.held, ...backend.ready])
    if (!requests.some((request) => request.id === id)) return `state.device names request ${id}, which is not there`
  for (const { index, fetch, complete } of queues) {
    if (!(fetch.pc in parts.fetch)) return `state.device.queues[${index}].fetch.pc is '${fetch.pc}', which is no step`
    if (!(complete.pc in parts.complete))
      return `state.device.queues[${index}].complete.pc is '${complete.pc}', which is no step`
  }
  return undefined
}

export function createVirtioDevice(
  id: string,
  memory: GuestMemory,
  options: DeviceOptions,
  parts: Parts,
  kind: DeviceKind,
): EngineDevice {
  const engine: Engine = { id, state: freshState(options), signals: silent, memory, parts, options, kind }
  const offered = kind.features(options)
  const programs = 2 * options.queues + 1

  const finishReset = () => {
    const { state } = engine
    state.status = 0
    state.resetting = 0
    state.features = [0, 0]
    state.writeback = 1
    state.turn = 0
    parts.lifecycle.dropRequests(state, undefined)
    state.queues = state.queues.map(parts.lifecycle.queueAfterReset)
    kind.afterReset?.(engine)
  }

  /** Runs program `turn` for one step; false when it has nothing to do. Even: takes chains; odd: gives them back; last: the back end. */
  const run = (turn: number, live: boolean): boolean => {
    if (turn === programs - 1) {
      if (engine.state.backend.ready.length === 0) return false
      parts.backend.answer(engine)
      return true
    }
    if (!live) return false
    const queue = engine.state.queues[turn >>> 1]!
    if (!queue.enabled || queue.broken) return false
    if ((turn & 1) === 0) {
      const { fetch } = queue
      if (fetch.pc === 'asleep' && !queue.kicked) return false
      if (fetch.pc === 'parked' && !parts.queue.mayResume(engine, queue)) return false
      fetch.pc = parts.fetch[fetch.pc](engine, queue)
      return true
    }
    const { complete } = queue
    if (complete.pc === 'idle' && (engine.state.done.length === 0 || parts.queue.nextDone(engine, queue) === undefined))
      return false
    complete.pc = parts.complete[complete.pc](engine, queue)
    return true
  }

  const stopQueue = (index: number, next: (old: Queue) => Queue) => {
    const queue = engine.state.queues[index]
    if (queue === undefined) return
    parts.lifecycle.dropRequests(engine.state, index)
    engine.state.queues[index] = next(queue)
  }

  return {
    engine,
    type: kind.type,
    queueCount: options.queues,
    attach(signals) {
      engine.signals = signals
    },
    deviceFeatures: (select) => offered[select] ?? 0,
    driverFeatures: (select) => engine.state.features[select] ?? 0,
    setDriverFeatures(select, value) {
      const { state } = engine
      // Negotiation is over once FEATURES_OK stands, 3.1.1.
      if (select < state.features.length && (state.status & STATUS.FEATURES_OK) === 0)
        state.features[select] = value >>> 0
    },
    status: () => engine.state.status,
    setStatus(value) {
      const { state } = engine
      if (state.resetting > 0) return
      if (value === 0) {
        if (options.resetSteps === 0 || state.status === 0) finishReset()
        else state.resetting = options.resetSteps
        return
      }
      let next = (value & 0xff & ~STATUS.DEVICE_NEEDS_RESET) | (state.status & STATUS.DEVICE_NEEDS_RESET)
      if ((next & ~state.status & STATUS.FEATURES_OK) !== 0) {
        if (parts.lifecycle.featuresAcceptable(offered, state.features)) kind.negotiated(engine)
        else next &= ~STATUS.FEATURES_OK
      }
      state.status = next
    },
    queue: (index) => engine.state.queues[index],
    setQueueSize(index, value) {
      const queue = engine.state.queues[index]
      const valid = value > 0 && (value & (value - 1)) === 0 && value <= (queue?.sizeMax ?? 0)
      if (queue !== undefined && !queue.enabled && valid) queue.size = value
    },
    setQueueAddress(index, area, half, value) {
      const queue = engine.state.queues[index]
      if (queue !== undefined && !queue.enabled) queue[area][half] = value >>> 0
    },
    enableQueue(index) {
      const queue = engine.state.queues[index]
      if (queue !== undefined) queue.enabled = true
    },
    disableQueue(index) {
      stopQueue(index, ({ size, desc, driver, device, ...old }) => ({
        ...freshQueue(old.index, old.sizeMax),
        size,
        desc,
        driver,
        device,
      }))
    },
    resetQueue(index) {
      if (accepted(engine, FEATURE.RING_RESET)) stopQueue(index, parts.lifecycle.queueAfterQueueReset)
    },
    kick(index) {
      const queue = engine.state.queues[index]
      if (queue !== undefined) queue.kicked = true
    },
    configGeneration: () => engine.state.configGeneration,
    readConfig(offset, width) {
      let value = 0
      for (let byte = width - 1; byte >= 0; byte--) value = value * 256 + kind.configByte(engine, offset + byte)
      return value
    },
    writeConfig(offset, width, value) {
      for (let byte = 0; byte < width; byte++)
        kind.writeConfigByte(engine, offset + byte, (value >>> (8 * byte)) & 0xff)
    },
    step() {
      const { state } = engine
      if (state.resetting > 0) {
        if (--state.resetting === 0) finishReset()
        return true
      }
      const live = parts.lifecycle.isLive(state)
      let turn = state.turn
      for (let tried = 0; tried < programs; tried++) {
        const next = turn + 1 === programs ? 0 : turn + 1
        if (run(turn, live)) {
          state.turn = next
          return true
        }
        turn = next
      }
      // At rest every state is one state, whoever had the last step.
      state.turn = 0
      return false
    },
    busMaster(enabled) {
      engine.state.busMaster = enabled
    },
    control(control) {
      parts.backend.control(engine, control)
    },
    powerOn() {
      const { busMaster } = engine.state
      engine.state = { ...freshState(options), busMaster }
    },
    save: () => parts.lifecycle.saved(engine.state),
    restore(saved) {
      const state = decode(saved)
      const trouble = unlike(freshState(options), state, 'state.device') ?? strangers(state as DeviceState, parts)
      if (trouble !== undefined) throw new TargetError('protocol', `saved state: ${trouble}`)
      engine.state = state as DeviceState
    },
  }
}
