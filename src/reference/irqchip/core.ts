/**
 * The interrupt input of a CPU core: its flag, the shadow of STI, and HLT, in front of a local APIC that it acknowledges. The guest
 * executes what it is told, and the registers that it writes, after all that can be taken before has been taken.
 */
import type { Instruction } from '../../contract/index.ts'
import { MESSAGE } from '../../layout/lapic.ts'
import type { BoardPart, BoardServices } from '../board.ts'

export interface CoreState {
  enabled: boolean
  shadow: boolean
  halted: boolean
}

export const correctCore = {
  canTake: ({ enabled, shadow }: CoreState): boolean => enabled && !shadow,
  /** An interrupt that can be taken ends a halt. */
  wakes: (_state: CoreState): boolean => true,
}
export type CoreParts = typeof correctCore

/** What the core sees of its local APIC. */
export interface CoreInput {
  readonly signal: boolean
  acknowledge(): number | undefined
}

const fresh = (): CoreState => ({ enabled: false, shadow: false, halted: false })

export class Core implements BoardPart {
  readonly describes = [
    { id: 'core0', kind: 'cpu-core', transport: { kind: 'chip', inputs: 0, base: MESSAGE.base } },
  ] as const
  readonly #parts: CoreParts
  readonly #input: CoreInput
  readonly #emit: BoardServices['emit']
  #state = fresh()

  constructor(parts: CoreParts, input: CoreInput, emit: BoardServices['emit']) {
    this.#parts = parts
    this.#input = input
    this.#emit = emit
  }

  get state(): Readonly<CoreState> {
    return this.#state
  }

  step(): boolean {
    const state = this.#state
    if (!this.#input.signal || !this.#parts.canTake(state)) return false
    if (state.halted && !this.#parts.wakes(state)) return false
    const vector = this.#input.acknowledge()
    if (vector === undefined) return false
    state.enabled = state.shadow = state.halted = false
    this.#emit({ kind: 'taken', cpu: 0, vector })
    return true
  }

  /** False where the guest executes nothing. */
  #reachGuest(): boolean {
    while (this.step()) {}
    return !this.#state.halted
  }

  execute(_cpu: number, instruction: Instruction): void {
    const state = this.#state
    if (!this.#reachGuest()) return
    state.shadow = instruction === 'sti' && !state.enabled
    if (instruction === 'sti') state.enabled = true
    if (instruction === 'cli') state.enabled = false
    if (instruction === 'hlt') state.halted = true
  }

  /** No register is its own; but the write is an instruction. */
  write(): boolean {
    if (this.#reachGuest()) this.#state.shadow = false
    return false
  }

  reset(): void {
    this.#state = fresh()
  }

  save(): unknown {
    return this.#state
  }

  restore(state: unknown): void {
    this.#state = state as CoreState
  }
}
