/** The decisions of a virtual CPU and its hypervisor that a seeded fault can replace one of. */
import { addVector, classOf, hasVector, highestVector, noVectors, removeVector, type Vectors } from './vectors.ts'

/** Plain data. */
export interface VcpuState {
  /** It is on a host CPU. */
  running: boolean
  /** It is in its guest, not in the hypervisor. */
  inGuest: boolean
  /** It is to leave its guest. */
  kicked: boolean
  /** It is to leave its guest as soon as the guest can take an interrupt. */
  window: boolean
  /** The interrupt flag, and the shadow of STI. */
  enabled: boolean
  shadow: boolean
  halted: boolean
  /** A request has come since it halted. */
  knocked: boolean
  requested: Vectors
  served: Vectors
  /** Vectors whose last request was a level. */
  level: Vectors
  /** Vectors at whose end it leaves its guest, so that the end is broadcast. */
  exitsAtEnd: Vectors
  /** The vector that is being delivered, or -1. */
  injected: number
  /** Accesses to gate and stack that its delivery still takes. */
  toPush: number
  /** The vector whose delivery an exit cut off, or -1. */
  cutOff: number
}

export const freshVcpu = (): VcpuState => ({
  running: true,
  inGuest: false,
  kicked: false,
  window: false,
  enabled: false,
  shadow: false,
  halted: false,
  knocked: false,
  requested: noVectors(),
  served: noVectors(),
  level: noVectors(),
  exitsAtEnd: noVectors(),
  injected: -1,
  toPush: 0,
  cutOff: -1,
})

/** The vector to deliver next, or -1: priority alone, whatever the interrupt flag says. */
const candidate = (state: VcpuState): number => {
  const vector = highestVector(state.requested)
  return classOf(vector) > classOf(highestVector(state.served)) ? vector : -1
}

const canTake = (state: VcpuState): boolean => state.enabled && !state.shadow

export const correctVcpu = {
  /** A message becomes a request. */
  records: (_state: VcpuState): boolean => true,
  candidate,
  /** The guest can take an interrupt at this boundary. */
  canTake,
  /** What a request in a running guest does to it. */
  kicks: (state: VcpuState): boolean => state.inGuest,
  /** At an entry with a request that cannot be delivered yet. */
  asksForWindow: (_state: VcpuState): boolean => true,
  /** A halted CPU goes on. */
  wakes: (state: VcpuState): boolean => canTake(state) && (state.cutOff >= 0 || candidate(state) >= 0),
  /** What is left of a delivery that an exit cut off: the vector that is repeated, or -1. */
  cutOff: (_state: VcpuState, vector: number): number => vector,
  /** The request moves on when its delivery begins. */
  accept(state: VcpuState, vector: number): void {
    removeVector(state.requested, vector)
    addVector(state.served, vector)
  },
  /** What the first instruction of a handler finds. */
  enterHandler(state: VcpuState): void {
    state.enabled = state.shadow = false
  },
  afterSti(state: VcpuState): void {
    state.shadow = !state.enabled
    state.enabled = true
  },
  afterHlt(state: VcpuState): void {
    state.halted = true
    state.knocked = false
  },
  /** The trigger mode of a vector has become known. */
  noteTrigger(state: VcpuState, vector: number, level: boolean): void {
    const change = level ? addVector : removeVector
    change(state.level, vector)
    change(state.exitsAtEnd, vector)
  },
  /** The vector whose service an EOI ends, or -1. */
  ended: (state: VcpuState): number => highestVector(state.served),
  broadcasts: (state: VcpuState, vector: number): boolean => hasVector(state.exitsAtEnd, vector),
  /** It stops executing its guest. */
  preempt(state: VcpuState): void {
    state.running = false
  },
}

export type VcpuParts = typeof correctVcpu
