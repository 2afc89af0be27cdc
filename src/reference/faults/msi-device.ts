/** Faults of functions that share a line. Those of one function alone are in `pci/faults.ts`. */
import { msiBoard } from '../pci/msi-board.ts'
import { boardFault, type Fault } from './fault.ts'

export const msiDeviceFaults: readonly Fault[] = [
  boardFault(msiBoard, {
    id: 'irq-intx-line-follows-last-change',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'A shared line is released when one function lets go, although another still asserts its pin.',
    replaces: 'msi.line',
    install(parts) {
      parts.line = (_pins, last) => last
    },
  }),
  boardFault(msiBoard, {
    id: 'irq-intx-line-of-first-function-only',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'A shared line follows the pin of the first function only.',
    replaces: 'msi.line',
    install(parts) {
      parts.line = ([first = false]) => first
    },
  }),
  boardFault(msiBoard, {
    id: 'irq-intx-status-hidden-by-gate',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The Interrupt Status bit reads zero while Interrupt Disable is set.',
    replaces: 'pci.interruptStatus',
    install(parts) {
      parts.pci.interruptStatus = (state) => parts.pci.intxLevel(state)
    },
  }),
]
