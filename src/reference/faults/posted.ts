import { postedBoard } from '../irqchip/posting-board.ts'
import { correctPosting, NOTIFY, type PostingParts } from '../irqchip/posting-parts.ts'
import { addVector, highestVector, noVectors } from '../irqchip/vectors.ts'
import { boardFault, type Fault } from './fault.ts'

interface PostedFault<Name extends keyof PostingParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: PostingParts[Name]
}

const fault = <Name extends keyof PostingParts>({ replaces, part, ...what }: PostedFault<Name>): Fault =>
  boardFault(postedBoard, {
    ...what,
    area: 'interrupt',
    replaces: `posting.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { notifies, notice, aimAtLoad, aimAtBlock, candidate } = correctPosting

/** Faults of posting and of the hypervisor that schedules around it. */
export const postedFaults: readonly Fault[] = [
  fault({
    id: 'irq-posted-outstanding-clear-after-suppress-off',
    difficulty: 'deep',
    what: 'A request that was posted while notifications were suppressed is not made outstanding when they are not any more: it waits for the next one.',
    replaces: 'outstandingAtLoad',
    part: ({ outstanding }) => outstanding,
  }),
  fault({
    id: 'irq-posted-on-set-but-pir-empty',
    difficulty: 'deep',
    what: 'A look for the highest request that finds the outstanding bit set and no bit to merge says that there is none, although one was merged before.',
    replaces: 'candidate',
    part: (state) => (state.found ? candidate(state) : -1),
  }),
  fault({
    id: 'irq-posted-pending-bit-hides-higher-vector',
    difficulty: 'deep',
    what: 'A sleeper that is notified of a request below its priority sleeps on with the outstanding bit set: a higher one notifies nobody.',
    replaces: 'mergesAtWake',
    part: () => false,
  }),
  fault({
    id: 'irq-posted-request-replaces-others',
    difficulty: 'shallow',
    what: 'A post writes the request bitmap instead of setting a bit: what nobody has taken over is lost.',
    replaces: 'post',
    part(_requests, vector) {
      const after = noVectors()
      addVector(after, vector)
      return after
    },
  }),
  fault({
    id: 'irq-posted-urgent-suppressed',
    difficulty: 'shallow',
    what: 'An urgent request does not notify while notifications are suppressed.',
    replaces: 'notifies',
    part: (control) => notifies(control, false),
  }),
  fault({
    id: 'irq-posted-suppression-ignored',
    difficulty: 'shallow',
    what: 'A request that is not urgent notifies although notifications are suppressed.',
    replaces: 'notifies',
    part: (control) => notifies(control, true),
  }),
  fault({
    id: 'irq-posted-notified-again-while-outstanding',
    difficulty: 'shallow',
    what: 'Each request notifies, also while a notification is outstanding.',
    replaces: 'notifies',
    part: (control, urgent) => notifies({ ...control, outstanding: false }, urgent),
  }),
  fault({
    id: 'irq-posted-notification-to-old-host',
    difficulty: 'medium',
    what: 'Notifications go on to the host CPU of the first one after the virtual CPU has moved.',
    replaces: 'notice',
    part: (control, state) => ({
      ...notice(control, state),
      destination: state.lastDestination < 0 ? control.destination : state.lastDestination,
    }),
  }),
  fault({
    id: 'irq-posted-sleeper-keeps-active-vector',
    difficulty: 'medium',
    what: 'A virtual CPU that halts keeps the vector that only a running guest answers to: nothing wakes it.',
    replaces: 'aimAtBlock',
    part: (control) => ({ ...aimAtBlock(control), vector: NOTIFY.ACTIVE }),
  }),
  fault({
    id: 'irq-posted-block-without-look',
    difficulty: 'deep',
    what: 'A virtual CPU goes to sleep without looking at what was posted before notifications would wake it.',
    replaces: 'looksAtBlock',
    part: () => false,
  }),
  fault({
    id: 'irq-posted-outstanding-cleared-after-merge',
    difficulty: 'deep',
    what: 'The outstanding bit is cleared after the requests were merged: one that was posted in between is not looked at.',
    replaces: 'clearsBeforeMerge',
    part: () => false,
  }),
  fault({
    id: 'irq-posted-suppressed-while-running',
    difficulty: 'medium',
    what: 'A virtual CPU that runs again after a preemption stays suppressed.',
    replaces: 'aimAtLoad',
    part: (control, host) => ({ ...aimAtLoad(control, host), suppressed: control.suppressed }),
  }),
  fault({
    id: 'irq-posted-priority-ignored',
    difficulty: 'shallow',
    what: 'The task priority does not mask.',
    replaces: 'candidate',
    part: (state) => highestVector(state.requested),
  }),
  fault({
    id: 'irq-posted-priority-lowered-without-look',
    difficulty: 'medium',
    what: 'A request that the task priority masked is not looked at when the priority is lowered.',
    replaces: 'looksAfterPriority',
    part: () => false,
  }),
]
