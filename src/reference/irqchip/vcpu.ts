/**
 * A virtual CPU under a hypervisor without interrupt virtualisation: requests arrive as messages, a running guest is
 * forced out for them, and each entry delivers at most one. A delivery takes several steps, so that an exit can cut it off.
 *
 * The guest executes what it is told, at the first moment at which it is in its guest; nothing is taken after that
 * before the next step.
 */
import type { Instruction, Schedule, Space } from '../../contract/index.ts'
import { DEFAULT_BASE, FIRST_VECTOR, LAPIC, MESSAGE, MESSAGE_DATA } from '../../layout/lapic.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { freshVcpu, type VcpuParts, type VcpuState } from './vcpu-parts.ts'
import { addVector, hasVector, removeVector } from './vectors.ts'

const DEVICE = 'vcpu0'
/** Addresses of messages take so many bytes. */
const MESSAGE_BYTES = 0x10_0000
/** Delivery modes have three bits; fixed is zero. */
const FIXED_MASK = 7
/** Of a delivery, to gate and stack: at each of them an exit can cut it off. */
const DELIVERY_ACCESSES = 3

export class Vcpu implements BoardPart {
  readonly describes = [
    {
      id: DEVICE,
      kind: 'vcpu',
      transport: { kind: 'chip', inputs: 0, base: MESSAGE.base },
    },
  ] as const
  readonly #parts: VcpuParts
  readonly #board: BoardServices
  #state = freshVcpu()

  constructor(parts: VcpuParts, board: BoardServices) {
    this.#parts = parts
    this.#board = board
  }

  message(_requester: number, address: number, data: number): boolean {
    if (address < MESSAGE.base || address >= MESSAGE.base + MESSAGE_BYTES) return false
    const vector = data & MESSAGE_DATA.vector
    // Other delivery modes have no effect on a CPU that knows fixed interrupts only.
    if (
      ((data >> MESSAGE_DATA.delivery) & FIXED_MASK) !== 0 ||
      vector < FIRST_VECTOR ||
      !this.#parts.records(this.#state)
    )
      return true
    const level = (data & MESSAGE_DATA.level) !== 0
    if (hasVector(this.#state.level, vector) !== level) this.#parts.noteTrigger(this.#state, vector, level)
    addVector(this.#state.requested, vector)
    this.#state.knocked = true
    if (this.#parts.kicks(this.#state)) this.#state.kicked = true
    return true
  }

  execute(_cpu: number, instruction: Instruction): void {
    if (!this.#reachGuest()) return
    const state = this.#state
    if (instruction === 'sti') {
      this.#parts.afterSti(state)
      return
    }
    state.shadow = false
    if (instruction === 'cli') state.enabled = false
    if (instruction === 'hlt') {
      this.#parts.afterHlt(state)
      state.inGuest = false
    }
  }

  write(space: Space, address: number, _width: number, _value: number): boolean {
    if (space !== 'mmio' || address !== DEFAULT_BASE + LAPIC.endOfInterrupt) return false
    if (!this.#reachGuest()) return true
    this.#state.shadow = false
    const vector = this.#parts.ended(this.#state)
    if (vector < 0) return true
    removeVector(this.#state.served, vector)
    if (this.#parts.broadcasts(this.#state, vector)) this.#board.emit({ kind: 'eoi', device: DEVICE, vector })
    // A lower request that waited for this one has to be looked at.
    if (this.#parts.candidate(this.#state) >= 0 && this.#parts.asksForWindow(this.#state)) this.#state.window = true
    return true
  }

  schedule(_cpu: number, to: Schedule, _host: number): void {
    if (to === 'running') this.#state.running = true
    else {
      if (this.#state.inGuest) this.#exit(true)
      this.#parts.preempt(this.#state)
    }
  }

  step(): boolean {
    const state = this.#state
    if (state.inGuest) return this.#stepInGuest()
    if (!state.running) return false
    if (state.halted) {
      if (!this.#parts.wakes(state)) return false
      state.halted = false
      this.#board.emit({ kind: 'wake', cpu: 0 })
      return true
    }
    this.#enter()
    return true
  }

  #stepInGuest(): boolean {
    const state = this.#state
    if (state.kicked) this.#exit(true)
    else if (state.injected >= 0 && state.toPush > 0) state.toPush--
    else if (state.injected >= 0) {
      const vector = state.injected
      state.injected = -1
      this.#parts.enterHandler(state)
      this.#board.emit({ kind: 'taken', cpu: 0, vector })
    } else if (state.window && this.#parts.canTake(state)) this.#exit(false)
    else return false
    return true
  }

  #enter(): void {
    const state = this.#state
    state.inGuest = true
    state.kicked = false
    if (state.cutOff >= 0) {
      state.injected = state.cutOff
      state.cutOff = -1
    } else {
      const vector = this.#parts.candidate(state)
      if (vector >= 0 && this.#parts.canTake(state)) {
        this.#parts.accept(state, vector)
        state.injected = vector
      }
    }
    state.toPush = DELIVERY_ACCESSES
    state.window = this.#parts.candidate(state) >= 0 && this.#parts.asksForWindow(state)
  }

  #exit(forced: boolean): void {
    const state = this.#state
    state.inGuest = state.kicked = state.window = false
    if (state.injected >= 0) state.cutOff = this.#parts.cutOff(state, state.injected)
    state.injected = -1
    if (forced) this.#board.emit({ kind: 'exit', cpu: 0 })
  }

  /** Goes on until the guest can execute an instruction; false where it cannot. */
  #reachGuest(): boolean {
    while (!this.#state.inGuest || this.#state.injected >= 0) if (!this.step()) return false
    return true
  }

  reset(): void {
    this.#state = freshVcpu()
  }

  save(): unknown {
    return this.#state
  }

  restore(state: unknown): void {
    this.#state = state as VcpuState
  }
}
