/** Function-level reset and power states, through the capabilities that have them (PCI Express 7.5.3, PCI PM 3.2). */
import { ModelError } from '../../kernel/model.ts'
import {
  CAPABILITY,
  EXPRESS,
  FLR_CAPABLE,
  FLR_INITIATE,
  PCI,
  POWER,
  POWER_NO_SOFT_RESET,
  POWER_STATE_MASK,
  TRANSACTIONS_PENDING,
} from '../../layout/pci.ts'
import type { Subject } from './subject.ts'

const D3HOT = 3

export class Capabilities {
  readonly #subject: Subject

  constructor(subject: Subject) {
    this.#subject = subject
  }

  get hasPower(): boolean {
    return this.#find(CAPABILITY.POWER) !== undefined
  }
  get canReset(): boolean {
    const express = this.#find(CAPABILITY.EXPRESS)
    return (
      express !== undefined && (this.#subject.config.read32(express + EXPRESS.deviceCapabilities) & FLR_CAPABLE) !== 0
    )
  }

  startReset(): void {
    const { config } = this.#subject
    const control = this.#express + EXPRESS.deviceControl
    config.write16(control, config.read16(control) | FLR_INITIATE)
  }

  /** A function in reset need not answer; once it does, what it had under way may still be pending. */
  get isResetDone(): boolean {
    const { config } = this.#subject
    const status = this.#express + EXPRESS.deviceStatus
    return config.read16(PCI.vendorId) !== 0xffff && (config.read16(status) & TRANSACTIONS_PENDING) === 0
  }

  sleep(): void {
    this.#subject.config.write16(this.#power + POWER.control, D3HOT)
  }
  /** Back to D0; returns whether that was a soft reset. */
  wake(): boolean {
    const { config } = this.#subject
    const at = this.#power + POWER.control
    config.write16(at, 0)
    return (config.read16(at) & POWER_NO_SOFT_RESET) === 0
  }
  get isAsleep(): boolean {
    return (this.#subject.config.read16(this.#power + POWER.control) & POWER_STATE_MASK) !== 0
  }

  #find(id: number): number | undefined {
    return this.#subject.capabilities.find((each) => each.id === id)?.at
  }
  get #express(): number {
    return this.#expect(CAPABILITY.EXPRESS, 'function-level reset')
  }
  get #power(): number {
    return this.#expect(CAPABILITY.POWER, 'power management')
  }
  #expect(id: number, what: string): number {
    const at = this.#find(id)
    if (at !== undefined) return at
    throw new ModelError(
      `${this.#subject.id}: its description promises ${what}; expected a capability ${id}, found none`,
    )
  }
}
