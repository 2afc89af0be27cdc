/**
 * The second layout of a schema: states as 32-bit words, for exhaustive search. A scalar takes as many bits as its type
 * needs and never straddles two words. A scalar inside arrays is a column: its elements lie side by side, so that the
 * place of an element is a multiplication away. The cases of a variant share their bits.
 */
import type { Layout, Node } from './layout.ts'

/** Bits for `count` elements, side by side, `perWord` to a word. */
interface Column {
  readonly bits: number
  readonly count: number
  /** In order; one unless the column is wider than a word. */
  readonly words: readonly number[]
  readonly perWord: number
  /** Of the first element, within its word. */
  readonly shift: number
}

/** Where a scalar, or the tag of a variant, is: bits from `offset` on of each element of a column. */
export interface Place {
  readonly column: Column
  readonly offset: number
  readonly bits: number
}

/** One scalar of a state, by its cell and by its bits. */
export interface Field {
  readonly cell: number
  readonly word: number
  readonly shift: number
  readonly bits: number
  /** For a field of a variant: there only while the cell `tag` holds `value`. */
  readonly only: { readonly tag: number; readonly value: number } | undefined
}

export interface WordLayout {
  /** 32-bit words of a state, at least one. */
  readonly words: number
  /** By scalar node, and by variant node for its tag. */
  readonly places: ReadonlyMap<Node, Place>
  readonly fields: readonly Field[]
  /** Writes the words of a state into `out` from `at` on. */
  pack(cells: Int32Array, out: Int32Array, at: number): void
  /** Reads them back. */
  unpack(words: Int32Array, at: number, cells: Int32Array): void
}

const WORD = 32
/** Bits that `values` different raw numbers take; a type with one value takes none. */
export const bitsFor = (values: number): number => (values === 1 ? 0 : 32 - Math.clz32(values - 1))
export const maskOf = (bits: number): number => (bits === WORD ? -1 : 2 ** bits - 1)

/** What one column is wanted for: nodes with their offsets in an element. */
interface Wish {
  readonly bits: number
  readonly count: number
  readonly nodes: readonly { readonly node: Node; readonly offset: number; readonly bits: number }[]
}

const wishOf = (node: Node, bits: number, count: number): Wish => ({ bits, count, nodes: [{ node, offset: 0, bits }] })

const wishesOf = (node: Node, count: number): Wish[] => {
  switch (node.kind) {
    case 'scalar':
      return [wishOf(node, bitsFor(node.type.cells), count)]
    case 'array':
      return wishesOf(node.of, count * node.length)
    case 'record':
      return [...node.fields.values()].flatMap((field) => wishesOf(field, count))
    case 'variant': {
      const tagBits = bitsFor(node.tag.cells)
      const nodes: { node: Node; offset: number; bits: number }[] = [{ node, offset: 0, bits: tagBits }]
      let bits = tagBits
      for (const fields of node.cases.values()) {
        let offset = tagBits
        for (const field of fields.values()) {
          const wide = field.kind === 'scalar' ? bitsFor(field.type.cells) : 0
          nodes.push({ node: field, offset, bits: wide })
          offset += wide
        }
        bits = Math.max(bits, offset)
      }
      // A variant that is wider than a word has no bits to share.
      return bits <= WORD ? [{ bits, count, nodes }] : nodes.map((each) => wishOf(each.node, each.bits, count))
    }
  }
}

/** Widest first into the first word that has room: within a word of the fewest possible, and deterministic. */
const columnsOf = (wishes: readonly Wish[]): { columns: ReadonlyMap<Wish, Column>; words: number } => {
  const free: number[] = []
  const columns = new Map<Wish, Column>()
  const put = (wish: Wish): Column => {
    const { bits, count } = wish
    const whole = bits * count
    if (whole > WORD) {
      const perWord = Math.floor(WORD / bits)
      const words: number[] = []
      for (let rest = count; rest > 0; rest -= perWord) words.push(free.push(WORD - Math.min(rest, perWord) * bits) - 1)
      return { bits, count, words, perWord, shift: 0 }
    }
    let word = free.findIndex((room) => room >= whole)
    if (word < 0) word = free.push(WORD) - 1
    const shift = WORD - free[word]!
    free[word]! -= whole
    return { bits, count, words: [word], perWord: count, shift }
  }
  for (const wish of [...wishes].sort((a, b) => b.bits * b.count - a.bits * a.count)) columns.set(wish, put(wish))
  return { columns, words: Math.max(1, free.length) }
}

const fieldsOf = (places: ReadonlyMap<Node, Place>, root: Node): Field[] => {
  const fields: Field[] = []
  const add = (node: Node, cell: number, element: number, only?: Field['only']): void => {
    const { column, offset, bits } = places.get(node)!
    if (bits === 0) return
    const word = column.words[Math.floor(element / column.perWord)]!
    const shift = column.shift + (element % column.perWord) * column.bits + offset
    fields.push({ cell, word, shift, bits, only })
  }
  /** `element` counts the instances of this node, `moved` is how far this one's cells are from the first one's. */
  const walk = (node: Node, element: number, moved: number): void => {
    switch (node.kind) {
      case 'scalar':
        add(node, node.cell + moved, element)
        return
      case 'array':
        for (let i = 0; i < node.length; i++) walk(node.of, element * node.length + i, moved + i * node.stride)
        return
      case 'record':
        for (const field of node.fields.values()) walk(field, element, moved)
        return
      case 'variant': {
        const tag = node.cell + moved
        add(node, tag, element)
        for (const [value, inCase] of [...node.cases.values()].entries())
          for (const field of inCase.values()) add(field, field.cell + moved, element, { tag, value })
      }
    }
  }
  walk(root, 0, 0)
  return fields
}

const known = new WeakMap<Layout, WordLayout>()

export const wordLayoutOf = (layout: Layout): WordLayout => {
  const made = known.get(layout)
  if (made !== undefined) return made
  const wishes = wishesOf(layout.root, 1)
  const { columns, words } = columnsOf(wishes)
  const places = new Map<Node, Place>()
  for (const wish of wishes)
    for (const { node, offset, bits } of wish.nodes) places.set(node, { column: columns.get(wish)!, offset, bits })
  // A tag comes before the fields that depend on it.
  const fields = fieldsOf(places, layout.root)
  const result: WordLayout = {
    words,
    places,
    fields,
    pack(cells, out, at) {
      out.fill(0, at, at + words)
      for (const { cell, word, shift, only } of fields)
        if (only === undefined || cells[only.tag] === only.value) out[at + word]! |= cells[cell]! << shift
    },
    unpack(from, at, cells) {
      cells.fill(0)
      for (const { cell, word, shift, bits, only } of fields)
        if (only === undefined || cells[only.tag] === only.value)
          cells[cell] = (from[at + word]! >>> shift) & maskOf(bits)
    },
  }
  known.set(layout, result)
  return result
}
