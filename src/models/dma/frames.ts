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
  readonly #start: Gpa
  readonly #count: number
  readonly #generations: number[]
  /** What was written since a frame was filled, by `frame * DWORDS + dword`. */
  readonly #written = new Map<number, number>()
  #tags = 0
  readonly #page = new Uint8Array(FRAME_BYTES)
  readonly #words = new DataView(this.#page.buffer)

  constructor(target: Target, start: Gpa, count: number) {
    this.#target = target
    this.#start = start
    this.#count = count
    this.#generations = new Array<number>(count).fill(0)
  }

  gpaOf(frame: number): Gpa {
    return this.#start + frame * FRAME_BYTES
  }

  /** Fills all frames with their first words. */
  start(): void {
    this.#tags = 0
    this.#written.clear()
    this.#generations.fill(0)
    for (let frame = 0; frame < this.#count; frame++) this.#fill(frame)
  }

  /** Other words for a frame: what it held is gone. */
  renew(frame: number): void {
    this.#generations[frame] = (this.#generations[frame]! + 1) % GENERATIONS
    for (const at of this.#written.keys()) if (Math.floor(at / DWORDS) === frame) this.#written.delete(at)
    this.#fill(frame)
  }

  #fill(frame: number): void {
    for (let dword = 0; dword < DWORDS; dword++) this.#words.setUint32(4 * dword, this.#word(frame, dword), true)
    this.#target.store(this.gpaOf(frame), this.#page)
  }

  #word(frame: number, dword: number): number {
    const written = this.#written.get(frame * DWORDS + dword)
    return written ?? ((PATTERN << 24) | (frame << 16) | (this.#generations[frame]! << 10) | dword) >>> 0
  }

  /** A dword to be written that was not used before. */
  newTag(): number {
    this.#tags = (this.#tags + 1) % TAGS
    return ((TAG << 24) | this.#tags) >>> 0
  }

  /** Whose word this is at an offset; `nowhere`: no frame's. */
  placeOfRead(offset: number, word: number): Place {
    for (let frame = 0; frame < this.#count; frame++) if (this.#word(frame, offset >> 2) === word) return frame
    return 'nowhere'
  }

  /** Where a tag was written that was meant for an offset. What else changed around it makes that `elsewhere`. */
  placeOfWrite(offset: number, tag: number): Place {
    const dword = offset >> 2
    const first = Math.max(0, dword - AROUND)
    const last = Math.min(DWORDS - 1, dword + AROUND)
    let place: Place = 'nowhere'
    for (let frame = 0; frame < this.#count; frame++) {
      const bytes = this.#page.subarray(4 * first, 4 * (last + 1))
      loadInto(this.#target, this.gpaOf(frame) + 4 * first, bytes)
      for (let at = first; at <= last; at++) {
        const found = this.#words.getUint32(4 * at, true)
        if (found === this.#word(frame, at)) continue
        // What is there now is what will be expected there.
        this.#written.set(frame * DWORDS + at, found)
        place = at === dword && found === tag && place === 'nowhere' ? frame : 'elsewhere'
      }
    }
    return place
  }

  /** Whether every byte of every frame is what it has to be. */
  areSound(): boolean {
    for (let frame = 0; frame < this.#count; frame++) {
      loadInto(this.#target, this.gpaOf(frame), this.#page)
      for (let at = 0; at < DWORDS; at++)
        if (this.#words.getUint32(4 * at, true) !== this.#word(frame, at)) return false
    }
    return true
  }

  notes(): readonly unknown[] {
    return [this.#tags, this.#generations, this.#written]
  }

  move(target: Target): void {
    this.#target = target
  }
}
