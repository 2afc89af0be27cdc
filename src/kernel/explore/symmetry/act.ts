/** The action of permutations on the cells of a state, in place, as generated code. */
import type { Domain, Machine } from '../../language/index.ts'
import type { AnyScalar } from '../../language/scalar.ts'
import { wordLayoutOf } from '../../language/word-layout.ts'
import { generate } from '../source.ts'
import { whileThere } from './ranks.ts'

/** Reads a row of words into cells. */
export type Load = (rows: Int32Array, at: number) => void

/** Text of where the permutation `g` puts a value: new names of ids, or by how much indexes are turned on. */
const imageText = (kind: Domain['kind'], value: string, size: number): string =>
  kind === 'ids' ? `g[${value}]` : `(${value}+g)%${size}`

const valueText = (kind: Domain['kind'], cell: number, type: AnyScalar): string => {
  const at = `c[${cell}]`
  if (type.kind === 'set')
    return `{let y=0;for(let i=0;i<${type.members};i++)if(${at}>>>i&1)y|=1<<${imageText(kind, 'i', type.members!)};${at}=y}`
  if (type.kind !== 'maybe') return `${at}=${imageText(kind, at, type.cells)};`
  const inner = type.of!
  if (inner.kind === 'set')
    return `if(${at}!==0){let y=0;for(let i=0;i<${inner.members};i++)if(${at}-1>>>i&1)y|=1<<${imageText(kind, 'i', inner.members!)};${at}=y+1}`
  return `if(${at}!==0)${at}=1+${imageText(kind, `(${at}-1)`, inner.cells)};`
}

/** A function that permutes the cells `c` by `g`; `t` is as long. */
export const actOf = <G extends Int32Array | number>(
  { kind, values, blocks }: Domain,
  c: Int32Array,
  t: Int32Array,
): ((g: G) => void) => {
  const moves = blocks.map(({ cell, length, stride }) => {
    const [from, to] = [`i*${stride}`, `${imageText(kind, 'i', length)}*${stride}`]
    const element =
      stride === 1
        ? `t[${to}]=c[${cell}+i];`
        : `{const y=${from},z=${to};for(let j=0;j<${stride};j++)t[z+j]=c[${cell}+y+j]}`
    return `for(let i=0;i<${length};i++)${element}for(let i=0;i<${length * stride};i++)c[${cell}+i]=t[i];`
  })
  const changes = values.map(({ cell, type, only }) => `${whileThere(only)}${valueText(kind, cell, type)}`)
  return generate('act', 'g', [...moves, ...changes], { c, t })
}

export const loadOf = ({ layout }: Machine, c: Int32Array): Load => {
  const texts = wordLayoutOf(layout).fields.map(({ cell, word, shift, bits, only }) => {
    const raw = `rows[at+${word}]>>>${shift}&${2 ** bits - 1}`
    return `c[${cell}]=${only === undefined ? raw : `c[${only.tag}]===${only.value}?${raw}:0`};`
  })
  return generate('load', 'rows,at', texts, { c })
}

/** Writes cells as a row. What is not there of a variant is zero, and shares its bits. */
export const storeOf = ({ layout }: Machine, c: Int32Array): Load => {
  const { words, fields } = wordLayoutOf(layout)
  const texts = Array.from({ length: words }, (_, word) => {
    const parts = fields.filter((field) => field.word === word)
    return `rows[at+${word}]=${parts.length === 0 ? '0' : parts.map(({ cell, shift }) => `c[${cell}]<<${shift}`).join('|')};`
  })
  return generate('store', 'rows,at', texts, { c })
}
