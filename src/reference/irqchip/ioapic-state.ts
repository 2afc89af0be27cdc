/** What an I/O APIC remembers, and the decisions of it that a seeded fault can replace. */
import type { Delivery } from '../../contract/index.ts'
import { DELIVERIES, DESTINATION, ENTRY } from '../../layout/ioapic.ts'

export interface Entry {
  /** The two halves as they read, but for the pending bit: messages never wait here. */
  low: number
  high: number
  /** The voltage of the input. */
  line: boolean
  /** Its source holds the line back, from the delivery of its interrupt until it is told of the end. */
  held: boolean
  /** An edge that is still to be sent. */
  latched: boolean
  /** Its end is being worked off. */
  ending: boolean
  /** How often it was sent again in a row, right at its end. */
  resends: number
  /** Nanoseconds until it is sent again; 0: it is not held back. */
  rest: number
}

export interface IoapicState {
  select: number
  id: number
  entries: Entry[]
  /** Ends of interrupts that are worked off, oldest first. Remote IRR is clear by then. */
  endings: { pin: number; phase: 'tellOwner' | 'resend' }[]
}

/** So many times in a row an interrupt is sent again at its end; the next time it waits for `REST_NS`. */
export const RESENDS_MAX = 4096
export const REST_NS = 10_000_000

export const isLevel = ({ low }: Entry): boolean => (low & ENTRY.level) !== 0 && hasRemoteIrr({ low })
export const isMasked = ({ low }: Entry): boolean => (low & ENTRY.masked) !== 0
export const isAsserted = ({ low, line, held }: Entry): boolean => !held && line !== ((low & ENTRY.activeLow) !== 0)
export const isInService = ({ low }: Entry): boolean => (low & ENTRY.remoteIrr) !== 0
export const deliveryOf = ({ low }: Pick<Entry, 'low'>): Delivery | undefined =>
  DELIVERIES[(low >>> ENTRY.delivery) & 7]

/** Only what local APICs end: all other delivery modes are sent once an edge, whatever the trigger mode says. */
const hasRemoteIrr = (entry: Pick<Entry, 'low'>): boolean => {
  const delivery = deliveryOf(entry)
  return delivery === 'fixed' || delivery === 'lowest'
}

export interface IoapicParts {
  /** Whether an edge that comes while the entry is masked is kept. */
  keepsMaskedEdge(): boolean
  /** Whether the entry has something to send. */
  isRequested(entry: Entry): boolean
  /** Whether the entry is sent again where the work on its end comes to it. */
  isRequestedAgain(entry: Entry): boolean
  /** The entries that an end of interrupt is for. */
  endedBy(entries: readonly Entry[], vector: number): readonly number[]
  /** Remote IRR after the entry was written: `was` is its low half before, `now` the one written. */
  remoteIrrAfter(was: number, now: number): boolean
  /** Whether what is requested is sent right after the entry was written. */
  isServedWhenWritten(): boolean
  /** Whether an entry that was sent so often in a row lets the CPU get on. */
  givesWay(resends: number): boolean
  /** Whether the owner of a line is told of the end of its interrupt. */
  tellsOwner(): boolean
  /** Where a message goes. */
  addressed(entry: Entry): { readonly destination: number; readonly logical: boolean }
}

export const honestIoapic = (): IoapicParts => ({
  keepsMaskedEdge: () => false,
  isRequested: (entry) =>
    !isMasked(entry) && (isLevel(entry) ? isAsserted(entry) && !isInService(entry) : entry.latched),
  isRequestedAgain: (entry) => isLevel(entry) && !isMasked(entry) && isAsserted(entry) && !isInService(entry),
  endedBy: (entries, vector) => {
    const ended: number[] = []
    for (let pin = 0; pin < entries.length; pin++) {
      const entry = entries[pin]!
      if ((entry.low & ENTRY.vector) === vector && isInService(entry) && isLevel(entry)) ended.push(pin)
    }
    return ended
  },
  remoteIrrAfter: (was, now) => (was & ENTRY.remoteIrr) !== 0 && (now & ENTRY.level) !== 0,
  isServedWhenWritten: () => true,
  givesWay: (resends) => resends > RESENDS_MAX,
  tellsOwner: () => true,
  addressed: ({ low, high }) => ({ destination: high >>> DESTINATION, logical: (low & ENTRY.logical) !== 0 }),
})

export const freshEntry = (): Entry => ({
  low: ENTRY.masked,
  high: 0,
  line: false,
  held: false,
  latched: false,
  ending: false,
  resends: 0,
  rest: 0,
})
