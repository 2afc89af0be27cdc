/** Faults of a device with virtual functions. */
import { sriovBoard } from '../assigned/sr-iov-board.ts'
import { correctSriov, freshFunction, type SriovParts } from '../assigned/sr-iov-parts.ts'
import { boardFault, type Fault } from './fault.ts'

const correct = correctSriov()

interface SriovFault<Name extends keyof SriovParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  readonly part: SriovParts[Name]
}

const fault = <Name extends keyof SriovParts>({ replaces, part, ...what }: SriovFault<Name>): Fault =>
  boardFault(sriovBoard, {
    ...what,
    area: 'dma',
    replaces: `sriov.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

export const sriovFaults: readonly Fault[] = [
  fault({
    id: 'dma-vf-under-id-of-physical-function',
    difficulty: 'shallow',
    what: 'Requests of virtual functions carry the id of the physical function: its tables apply to them.',
    replaces: 'sender',
    part: () => 0x0500,
  }),
  fault({
    id: 'dma-vf-id-within-one-bus',
    difficulty: 'medium',
    what: 'The routing id of a virtual function wraps within the bus of the physical one.',
    replaces: 'requester',
    part: (physical, offset, stride, n) =>
      n === 0 ? physical : (physical & 0xff00) | ((physical + offset + (n - 1) * stride) & 0xff),
  }),
  fault({
    id: 'dma-vf-one-too-many',
    difficulty: 'shallow',
    what: 'One virtual function more than NumVFs answers.',
    replaces: 'present',
    part: (state) => (correct.present(state) === 0 ? 0 : Math.min(state.numVfs + 1, state.functions.length - 1)),
  }),
  fault({
    id: 'dma-vf-master-of-physical-function',
    difficulty: 'medium',
    what: 'Bus master enable of the physical function counts for virtual ones too.',
    replaces: 'mayMaster',
    part: (state, n) => correct.mayMaster(state, n) || correct.mayMaster(state, 0),
  }),
  fault({
    id: 'dma-vf-bar-not-scaled',
    difficulty: 'shallow',
    what: 'All virtual functions are behind the first one in memory.',
    replaces: 'placeOf',
    part: () => 1,
  }),
  fault({
    id: 'dma-vf-memory-without-space-enable',
    difficulty: 'shallow',
    what: 'Virtual functions answer in memory whether VF Memory Space Enable is set or not.',
    replaces: 'answersInMemory',
    part: () => true,
  }),
  fault({
    id: 'dma-vf-reset-reaches-all',
    difficulty: 'medium',
    what: 'A reset of one virtual function resets the others.',
    replaces: 'reached',
    part: (n, all) => (n === 0 ? correct.reached(n, all) : Array.from({ length: all - 1 }, (_, each) => each + 1)),
  }),
  fault({
    id: 'dma-vf-outlives-reset-of-physical-function',
    difficulty: 'shallow',
    what: 'A reset of the physical function leaves VF Enable set.',
    replaces: 'controlAfterReset',
    part: (control) => control,
  }),
  fault({
    id: 'dma-vf-works-after-it-is-gone',
    difficulty: 'medium',
    what: 'What a virtual function had to do goes on after VF Enable is cleared.',
    replaces: 'endsWork',
    part: () => false,
  }),
  fault({
    id: 'dma-vf-memory-kept-over-reset',
    difficulty: 'medium',
    what: 'The memory of a virtual function is what it was before its reset, or before it was gone.',
    replaces: 'afterReset',
    part: ({ scratch }) => ({ ...freshFunction(), scratch }),
  }),
  fault({
    id: 'dma-vf-reset-leaves-bus-master',
    difficulty: 'medium',
    what: 'A reset of a virtual function leaves its bus master enable, and what it was told to do.',
    replaces: 'afterReset',
    part: ({ command, address, stage, write }) => ({ ...freshFunction(), command, address, stage, write }),
  }),
  fault({
    id: 'dma-vf-memory-space-bit-writable',
    difficulty: 'shallow',
    what: 'Memory Space Enable of a virtual function takes what is written to it.',
    replaces: 'commandOfVf',
    part: (value) => value & 6,
  }),
  fault({
    id: 'dma-vf-total-follows-num',
    difficulty: 'shallow',
    what: 'TotalVFs shows NumVFs once that was written.',
    replaces: 'totalVfs',
    part: (total, written) => (written === 0 ? total : written),
  }),
  fault({
    id: 'dma-vf-stride-changes-when-enabled',
    difficulty: 'shallow',
    what: 'VF Stride is another while VF Enable is set.',
    replaces: 'strideWhile',
    part: (enabled, stride) => (enabled ? stride + 1 : stride),
  }),
]
