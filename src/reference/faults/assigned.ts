/** Faults of a hypervisor that gives devices to VMs, and of its devices. */
import { assignedBoard } from '../assigned/assignment-board.ts'
import { type AssignmentParts, correctAssignment } from '../assigned/assignment-parts.ts'
import { freshDevice } from '../assigned/dma-device.ts'
import { boardFault, type Fault } from './fault.ts'

const correct = correctAssignment()

type Wrong = Pick<Fault, 'id' | 'difficulty' | 'what' | 'replaces'> & {
  readonly install: (parts: AssignmentParts) => void
}
const fault = (wrong: Wrong): Fault => boardFault(assignedBoard, { ...wrong, area: 'dma' })

export const assignedFaults: readonly Fault[] = [
  fault({
    id: 'dma-device-returned-with-dma-in-flight',
    difficulty: 'medium',
    what: 'When a VM goes away its devices are given back to the host at once, as they are: what the guest started lands in memory of the host.',
    replaces: 'assignment.stages',
    install(parts) {
      parts.stages = (task) => (task === 'destroy' ? ['host'] : correct.stages(task))
    },
  }),
  fault({
    id: 'dma-unity-ranges-merged',
    difficulty: 'shallow',
    what: 'Ranges that are declared for a device are mapped as one, with what is between them and with the rights of both.',
    replaces: 'assignment.identity',
    install(parts) {
      parts.identity = (declared) => {
        const [first, last] = [declared[0], declared.at(-1)]
        if (first === undefined || last === undefined) return declared
        return [
          { page: first.page, pages: last.page + last.pages - first.page, write: declared.some((one) => one.write) },
        ]
      }
    },
  }),
  fault({
    id: 'dma-unity-range-writable',
    difficulty: 'medium',
    what: 'A declared range that is for reading is mapped for writing too.',
    replaces: 'assignment.identity',
    install(parts) {
      parts.identity = (declared) => declared.map((one) => ({ ...one, write: true }))
    },
  }),
  fault({
    id: 'dma-no-flush-flag-leaks-on-error',
    difficulty: 'deep',
    what: 'After an operation on several pages failed, what is taken away later is not flushed.',
    replaces: 'assignment.domains.endsDeferral',
    install({ domains }) {
      domains.endsDeferral = (complete) => complete
    },
  }),
  fault({
    id: 'dma-assign-wait-returns-early',
    difficulty: 'deep',
    what: 'Where another invalidation was queued behind it, one is taken for over before the unit reports it.',
    replaces: 'assignment.domains.isOver',
    install({ domains }) {
      domains.isOver = (ticket, last, reported) => reported >= ticket || last > ticket
    },
  }),
  fault({
    id: 'dma-short-flush-when-unmapping-large-entry',
    difficulty: 'deep',
    what: 'A large page that is asked for in part goes as a whole, but only that part is flushed.',
    replaces: 'assignment.domains.flushed',
    install({ domains }) {
      domains.flushed = (asked) => asked
    },
  }),
  fault({
    id: 'dma-assign-group-split',
    difficulty: 'shallow',
    what: 'Of two devices that the unit cannot tell apart each gets the owner that was asked for.',
    replaces: 'assignment.mayAssign',
    install(parts) {
      parts.mayAssign = (devices, device) => devices[device]!.owner === -1
    },
  }),
  fault({
    id: 'dma-assign-no-reset-between-owners',
    difficulty: 'medium',
    what: 'A device goes from one owner to the next without a reset.',
    replaces: 'assignment.stages',
    install(parts) {
      parts.stages = (task) => (task === 'assign' ? ['attach'] : ['detach'])
    },
  }),
  fault({
    id: 'dma-assign-reset-not-awaited',
    difficulty: 'medium',
    what: 'A reset is taken for over when it has begun.',
    replaces: 'assignment.isReset',
    install(parts) {
      parts.isReset = () => true
    },
  }),
  fault({
    id: 'dma-assign-host-domain-for-idle-devices',
    difficulty: 'medium',
    what: 'A device without an owner is in the address space of the host, not in none.',
    replaces: 'assignment.stages',
    install(parts) {
      parts.stages = (task) => (task === 'assign' ? correct.stages(task) : ['reset', 'host'])
    },
  }),
  fault({
    id: 'dma-assign-message-of-the-guest',
    difficulty: 'shallow',
    what: 'The address that a guest writes into the MSI-X table gets into the physical one.',
    replaces: 'assignment.messageAddress',
    install(parts) {
      parts.messageAddress = (_device, wanted) => wanted
    },
  }),
  fault({
    id: 'dma-assign-page-freed-before-flush',
    difficulty: 'deep',
    what: 'A page is free before the invalidation that was queued for it is over, where several VMs wait.',
    replaces: 'assignment.freesAt',
    install(parts) {
      parts.freesAt = () => true
    },
  }),
  fault({
    id: 'dma-assign-large-page-outlives-vm',
    difficulty: 'deep',
    what: 'The large page of a VM that goes away stays in its address space, which the next one takes over.',
    replaces: 'assignment.unmapsAtEnd',
    install(parts) {
      parts.unmapsAtEnd = (page) => page < 4
    },
  }),
  fault({
    id: 'dma-device-ignores-bus-master',
    difficulty: 'shallow',
    what: 'A device that began a command goes on with it when bus master enable is cleared.',
    replaces: 'assignment.hardware.mayMaster',
    install({ hardware }) {
      hardware.mayMaster = ({ master, stage }) => master || stage === 'move' || stage === 'complete'
    },
  }),
  fault({
    id: 'dma-device-late-after-bus-master',
    difficulty: 'deep',
    what: 'What a device sent before bus master enable was cleared arrives after that.',
    replaces: 'assignment.hardware.settles',
    install({ hardware }) {
      hardware.settles = () => false
    },
  }),
  fault({
    id: 'dma-device-goes-on-after-reset',
    difficulty: 'medium',
    what: 'A reset leaves bus master enable and the command that was running.',
    replaces: 'assignment.hardware.afterReset',
    install({ hardware }) {
      hardware.afterReset = ({ master, stage, page, write }) => ({ ...freshDevice(), master, stage, page, write })
    },
  }),
  fault({
    id: 'dma-device-keeps-memory-over-reset',
    difficulty: 'shallow',
    what: 'A reset leaves the memory of a device as it was: its next owner reads it.',
    replaces: 'assignment.hardware.afterReset',
    install({ hardware }) {
      hardware.afterReset = ({ scratch }) => ({ ...freshDevice(), scratch })
    },
  }),
  fault({
    id: 'dma-assign-bus-reset-of-one',
    difficulty: 'medium',
    what: 'A reset of the bus reaches only the device that it was asked for.',
    replaces: 'assignment.reached',
    install(parts) {
      parts.reached = (_devices, device) => [device]
    },
  }),
]
