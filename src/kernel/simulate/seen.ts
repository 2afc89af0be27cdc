/** Distinct states that walks have seen: exact, each as the words that its cells take. */
import type { Layout } from '../language/layout.ts'

const FIRST_SLOTS = 2 ** 14
/** Part of the slots that may be taken before the table grows. */
const LOAD = 0.6
/** Cells of one generated piece: larger functions are optimised late or never. */
const PIECE = 64

/** Text that hashes and writes the cells of one word, lowest bits first. */
const wordsOf = (layout: Layout): string[] => {
  const words: string[] = []
  let terms: string[] = []
  let used = 0
  for (const { cell, type } of layout.leaves) {
    const bits = 32 - Math.clz32(type.cells - 1)
    if (type.cells === 1) continue
    if (used + bits > 32) {
      words.push(terms.join('|'))
      terms = []
      used = 0
    }
    terms.push(used === 0 ? `c[${cell}]` : `c[${cell}]<<${used}`)
    used += bits
  }
  if (terms.length > 0 || words.length === 0) words.push(terms.join('|') || '0')
  return words
}

export class Seen {
  /** Distinct states so far. */
  count = 0
  private readonly words: number
  private readonly pack: (cells: Int32Array, out: Int32Array) => void
  private readonly packed: Int32Array
  private arena: Int32Array
  private slots = new Int32Array(FIRST_SLOTS)

  constructor(layout: Layout) {
    const words = wordsOf(layout)
    this.words = words.length
    this.packed = new Int32Array(this.words)
    this.arena = new Int32Array(this.words * 1024)
    const pieces: string[] = []
    for (let at = 0; at < words.length; at += PIECE)
      pieces.push(
        `(c,o)=>{${words
          .slice(at, at + PIECE)
          .map((word, i) => `o[${at + i}]=${word};`)
          .join('')}}`,
      )
    const parts = pieces.map((text) => new Function(`'use strict';return ${text}`)() as Seen['pack'])
    this.pack =
      parts.length === 1
        ? parts[0]!
        : (cells, out) => {
            for (const part of parts) part(cells, out)
          }
  }

  /** Takes note of a state. */
  add(cells: Int32Array): void {
    const { packed, words, slots } = this
    this.pack(cells, packed)
    const mask = slots.length - 1
    let slot = hashOf(packed, 0, words) & mask
    for (let number = slots[slot]!; number !== 0; number = slots[slot]!) {
      if (this.isSame(number - 1)) return
      slot = (slot + 1) & mask
    }
    if ((this.count + 1) * words > this.arena.length) this.grow()
    this.arena.set(packed, this.count * words)
    slots[slot] = ++this.count
    if (this.count > slots.length * LOAD) this.spread()
  }

  private isSame(number: number): boolean {
    const { packed, words, arena } = this
    const at = number * words
    for (let i = 0; i < words; i++) if (arena[at + i] !== packed[i]) return false
    return true
  }

  private grow(): void {
    const next = new Int32Array(this.arena.length * 2)
    next.set(this.arena)
    this.arena = next
  }

  private spread(): void {
    const slots = new Int32Array(this.slots.length * 4)
    const mask = slots.length - 1
    for (let number = 0; number < this.count; number++) {
      let slot = hashOf(this.arena, number * this.words, this.words) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number + 1
    }
    this.slots = slots
  }
}

const hashOf = (words: Int32Array, at: number, count: number): number => {
  let hash = 0
  for (let i = 0; i < count; i++) {
    hash = Math.imul(hash ^ words[at + i]!, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return Math.imul(hash, 0x85ebca77) >>> 8
}
