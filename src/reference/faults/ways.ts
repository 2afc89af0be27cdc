import { dataOf } from '../irqchip/bus-message.ts'
import { waysBoard } from '../irqchip/ways-board.ts'
import { boardFault, type Fault } from './fault.ts'

const LEVEL_BITS = 0xc000

/** Faults between chips that are right by themselves, on the ways to one CPU. */
export const waysFaults: readonly Fault[] = [
  boardFault(waysBoard, {
    id: 'irq-ways-int-is-a-pulse',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'INT of the 8259s reaches LINT0 as a pulse: a CPU that cannot take it at once never learns of it.',
    replaces: 'wires.lint',
    install({ wires }) {
      wires.lint = (level) => (level ? [true, false] : [false])
    },
  }),
  boardFault(waysBoard, {
    id: 'irq-ways-int-never-falls',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'INT of the 8259s stays asserted at LINT0 after it was acknowledged: a spurious handler follows.',
    replaces: 'wires.lint',
    install({ wires }) {
      wires.lint = (level) => (level ? [true] : [])
    },
  }),
  boardFault(waysBoard, {
    id: 'irq-ways-two-acknowledge-cycles',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'Each acknowledge makes two cycles at the 8259s: the vector of the first one is lost.',
    replaces: 'wires.acknowledge',
    install({ wires }) {
      wires.acknowledge = (cycle) => {
        cycle()
        return cycle()
      }
    },
  }),
  boardFault(waysBoard, {
    id: 'irq-ways-end-not-carried',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The end of a level stays in the local APIC: the I/O APIC never learns of it, and the input is blocked for ever.',
    replaces: 'wires.carriesEnd',
    install({ wires }) {
      wires.carriesEnd = () => false
    },
  }),
  boardFault(waysBoard, {
    id: 'irq-ways-trigger-mode-lost',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'Messages arrive as edges whatever they were sent as: the end of a level is not broadcast.',
    replaces: 'wires.arrivals',
    install({ wires }) {
      wires.arrivals = (message) => [dataOf(message) & ~LEVEL_BITS]
    },
  }),
  boardFault(waysBoard, {
    id: 'irq-ways-message-lost-while-halted',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'A message for a CPU that is halted is dropped.',
    replaces: 'wires.arrivals',
    install({ wires }) {
      wires.arrivals = (message, { halted }) => (halted ? [] : [dataOf(message)])
    },
  }),
  boardFault(waysBoard, {
    id: 'irq-ways-level-arrives-twice',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The message of a level arrives once more as its neighbour of the next class.',
    replaces: 'wires.arrivals',
    install({ wires }) {
      wires.arrivals = (message) => (message.level ? [dataOf(message), dataOf(message) + 0x11] : [dataOf(message)])
    },
  }),
]
