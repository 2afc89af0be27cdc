import { upcallBoard } from '../irqchip/upcall-board.ts'
import { correctUpcall, type UpcallParts } from '../irqchip/upcall-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface UpcallFault<Name extends keyof UpcallParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: UpcallParts[Name]
}

const fault = <Name extends keyof UpcallParts>({ replaces, part, ...what }: UpcallFault<Name>): Fault =>
  boardFault(upcallBoard, {
    ...what,
    area: 'interrupt',
    replaces: `upcall.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { peerAfterClose } = correctUpcall

/** Faults of event channels. */
export const upcallFaults: readonly Fault[] = [
  fault({
    id: 'irq-evtchn-upcall-vector-set-after-pending',
    difficulty: 'medium',
    what: 'An upcall that was marked before the guest set its vector up is never delivered: only a new mark is.',
    replaces: 'tellsAtSetup',
    part: () => false,
  }),
  fault({
    id: 'irq-evtchn-masked-port-announced',
    difficulty: 'shallow',
    what: 'An event at a masked port sets selector and upcall.',
    replaces: 'announces',
    part: () => true,
  }),
  fault({
    id: 'irq-evtchn-pending-port-announced-again',
    difficulty: 'medium',
    what: 'An event that is pending already is announced once more when the guest has taken the selector.',
    replaces: 'goesOnAfterPending',
    part: () => true,
  }),
  fault({
    id: 'irq-evtchn-upcall-marked-without-new-selector',
    difficulty: 'medium',
    what: 'The upcall is marked although the selector was set already.',
    replaces: 'marksAfterSelect',
    part: () => true,
  }),
  fault({
    id: 'irq-evtchn-double-upcall',
    difficulty: 'medium',
    what: 'The interrupt is sent again although the upcall was marked already.',
    replaces: 'tellsAfterMark',
    part: () => true,
  }),
  fault({
    id: 'irq-evtchn-unmask-without-recheck',
    difficulty: 'shallow',
    what: 'The operation that unmasks a port does not announce what is pending there.',
    replaces: 'announcesAfterUnmask',
    part: () => false,
  }),
  fault({
    id: 'irq-evtchn-unmask-always-announces',
    difficulty: 'medium',
    what: 'The operation that unmasks a port announces it although nothing is pending.',
    replaces: 'announcesAfterUnmask',
    part: (wasMasked) => wasMasked,
  }),
  fault({
    id: 'irq-evtchn-bound-port-not-pending',
    difficulty: 'shallow',
    what: 'A new channel begins without an event: what was sent before it was bound is lost.',
    replaces: 'pendsAfterBind',
    part: () => false,
  }),
  fault({
    id: 'irq-evtchn-bound-port-bound-again',
    difficulty: 'shallow',
    what: 'A port that is bound already can be bound once more.',
    replaces: 'mayBind',
    part: (port) => port !== undefined && port.state !== 'free',
  }),
  fault({
    id: 'irq-evtchn-peer-stays-bound-after-close',
    difficulty: 'medium',
    what: 'Closing one end leaves the other bound to a port that is free: it can never be bound again.',
    replaces: 'peerAfterClose',
    part(peer) {
      peerAfterClose(peer)
      peer.state = 'bound'
    },
  }),
  fault({
    id: 'irq-evtchn-foreign-domain-reached',
    difficulty: 'shallow',
    what: 'A call that names another domain is carried out, as if it named the domain itself.',
    replaces: 'mayReach',
    part: () => true,
  }),
  fault({
    id: 'irq-evtchn-ipi-port-moved',
    difficulty: 'shallow',
    what: 'A port for interrupts between virtual CPUs can be made to notify another one.',
    replaces: 'mayMove',
    part: (port) => port.state !== 'free',
  }),
  fault({
    id: 'irq-evtchn-reused-port-notifies-last-vcpu',
    difficulty: 'medium',
    what: 'A port that was closed and is opened again notifies the virtual CPU that it notified before.',
    replaces: 'close',
    part: (port) => void Object.assign(port, { state: 'free', peer: -1 }),
  }),
  fault({
    id: 'irq-evtchn-callback-with-interrupts-off',
    difficulty: 'medium',
    what: 'The callback comes although the guest has interrupts disabled.',
    replaces: 'callsBack',
    part: (marked, enabled) => marked && !enabled,
  }),
  fault({
    id: 'irq-evtchn-callback-nested-in-itself',
    difficulty: 'medium',
    what: 'The handler of a callback begins with interrupts enabled: as long as the mark is set it is called again.',
    replaces: 'enterCallback',
    part: () => {},
  }),
]
