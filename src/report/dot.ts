/** A state graph in the language of Graphviz: `dot -Tsvg graph.dot -o graph.svg`. */
import type { StateGraph } from '../kernel/explore/graph.ts'
import type { Json } from '../kernel/language/state.ts'
import { argumentsText, valueText } from './steps.ts'

/** Actions between the same two states share an arrow; more than these are counted. */
const LABELS_MAX = 4

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`

/** Fields of a state by path, as differences name them. */
const fieldsOf = (state: Json, path = ''): [string, string][] => {
  if (
    typeof state !== 'object' ||
    state === null ||
    (Array.isArray(state) && !state.some((one) => typeof one === 'object'))
  )
    return [[path, valueText(state)]]
  return Object.entries(state).flatMap(([name, value]) =>
    fieldsOf(value, Array.isArray(state) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`),
  )
}

/**
 * Each state is a number, with the fields in which it differs from the initial one; the tooltip has all of them. States
 * that break a law are red, those in which nothing can happen grey, steps that break a duty dashed.
 */
export const dotOf = ({ machine, states, edges }: StateGraph): string => {
  const initial = new Map(fieldsOf(states[0]!.state))
  const lines = [
    `digraph ${quoted(machine)} {`,
    '  node [shape=box, fontname="monospace", fontsize=10]',
    '  edge [fontname="monospace", fontsize=9]',
  ]
  const leaves = new Set(edges.map(({ from }) => from))
  for (const [i, { state, broken }] of states.entries()) {
    const fields = fieldsOf(state)
    const changed = fields
      .filter(([path, value]) => initial.get(path) !== value)
      .map(([path, value]) => `${path}: ${value}`)
    const all = fields.map(([path, value]) => `${path}: ${value}`).join('\n')
    const look = [
      ...(i === 0 ? ['peripheries=2'] : []),
      ...(broken.length > 0
        ? ['color=red', 'fontcolor=red']
        : leaves.has(i)
          ? []
          : ['style=filled', 'fillcolor=lightgrey']),
    ]
    const label = [String(i), ...broken.map((law) => `breaks ${law}`), ...changed].join('\n')
    lines.push(`  ${i} [${[`label=${quoted(label)}`, `tooltip=${quoted(all)}`, ...look].join(', ')}]`)
  }
  const arrows = new Map<string, string[]>()
  for (const { from, to, action, args, breach } of edges) {
    const key = `${from} -> ${to}${breach ? ' dashed' : ''}`
    const labels = arrows.get(key) ?? []
    labels.push(`${action}${argumentsText(args)}`)
    arrows.set(key, labels)
  }
  for (const [key, labels] of arrows) {
    const [arrow, dashed] = key.split(' dashed')
    const more = labels.length > LABELS_MAX ? [`and ${labels.length - LABELS_MAX} more`] : []
    const look = dashed === undefined ? '' : ', style=dashed'
    lines.push(`  ${arrow} [label=${quoted([...labels.slice(0, LABELS_MAX), ...more].join('\n'))}${look}]`)
  }
  return `${[...lines, '}'].join('\n')}\n`
}
