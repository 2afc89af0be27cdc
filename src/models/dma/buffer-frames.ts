/**
 * Frames of buffers, in which each dword tells its frame, and data of sectors, in which each dword tells its sector: what
 * moved between the two is found by looking.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { SECTOR_BYTES } from '../../layout/blk.ts'
import { loadInto } from '../guest/access.ts'

const FRAME_BYTES = 4096
const DWORDS = FRAME_BYTES / 4
/** First byte of a word of a frame, and of a sector. */
const PATTERN = 0xa5
const SECTOR = 0x5a
const GENERATIONS = 64

/** Where some bytes of a request lie, in whatever frame they are. */
export interface Part {
  /** Offset in a frame. */
  readonly offset: number
  readonly data: Uint8Array
}

/** What was found of a part. */
export interface Found {
  readonly frames: readonly number[]
  /** All of it is there. */
  readonly whole: boolean
}

export interface Scan {
  readonly parts: readonly Found[]
  /** Something changed, or was read, that is none of the parts. */
  readonly elsewhere: boolean
}

/** Data that tell which sector they are of. */
export const sectorData = (sector: number): Uint8Array => {
  const data = new Uint8Array(SECTOR_BYTES)
  const words = new DataView(data.buffer)
  for (let at = 0; at < SECTOR_BYTES; at += 4) words.setUint32(at, ((SECTOR << 24) | (sector << 16) | at) >>> 0, true)
  return data
}

export class BufferFrames {
  #target: Target
  readonly #start: Gpa
  readonly #count: number
  readonly #generations: number[]
  /** What every frame has to hold. */
  readonly #expected: Uint8Array
  readonly #words: DataView
  readonly #found = new Uint8Array(FRAME_BYTES)
  readonly #foundWords = new DataView(this.#found.buffer)

  constructor(target: Target, start: Gpa, count: number) {
    this.#target = target
    this.#start = start
    this.#count = count
    this.#generations = new Array<number>(count).fill(0)
    this.#expected = new Uint8Array(count * FRAME_BYTES)
    this.#words = new DataView(this.#expected.buffer)
  }

  gpaOf(frame: number): Gpa {
    return this.#start + frame * FRAME_BYTES
  }

  /** The frame of an address. */
  frameOf(gpa: Gpa): number | undefined {
    const frame = Math.floor((gpa - this.#start) / FRAME_BYTES)
    return frame >= 0 && frame < this.#count ? frame : undefined
  }

  start(): void {
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

  /** Where the parts were written. Frames that changed get new words. */
  scan(parts: readonly Part[]): Scan {
    const frames = parts.map(() => new Set<number>())
    const words = parts.map(() => new Set<number>())
    let elsewhere = false
    for (let frame = 0; frame < this.#count; frame++) {
      const from = frame * FRAME_BYTES
      loadInto(this.#target, this.gpaOf(frame), this.#found)
      if (Buffer.compare(this.#found, this.#expected.subarray(from, from + FRAME_BYTES)) === 0) continue
      for (let at = 0; at < FRAME_BYTES; at += 4) {
        const found = this.#foundWords.getUint32(at, true)
        if (found === this.#words.getUint32(from + at, true)) continue
        const which = parts.findIndex(
          ({ offset, data }) => at >= offset && at < offset + data.length && found === wordOf(data, at - offset),
        )
        if (which < 0) elsewhere = true
        frames[which]?.add(frame)
        words[which]?.add(at)
      }
      this.renew(frame)
    }
    return {
      parts: parts.map(({ data }, which) => ({
        frames: [...frames[which]!],
        whole: words[which]!.size === data.length / 4,
      })),
      elsewhere,
    }
  }

  /** Which frames the parts came from; words of no frame count for none. */
  origin(parts: readonly Part[]): Scan {
    let elsewhere = false
    const found = parts.map(({ offset, data }) => {
      const frames = new Set<number>()
      let known = 0
      for (let at = 0; at < data.length; at += 4) {
        const word = wordOf(data, at)
        if (word >>> 24 !== PATTERN) continue
        const frame = (word >>> 16) & 0xff
        const isThere = frame < this.#count && this.#words.getUint32(frame * FRAME_BYTES + offset + at, true) === word
        // Words that a frame held earlier came from it before it was given others.
        if (isThere) {
          frames.add(frame)
          known++
        } else if ((word & 0x3ff) !== (offset + at) / 4) elsewhere = true
      }
      return { frames: [...frames], whole: known === data.length / 4 }
    })
    return { parts: found, elsewhere }
  }

  notes(): readonly unknown[] {
    return [this.#generations]
  }

  move(target: Target): void {
    this.#target = target
  }
}

const wordOf = (data: Uint8Array, at: number): number =>
  new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(at, true)
