/** From a state schema to cells: which scalar sits where. */
import type { AnyScalar } from './scalar.ts'
import type { Fields, Type } from './types.ts'

/** One scalar of the state. */
export interface Leaf {
  /** As printed: `ring.entries[3].len`. */
  readonly path: string
  readonly cell: number
  readonly type: AnyScalar
}

/** The schema with cell numbers: what views and codecs walk. */
export type Node =
  | { readonly kind: 'scalar'; readonly cell: number; readonly type: AnyScalar; readonly path: string }
  | {
      readonly kind: 'array'
      readonly of: Node
      readonly length: number
      readonly stride: number
      readonly cell: number
      readonly path: string
      /** What it is indexed by, where the author says so. */
      readonly by: AnyScalar | undefined
    }
  | {
      readonly kind: 'record'
      readonly fields: ReadonlyMap<string, Node>
      readonly cell: number
      readonly cells: number
      readonly path: string
    }
  | {
      readonly kind: 'variant'
      readonly tag: AnyScalar
      readonly cases: ReadonlyMap<string, ReadonlyMap<string, Node>>
      readonly cell: number
      readonly cells: number
      readonly path: string
    }

export interface Layout {
  readonly root: Node & { kind: 'record' }
  readonly leaves: readonly Leaf[]
  /** Number of cells of a state. */
  readonly cells: number
}

/** Cells that a type takes. */
export const sizeOf = (type: Type): number => {
  switch (type.kind) {
    case 'array':
      return type.length * sizeOf(type.of)
    case 'record':
      return sizeOfFields(type.fields)
    case 'variant':
      return (
        1 + Object.values(type.cases as Record<string, Fields>).reduce((sum, fields) => sum + sizeOfFields(fields), 0)
      )
    default:
      return 1
  }
}
const sizeOfFields = (fields: Fields): number => Object.values(fields).reduce((sum, type) => sum + sizeOf(type), 0)

const placeFields = (fields: Fields, cell: number, path: string): ReadonlyMap<string, Node> => {
  const placed = new Map<string, Node>()
  let next = cell
  for (const [name, type] of Object.entries(fields)) {
    placed.set(name, place(type, next, path === '' ? name : `${path}.${name}`))
    next += sizeOf(type)
  }
  return placed
}

const place = (type: Type, cell: number, path: string): Node => {
  switch (type.kind) {
    case 'array':
      return {
        kind: 'array',
        of: place(type.of, cell, `${path}[]`),
        length: type.length,
        stride: sizeOf(type.of),
        cell,
        path,
        by: type.by,
      }
    case 'record':
      return { kind: 'record', fields: placeFields(type.fields, cell, path), cell, cells: sizeOf(type), path }
    case 'variant': {
      const cases = new Map<string, ReadonlyMap<string, Node>>()
      let next = cell + 1
      for (const [name, fields] of Object.entries(type.cases as Record<string, Fields>)) {
        cases.set(name, placeFields(fields, next, path))
        next += sizeOfFields(fields)
      }
      const names = Object.keys(type.cases)
      return {
        kind: 'variant',
        tag: { kind: 'enum', cells: names.length, low: 0, names },
        cases,
        cell,
        cells: sizeOf(type),
        path,
      }
    }
    default:
      return { kind: 'scalar', cell, type, path }
  }
}

const leavesOf = (node: Node, shift: number, path: string): Leaf[] => {
  switch (node.kind) {
    case 'scalar':
      return [{ path, cell: node.cell + shift, type: node.type }]
    case 'array':
      return Array.from({ length: node.length }, (_, i) =>
        leavesOf(node.of, shift + i * node.stride, `${path}[${i}]`),
      ).flat()
    case 'record':
      return [...node.fields].flatMap(([name, field]) => leavesOf(field, shift, path === '' ? name : `${path}.${name}`))
    case 'variant':
      return [
        { path: `${path}.is`, cell: node.cell + shift, type: node.tag },
        ...[...node.cases.values()].flatMap((fields) =>
          [...fields].flatMap(([name, field]) => leavesOf(field, shift, `${path}.${name}`)),
        ),
      ]
  }
}

/** Places every scalar of a schema; fields keep their order. */
export const layoutOf = (fields: Fields): Layout => {
  const root: Node & { kind: 'record' } = {
    kind: 'record',
    fields: placeFields(fields, 0, ''),
    cell: 0,
    cells: sizeOfFields(fields),
    path: '',
  }
  return { root, leaves: leavesOf(root, 0, ''), cells: root.cells }
}
