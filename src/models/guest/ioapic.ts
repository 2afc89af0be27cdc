/** An I/O APIC as software sees it: two registers, behind which are all others. */
import type { Location } from '../../contract/target.ts'
import { DESTINATION, ENTRY, INDEX, IOAPIC } from '../../layout/ioapic.ts'
import type { Guest } from './access.ts'

/** A redirection entry in its two halves. */
export interface Halves {
  readonly low: number
  readonly high: number
}

export class IoapicDriver {
  readonly guest: Guest
  readonly #base: number

  constructor(guest: Guest, base: number) {
    this.guest = guest
    this.#base = base
  }

  at(offset: number): Location {
    return { space: 'mmio', address: this.#base + offset }
  }

  read(index: number): number {
    this.guest.write32(this.at(IOAPIC.select), index)
    return this.guest.read32(this.at(IOAPIC.window))
  }

  write(index: number, value: number): void {
    this.guest.write32(this.at(IOAPIC.select), index)
    this.guest.write32(this.at(IOAPIC.window), value)
  }

  /** The high half first: with the low one the entry may come alive. */
  program(pin: number, { low, high }: Halves): void {
    this.write(INDEX.entries + 2 * pin + 1, high)
    this.write(INDEX.entries + 2 * pin, low)
  }

  writeUpper(pin: number, high: number): void {
    this.write(INDEX.entries + 2 * pin + 1, high)
  }

  writeLow(pin: number, low: number): void {
    this.write(INDEX.entries + 2 * pin, low)
  }

  entry(pin: number): Halves {
    return { low: this.read(INDEX.entries + 2 * pin), high: this.read(INDEX.entries + 2 * pin + 1) }
  }

  isMasked(pin: number): boolean {
    return (this.read(INDEX.entries + 2 * pin) & ENTRY.masked) !== 0
  }

  get version(): number {
    return this.read(INDEX.version) & 0xff
  }

  endDirectly(vector: number): void {
    this.guest.write32(this.at(IOAPIC.eoi), vector)
  }
}

export const destinationOf = ({ high }: Halves): number => high >>> DESTINATION
