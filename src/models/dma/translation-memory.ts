/** Frames that are watched: each dword that an access can meet in them is a word that occurs nowhere else. */
import type { Gpa, Target } from '../../contract/target.ts'
import { loadInto } from '../guest/access.ts'

/** Offsets of the dwords that accesses meet; those of tables lie behind their entries. */
const INSIDE = [0xc00, 0xc04] as const
const LAST = 0xffc
const FIRST = 0
const OFFSETS = [INSIDE[0], INSIDE[1], LAST, FIRST] as const
/** First byte of the words in frames, and of those that are written. */
const NAME = 0xa5
const TAG = 0x5a
const GENERATIONS = 256
const TAGS = 2 ** 24

export interface WatchedFrame {
  readonly gpa: Gpa
  /** A table has words behind its entries alone. */
  readonly isTable: boolean
}

/** Where in a page an access begins, and the dwords of it that each of its pages has. */
export const PLACES = {
  inside: { offset: INSIDE[0], first: [0, 1], second: [] },
  over: { offset: LAST, first: [2], second: [3] },
} as const
/** Bytes of every access. */
export const ACCESS_BYTES = 8

export class TranslationMemory {
  target: Target
  readonly #frames: readonly WatchedFrame[]
  readonly #generations: number[]
  readonly #word = new Uint8Array(4)
  readonly #view = new DataView(this.#word.buffer)
  #tags = 0

  constructor(target: Target, frames: readonly WatchedFrame[]) {
    this.target = target
    this.#frames = frames
    this.#generations = frames.map(() => 0)
  }

  start(): void {
    this.#tags = 0
    this.#generations.fill(0)
    for (let frame = 0; frame < this.#frames.length; frame++) this.#fill(frame)
  }

  notes(): readonly unknown[] {
    return [this.#tags, this.#generations]
  }

  /** A dword that no other write of the run has. */
  newTag(): number {
    this.#tags = (this.#tags + 1) % TAGS
    return ((TAG << 24) | this.#tags) >>> 0
  }

  /** The frame that has all these words at the dwords of these numbers; undefined: none has. */
  frameOf(dwords: readonly number[], words: readonly number[]): number | undefined {
    const frame = (words[0]! >>> 16) & 0xff
    const isIt = frame < this.#frames.length && dwords.every((dword, i) => this.#nameOf(frame, dword) === words[i])
    return isIt ? frame : undefined
  }

  /** The frames where a dword of this number is no longer what it was; each is filled anew. */
  changed(dword: number): { readonly frame: number; readonly word: number }[] {
    const found: { frame: number; word: number }[] = []
    for (const [frame, { gpa, isTable }] of this.#frames.entries()) {
      if (isTable && dword > 1) continue
      loadInto(this.target, gpa + OFFSETS[dword]!, this.#word)
      const word = this.#view.getUint32(0, true)
      if (word === this.#nameOf(frame, dword)) continue
      found.push({ frame, word })
      this.#write(frame, dword)
    }
    return found
  }

  /** Other words for a frame, lest what was read from it before be taken for what is read next. */
  rename(frame: number): void {
    this.#generations[frame] = (this.#generations[frame]! + 1) % GENERATIONS
    this.#fill(frame)
  }

  #fill(frame: number): void {
    for (let dword = 0; dword < (this.#frames[frame]!.isTable ? 2 : 4); dword++) this.#write(frame, dword)
  }
  #write(frame: number, dword: number): void {
    this.#view.setUint32(0, this.#nameOf(frame, dword), true)
    this.target.store(this.#frames[frame]!.gpa + OFFSETS[dword]!, this.#word)
  }
  #nameOf(frame: number, dword: number): number {
    return ((NAME << 24) | (frame << 16) | (this.#generations[frame]! << 8) | dword) >>> 0
  }
}
