/** A VGA as far as text needs it: four files of registers, input status 1, and 32 KiB of characters and attributes. */
import { CRTC, MISC_COLOUR, STATUS_1, TEXT, VGA } from '../../layout/vga.ts'
import type { BoardPart } from '../board.ts'
import { decode } from '../plain.ts'
import { dark, type FileName, type VgaParts, type VgaState } from './vga-parts.ts'

const FIRST = 0x3b0
const LAST = 0x3df
const INDEXED: ReadonlyMap<number, 'sequencer' | 'graphics'> = new Map([
  [VGA.sequencer, 'sequencer'],
  [VGA.graphics, 'graphics'],
])

export class Vga implements BoardPart {
  readonly describes = [
    {
      id: 'vga',
      kind: 'vga-text',
      transport: { kind: 'port', base: VGA.attribute },
      facts: { text: TEXT.base, textBytes: TEXT.bytes },
    },
  ] as const
  readonly #parts: VgaParts
  #state = dark()
  #text: Uint8Array = new Uint8Array(TEXT.bytes)

  constructor(parts: VgaParts) {
    this.#parts = parts
  }

  /** Wider accesses are of a byte each; a byte that is nobody's reads as all ones. */
  read(space: string, address: number, width: number): number | undefined {
    const read = space === 'port' ? this.#readPort : space === 'mmio' ? this.#readText : undefined
    let value = 0
    let isOurs = false
    for (let byte = 0; byte < width && read !== undefined; byte++) {
      const found = read.call(this, address + byte)
      isOurs ||= found !== undefined
      value += (found ?? 0xff) * 2 ** (8 * byte)
    }
    return isOurs ? value : undefined
  }

  write(space: string, address: number, width: number, value: number): boolean {
    const write = space === 'port' ? this.#writePort : space === 'mmio' ? this.#writeText : undefined
    let isOurs = false
    for (let byte = 0; byte < width && write !== undefined; byte++)
      isOurs = write.call(this, address + byte, (value >>> (8 * byte)) & 0xff) || isOurs
    return isOurs
  }

  #readText(address: number): number | undefined {
    return this.#text[address - TEXT.base]
  }

  #writeText(address: number, value: number): boolean {
    const offset = address - TEXT.base
    if (offset < 0 || offset >= TEXT.bytes) return false
    this.#text[offset] = value
    return true
  }

  /** The file whose index is at this port. */
  #fileAt(port: number): Exclude<FileName, 'attribute'> | undefined {
    const crtc = this.#parts.isColour(this.#state) ? CRTC.colour : CRTC.mono
    return port === crtc ? 'crtc' : INDEXED.get(port)
  }

  #readPort(port: number): number | undefined {
    if (port < FIRST || port > LAST) return undefined
    const s = this.#state
    const parts = this.#parts
    if (port === VGA.attribute) return s.attribute.index
    if (port === VGA.attributeData) return parts.read(s.attribute)
    if (port === VGA.miscRead) return s.misc
    if (port === (parts.isColour(s) ? STATUS_1.colour : STATUS_1.mono)) {
      parts.statusRead(s)
      return parts.status(s)
    }
    const file = this.#fileAt(port)
    if (file !== undefined) return s[file].index
    const dataOf = this.#fileAt(port - 1)
    return dataOf === undefined ? undefined : parts.read(s[dataOf])
  }

  #writePort(port: number, value: number): boolean {
    if (port < FIRST || port > LAST) return false
    const s = this.#state
    const file = this.#fileAt(port)
    const dataOf = this.#fileAt(port - 1)
    if (port === VGA.attribute) this.#parts.attributeWritten(s, value)
    else if (port === VGA.miscWrite) s.misc = value
    else if (file !== undefined) s[file].index = value
    else if (dataOf !== undefined) this.#parts.stored(s, dataOf, value)
    else return false
    return true
  }

  advance(ns: number): void {
    this.#parts.pass(this.#state, ns)
  }

  reset(): void {
    this.#state = { ...dark(), misc: MISC_COLOUR }
    this.#text.fill(0)
  }

  save(): unknown {
    return { state: { ...this.#state }, text: this.#text.slice() }
  }

  restore(saved: unknown): void {
    const { state, text } = decode(saved) as { state: VgaState; text: Uint8Array }
    this.#state = state
    this.#text = text
  }
}
