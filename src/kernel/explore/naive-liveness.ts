/**
 * A second reading of what has to come in the end, as plain as can be: the oracle of `liveness/`, with which it shares no
 * code. Emerson and Lei's fixpoint instead of components, on a graph of objects; for small scopes only.
 */
import type { Actor, Erased, Machine } from '../language/index.ts'
import { viewOf } from '../language/views.ts'
import { choicesOf } from './choices.ts'
import { take } from './retrace.ts'

interface Node {
  readonly s: Erased
  readonly isFree: boolean
  readonly out: { readonly by: string; readonly to: number }[]
}

const graphOf = (machine: Machine, hostile: readonly Actor[]): Node[] => {
  const nodes: Node[] = []
  const numbers = new Map<string, number>()
  const cellsOf: Int32Array[] = []
  const numberOf = (cells: Int32Array): number => {
    const known = numbers.get(cells.join())
    if (known !== undefined) return known
    numbers.set(cells.join(), nodes.length)
    cellsOf.push(cells)
    const s = viewOf(machine.layout, cells.slice())
    return nodes.push({ s, isFree: machine.unspecified?.(s) === true, out: [] }) - 1
  }
  numberOf(machine.initial())
  for (let from = 0; from < nodes.length; from++)
    for (const choice of choicesOf(machine).all) {
      const taken = take(machine, choice, cellsOf[from]!, hostile)
      if (taken !== undefined) nodes[from]!.out.push({ by: choice.action.name, to: numberOf(taken.after) })
    }
  return nodes
}

/** What may be relied on: it acts by `acts`, and in states where `asks` holds it wants to and can. */
interface Reliance {
  readonly acts: (action: string) => boolean
  readonly asks: (node: Node) => boolean
}

/** Kind and name, or clause, of what need not come: `leads-to device.interrupt MBOX-INTERRUPT`. */
export const judgeLivenessNaively = (machine: Machine, hostile: readonly Actor[] = []): string[] => {
  const nodes = graphOf(machine, hostile)
  const everywhere = nodes.map((_, id) => id)
  const owes = (name: string, node: Node): boolean =>
    machine.owes.some((owed) => owed.name === name && (owed.safety === true || !node.isFree) && owed.when(node.s))
  const can = (node: Node, acts: (action: string) => boolean): boolean => node.out.some(({ by }) => acts(by))
  const named = machine.fair.map(({ name, actions }): Reliance & { readonly name: string } => {
    const acts = (action: string) => actions.some((index) => machine.actions[index]!.name === action)
    return { name, acts, asks: (node) => can(node, acts) }
  })
  const owing = machine.owes.map(({ name }): Reliance => {
    const acts = (action: string) => action === name
    return { acts, asks: (node) => owes(name, node) && can(node, acts) }
  })
  const reliances: Reliance[] = [...named, ...owing]

  /** States from which some fair path stays among `region` for ever, and never takes the action `without`. */
  const trapped = (region: ReadonlySet<number>, without: string | undefined): Set<number> => {
    const next = (id: number) => nodes[id]!.out.filter(({ by, to }) => by !== without && region.has(to))
    let inside = new Set(region)
    for (;;) {
      const before = inside.size
      for (const { acts, asks } of reliances) {
        // Whoever can get to where this one acts, or asks for nothing, without leaving the region.
        const good = new Set(
          [...inside].filter((id) => !asks(nodes[id]!) || next(id).some(({ by, to }) => acts(by) && inside.has(to))),
        )
        for (let size = -1; size !== good.size; ) {
          size = good.size
          for (const id of region) if (next(id).some(({ to }) => good.has(to))) good.add(id)
        }
        inside = new Set([...inside].filter((id) => good.has(id)))
      }
      if (inside.size === before) return inside
    }
  }

  const broken: string[] = []
  for (const { name, clause, when, safety } of machine.owes) {
    const region = new Set(everywhere.filter((id) => (safety === true || !nodes[id]!.isFree) && when(nodes[id]!.s)))
    if (trapped(region, name).size > 0) broken.push(`${name} ${clause.id}`)
  }
  for (const { name, clause, from, to, safety } of machine.leadsTo) {
    const region = new Set(everywhere.filter((id) => (safety === true || !nodes[id]!.isFree) && !to(nodes[id]!.s)))
    const inside = trapped(region, undefined)
    if ([...inside].some((id) => from(nodes[id]!.s))) broken.push(`${name} ${clause.id}`)
  }
  return broken
}
