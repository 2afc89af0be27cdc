/**
 * Traces of machines in the Informal Trace Format (ITF) of Apalache and Quint, version of its ADR 015: what their
 * viewers and test drivers read. Whole numbers are `#bigint`, sets `#set`, "nothing" and variants are tagged values.
 */
import { type Changing, cellsAlong } from '../kernel/explore/way-to.ts'
import type { Bits, Machine } from '../kernel/language/index.ts'
import type { Layout, Node } from '../kernel/language/layout.ts'
import {
  type AnyScalar,
  decodeScalar,
  encodeScalar,
  type ScalarJson,
  scalarFromJson,
} from '../kernel/language/scalar.ts'

export type ItfValue =
  | boolean
  | string
  | { readonly '#bigint': string }
  | { readonly '#set': readonly ItfValue[] }
  | { readonly '#tup': readonly ItfValue[] }
  | readonly ItfValue[]
  | { readonly [field: string]: ItfValue }

/** The variable that tells which action led to a state, by the name that Quint gives it. */
export const ACTION_TAKEN = 'mbt::actionTaken'

export interface ItfState {
  readonly '#meta': { readonly index: number; readonly args?: Readonly<Record<string, ScalarJson>> }
  readonly [variable: string]: unknown
}

export interface ItfTrace {
  readonly '#meta': Readonly<Record<string, string>>
  readonly params: readonly string[]
  readonly vars: readonly string[]
  readonly states: readonly ItfState[]
  /** Index of the state that the trace goes back to from its last state, which is the same, and so on for ever. */
  readonly loop?: number
}

/** A step as explorations, simulations and counterexamples have it. */
interface Taken extends Changing {
  readonly action: string
  readonly args: Readonly<Record<string, ScalarJson>>
}

/** A trace of a machine from its initial state. `about` is for people: the law or goal that it is about. */
export const itfOf = (machine: Machine, steps: readonly Taken[], about: string, loop?: number): ItfTrace => {
  const { layout } = machine
  const states = cellsAlong(machine, steps).map((cells, index): ItfState => {
    const step = steps[index - 1]
    return {
      '#meta': { index, ...(step === undefined ? {} : { args: step.args }) },
      [ACTION_TAKEN]: step?.action ?? 'init',
      ...(toItf(layout.root, cells, 0) as Record<string, ItfValue>),
    }
  })
  return {
    '#meta': {
      format: 'ITF',
      'format-description': 'https://apalache-mc.org/docs/adr/015adr-trace.html',
      source: machine.name,
      description: about,
    },
    params: [],
    vars: [ACTION_TAKEN, ...layout.root.fields.keys()],
    states,
    ...(loop === undefined ? {} : { loop }),
  }
}

const number = (value: number): ItfValue => ({ '#bigint': String(value) })
const NOTHING: ItfValue = { '#tup': [] }

const scalarToItf = (type: AnyScalar, raw: number): ItfValue => {
  const value = decodeScalar(type, raw)
  switch (type.kind) {
    case 'flag':
    case 'enum':
      return value as boolean | string
    case 'set':
      return { '#set': (value as Bits).toArray().map(number) }
    case 'maybe':
      return raw === 0 ? { tag: 'None', value: NOTHING } : { tag: 'Some', value: scalarToItf(type.of!, raw - 1) }
    default:
      return number(value as number)
  }
}

const toItf = (node: Node, cells: Int32Array, shift: number): ItfValue => {
  switch (node.kind) {
    case 'scalar':
      return scalarToItf(node.type, cells[node.cell + shift]!)
    case 'array':
      return Array.from({ length: node.length }, (_, i) => toItf(node.of, cells, shift + i * node.stride))
    case 'record':
      return fieldsToItf(node.fields, cells, shift)
    case 'variant': {
      const tag = node.tag.names![cells[node.cell + shift]!]!
      const fields = node.cases.get(tag)!
      return { tag, value: fields.size === 0 ? NOTHING : fieldsToItf(fields, cells, shift) }
    }
  }
}

const fieldsToItf = (fields: ReadonlyMap<string, Node>, cells: Int32Array, shift: number): ItfValue =>
  Object.fromEntries([...fields].map(([name, field]) => [name, toItf(field, cells, shift)]))

/** The states of a trace as cells again; throws a RangeError that names state and field. */
export const cellsOfItf = (layout: Layout, { states }: ItfTrace): Int32Array[] =>
  states.map((state, i) => {
    const cells = new Int32Array(layout.cells)
    fieldsFromItf(layout.root.fields, state, cells, 0, `states[${i}]`)
    return cells
  })

const fromItf = (node: Node, value: unknown, cells: Int32Array, shift: number, path: string): void => {
  switch (node.kind) {
    case 'scalar':
      cells[node.cell + shift] = scalarFromItf(node.type, value, path)
      return
    case 'array':
      for (let i = 0; i < node.length; i++)
        fromItf(node.of, (value as readonly unknown[])[i], cells, shift + i * node.stride, `${path}[${i}]`)
      return
    case 'record':
      fieldsFromItf(node.fields, value, cells, shift, path)
      return
    case 'variant': {
      const { tag, value: inner } = value as { tag: string; value: unknown }
      cells[node.cell + shift] = encodeScalar(node.tag, tag, `${path}.tag`)
      fieldsFromItf(node.cases.get(tag)!, inner, cells, shift, path)
    }
  }
}

const fieldsFromItf = (
  fields: ReadonlyMap<string, Node>,
  value: unknown,
  cells: Int32Array,
  shift: number,
  path: string,
) => {
  for (const [name, field] of fields)
    fromItf(field, (value as Readonly<Record<string, unknown>>)[name], cells, shift, `${path}.${name}`)
}

const wholeOf = (value: unknown, path: string): number => {
  const text = (value as { '#bigint'?: unknown } | null)?.['#bigint']
  if (typeof text === 'string' && /^-?\d+$/.test(text)) return Number(text)
  throw new RangeError(`${path}: expected a number as {"#bigint": "0"}, found ${JSON.stringify(value)}`)
}

const scalarFromItf = (type: AnyScalar, value: unknown, path: string): number => {
  switch (type.kind) {
    case 'flag':
    case 'enum':
      return encodeScalar(type, value, path)
    case 'set': {
      const members = (value as { '#set'?: readonly unknown[] })['#set'] ?? []
      return encodeScalar(
        type,
        scalarFromJson(
          type,
          members.map((one) => wholeOf(one, path)),
          path,
        ),
        path,
      )
    }
    case 'maybe': {
      const { tag, value: inner } = value as { tag: string; value: unknown }
      return tag === 'None' ? 0 : scalarFromItf(type.of!, inner, path) + 1
    }
    default:
      return encodeScalar(type, wholeOf(value, path), path)
  }
}
