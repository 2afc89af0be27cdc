/** MSI-X as a guest programs it (PCI 3.0, 6.8.2). */
import type { Gpa } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { CAPABILITY, MSIX, MSIX_CONTROL, MSIX_ENTRY, MSIX_ENTRY_MASKED } from '../../layout/pci.ts'
import { place } from './access.ts'
import type { Bar } from './pci-bars.ts'
import type { Capability, ConfigSpace } from './pci-bus.ts'

/** Where x86 takes messages: the destination is in bits 12 to 19. */
const INTERRUPT_WINDOW = 0xfee0_0000
const BAR_INDEX = 7

/** An interrupt as it appears on the bus. */
export interface Message {
  readonly address: number
  readonly data: number
}

/** The MSI-X table of one function. Entries start unmasked; `messageBase` is memory set aside for messages, if any. */
export class Msix {
  readonly vectors: number
  /** Messages are writes to memory that was set aside for them. */
  readonly inMemory: boolean
  readonly #config: ConfigSpace
  readonly #control: number
  readonly #table: number
  readonly #pending: number
  readonly #places: readonly number[]
  readonly #messages: Message[]

  constructor(config: ConfigSpace, capability: Capability, bars: readonly Bar[], messageBase: Gpa | undefined) {
    const table = config.read32(capability.at + MSIX.table)
    const pending = config.read32(capability.at + MSIX.pba)
    const within = (register: number, what: string): number => {
      const bar = bars.find((each) => each.index === (register & BAR_INDEX) && each.space === 'mmio')
      if (bar === undefined)
        throw new ModelError(
          `${config.device}: MSI-X ${what}: expected it in an implemented memory BAR, found BAR ${register & BAR_INDEX}`,
        )
      return bar.base + (register & ~BAR_INDEX)
    }
    this.inMemory = messageBase !== undefined
    this.#config = config
    this.#control = capability.at + MSIX.control
    this.vectors = (config.read16(this.#control) & MSIX_CONTROL.TABLE_SIZE) + 1
    this.#table = within(table, 'table')
    this.#pending = within(pending, 'pending bits')
    this.#places = Array.from({ length: this.vectors }, (_, i) =>
      messageBase === undefined ? INTERRUPT_WINDOW + (i % 256) * 2 ** 12 : messageBase + 16 * i,
    )
    this.#messages = this.#places.map((address, i) => ({ address, data: i + 1 }))
  }

  /** Every entry gets its message and is unmasked; then MSI-X is switched on. */
  program(): void {
    for (let vector = 0; vector < this.vectors; vector++) {
      this.setMessage(vector, this.#messages[vector]!)
      this.mask(vector, false)
    }
    this.control(true, false)
  }

  /** What entry `vector` was last told to send. */
  messageOf(vector: number): Message {
    const message = this.#messages[vector]
    if (message === undefined)
      throw new ModelError(
        `${this.#config.device}: vector ${vector}: expected one of the ${this.vectors} entries of the MSI-X table`,
      )
    return message
  }

  setMessage(vector: number, message: Message): void {
    this.#messages[vector] = message
    this.#write(vector, MSIX_ENTRY.addressLow, message.address % 2 ** 32)
    this.#write(vector, MSIX_ENTRY.addressHigh, Math.floor(message.address / 2 ** 32))
    this.#write(vector, MSIX_ENTRY.data, message.data)
  }

  mask(vector: number, masked: boolean): void {
    this.#write(vector, MSIX_ENTRY.control, masked ? MSIX_ENTRY_MASKED : 0)
  }

  control(enabled: boolean, masked: boolean): void {
    this.#config.write16(this.#control, (enabled ? MSIX_CONTROL.ENABLE : 0) | (masked ? MSIX_CONTROL.FUNCTION_MASK : 0))
  }

  isEnabled(): boolean {
    return (this.#config.read16(this.#control) & MSIX_CONTROL.ENABLE) !== 0
  }
  /** What the table holds. */
  readMessage(vector: number): Message {
    const { guest } = this.#config
    const low = guest.read32(this.#entry(vector, MSIX_ENTRY.addressLow))
    const high = guest.read32(this.#entry(vector, MSIX_ENTRY.addressHigh))
    return { address: high * 2 ** 32 + low, data: guest.read32(this.#entry(vector, MSIX_ENTRY.data)) }
  }
  /** The address set aside for messages of an entry; 16 bytes there are its own. */
  placeOf(vector: number): number {
    return this.#places[vector]!
  }
  isMasked(vector: number): boolean {
    return (this.#config.guest.read32(this.#entry(vector, MSIX_ENTRY.control)) & MSIX_ENTRY_MASKED) !== 0
  }

  /** The same by accesses of eight bytes, which keep the entry masked; whether it then reads so in halves and in quarters. */
  setMessageWide(vector: number, message: Message): boolean {
    const { target } = this.#config.guest
    this.#messages[vector] = message
    const masked = BigInt(MSIX_ENTRY_MASKED) << 32n
    const halves = [BigInt(message.address), BigInt(message.data) | masked]
    // The other bits of the control word are reserved.
    const defined = [0xffff_ffff_ffff_ffffn, 0xffff_ffffn | masked]
    const places = [MSIX_ENTRY.addressLow, MSIX_ENTRY.data].map((field) => this.#entry(vector, field))
    for (const [i, at] of places.entries()) target.write(at, 8, halves[i]!)
    const inQuarters = this.readMessage(vector)
    return (
      places.every((at, i) => (target.read(at, 8) & defined[i]!) === halves[i]) &&
      inQuarters.address === message.address &&
      inQuarters.data === message.data &&
      this.isMasked(vector)
    )
  }
  /** Eight bytes behind the table; undefined: something else may be there. */
  get beside() {
    const end = this.#entry(this.vectors, 0)
    return this.#pending >= end.address + 8 || this.#pending + 8 * Math.ceil(this.vectors / 64) <= this.#table
      ? end
      : undefined
  }
  /** Writes the word of the pending bits that the lowest entries have, which software should never do. */
  writePending(value: number): void {
    this.#config.guest.write32(place('mmio', this.#pending), value)
  }
  /** Table and pending bits as they read. */
  contents(): string {
    const entries = Array.from({ length: this.vectors }, (_, v) => v)
    return JSON.stringify(entries.map((v) => [this.readMessage(v), this.isMasked(v), this.pending(v)]))
  }

  /** The pending bit of an entry. */
  pending(vector: number): boolean {
    const at = place('mmio', this.#pending + 4 * (vector >>> 5))
    return ((this.#config.guest.read32(at) >>> (vector & 31)) & 1) === 1
  }

  #entry(vector: number, field: number) {
    return place('mmio', this.#table + MSIX_ENTRY.bytes * vector + field)
  }
  #write(vector: number, field: number, value: number): void {
    this.#config.guest.write32(this.#entry(vector, field), value)
  }
}

/** The MSI-X table of a function, or undefined when it has none. */
export const findMsix = (
  config: ConfigSpace,
  capabilities: readonly Capability[],
  bars: readonly Bar[],
  messageBase: Gpa | undefined,
): Msix | undefined => {
  const capability = capabilities.find(({ id }) => id === CAPABILITY.MSIX)
  return capability && new Msix(config, capability, bars, messageBase)
}
