import { ENTRY } from '../../layout/ioapic.ts'
import { wiredBoard } from '../irqchip/wired-board.ts'
import { boardFault, type Fault } from './fault.ts'

/** A bit of the priority class. */
const HIGH_CLASSES = 0x40

/** Faults between chips that are right by themselves. */
export const wiredFaults: readonly Fault[] = [
  boardFault(wiredBoard, {
    id: 'irq-wired-end-not-carried',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The end of a level stays in the CPU: the controller never learns of it, and the input is blocked for ever.',
    replaces: 'wires.carriesEnd',
    install({ wires }) {
      wires.carriesEnd = () => false
    },
  }),
  boardFault(wiredBoard, {
    id: 'irq-wired-trigger-mode-lost',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'Messages arrive as edges whatever they were sent as: the end of a level is not broadcast.',
    replaces: 'wires.arrivals',
    install({ wires }) {
      wires.arrivals = ({ vector }) => [vector]
    },
  }),
  boardFault(wiredBoard, {
    id: 'irq-wired-message-lost-while-preempted',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'A message for a virtual CPU that is off its host CPU is dropped.',
    replaces: 'vcpu.records',
    install({ vcpu }) {
      vcpu.records = ({ running }) => running
    },
  }),
  boardFault(wiredBoard, {
    id: 'irq-wired-level-sent-again-while-in-service',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'A level that is asserted anew while its interrupt is in service is sent once more before its end.',
    replaces: 'ioapic.isRequested',
    install({ ioapic }) {
      const { isRequested } = ioapic
      ioapic.isRequested = (entry) => isRequested({ ...entry, low: entry.low & ~ENTRY.remoteIrr })
    },
  }),
  boardFault(wiredBoard, {
    id: 'irq-wired-message-arrives-as-its-neighbour',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'Messages of the highest vectors arrive with another vector.',
    replaces: 'wires.arrivals',
    install({ wires }) {
      const { arrivals } = wires
      wires.arrivals = (message) => arrivals({ ...message, vector: message.vector & ~HIGH_CLASSES })
    },
  }),
  boardFault(wiredBoard, {
    id: 'irq-wired-level-passes-the-mask',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'A level that is asserted while its input is masked is sent.',
    replaces: 'ioapic.isRequested',
    install({ ioapic }) {
      const { isRequested } = ioapic
      ioapic.isRequested = (entry) =>
        isRequested((entry.low & ENTRY.level) === 0 ? entry : { ...entry, low: entry.low & ~ENTRY.masked })
    },
  }),
]
