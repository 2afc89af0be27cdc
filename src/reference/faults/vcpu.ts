import { vcpuBoard } from '../irqchip/vcpu-board.ts'
import { correctVcpu, type VcpuParts } from '../irqchip/vcpu-parts.ts'
import { addVector, classOf, hasVector, highestVector, noVectors, removeVector } from '../irqchip/vectors.ts'
import { boardFault, type Fault } from './fault.ts'

interface VcpuFault<Name extends keyof VcpuParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: VcpuParts[Name]
}

const fault = <Name extends keyof VcpuParts>({ replaces, part, ...what }: VcpuFault<Name>): Fault =>
  boardFault(vcpuBoard, {
    ...what,
    area: 'interrupt',
    replaces: `vcpu.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { afterHlt, candidate, wakes, noteTrigger, afterSti, accept } = correctVcpu

/** Faults of a virtual CPU. */
export const vcpuFaults: readonly Fault[] = [
  fault({
    id: 'irq-vcpu-sti-shadow-ignored',
    difficulty: 'shallow',
    what: 'An interrupt is taken right after STI, so that the instruction behind it is not executed first.',
    replaces: 'afterSti',
    part(state) {
      afterSti(state)
      state.shadow = false
    },
  }),
  fault({
    id: 'irq-vcpu-handler-keeps-interrupt-flag',
    difficulty: 'medium',
    what: 'The interrupt flag stays set when a handler begins; a request of a higher class interrupts its first instruction.',
    replaces: 'enterHandler',
    part(state) {
      state.shadow = false
    },
  }),
  fault({
    id: 'irq-vcpu-halt-sets-interrupt-flag',
    difficulty: 'medium',
    what: 'A halt is taken for a wait with interrupts on: a request ends it although the flag is clear, and is delivered.',
    replaces: 'afterHlt',
    part(state) {
      afterHlt(state)
      state.enabled = true
    },
  }),
  fault({
    id: 'irq-vcpu-halt-does-not-look-again',
    difficulty: 'medium',
    what: 'A request that was there before the halt does not end it: only one that comes later does.',
    replaces: 'wakes',
    part: (state) => state.knocked && wakes(state),
  }),
  fault({
    id: 'irq-vcpu-running-guest-not-forced-out',
    difficulty: 'shallow',
    what: 'A request does not force a running guest out: it waits until something else does.',
    replaces: 'kicks',
    part: () => false,
  }),
  fault({
    id: 'irq-vcpu-interrupt-window-not-asked-for',
    difficulty: 'medium',
    what: 'A request that finds the interrupt flag clear is not looked at again when the guest sets it.',
    replaces: 'asksForWindow',
    part: () => false,
  }),
  fault({
    id: 'irq-vcpu-cut-off-delivery-lost',
    difficulty: 'deep',
    what: 'An exit between injection and the handler loses the interrupt: it is in service, and nobody repeats it.',
    replaces: 'cutOff',
    part: () => -1,
  }),
  fault({
    id: 'irq-vcpu-request-survives-delivery',
    difficulty: 'shallow',
    what: 'The request stays when its delivery begins: the handler runs again after its EOI.',
    replaces: 'accept',
    part(state, vector) {
      accept(state, vector)
      addVector(state.requested, vector)
    },
  }),
  fault({
    id: 'irq-vcpu-eoi-exit-bitmap-stale',
    difficulty: 'medium',
    what: 'A vector that becomes a level while the guest runs does not enter the EOI-exit bitmap: its end is not broadcast.',
    replaces: 'noteTrigger',
    part(state, vector, level) {
      const before = hasVector(state.exitsAtEnd, vector)
      noteTrigger(state, vector, level)
      if (state.inGuest && !before) removeVector(state.exitsAtEnd, vector)
    },
  }),
  fault({
    id: 'irq-vcpu-edge-end-broadcast',
    difficulty: 'medium',
    what: 'A vector that was a level once stays in the EOI-exit bitmap: the end of an edge is broadcast.',
    replaces: 'noteTrigger',
    part(state, vector, level) {
      const before = hasVector(state.exitsAtEnd, vector)
      noteTrigger(state, vector, level)
      if (before) addVector(state.exitsAtEnd, vector)
    },
  }),
  fault({
    id: 'irq-vcpu-lowest-request-first',
    difficulty: 'medium',
    what: 'Of several requests the lowest is delivered first.',
    replaces: 'candidate',
    part(state) {
      for (let vector = 16; vector < 256; vector++)
        if (hasVector(state.requested, vector))
          return classOf(vector) > classOf(highestVector(state.served)) ? vector : -1
      return -1
    },
  }),
  fault({
    id: 'irq-vcpu-service-does-not-block',
    difficulty: 'medium',
    what: 'What is in service does not hold back requests of the same class or a lower one.',
    replaces: 'candidate',
    part: (state) => candidate({ ...state, served: noVectors() }),
  }),
  fault({
    id: 'irq-vcpu-end-of-lowest-in-service',
    difficulty: 'medium',
    what: 'EOI ends the lowest vector in service instead of the highest.',
    replaces: 'ended',
    part(state) {
      for (let vector = 16; vector < 256; vector++) if (hasVector(state.served, vector)) return vector
      return -1
    },
  }),
  fault({
    id: 'irq-vcpu-preempted-and-still-runs',
    difficulty: 'shallow',
    what: 'A CPU that has a request is not taken off its host CPU: it takes it all the same.',
    replaces: 'preempt',
    part(state) {
      state.running = candidate(state) >= 0
    },
  }),
]
