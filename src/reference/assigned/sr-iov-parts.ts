/** What a device with virtual functions decides, each in a part of its own. Function 0 is the physical one. */

/** Plain data. */
export interface FunctionState {
  command: number
  scratch: number
  address: number
  stage: 'idle' | 'rung' | 'flying'
  write: boolean
  /** The address in memory that a request was translated to. */
  gpa: number
  bar: number
}

export interface SriovState {
  functions: FunctionState[]
  control: number
  numVfs: number
  pageSize: number
  vfBar: number
}

export const freshFunction = (): FunctionState => ({
  command: 0,
  scratch: 0,
  address: 0,
  stage: 'idle',
  write: false,
  gpa: 0,
  bar: 0,
})

export interface SriovParts {
  /** How many virtual functions there are now. */
  present(state: SriovState): number
  /** The routing id of function `n`. */
  requester(physical: number, offset: number, stride: number, n: number): number
  /** The id that its requests carry. */
  sender(routingId: number, n: number): number
  mayMaster(state: SriovState, n: number): boolean
  /** The virtual function, counted from 1, whose registers are at an offset from the VF BAR; beyond the last: of none. */
  placeOf(offset: number, bytes: number): number
  answersInMemory(state: SriovState): boolean
  /** Functions that a reset of `n` reaches. */
  reached(n: number, all: number): readonly number[]
  /** SR-IOV control after a reset of the physical function. */
  controlAfterReset(control: number): number
  /** A virtual function as it is after it was reset, or when it comes. */
  afterReset(state: FunctionState): FunctionState
  /** Do functions that go away take their work with them? */
  endsWork(): boolean
  /** What stays of a write to the command register of a virtual function. */
  commandOfVf(value: number): number
  /** What a write to TotalVFs leaves. */
  totalVfs(total: number, written: number): number
  strideWhile(enabled: boolean, stride: number): number
}

const BUS_MASTER = 4
const ENABLE = 1
const MEMORY = 8

export const correctSriov = (): SriovParts => ({
  present: ({ control, numVfs }) => ((control & ENABLE) === 0 ? 0 : numVfs),
  requester: (physical, offset, stride, n) => (n === 0 ? physical : (physical + offset + (n - 1) * stride) & 0xffff),
  sender: (routingId) => routingId,
  mayMaster: ({ functions }, n) => (functions[n]!.command & BUS_MASTER) !== 0,
  placeOf: (offset, bytes) => Math.floor(offset / bytes) + 1,
  answersInMemory: ({ control }) => (control & MEMORY) !== 0,
  reached: (n, all) => (n === 0 ? Array.from({ length: all }, (_, each) => each) : [n]),
  controlAfterReset: () => 0,
  afterReset: freshFunction,
  endsWork: () => true,
  commandOfVf: (value) => value & BUS_MASTER,
  totalVfs: (total) => total,
  strideWhile: (_enabled, stride) => stride,
})
