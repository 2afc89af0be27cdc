/**
 * States as words: each cell takes as many bits as its type needs, and no cell straddles two words. The functions over
 * words are generated, for V8 compiles straight-line code over known shifts several times better than a table of them.
 */
import type { Layout, Leaf } from '../language/layout.ts'
import { generate } from './source.ts'

export interface Packing {
  /** 32-bit words of a packed state, at least one. */
  readonly words: number
  /** The cells that each word holds. */
  readonly cellsOf: readonly (readonly number[])[]
  /** Writes the words of a state into `out` from `at` on. */
  readonly pack: (cells: Int32Array, out: Int32Array, at: number) => void
  /** Reads them back. */
  readonly unpack: (words: Int32Array, at: number, cells: Int32Array) => void
}

interface Place {
  readonly cell: number
  readonly bits: number
  readonly word: number
  readonly shift: number
}

/** Bits that `values` different raw numbers take; a type with one value takes none. */
const bitsFor = (values: number): number => 32 - Math.clz32(values - 1)

/** Widest first into the first word that has room: within a word of the fewest possible, and deterministic. */
const placesOf = (leaves: readonly Leaf[]): { places: Place[]; words: number } => {
  const free: number[] = []
  const places = leaves
    .map((leaf) => ({ cell: leaf.cell, bits: leaf.type.cells === 1 ? 0 : bitsFor(leaf.type.cells) }))
    .filter(({ bits }) => bits > 0)
    .sort((a, b) => b.bits - a.bits || a.cell - b.cell)
    .map(({ cell, bits }) => {
      let word = free.findIndex((room) => room >= bits)
      if (word < 0) word = free.push(32) - 1
      const shift = 32 - free[word]!
      free[word]! -= bits
      return { cell, bits, word, shift }
    })
  return { places, words: Math.max(1, free.length) }
}

export const packingOf = (layout: Layout): Packing => {
  const { places, words } = placesOf(layout.leaves)
  const cellsOf: number[][] = []
  const packLines: string[] = []
  const unpackLines: string[] = []
  for (let word = 0; word < words; word++) {
    const here = places.filter((place) => place.word === word).sort((a, b) => a.cell - b.cell)
    cellsOf.push(here.map(({ cell }) => cell))
    const terms = here.map(({ cell, shift }) => (shift === 0 ? `c[${cell}]` : `c[${cell}]<<${shift}`))
    packLines.push(`o[a+${word}]=${terms.length === 0 ? '0' : terms.join('|')};`)
    const reads = here.map(({ cell, bits, shift }) => `c[${cell}]=w>>>${shift}&${2 ** bits - 1}`)
    if (reads.length > 0) unpackLines.push(`w=o[a+${word}];${reads.join(';')};`)
  }
  return {
    words,
    cellsOf,
    pack: generate('c,o,a', packLines),
    unpack: generate('o,a,c', unpackLines, {}, 'let w=0;'),
  }
}
