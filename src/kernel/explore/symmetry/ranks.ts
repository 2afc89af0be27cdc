/**
 * Signatures of ids: everything that a state says about an id by itself, as bits, in a fixed order. Ids sorted by
 * signature are in an order that does not depend on their names. Ids of equal signature can be exchanged and nothing
 * changes, unless the state also relates ids to each other: a `relation`.
 */
import type { Domain, Layout } from '../../language/index.ts'
import { bitsFor } from '../../language/word-layout.ts'

export interface Signatures {
  /** 32-bit words of a signature. */
  readonly words: number
  /** Text that writes the signatures of the ids in the cells `c` to `sig`, word by word. */
  readonly text: string
  /** The state relates ids of the domain to ids, so that signatures are not all. */
  readonly relation: boolean
}

const WORD = 32

/** Text of a condition under which a field is there, and what follows on it. */
export const whileThere = (only: { readonly tag: number; readonly value: number } | undefined): string =>
  only === undefined ? '' : `if(c[${only.tag}]===${only.value})`

/** Signatures of the ids of `domain`, one of the `domains` of ids that are symmetric. */
export const signaturesOf = (domain: Domain, domains: readonly Domain[], layout: Layout): Signatures => {
  const { size, values, blocks } = domain
  const typeOf = new Map(layout.leaves.map(({ cell, type }) => [cell, type]))
  const named = new Set(domains.flatMap((one) => one.values.map(({ cell }) => cell)))
  /** How often a cell is moved when ids are exchanged. */
  const holders = (cell: number): number =>
    domains
      .flatMap((one) => one.blocks)
      .filter((block) => block.cell <= cell && cell < block.cell + block.length * block.stride).length
  const parts: string[] = []
  let words = 1
  let filled = 0
  let relation = false
  /** The place of so many bits: a word of the signatures and a shift. */
  const place = (bits: number): { readonly at: number; readonly shift: number } => {
    if (filled + bits > WORD) {
      words++
      filled = 0
    }
    filled += bits
    return { at: (words - 1) * size, shift: filled - bits }
  }
  const each = (at: number, bits: string): string => `for(let i=0;i<${size};i++)sig[${at}+i]|=${bits};`

  for (const { cell, type, only } of values) {
    if (holders(cell) > 0) {
      relation = true
      continue
    }
    const { at, shift } = place(1)
    if (type.kind === 'set') parts.push(each(at, `(c[${cell}]>>>i&1)<<${shift}`))
    else {
      const none = type.kind === 'maybe' ? 1 : 0
      const guards = [
        ...(only === undefined ? [] : [`c[${only.tag}]===${only.value}`]),
        ...(none === 1 ? [`c[${cell}]!==0`] : []),
      ]
      const condition = guards.length === 0 ? '' : `if(${guards.join('&&')})`
      parts.push(`${condition}sig[${at - none}+c[${cell}]]|=${1 << shift};`)
    }
  }
  for (const block of blocks)
    for (let offset = 0; offset < block.stride; offset++) {
      const cell = block.cell + offset
      if (holders(cell) > 1 || named.has(cell)) {
        relation = true
        continue
      }
      const bits = bitsFor(typeOf.get(cell)!.cells)
      if (bits === 0) continue
      const { at, shift } = place(bits)
      parts.push(each(at, `c[${cell}+i*${block.stride}]<<${shift}`))
    }
  return { words, relation, text: `sig.fill(0,0,${words * size});${parts.join('\n')}` }
}
