import { COMMAND } from '../../layout/pci.ts'
import { NO_VECTOR } from '../../layout/virtio.ts'
import { type BarKind, barAfterWrite, decodes } from './bars.ts'
import { type FunctionState, freshState, type PciFunction } from './function.ts'
import { forget, type Message, type MsixState, masked, message, remember } from './msix.ts'

/**
 * The decisions of a PCI function that a seeded fault can replace, each a function of plain state.
 * Whatever is not here is the same in every build of the reference.
 */
export interface PciParts {
  /** Does the function answer accesses to a window of this kind? */
  decodes(state: FunctionState, kind: BarKind): boolean
  barAfterWrite(old: number, value: number, writable: number): number
  /** May the function read and write memory? */
  mayMaster(state: FunctionState): boolean
  /** May a message-signalled interrupt leave the function? */
  maySend(state: FunctionState): boolean
  /** Does a mask hold entry `vector` back? */
  masked(msix: MsixState, vector: number): boolean
  /** An event on an entry that is held back. */
  remember(msix: MsixState, vector: number): void
  /** The remembered event of an entry is about to be sent. */
  forget(msix: MsixState, vector: number): void
  /** Software has dealt with the event of an entry. */
  resolve(msix: MsixState, vector: number): void
  message(msix: MsixState, vector: number): Message
  /** Level of the INTx pin. */
  intxLevel(state: FunctionState): boolean
  /** The Interrupt Status bit. */
  interruptStatus(state: FunctionState): boolean
  /** Interrupt causes as the ISR register shows them. */
  causesToRead(state: FunctionState): number
  /** Interrupt causes that stay after software has read them from the ISR register. */
  causesAfterRead(state: FunctionState): number
  /** Interrupt causes after an event; `cause` is one bit of the ISR register. */
  causesAfterEvent(state: FunctionState, cause: number): number
  /** What a vector register holds after a write. */
  vectorAfterWrite(value: number, vectors: number): number
  /** The table entry that a vector register selects, or none. */
  vectorOf(register: number, vectors: number): number | undefined
  /** Vector registers of the queues after a device reset. */
  vectorsAfterReset(vectors: readonly number[]): number[]
  /** A reset ends what the function is doing. */
  stopRequests(fn: PciFunction): void
  /** Registers after a function-level, bus or power reset. */
  registersAfterReset(fn: PciFunction): FunctionState
  /** Transport registers as they go into a saved state. */
  transportToSave<State extends object>(state: State): State
}

const D0 = 0

export const correctParts: PciParts = {
  decodes,
  barAfterWrite,
  mayMaster: (state) => !state.resetting && state.power === D0 && (state.command & COMMAND.BUS_MASTER) !== 0,
  // A message is a posted write by the function, PCI 3.0 6.8: it needs what any other request needs.
  maySend: (state) => !state.resetting && state.power === D0 && (state.command & COMMAND.BUS_MASTER) !== 0,
  masked,
  remember,
  forget,
  resolve: forget,
  message,
  intxLevel: (state) =>
    state.causes !== 0 && !state.msix.enabled && state.power === D0 && (state.command & COMMAND.INTX_DISABLE) === 0,
  interruptStatus: (state) => state.causes !== 0,
  causesToRead: (state) => state.causes,
  causesAfterRead: () => 0,
  causesAfterEvent: (state, cause) => state.causes | cause,
  vectorAfterWrite: (value, vectors) => (value < vectors ? value : NO_VECTOR),
  vectorOf: (register) => (register === NO_VECTOR ? undefined : register),
  vectorsAfterReset: (vectors) => vectors.map(() => NO_VECTOR),
  stopRequests: (fn) => fn.personality.reset(),
  registersAfterReset: (fn) => freshState(fn.personality),
  transportToSave: (state) => state,
}
