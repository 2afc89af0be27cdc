/** The local APIC of one CPU as its software sees it: by memory accesses, or by model-specific registers. */
import type { Target } from '../../contract/target.ts'
import { APIC_BASE, LAPIC, MSR } from '../../layout/lapic.ts'

export class LapicDriver {
  target: Target
  /** Registers are model-specific ones. */
  wide = false
  readonly #base: number
  readonly #cpu: number

  constructor(target: Target, cpu: number, base: number) {
    this.target = target
    this.#cpu = cpu
    this.#base = base
  }

  read(offset: number): number {
    if (this.wide) return Number(BigInt.asUintN(32, this.readMsr(MSR.x2apic + offset / 16)))
    return Number(this.target.read({ space: 'mmio', address: this.#base + offset, cpu: this.#cpu }, 4))
  }

  write(offset: number, value: number): void {
    if (this.wide) this.writeMsr(MSR.x2apic + offset / 16, BigInt(value >>> 0))
    else this.target.write({ space: 'mmio', address: this.#base + offset, cpu: this.#cpu }, 4, BigInt(value >>> 0))
  }

  readMsr(register: number): bigint {
    return this.target.read({ space: 'hypercall', address: register, cpu: this.#cpu }, 8)
  }

  writeMsr(register: number, value: bigint): void {
    this.target.write({ space: 'hypercall', address: register, cpu: this.#cpu }, 8, value)
  }

  /** A command; the destination is an id of 8 bits, or of 32 in x2APIC mode. */
  command(low: number, destination: number): void {
    if (this.wide) {
      this.writeMsr(MSR.x2apic + LAPIC.command / 16, (BigInt(destination) << 32n) | BigInt(low >>> 0))
      return
    }
    this.write(LAPIC.commandHigh, destination << 24)
    this.write(LAPIC.command, low)
  }

  /** A bit of one of the sets of vectors that starts at `base`. */
  has(base: number, vector: number): boolean {
    return ((this.read(base + 16 * (vector >> 5)) >>> (vector & 31)) & 1) === 1
  }

  switchMode(mode: 'off' | 'xapic' | 'x2apic'): void {
    const bits = BigInt(APIC_BASE.enabled | APIC_BASE.x2apic)
    const on = mode === 'off' ? 0 : APIC_BASE.enabled | (mode === 'x2apic' ? APIC_BASE.x2apic : 0)
    this.writeMsr(MSR.apicBase, (this.readMsr(MSR.apicBase) & ~bits) | BigInt(on))
    this.wide = mode === 'x2apic'
  }
}
