/** Faults of the I/O APIC. */
import { ENTRY } from '../../layout/ioapic.ts'
import { ioapicBoard } from '../irqchip/ioapic-board.ts'
import { honestIoapic, type IoapicParts, isAsserted, isLevel, isMasked } from '../irqchip/ioapic-state.ts'
import { boardFault, type Fault } from './fault.ts'

const honest = honestIoapic()
type Text = Omit<Fault, 'install' | 'board' | 'area'> & { install(parts: IoapicParts): void }
const fault = (text: Text): Fault => boardFault(ioapicBoard, { area: 'interrupt', ...text })

export const ioapicFaults: readonly Fault[] = [
  fault({
    id: 'irq-ioapic-masked-edge-latched',
    difficulty: 'medium',
    what: 'Keeps an edge that comes while the entry is masked, and sends it when the mask goes.',
    replaces: 'keepsMaskedEdge',
    install: (parts) => void (parts.keepsMaskedEdge = () => true),
  }),
  fault({
    id: 'irq-ioapic-eoi-does-not-redeliver-level',
    difficulty: 'medium',
    what: 'Does not look at the input again when a level interrupt ends: a second source on the line is not heard.',
    replaces: 'isRequestedAgain',
    install: (parts) => void (parts.isRequestedAgain = () => false),
  }),
  fault({
    id: 'irq-ioapic-remote-irr-stuck-after-edge',
    difficulty: 'medium',
    what: 'Leaves remote IRR set when an entry in service becomes one of edges: made one of levels again, it is blocked.',
    replaces: 'remoteIrrAfter',
    install: (parts) => void (parts.remoteIrrAfter = (was) => (was & ENTRY.remoteIrr) !== 0),
  }),
  fault({
    id: 'irq-ioapic-eoi-before-clear-storm',
    difficulty: 'deep',
    what: 'Sends a level interrupt again at each of its ends without a bound, so that a CPU that ends it early never gets on.',
    replaces: 'givesWay',
    install: (parts) => void (parts.givesWay = () => false),
  }),
  fault({
    id: 'irq-ioapic-eoi-only-first-matching-entry',
    difficulty: 'medium',
    what: 'An end of interrupt is for the first entry with its vector only, also when that one is not in service.',
    replaces: 'endedBy',
    install: (parts) => {
      parts.endedBy = (entries, vector) => {
        const first = entries.findIndex(({ low }) => (low & ENTRY.vector) === vector)
        return honest.endedBy(entries, vector).filter((pin) => pin === first)
      }
    },
  }),
  fault({
    id: 'irq-ioapic-eoi-window-double-inject',
    difficulty: 'deep',
    what: 'A request that comes while an end of interrupt is worked off is sent at once, and once more by that work.',
    replaces: 'isRequestedAgain',
    install: (parts) => {
      parts.isRequestedAgain = (entry) => isLevel(entry) && !isMasked(entry) && isAsserted(entry)
    },
  }),
  fault({
    id: 'irq-split-irqchip-resample-missing',
    difficulty: 'medium',
    what: 'Does not tell the owner of a line that its interrupt has ended: one that masks itself meanwhile is not heard again.',
    replaces: 'tellsOwner',
    install: (parts) => void (parts.tellsOwner = () => false),
  }),
  fault({
    id: 'irq-ioapic-level-forgotten-while-masked',
    difficulty: 'shallow',
    what: 'Sends a level only when it changes: one that was asserted while the entry was masked is not sent when the mask goes.',
    replaces: 'isServedWhenWritten',
    install: (parts) => void (parts.isServedWhenWritten = () => false),
  }),
  fault({
    id: 'irq-ioapic-level-latched',
    difficulty: 'medium',
    what: 'A level that fell before the end of its interrupt is sent once more after it.',
    replaces: 'isRequestedAgain',
    install: (parts) => {
      parts.isRequestedAgain = (entry) => !isMasked(entry) && isLevel(entry) && (entry.low & ENTRY.remoteIrr) === 0
    },
  }),
  fault({
    id: 'irq-ioapic-eoi-ends-masked-entries-not',
    difficulty: 'medium',
    what: 'An end of interrupt passes over entries that are masked: unmasked, they are blocked.',
    replaces: 'endedBy',
    install: (parts) => {
      parts.endedBy = (entries, vector) => honest.endedBy(entries, vector).filter((pin) => !isMasked(entries[pin]!))
    },
  }),
  fault({
    id: 'irq-ioapic-polarity-ignored',
    difficulty: 'shallow',
    what: 'Takes the voltage of a line for its assertion, whatever the polarity of the entry.',
    replaces: 'isRequested',
    install: (parts) => {
      parts.isRequested = (entry) =>
        honest.isRequested({ ...entry, line: entry.line !== ((entry.low & ENTRY.activeLow) !== 0) })
    },
  }),
  fault({
    id: 'irq-ioapic-logical-destination-cut',
    difficulty: 'shallow',
    what: 'Sends four bits of the destination in either mode: of a logical one the upper half is lost.',
    replaces: 'addressed',
    install: (parts) => {
      parts.addressed = (entry) => {
        const { destination, logical } = honest.addressed(entry)
        return { destination: destination & 0xf, logical }
      }
    },
  }),
  fault({
    id: 'irq-ioapic-remote-irr-writable',
    difficulty: 'shallow',
    what: 'Software can write remote IRR.',
    replaces: 'remoteIrrAfter',
    install: (parts) => {
      parts.remoteIrrAfter = (_was, now) => (now & ENTRY.remoteIrr) !== 0
    },
  }),
]
