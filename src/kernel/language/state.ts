/** A state as data: JSON for traces, and the differences of two states for reports. */
import type { Layout, Node } from './layout.ts'
import type { Action, Args } from './machine.ts'
import { decodeScalar, type ScalarJson, scalarFromJson, scalarToJson } from './scalar.ts'

export type Json = ScalarJson | { readonly [key: string]: Json } | readonly Json[]

const toJson = (node: Node, values: Int32Array, shift: number): Json => {
  switch (node.kind) {
    case 'scalar':
      return scalarToJson(decodeScalar(node.type, values[node.cell + shift]!))
    case 'array':
      return Array.from({ length: node.length }, (_, i) => toJson(node.of, values, shift + i * node.stride))
    case 'record':
      return Object.fromEntries([...node.fields].map(([name, field]) => [name, toJson(field, values, shift)]))
    case 'variant': {
      const is = node.tag.names![values[node.cell + shift]!]!
      const fields = [...node.cases.get(is)!].map(([name, field]) => [name, toJson(field, values, shift)] as const)
      return { is, ...Object.fromEntries(fields) }
    }
  }
}

/** The state as plain JSON, fields in the order of the schema. */
export const stateToJson = (layout: Layout, values: Int32Array): Json => toJson(layout.root, values, 0)

/** One field that two states differ in. */
export interface Change {
  readonly path: string
  readonly before: ScalarJson
  readonly after: ScalarJson
}

export const differences = (layout: Layout, before: Int32Array, after: Int32Array): Change[] =>
  layout.leaves
    .filter((leaf) => before[leaf.cell] !== after[leaf.cell])
    .map((leaf) => ({
      path: leaf.path,
      before: scalarToJson(decodeScalar(leaf.type, before[leaf.cell]!)),
      after: scalarToJson(decodeScalar(leaf.type, after[leaf.cell]!)),
    }))

/** Arguments as JSON, in the order of the action. */
export const argsToJson = (action: Action, args: Args): Record<string, ScalarJson> =>
  Object.fromEntries(action.args.map(({ name }) => [name, scalarToJson(args[name])]))

/** Arguments of a JSON form; throws a RangeError that names the action and the argument. */
export const argsFromJson = (action: Action, json: Readonly<Record<string, unknown>>): Args => {
  const unknown = Object.keys(json).filter((name) => !action.args.some((arg) => arg.name === name))
  if (unknown.length > 0) throw new RangeError(`${action.name}: has no argument ${unknown.join(', ')}`)
  return Object.fromEntries(
    action.args.map(({ name, type }) => [name, scalarFromJson(type, json[name], `${action.name}.${name}`)]),
  )
}
