/**
 * Frames of memory that tell where data came from: each dword of each frame holds a word that occurs nowhere else, so
 * that what an access read or wrote says where it went.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { loadInto } from '../guest/access.ts'

const FRAME_BYTES = 4096
const DWORDS = FRAME_BYTES / 4
/** First byte of a word of the pattern, and of one that an access wrote. */
const PATTERN = 0xa5
const TAG = 0x5a
const TAGS = 2 ** 24
const GENERATIONS = 64
/** Dwords before and after the one that is written which have to stay as they are. */
const AROUND = 4

/** Where an access went: a frame by number, nowhere, or to something else. */
export type Place = number | 'nowhere' | 'elsewhere'

export class Frames {
  #target: Target
  readonly #start: Gpa | readonly Gpa[]
  readonly #count: number
  readonly #generations: number[]
  /** What every frame has to hold. */
  readonly #expected: Uint8Array
  readonly #words: DataView
  readonly #found = new Uint8Array(FRAME_BYTES)
  readonly #foundWords = new DataView(this.#found.buffer)
  #tags = 0

  /** `start`: of frames one after the other, or where each of them is. */
  constructor(target: Target, start: Gpa | readonly Gpa[], count: number) {
    this.#target = target
    this.#start = start
    this.#count = count
    this.#generations = new Array<number>(count).fill(0)
    this.#expected = new Uint8Array(count * FRAME_BYTES)
    this.#words = new DataView(this.#expected.buffer)
  }

  gpaOf(frame: number): Gpa {
    return typeof this.#start === 'number' ? this.#start + frame * FRAME_BYTES : this.#start[frame]!
  }

  /** Fills all frames with their first words. */
  start(): void {
    this.#tags = 0
    this.#generations.fill(0)
    for (let frame = 0; frame < this.#count; frame++) this.#fill(frame)
  }

  /** Other words for a frame: what it held is gone. */
  renew(frame: number): void {
    this.#generations[frame] = (this.#generations[frame]! + 1) % GENERATIONS
    this.#fill(frame)
  }

  #fill(frame: number): void {
    const word = ((PATTERN << 24) | (frame << 16) | (this.#generations[frame]! << 10)) >>> 0
    const from = frame * FRAME_BYTES
    for (let dword = 0; dword < DWORDS; dword++) this.#words.setUint32(from + 4 * dword, word + dword, true)
    this.#target.store(this.gpaOf(frame), this.#expected.subarray(from, from + FRAME_BYTES))
  }

  /** A dword to be written that was not used before. */
  newTag(): number {
    this.#tags = (this.#tags + 1) % TAGS
    return ((TAG << 24) | this.#tags) >>> 0
  }

  /** Whose word this is at an offset; `nowhere`: no frame's. */
  placeOfRead(offset: number, word: number): Place {
    for (let frame = 0; frame < this.#count; frame++)
      if (this.#words.getUint32(frame * FRAME_BYTES + offset, true) === word) return frame
    return 'nowhere'
  }

  /** Where a tag was written that was meant for an offset. What else changed around it makes that `elsewhere`. */
  placeOfWrite(offset: number, tag: number): Place {
    const first = Math.max(0, offset - 4 * AROUND)
    const end = Math.min(FRAME_BYTES, offset + 4 * (AROUND + 1))
    let place: Place = 'nowhere'
    for (let frame = 0; frame < this.#count; frame++) {
      loadInto(this.#target, this.gpaOf(frame) + first, this.#found.subarray(first, end))
      for (let at = first; at < end; at += 4) {
        const found = this.#foundWords.getUint32(at, true)
        if (found === this.#words.getUint32(frame * FRAME_BYTES + at, true)) continue
        // What is there now is what will be expected there.
        this.#words.setUint32(frame * FRAME_BYTES + at, found, true)
        place = at === offset && found === tag && place === 'nowhere' ? frame : 'elsewhere'
      }
    }
    return place
  }

  /** Whether every byte of every frame is what it has to be. */
  areSound(): boolean {
    for (let frame = 0; frame < this.#count; frame++) {
      loadInto(this.#target, this.gpaOf(frame), this.#found)
      const from = frame * FRAME_BYTES
      if (Buffer.compare(this.#found, this.#expected.subarray(from, from + FRAME_BYTES)) !== 0) return false
    }
    return true
  }

  notes(): readonly unknown[] {
    return [this.#tags, this.#generations, this.#expected]
  }

  move(target: Target): void {
    this.#target = target
  }
}
