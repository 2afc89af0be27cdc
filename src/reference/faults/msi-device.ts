/** Faults of functions that share a line, or have causes that can be resolved. Others are in `pci/faults.ts`. */
import { NO_VECTOR } from '../../layout/virtio.ts'
import { msiBoard } from '../pci/msi-board.ts'
import { correctParts } from '../pci/parts.ts'
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
    id: 'irq-msix-resolved-event-stays-pending',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'An event that software has dealt with while its vector was masked stays pending, and is told when the mask goes.',
    replaces: 'pci.resolve',
    install(parts) {
      parts.pci.resolve = () => {}
    },
  }),
  boardFault(msiBoard, {
    id: 'irq-msix-event-cannot-be-unmapped',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'An event that software maps to no vector is mapped to the first.',
    replaces: 'pci.vectorAfterWrite',
    install(parts) {
      parts.pci.vectorAfterWrite = (value, vectors) =>
        value === NO_VECTOR ? 0 : correctParts.vectorAfterWrite(value, vectors)
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
