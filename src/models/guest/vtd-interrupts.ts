/** The interrupt-remapping half of a VT-d unit as a guest drives it (VT-d 4.1, chapters 5, 6.5 and 11). */
import type { Gpa } from '../../contract/target.ts'
import {
  DESCRIPTOR,
  FAULT_PRESENT,
  FAULT_RECORD,
  FAULT_STATUS,
  VTD,
  VTD_CAPABILITY_LOW,
  VTD_COMMAND,
} from '../../layout/vtd.ts'
import { TABLE_EXTENDED } from '../../layout/vtd-interrupts.ts'
import type { Guest } from './access.ts'
import { waitDescriptor } from './vtd-entries.ts'
import { VtdQueue, VtdRegisters } from './vtd-registers.ts'

/** A fault record, as it reads. */
export interface FoundFault {
  readonly reason: number
  readonly requester: number
  readonly index: number
}

export class VtdInterrupts {
  readonly #registers: VtdRegisters
  readonly #queue: VtdQueue
  readonly #records: number

  /** `queue`: one page. */
  constructor(guest: Guest, base: Gpa, queue: Gpa) {
    this.#registers = new VtdRegisters(guest, base)
    this.#queue = new VtdQueue(this.#registers, queue)
    const [low, high] = [this.#registers.read(VTD.capability), this.#registers.read(VTD.capability + 4)]
    this.#records = 16 * ((low >>> VTD_CAPABILITY_LOW.RECORDS_OFFSET_SHIFT) + ((high & 3) << 8))
  }

  /** Switches the queue on, empty. */
  startQueue(): void {
    this.#queue.start()
  }

  /** Writes the address register: `entries` is a power of two. It is in force only after `usePointer`. */
  setTable(base: Gpa, entries: number, extended: boolean): void {
    const low = (base % 2 ** 32) + (Math.log2(entries) - 1) + (extended ? TABLE_EXTENDED : 0)
    this.#registers.write(VTD.tableAddress, low)
    this.#registers.write(VTD.tableAddress + 4, Math.floor(base / 2 ** 32))
  }
  usePointer(): void {
    this.#registers.command(VTD_COMMAND.SET_TABLE, true)
  }
  enable(on: boolean): void {
    this.#registers.command(VTD_COMMAND.REMAP, on)
  }
  allowCompatible(on: boolean): void {
    this.#registers.command(VTD_COMMAND.COMPATIBILITY, on)
  }

  status(): { readonly on: boolean; readonly compatible: boolean; readonly pointer: boolean } {
    const status = this.#registers.read(VTD.status)
    const has = (bit: number): boolean => (status & bit) !== 0
    return {
      on: has(VTD_COMMAND.REMAP),
      compatible: has(VTD_COMMAND.COMPATIBILITY),
      pointer: has(VTD_COMMAND.SET_TABLE),
    }
  }

  /** Queues an invalidation, of all entries or of 2^mask of them, and a wait that writes `value` to `status`. */
  invalidate(entries: 'all' | { readonly index: number; readonly mask: number }, status: Gpa, value: number): void {
    this.#queue.push(
      entries === 'all'
        ? [DESCRIPTOR.ENTRIES, 0, 0, 0]
        : [
            DESCRIPTOR.ENTRIES + DESCRIPTOR.BY_INDEX + entries.mask * 2 ** DESCRIPTOR.INDEX_MASK_SHIFT,
            entries.index,
            0,
            0,
          ],
    )
    this.#queue.push(waitDescriptor({ status: { at: status, value } }))
    this.#queue.ring()
  }

  /** The first fault record, and what the fault status says of all. */
  faults(): { readonly found: FoundFault | undefined; readonly pending: boolean; readonly overflow: boolean } {
    const status = this.#registers.read(VTD.faultStatus)
    const reason = this.#registers.read(this.#records + FAULT_RECORD.reason)
    return {
      found:
        reason < FAULT_PRESENT
          ? undefined
          : {
              reason: reason & 0xff,
              requester: this.#registers.read(this.#records + FAULT_RECORD.requester) & 0xffff,
              index: this.#registers.read(this.#records + FAULT_RECORD.index) >>> 16,
            },
      pending: (status & FAULT_STATUS.PENDING) !== 0,
      overflow: (status & FAULT_STATUS.OVERFLOW) !== 0,
    }
  }
  clearFaults(): void {
    this.#registers.write(this.#records + FAULT_RECORD.reason, FAULT_PRESENT)
    this.#registers.write(VTD.faultStatus, FAULT_STATUS.OVERFLOW)
  }

  notes(): readonly unknown[] {
    return this.#queue.notes()
  }
}
