import { CAPABILITY, MSIX, MSIX_CONTROL, MSIX_ENTRY, MSIX_ENTRY_MASKED } from '../../layout/pci.ts'
import type { Capability } from './function.ts'
import type { PciParts } from './parts.ts'

/** One table entry, PCI 3.0 6.8.2.6 to 6.8.2.9. */
interface MsixEntry {
  addressLow: number
  addressHigh: number
  data: number
  control: number
}

export interface MsixState {
  enabled: boolean
  functionMask: boolean
  entries: MsixEntry[]
  /** Events whose message could not leave yet. Software sees those that a mask holds back: the pending bit array. */
  pending: boolean[]
  /** Room for a seeded fault that keeps a stale copy of something. No correct part reads or writes it. */
  stale: Record<string, Message>
}

/** A message-signalled interrupt: a posted write of 4 bytes. */
export interface Message {
  readonly address: number
  readonly data: number
}

/** Where the table and the pending bits sit: `bar` and byte offsets in it. */
export interface MsixWindow {
  readonly vectors: number
  readonly bar: number
  readonly table: number
  readonly pba: number
}

export function freshMsix(vectors: number): MsixState {
  const masked = { addressLow: 0, addressHigh: 0, data: 0, control: MSIX_ENTRY_MASKED }
  return {
    enabled: false,
    functionMask: false,
    entries: Array.from({ length: vectors }, () => ({ ...masked })),
    pending: Array.from({ length: vectors }, () => false),
    stale: {},
  }
}

/** May this entry send nothing now? Its own mask and that of the function both hold it back, PCI 3.0 6.8.3.5. */
export function masked(msix: MsixState, vector: number): boolean {
  return msix.functionMask || (msix.entries[vector]!.control & MSIX_ENTRY_MASKED) !== 0
}

export function remember(msix: MsixState, vector: number): void {
  msix.pending[vector] = true
}

export function forget(msix: MsixState, vector: number): void {
  msix.pending[vector] = false
}

/** The message as of sending: what the entry holds now, however it got there. */
export function message(msix: MsixState, vector: number): Message {
  const { addressLow, addressHigh, data } = msix.entries[vector]!
  return { address: addressHigh * 2 ** 32 + addressLow, data }
}

/** Vectors whose pending message may leave, lowest first. */
export function pendingToSend(msix: MsixState, parts: PciParts): number[] {
  const vectors: number[] = []
  for (let vector = 0; vector < msix.pending.length; vector++) {
    if (msix.pending[vector] && !parts.masked(msix, vector)) vectors.push(vector)
  }
  return vectors
}

/** The fields of an entry by their offset, with the bits that software may write. */
const FIELDS: Record<number, { name: keyof MsixEntry; writable: number }> = {
  [MSIX_ENTRY.addressLow]: { name: 'addressLow', writable: ~3 },
  [MSIX_ENTRY.addressHigh]: { name: 'addressHigh', writable: -1 },
  [MSIX_ENTRY.data]: { name: 'data', writable: -1 },
  [MSIX_ENTRY.control]: { name: 'control', writable: MSIX_ENTRY_MASKED },
}

/** Does an access at this BAR and offset mean the table or the pending bits? */
export function msixOwns(window: MsixWindow | undefined, bar: number, offset: number): boolean {
  if (window?.bar !== bar) return false
  return within(offset, window.table, MSIX_ENTRY.bytes * window.vectors) || within(offset, window.pba, pbaBytes(window))
}

/** One aligned access of 1, 2 or 4 bytes to the table or the pending bits. Others read zero. */
export function readMsix(msix: MsixState, parts: PciParts, window: MsixWindow, offset: number, width: number): number {
  const shift = 8 * (offset & 3)
  if (shift + 8 * width > 32) return 0
  return ((readDword(msix, parts, window, offset & ~3) >>> shift) & ones(width)) >>> 0
}

export function writeMsix(msix: MsixState, window: MsixWindow, offset: number, width: number, value: number): void {
  const shift = 8 * (offset & 3)
  // Software cannot write pending bits, PCI 3.0 6.8.2.10.
  if (shift + 8 * width > 32 || !within(offset, window.table, MSIX_ENTRY.bytes * window.vectors)) return
  const at = (offset & ~3) - window.table
  const entry = msix.entries[Math.floor(at / MSIX_ENTRY.bytes)]!
  const { name, writable } = FIELDS[at % MSIX_ENTRY.bytes]!
  const touched = (ones(width) << shift) & writable
  entry[name] = ((entry[name] & ~touched) | ((value << shift) & touched)) >>> 0
}

function readDword(msix: MsixState, parts: PciParts, window: MsixWindow, offset: number): number {
  if (within(offset, window.table, MSIX_ENTRY.bytes * window.vectors)) {
    const at = offset - window.table
    return msix.entries[Math.floor(at / MSIX_ENTRY.bytes)]![FIELDS[at % MSIX_ENTRY.bytes]!.name]
  }
  const first = 8 * (offset - window.pba)
  let bits = 0
  for (let bit = 0; bit < 32; bit++) {
    // A message that waits for bus mastering only is not pending in the sense of 6.8.3.5.
    if (msix.pending[first + bit] && parts.masked(msix, first + bit)) bits |= 1 << bit
  }
  return bits >>> 0
}

/** Pending bits come in whole quad words. */
const pbaBytes = (window: MsixWindow): number => 8 * Math.ceil(window.vectors / 64)
const within = (offset: number, start: number, bytes: number): boolean => offset >= start && offset < start + bytes
const ones = (width: number): number => (width === 4 ? -1 : (1 << (8 * width)) - 1)

/** The capability, PCI 3.0 6.8.2. Table size is stored as the number of entries less one. */
export function msixCapability(window: MsixWindow): Capability {
  const control = MSIX_CONTROL.FUNCTION_MASK | MSIX_CONTROL.ENABLE
  return {
    id: CAPABILITY.MSIX,
    bytes: MSIX.bytes,
    registers: [
      {
        at: MSIX.control,
        bytes: 2,
        name: 'MSI-X message control',
        read: ({ state: { msix } }) =>
          (window.vectors - 1) |
          (msix.functionMask ? MSIX_CONTROL.FUNCTION_MASK : 0) |
          (msix.enabled ? MSIX_CONTROL.ENABLE : 0),
        write({ state: { msix } }, value, touched) {
          if ((touched & control) === 0) return
          msix.functionMask = (value & MSIX_CONTROL.FUNCTION_MASK) !== 0
          msix.enabled = (value & MSIX_CONTROL.ENABLE) !== 0
        },
      },
      { at: MSIX.table, bytes: 4, name: 'MSI-X table', read: () => window.table | window.bar },
      { at: MSIX.pba, bytes: 4, name: 'MSI-X pending bits', read: () => window.pba | window.bar },
    ],
  }
}
