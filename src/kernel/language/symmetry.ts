/**
 * What is interchangeable in a state. Ids of a symmetric domain are names only: exchange two of them everywhere, and the
 * machine does the same under other names. Free-running indexes of a symmetric domain count only from each other: turn
 * all of them on by the same number, and the machine does the same some slots further on.
 *
 * A permutation acts on all values of the domain, on the members of sets over it, and on the order of the elements of
 * arrays over it. That the machine does not notice is its author's word; the explorer puts it to the test.
 */
import type { Layout, Node } from './layout.ts'
import type { AnyScalar } from './scalar.ts'

/** What an author declares: names of domains. */
export interface SymmetryText {
  /** Domains of `t.id` whose values can be exchanged with each other. */
  readonly ids?: readonly string[]
  /** Domains of `t.mod` whose values can be turned on together. */
  readonly rotate?: readonly string[]
}

/** A scalar that holds values of a domain: an id, an index, perhaps one, or a set of them. */
export interface Occurrence {
  readonly cell: number
  readonly type: AnyScalar
  /** For a field of a variant: there only while the cell `tag` holds `value`. */
  readonly only: { readonly tag: number; readonly value: number } | undefined
}

/** The cells of an array over a domain: `length` elements of `stride` cells. */
export interface Block {
  readonly cell: number
  readonly length: number
  readonly stride: number
}

export interface Domain {
  readonly name: string
  readonly kind: 'ids' | 'rotation'
  /** How many ids there are; by how many steps indexes are turned on until all are as before. */
  readonly size: number
  readonly values: readonly Occurrence[]
  /** An array that holds others comes before them. */
  readonly blocks: readonly Block[]
}

export type Symmetry = readonly Domain[]

interface Found {
  readonly type: AnyScalar
  readonly path: string
  readonly value?: Occurrence
  readonly block?: Block
}

/** The type of the domain's values that a scalar holds, if it is one that can have a domain. */
const domainType = (type: AnyScalar): AnyScalar | undefined => {
  if (type.kind === 'maybe') return domainType(type.of!)
  return type.kind === 'set' ? type.by : type
}

const foundIn = (layout: Layout): Found[] => {
  const found: Found[] = []
  const walk = (node: Node, shift: number, only: Occurrence['only']): void => {
    switch (node.kind) {
      case 'scalar': {
        const type = domainType(node.type)
        if (type?.domain !== undefined)
          found.push({ type, path: node.path, value: { cell: node.cell + shift, type: node.type, only } })
        return
      }
      case 'array': {
        const { by, length, stride, path } = node
        if (by?.domain !== undefined) found.push({ type: by, path, block: { cell: node.cell + shift, length, stride } })
        for (let i = 0; i < length; i++) walk(node.of, shift + i * stride, only)
        return
      }
      case 'record':
        for (const field of node.fields.values()) walk(field, shift, only)
        return
      case 'variant':
        for (const [value, fields] of [...node.cases.values()].entries())
          for (const field of fields.values()) walk(field, shift, { tag: node.cell + shift, value })
    }
  }
  walk(layout.root, 0, undefined)
  return found
}

const leastCommonMultiple = (a: number, b: number): number => {
  let [high, low] = [a, b]
  while (low !== 0) [high, low] = [low, high % low]
  return (a / high) * b
}

/** Finds the declared domains in a state; throws a TypeError that says what is wrong with a declaration. */
export const symmetryOf = (machine: string, text: SymmetryText | undefined, layout: Layout): Symmetry => {
  const declared = [
    ...(text?.ids ?? []).map((name) => ({ name, kind: 'ids' as const })),
    ...(text?.rotate ?? []).map((name) => ({ name, kind: 'rotation' as const })),
  ]
  if (declared.length === 0) return []
  const all = foundIn(layout)
  return declared.map(({ name, kind }, i) => {
    const refuse = (what: string): never => {
      throw new TypeError(`${machine}: symmetry: ${name}: ${what}`)
    }
    if (declared.findIndex((other) => other.name === name) !== i) refuse('expected once, found twice')
    const own = all.filter(({ type }) => type.domain === name)
    if (own.length === 0) {
      const there = [...new Set(all.map(({ type }) => type.domain))].join(', ')
      refuse(`expected a domain that the state has values of, found none; there are ${there === '' ? 'none' : there}`)
    }
    const wanted = kind === 'ids' ? 'id' : 'mod'
    const stranger = own.find(({ type }) => type.kind !== wanted)
    if (stranger !== undefined) refuse(`${stranger.path}: expected t.${wanted}, found t.${stranger.type.kind}`)
    const sizes = [...new Set(own.map(({ type }) => type.cells))]
    if (kind === 'ids' && sizes.length > 1) refuse(`expected ids of one size, found ${sizes.join(' and ')}`)
    return {
      ...{ name, kind, size: sizes.reduce(leastCommonMultiple) },
      values: own.flatMap(({ value }) => value ?? []),
      blocks: own.flatMap(({ block }) => block ?? []),
    }
  })
}

/** Where a permutation puts a value of a type with `size` values. */
export type Image = (value: number, size: number) => number

const rawImage = (type: AnyScalar, raw: number, image: Image): number => {
  if (type.kind === 'maybe') return raw === 0 ? 0 : 1 + rawImage(type.of!, raw - 1, image)
  if (type.kind !== 'set') return image(raw, type.cells)
  let members = 0
  for (let i = 0; i < type.members!; i++) if ((raw >>> i) & 1) members |= 1 << image(i, type.members!)
  return members
}

/** The state under a permutation of a domain. */
export const permuted = ({ values, blocks }: Domain, image: Image, cells: Int32Array): Int32Array => {
  const after = cells.slice()
  for (const { cell, length, stride } of blocks) {
    const before = after.slice(cell, cell + length * stride)
    for (let i = 0; i < length; i++)
      after.set(before.subarray(i * stride, (i + 1) * stride), cell + image(i, length) * stride)
  }
  for (const { cell, type, only } of values)
    if (only === undefined || after[only.tag] === only.value) after[cell] = rawImage(type, after[cell]!, image)
  return after
}
