/** Faults of the local APICs. */
import { SPURIOUS } from '../../layout/lapic.ts'
import { lapicBoard } from '../irqchip/lapic-board.ts'
import { honestLapic, type LapicParts } from '../irqchip/lapic-state.ts'
import { addVector, highestVector, removeVector } from '../irqchip/vectors.ts'
import { boardFault, type Fault } from './fault.ts'

const honest = honestLapic()
type Text = Omit<Fault, 'install' | 'board' | 'area'> & { install(parts: LapicParts): void }
const fault = (text: Text): Fault => boardFault(lapicBoard, { area: 'interrupt', ...text })

export const lapicFaults: readonly Fault[] = [
  fault({
    id: 'irq-apic-tpr-per-vector-instead-of-class',
    difficulty: 'shallow',
    what: 'Compares whole vectors with the priority: one of the same class gets through if its low half is higher.',
    replaces: 'precedes',
    install: (parts) => void (parts.precedes = (vector, priority) => vector > priority),
  }),
  fault({
    id: 'irq-apic-masked-extint-cancels-ipi',
    difficulty: 'medium',
    what: 'A change of a line whose entry is masked takes the signal to the processor back, with a vector still requested.',
    replaces: 'signalAfterMasked',
    install: (parts) => void (parts.signalAfterMasked = () => false),
  }),
  fault({
    id: 'irq-apic-irr-set-before-tmr',
    difficulty: 'deep',
    what: 'Notes the trigger mode after the request: an interrupt that is taken and ended in between ends as one of an edge.',
    replaces: 'accept',
    install: (parts) => {
      parts.accept = (apic, vector, level) => {
        addVector(apic.irr, vector)
        if (level) apic.unnoted.push(vector)
        else removeVector(apic.tmr, vector)
      }
    },
  }),
  fault({
    id: 'irq-apic-init-keeps-gathered-errors',
    difficulty: 'medium',
    what: 'Errors that were gathered before an INIT are shown by the first write of the error status register after it.',
    replaces: 'initialised',
    install: (parts) => {
      parts.initialised = (apic) => ({ ...honest.initialised(apic), errors: apic.errors })
    },
  }),
  fault({
    id: 'irq-apic-empty-acknowledge-enters-service',
    difficulty: 'medium',
    what: 'A cycle that comes while the priority holds every request back gives nothing, and puts the highest in service.',
    replaces: 'giveNothing',
    install: (parts) => {
      parts.giveNothing = ({ irr, isr }) => {
        const vector = highestVector(irr)
        if (vector >= 0) addVector(isr, vector)
      }
    },
  }),
  fault({
    id: 'irq-apic-eoi-of-the-latest-request',
    difficulty: 'shallow',
    what: 'An end of interrupt ends the lowest vector in service and not the highest.',
    replaces: 'ended',
    install: (parts) => {
      parts.ended = ({ isr }) => {
        const word = isr.findIndex((bits) => bits !== 0)
        return word < 0 ? -1 : 32 * word + 31 - Math.clz32(isr[word]! & -isr[word]!)
      }
    },
  }),
  fault({
    id: 'irq-apic-eoi-suppression-ignored',
    difficulty: 'medium',
    what: 'Tells the I/O APICs of an end although software has suppressed that.',
    replaces: 'broadcasts',
    install: (parts) => {
      parts.broadcasts = (apic, vector) =>
        honest.broadcasts({ ...apic, spurious: apic.spurious & ~SPURIOUS.suppressBroadcast }, vector)
    },
  }),
  fault({
    id: 'irq-apic-disabled-accepts',
    difficulty: 'shallow',
    what: 'Takes fixed interrupts while software has it disabled.',
    replaces: 'accepts',
    install: (parts) => void (parts.accepts = ({ mode }) => mode !== 'off'),
  }),
  fault({
    id: 'irq-apic-disable-leaves-lvt',
    difficulty: 'medium',
    what: 'Disabled by software it leaves the masks of its local vector table as they are.',
    replaces: 'disable',
    install: (parts) => void (parts.disable = () => {}),
  }),
  fault({
    id: 'irq-apic-lvt-unmasked-while-disabled',
    difficulty: 'medium',
    what: 'Masks of the local vector table can be lifted while software has it disabled.',
    replaces: 'entryWritten',
    install: (parts) => void (parts.entryWritten = (_apic, value) => value),
  }),
  fault({
    id: 'irq-apic-cluster-taken-for-flat',
    difficulty: 'medium',
    what: 'Matches logical destinations bit by bit also in the cluster model.',
    replaces: 'isNamed',
    install: (parts) => {
      parts.isNamed = (apic, destination) => honest.isNamed({ ...apic, format: 0xffff_ffff }, destination)
    },
  }),
  fault({
    id: 'irq-apic-all-but-self-includes-self',
    difficulty: 'shallow',
    what: 'The shorthand for all others is for the sender too.',
    replaces: 'shorthand',
    install: (parts) => {
      parts.shorthand = (kind, from, count) => honest.shorthand(kind === 'others' ? 'all' : kind, from, count)
    },
  }),
  fault({
    id: 'irq-apic-lowest-priority-to-all',
    difficulty: 'shallow',
    what: 'Gives an interrupt for the lowest priority to all that it names.',
    replaces: 'arbitrate',
    install: (parts) => void (parts.arbitrate = (candidates) => candidates.map(({ cpu }) => cpu)),
  }),
  fault({
    id: 'irq-apic-one-shot-repeats',
    difficulty: 'shallow',
    what: 'A one-shot timer starts over like a periodic one.',
    replaces: 'expiresNext',
    install: (parts) => {
      parts.expiresNext = (_periodic, at, period, now) => honest.expiresNext(true, at, period, now)
    },
  }),
  fault({
    id: 'irq-apic-period-from-now',
    difficulty: 'medium',
    what: 'A periodic timer starts over when its end is noticed and not when it ran out, so that periods get longer.',
    replaces: 'expiresNext',
    install: (parts) => {
      parts.expiresNext = (periodic, _at, period, now) => (periodic ? now + period : 0)
    },
  }),
  fault({
    id: 'irq-apic-divide-off-by-one',
    difficulty: 'shallow',
    what: 'Divides by four where the register says by two.',
    replaces: 'divisor',
    install: (parts) => void (parts.divisor = (divide) => (divide === 0 ? 4 : honest.divisor(divide))),
  }),
  fault({
    id: 'irq-apic-errors-shown-at-once',
    difficulty: 'shallow',
    what: 'The error status register shows errors before it was written.',
    replaces: 'shownErrors',
    install: (parts) => void (parts.shownErrors = ({ errors, errorStatus }) => errors | errorStatus),
  }),
  fault({
    id: 'irq-apic-init-keeps-service',
    difficulty: 'medium',
    what: 'An INIT leaves the interrupts in service as they are.',
    replaces: 'initialised',
    install: (parts) => {
      parts.initialised = (apic) => ({ ...honest.initialised(apic), isr: apic.isr })
    },
  }),
  fault({
    id: 'irq-apic-ppr-ignores-service',
    difficulty: 'shallow',
    what: 'The processor priority is the task priority, whatever is in service.',
    replaces: 'priority',
    install: (parts) => void (parts.priority = ({ taskPriority }) => taskPriority),
  }),
  fault({
    id: 'irq-apic-level-forgotten-in-service',
    difficulty: 'medium',
    what: 'An edge that comes while a level interrupt of its vector is in service leaves the trigger mode as it was.',
    replaces: 'accept',
    install: (parts) => {
      parts.accept = (apic, vector, level) => {
        const was = apic.tmr.slice()
        honest.accept(apic, vector, level)
        if (!level && highestVector(apic.isr) === vector) apic.tmr = was
      }
    },
  }),
]
