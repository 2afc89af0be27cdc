/** The decisions of event channels that a seeded fault can replace one of. */
import { DOMID_SELF, OWN_DOMAIN } from '../../layout/event-channel.ts'

/** A port of the domain. */
export interface Port {
  state: 'free' | 'unbound' | 'bound' | 'ipi'
  /** The other end, or -1. */
  peer: number
  /** The virtual CPU that it notifies. Of the two only the first can be given an upcall. */
  vcpu: number
}

/** Plain data; pending bits, masks and selector are in the shared page. */
export interface UpcallState {
  ports: Port[]
  /** The step that the call in progress comes to next; empty: none is in progress. */
  at: string
  /** The port that it is about. */
  port: number
  /** What it returns, and what the last one returned. */
  result: number
  /** GPA of its block. */
  block: number
  /** Of an upcall that is an interrupt, and of one that is a callback; 0: not set up. */
  vector: number
  callback: number
  /** The interrupt flag of the virtual CPU. */
  enabled: boolean
}

export const correctUpcall = {
  /** What a sent event does when the pending bit was set already, or not. */
  goesOnAfterPending: (wasPending: boolean): boolean => !wasPending,
  /** A port that is masked is not announced. */
  announces: (masked: boolean): boolean => !masked,
  /** The upcall is marked when the selector changed. */
  marksAfterSelect: (wasSelected: boolean): boolean => !wasSelected,
  /** The virtual CPU is told when the mark changed. */
  tellsAfterMark: (wasMarked: boolean): boolean => !wasMarked,
  /** An operation that unmasks announces what is pending. */
  announcesAfterUnmask: (wasMasked: boolean, pending: boolean): boolean => wasMasked && pending,
  /** Setting the vector tells of a mark that is there already. */
  tellsAtSetup: (marked: boolean): boolean => marked,
  /** A new channel begins with an event at the end that was bound last. */
  pendsAfterBind: (): boolean => true,
  mayBind: (port: Port | undefined): boolean => port?.state === 'unbound',
  /** Whether a domain may reach ports of that one. */
  mayReach: (domain: number): boolean => domain === DOMID_SELF || domain === OWN_DOMAIN,
  /** Whether the virtual CPU of a port can be changed. */
  mayMove: (port: Port): boolean => port.state !== 'free' && port.state !== 'ipi',
  /** A port that is free again. */
  close(port: Port): void {
    Object.assign(port, { state: 'free', peer: -1, vcpu: 0 })
  },
  /** What closing one end makes of the other. */
  peerAfterClose(peer: Port): void {
    peer.state = 'unbound'
    peer.peer = -1
  },
  /** A callback comes as long as the mark is set. */
  callsBack: (marked: boolean, enabled: boolean): boolean => marked && enabled,
  /** The handler of a callback begins with interrupts off. */
  enterCallback(state: UpcallState): void {
    state.enabled = false
  },
}

export type UpcallParts = typeof correctUpcall
