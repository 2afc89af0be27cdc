/** The registers of a VT-d unit, as a guest reaches them (VT-d 4.1, chapter 11), and its invalidation queue (6.5.2). */
import type { Gpa } from '../../contract/target.ts'
import { DESCRIPTOR, VTD, VTD_COMMAND, VTD_COMMAND_KEPT } from '../../layout/vtd.ts'
import { type Guest, place } from './access.ts'

/** Dwords of an entry or a descriptor, from its lowest address on. */
export type Dwords = readonly number[]

/** Writes an entry, all of it at once. */
export const storeDwords = (guest: Guest, gpa: Gpa, dwords: Dwords): void => {
  const bytes = new Uint8Array(4 * dwords.length)
  const view = new DataView(bytes.buffer)
  for (const [i, dword] of dwords.entries()) view.setUint32(4 * i, dword, true)
  guest.target.store(gpa, bytes)
}

export class VtdRegisters {
  readonly guest: Guest
  readonly #base: Gpa

  constructor(guest: Guest, base: Gpa) {
    this.guest = guest
    this.#base = base
  }

  read(register: number): number {
    return this.guest.read32(place('mmio', this.#base + register))
  }
  write(register: number, value: number): void {
    this.guest.write32(place('mmio', this.#base + register), value)
  }
  /** Low half first. */
  write64(register: number, value: number): void {
    this.guest.write64(place('mmio', this.#base + register), value)
  }
  /** One bit of the global command at a time, the others as they are, 11.4.4.1. */
  command(bit: number, on: boolean): void {
    const kept = this.read(VTD.status) & VTD_COMMAND_KEPT
    this.write(VTD.command, on ? kept | bit : kept & ~bit)
  }
  has(status: number): boolean {
    return (this.read(VTD.status) & status) !== 0
  }
}

const PAGE_BYTES = 4096

/** A ring of 16-byte descriptors. What is pushed is worked off once `ring` has told the unit. */
export class VtdQueue {
  readonly #registers: VtdRegisters
  readonly #start: Gpa
  /** Log2 of the number of pages. */
  readonly #order: number
  #tail = 0

  constructor(registers: VtdRegisters, start: Gpa, order = 0) {
    this.#registers = registers
    this.#start = start
    this.#order = order
  }

  /** Switches the queue on, empty. */
  start(): void {
    this.stop()
    this.#registers.write64(VTD.queueTail, 0)
    this.#registers.write64(VTD.queueAddress, this.#start + this.#order)
    this.#tail = 0
    this.#registers.command(VTD_COMMAND.QUEUE, true)
  }
  stop(): void {
    this.#registers.command(VTD_COMMAND.QUEUE, false)
  }

  push(descriptor: Dwords): void {
    storeDwords(this.#registers.guest, this.#start + this.#tail, descriptor)
    this.#tail = (this.#tail + DESCRIPTOR.bytes) % (PAGE_BYTES * 2 ** this.#order)
  }
  /** Takes back what was pushed last: a descriptor that the unit stopped at is replaced by the next push. */
  unpush(): void {
    const bytes = PAGE_BYTES * 2 ** this.#order
    this.#tail = (this.#tail + bytes - DESCRIPTOR.bytes) % bytes
  }
  ring(): void {
    this.#registers.write(VTD.queueTail, this.#tail)
  }

  /** Where the unit is, and where it was told to go, in bytes from the start of the queue. */
  places(): { readonly head: number; readonly tail: number } {
    return { head: this.#registers.read(VTD.queueHead), tail: this.#tail }
  }

  notes(): readonly unknown[] {
    return [this.#tail]
  }
}
