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
  VTD_COMMAND_KEPT,
} from '../../layout/vtd.ts'
import { TABLE_EXTENDED } from '../../layout/vtd-interrupts.ts'
import { type Guest, place } from './access.ts'

const QUEUE_BYTES = 4096

/** A fault record, as it reads. */
export interface FoundFault {
  readonly reason: number
  readonly requester: number
  readonly index: number
}

export class VtdInterrupts {
  readonly #guest: Guest
  readonly #base: Gpa
  /** One page. */
  readonly #queue: Gpa
  readonly #records: number
  #tail = 0

  constructor(guest: Guest, base: Gpa, queue: Gpa) {
    this.#guest = guest
    this.#base = base
    this.#queue = queue
    const [low, high] = [this.#read(VTD.capability), this.#read(VTD.capability + 4)]
    this.#records = 16 * ((low >>> VTD_CAPABILITY_LOW.RECORDS_OFFSET_SHIFT) + ((high & 3) << 8))
  }

  /** Switches the queue on, empty. */
  startQueue(): void {
    this.#command(VTD_COMMAND.QUEUE, false)
    this.#guest.write64(this.#at(VTD.queueTail), 0)
    this.#guest.write64(this.#at(VTD.queueAddress), this.#queue)
    this.#tail = 0
    this.#command(VTD_COMMAND.QUEUE, true)
  }

  /** Writes the address register: `entries` is a power of two. It is in force only after `usePointer`. */
  setTable(base: Gpa, entries: number, extended: boolean): void {
    const low = (base % 2 ** 32) + (Math.log2(entries) - 1) + (extended ? TABLE_EXTENDED : 0)
    this.#write(VTD.tableAddress, low)
    this.#write(VTD.tableAddress + 4, Math.floor(base / 2 ** 32))
  }
  usePointer(): void {
    this.#command(VTD_COMMAND.SET_TABLE, true)
  }
  enable(on: boolean): void {
    this.#command(VTD_COMMAND.REMAP, on)
  }
  allowCompatible(on: boolean): void {
    this.#command(VTD_COMMAND.COMPATIBILITY, on)
  }

  status(): { readonly on: boolean; readonly compatible: boolean; readonly pointer: boolean } {
    const status = this.#read(VTD.status)
    const has = (bit: number): boolean => (status & bit) !== 0
    return {
      on: has(VTD_COMMAND.REMAP),
      compatible: has(VTD_COMMAND.COMPATIBILITY),
      pointer: has(VTD_COMMAND.SET_TABLE),
    }
  }

  /** Queues an invalidation, of all entries or of 2^mask of them, and a wait that writes `value` to `status`. */
  invalidate(entries: 'all' | { readonly index: number; readonly mask: number }, status: Gpa, value: number): void {
    if (entries === 'all') this.#push(DESCRIPTOR.ENTRIES, 0, 0)
    else
      this.#push(
        DESCRIPTOR.ENTRIES + DESCRIPTOR.BY_INDEX + entries.mask * 2 ** DESCRIPTOR.INDEX_MASK_SHIFT,
        entries.index,
        0,
      )
    this.#push(DESCRIPTOR.WAIT + DESCRIPTOR.WRITE_STATUS, value, status)
    this.#write(VTD.queueTail, this.#tail)
  }

  /** The first fault record, and what the fault status says of all. */
  faults(): { readonly found: FoundFault | undefined; readonly pending: boolean; readonly overflow: boolean } {
    const status = this.#read(VTD.faultStatus)
    const reason = this.#read(this.#records + FAULT_RECORD.reason)
    return {
      found:
        reason < FAULT_PRESENT
          ? undefined
          : {
              reason: reason & 0xff,
              requester: this.#read(this.#records + FAULT_RECORD.requester) & 0xffff,
              index: this.#read(this.#records + FAULT_RECORD.index) >>> 16,
            },
      pending: (status & FAULT_STATUS.PENDING) !== 0,
      overflow: (status & FAULT_STATUS.OVERFLOW) !== 0,
    }
  }
  clearFaults(): void {
    this.#write(this.#records + FAULT_RECORD.reason, FAULT_PRESENT)
    this.#write(VTD.faultStatus, FAULT_STATUS.OVERFLOW)
  }

  notes(): readonly unknown[] {
    return [this.#tail]
  }

  #push(first: number, second: number, third: number): void {
    const at = this.#queue + this.#tail
    for (const [i, dword] of [first, second, third, 0].entries()) this.#guest.store32(at + 4 * i, dword)
    this.#tail = (this.#tail + DESCRIPTOR.bytes) % QUEUE_BYTES
  }

  /** One bit at a time, the others as they are, 11.4.4.1. */
  #command(bit: number, on: boolean): void {
    const kept = this.#read(VTD.status) & VTD_COMMAND_KEPT
    this.#write(VTD.command, on ? kept | bit : kept & ~bit)
  }
  #at(register: number) {
    return place('mmio', this.#base + register)
  }
  #read(register: number): number {
    return this.#guest.read32(this.#at(register))
  }
  #write(register: number, value: number): void {
    this.#guest.write32(this.#at(register), value)
  }
}
