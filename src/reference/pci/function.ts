import type { TargetEvent } from '../../contract/index.ts'
import { COMMAND } from '../../layout/pci.ts'
import type { BarKind, BarWindow } from './bars.ts'
import { freshMsix, type Message, type MsixState, type MsixWindow, pendingToSend } from './msix.ts'
import type { PciParts } from './parts.ts'

/** Everything of a function that changes. Plain JSON: it is saved, restored, compared and fingerprinted as it stands. */
export interface FunctionState {
  /** Command register, PCI 3.0 6.2.2. */
  command: number
  /** Latched error bits of the status register; written 1 to clear, 6.2.3. */
  errors: number
  /** The six base address registers as they read. */
  bars: number[]
  interruptLine: number
  /** 0 (D0) or 3 (D3hot). */
  power: number
  /** PCI Express device control. */
  deviceControl: number
  msix: MsixState
  /** Interrupt causes that software has not serviced yet; INTx and the Interrupt Status bit follow them. */
  causes: number
  /** A function-level or power reset has begun and requests of before are still in flight. */
  resetting: boolean
  /** The level that the INTx pin drives now. */
  line: boolean
  /** What the requester logic was last told: may it issue requests. */
  mastering: boolean
}

/** What identifies a function and never changes. */
export interface Identity {
  readonly vendorId: number
  readonly deviceId: number
  readonly revision: number
  /** Base class, sub-class and programming interface, 24 bits. */
  readonly classCode: number
  readonly subsystemVendorId: number
  readonly subsystemId: number
}

/** One byte-addressed register. Both halves see the function; `touched` has a bit for every bit that the access wrote. */
export interface Register {
  readonly at: number
  readonly bytes: 1 | 2 | 4
  readonly name: string
  read(fn: PciFunction): number
  write?(fn: PciFunction, value: number, touched: number): void
}

/** A capability: its registers follow the id and next pointer, at offsets from the start of the capability. */
export interface Capability {
  readonly id: number
  readonly bytes: number
  readonly registers: readonly Register[]
}

/** What a function is behind its configuration space: registers in BARs, and requests that it makes. */
export interface Personality {
  readonly identity: Identity
  readonly bars: readonly BarWindow[]
  readonly msix: MsixWindow | undefined
  readonly capabilities: readonly Capability[]
  connect(fn: PciFunction): void
  readBar(fn: PciFunction, bar: number, offset: number, width: 1 | 2 | 4): number
  writeBar(fn: PciFunction, bar: number, offset: number, width: 1 | 2 | 4, value: number): void
  /** Stops everything and forgets everything; may finish later. */
  reset(): void
  /** Nothing of before the last reset is in flight any more. */
  quiesced(): boolean
  busMaster(enabled: boolean): void
  /** What software sees as a device reset, by the register that the device class has for it. */
  resetDevice(fn: PciFunction): void
  /** Its own registers; what lies behind them (the device) is saved by its owner. */
  save(fn: PciFunction): unknown
  restore(state: unknown): void
}

/** What the maker of a platform says about one function. Bus 0; the function number is 0. */
interface FunctionOptions {
  /** `DeviceDescription.id`. */
  readonly id: string
  /** `DeviceDescription.kind`. */
  readonly kind: string
  /** Device number, 0 to 31. */
  readonly device: number
  /** INTx pin: 0 is INTA, 3 is INTD. */
  readonly pin?: number
  /** D3hot to D0 keeps the context instead of resetting the function, PCI PM 1.2 3.2.4. */
  readonly noSoftReset?: boolean
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

export interface PciFunction {
  readonly options: FunctionOptions
  readonly personality: Personality
  readonly parts: PciParts
  /** Where interrupts leave. */
  readonly emit: (event: TargetEvent) => void
  state: FunctionState
}

/** Registers after a reset. `line` and `mastering` are wires rather than registers; `settle` brings them up to date. */
export function freshState(personality: Personality): FunctionState {
  return {
    command: 0,
    errors: 0,
    bars: [0, 1, 2, 3, 4, 5].map((index) => fixedBits(personality.bars, index)),
    interruptLine: 0,
    power: 0,
    // Relaxed ordering, no snoop, maximum read request 512 bytes: the defaults of PCIe 7.8.4.
    deviceControl: 0x2810,
    msix: freshMsix(personality.msix?.vectors ?? 0),
    causes: 0,
    resetting: false,
    line: false,
    mastering: false,
  }
}

function fixedBits(bars: readonly BarWindow[], index: number): number {
  const bits: Record<BarKind, number> = { io: 1, memory32: 0, memory64: 4 | 8 }
  const bar = bars.find((each) => each.index === index)
  return bar ? bits[bar.kind] : 0
}

/** Brings what follows from the registers up to date: requester logic, waiting messages, the level of INTx. */
export function settle(fn: PciFunction): void {
  const { state, parts } = fn
  if (state.resetting && fn.personality.quiesced()) state.resetting = false
  const mastering = parts.mayMaster(state)
  if (mastering !== state.mastering) {
    state.mastering = mastering
    fn.personality.busMaster(mastering)
  }
  if (state.msix.enabled && parts.maySend(state)) {
    for (const vector of pendingToSend(state.msix, parts)) {
      parts.forget(state.msix, vector)
      send(fn, vector)
    }
  }
  const level = parts.intxLevel(state)
  if (level !== state.line) {
    state.line = level
    fn.emit({ kind: 'line', device: fn.options.id, pin: fn.options.pin ?? 0, level })
  }
}

/** An event asks for the message of `vector`. MSI-X is enabled. While the message may not leave it waits in the PBA. */
export function raiseVector(fn: PciFunction, vector: number): void {
  const { state, parts } = fn
  if (vector >= state.msix.entries.length) return
  if (parts.masked(state.msix, vector) || !parts.maySend(state)) parts.remember(state.msix, vector)
  else send(fn, vector)
}

function send(fn: PciFunction, vector: number): void {
  const { address, data }: Message = fn.parts.message(fn.state.msix, vector)
  fn.emit({ kind: 'msi', device: fn.options.id, address, data, vector })
}

/** Function-level reset, PCIe 6.6.2, and what a bus or power reset does to a function: requests stop, registers default. */
export function resetFunction(fn: PciFunction): void {
  fn.parts.stopRequests(fn)
  const { line, mastering } = fn.state
  fn.state = { ...fn.parts.registersAfterReset(fn), line, mastering, resetting: !fn.personality.quiesced() }
  settle(fn)
}

/** Power transition by the PowerState field, PCI PM 1.2 3.2.4. D1 and D2 are not implemented: writes of them do nothing. */
export function setPower(fn: PciFunction, power: number): void {
  if (power !== 0 && power !== 3) return
  const wakes = fn.state.power === 3 && power === 0
  if (wakes && !fn.options.noSoftReset) resetFunction(fn)
  fn.state.power = power
}

/** Command bits that a function with these BARs implements, PCI 3.0 6.2.2. Parity response and SERR enable are storage. */
export function commandBits(bars: readonly BarWindow[]): number {
  const space = bars.reduce((bits, bar) => bits | (bar.kind === 'io' ? COMMAND.IO : COMMAND.MEMORY), 0)
  return space | COMMAND.BUS_MASTER | 0x40 | 0x100 | COMMAND.INTX_DISABLE
}
