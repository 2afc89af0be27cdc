/** As much of an assembler as the agent of this folder needs: bytes, labels, and references to labels. */

type Reference = { readonly at: number; readonly label: string; readonly kind: 'relative' | 'low16' | 'linear' }

/** Code that is placed at a linear address. */
export class Assembler {
  readonly #origin: number
  readonly #bytes: number[] = []
  readonly #labels = new Map<string, number>()
  readonly #references: Reference[] = []

  constructor(origin: number) {
    this.#origin = origin
  }

  /** Instruction bytes as they are. */
  code(...bytes: readonly number[]): this {
    this.#bytes.push(...bytes)
    return this
  }

  word(value: number): this {
    return this.code(value & 0xff, (value >>> 8) & 0xff)
  }

  long(value: number): this {
    return this.word(value & 0xffff).word(value >>> 16)
  }

  label(name: string): this {
    this.#labels.set(name, this.#origin + this.#bytes.length)
    return this
  }

  /** The distance to a label from the end of this field, 32 bits. */
  relative(label: string): this {
    return this.#refer(label, 'relative', 4)
  }

  /** The linear address of a label, 32 bits. */
  linear(label: string): this {
    return this.#refer(label, 'linear', 4)
  }

  /** The low half of the linear address of a label: its offset in a segment that begins at a multiple of 64 KiB. */
  low16(label: string): this {
    return this.#refer(label, 'low16', 2)
  }

  align(bytes: number): this {
    while ((this.#origin + this.#bytes.length) % bytes !== 0) this.#bytes.push(0x90)
    return this
  }

  addressOf(label: string): number {
    const address = this.#labels.get(label)
    if (address === undefined) throw new RangeError(`agent: no label ${label}`)
    return address
  }

  /** The finished code. */
  assemble(): Uint8Array {
    const bytes = Uint8Array.from(this.#bytes)
    const view = new DataView(bytes.buffer)
    for (const { at, label, kind } of this.#references) {
      const address = this.addressOf(label)
      if (kind === 'low16') view.setUint16(at, address & 0xffff, true)
      else view.setInt32(at, kind === 'linear' ? address : address - (this.#origin + at + 4), true)
    }
    return bytes
  }

  #refer(label: string, kind: Reference['kind'], size: number): this {
    this.#references.push({ at: this.#bytes.length, label, kind })
    for (let i = 0; i < size; i++) this.#bytes.push(0)
    return this
  }
}
