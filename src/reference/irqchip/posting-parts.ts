/** The decisions of a poster, of the CPU that is notified, and of a hypervisor that schedules; a seeded fault replaces one. */
import { addVector, classOf, highestVector, noVectors, type Vectors } from './vectors.ts'

/** Vectors that the hypervisor has its notifications sent with: to a CPU that runs the guest, and to wake one that sleeps. */
export const NOTIFY = { ACTIVE: 0xf2, WAKE: 0xf1 } as const

/** The control words of a descriptor. */
export interface Control {
  readonly outstanding: boolean
  readonly suppressed: boolean
  readonly vector: number
  readonly destination: number
}

export interface Notice {
  readonly vector: number
  readonly destination: number
}

/** Plain data; the descriptor itself is in memory. */
export interface PostingState {
  /** Where the virtual CPU is: in its guest, in the hypervisor, asleep after a halt, or off its host CPU. */
  where: 'guest' | 'host' | 'asleep' | 'off'
  host: number
  /** The step that comes next; empty at rest. */
  at: string
  /** The word of the request bitmap that is merged next. */
  word: number
  /** The last merge found something. */
  found: boolean
  requested: Vectors
  taskPriority: number
  /** Notifications on their way. */
  notices: Notice[]
  /** Where the last one went, or -1. */
  lastDestination: number
}

export const freshPosting = (): PostingState => ({
  where: 'host',
  host: 0,
  at: 'load.aim',
  word: 0,
  found: false,
  requested: noVectors(),
  taskPriority: 0,
  notices: [],
  lastDestination: -1,
})

const isEmpty = (set: Vectors): boolean => highestVector(set) < 0

export const correctPosting = {
  /** The request bitmap after a post. */
  post(requests: Vectors, vector: number): Vectors {
    const after = [...requests]
    addVector(after, vector)
    return after
  },
  /** A notification is sent, and the descriptor says so. */
  notifies: ({ outstanding, suppressed }: Control, urgent: boolean): boolean => !outstanding && (urgent || !suppressed),
  notice: ({ vector, destination }: Control, _state: PostingState): Notice => ({ vector, destination }),
  /** The descriptor of a CPU that is about to run. */
  aimAtLoad: (control: Control, host: number): Control => ({
    ...control,
    suppressed: false,
    vector: NOTIFY.ACTIVE,
    destination: host,
  }),
  /** Requests that came while notifications were suppressed become outstanding. */
  outstandingAtLoad: (control: Control, requests: Vectors): boolean => control.outstanding || !isEmpty(requests),
  aimAtBlock: (control: Control): Control => ({ ...control, suppressed: false, vector: NOTIFY.WAKE }),
  aimAtPreempt: (control: Control): Control => ({ ...control, suppressed: true }),
  /** The outstanding bit is cleared before the requests are merged: what comes later notifies again. */
  clearsBeforeMerge: (_state: PostingState): boolean => true,
  /** A notification that wakes a sleeper is dealt with before the sleeper is looked at. */
  mergesAtWake: (_state: PostingState): boolean => true,
  /** A halted CPU looks at its requests once notifications would wake it. */
  looksAtBlock: (_state: PostingState): boolean => true,
  /** The vector to take, or -1. */
  candidate(state: PostingState): number {
    const vector = highestVector(state.requested)
    return classOf(vector) > classOf(state.taskPriority) ? vector : -1
  },
  /** After a write of the task priority what was masked is looked at. */
  looksAfterPriority: (_state: PostingState): boolean => true,
}

export type PostingParts = typeof correctPosting
