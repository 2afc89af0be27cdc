/** The whole state graph of a small scope: for pictures, and for eyes. */
import type { Actor, Machine } from '../language/index.ts'
import type { ScalarJson } from '../language/scalar.ts'
import { argsToJson, type Json, stateToJson } from '../language/state.ts'
import { viewOf } from '../language/views.ts'
import { choicesOf } from './choices.ts'
import { take } from './retrace.ts'

export interface GraphEdge {
  readonly from: number
  readonly to: number
  readonly action: string
  readonly args: Readonly<Record<string, ScalarJson>>
  /** A duty was broken in taking it. */
  readonly breach: boolean
}

export interface StateGraph {
  readonly machine: string
  /** In the order in which a search breadth first meets them: the initial one first. */
  readonly states: readonly { readonly state: Json; readonly broken: readonly string[] }[]
  readonly edges: readonly GraphEdge[]
}

/** Undefined when there are more states than `maxStates`: nobody could look at them. */
export const graphOf = (
  machine: Machine,
  maxStates: number,
  hostile: readonly Actor[] = [],
): StateGraph | undefined => {
  const { layout } = machine
  const choices = choicesOf(machine).all
  const numbers = new Map<string, number>()
  const found: Int32Array[] = []
  const edges: GraphEdge[] = []
  const numberOf = (cells: Int32Array): number => {
    const key = cells.join()
    const known = numbers.get(key)
    if (known !== undefined) return known
    numbers.set(key, found.length)
    return found.push(cells) - 1
  }
  numberOf(machine.initial())
  for (let from = 0; from < found.length && found.length <= maxStates; from++)
    for (const choice of choices) {
      const taken = take(machine, choice, found[from]!, hostile)
      if (taken === undefined) continue
      const { action, args } = choice
      edges.push({
        ...{ from, to: numberOf(taken.after), action: action.name, args: argsToJson(action, args) },
        breach: taken.breaches.length > 0,
      })
    }
  if (found.length > maxStates) return undefined
  const brokenIn = (cells: Int32Array): string[] => {
    const state = viewOf(layout, cells)
    const isFree = machine.unspecified?.(state) === true
    return machine.invariants
      .filter(({ safety, holds }) => (!isFree || safety === true) && !holds(state))
      .map(({ name }) => name)
  }
  return {
    machine: machine.name,
    states: found.map((cells) => ({ state: stateToJson(layout, cells), broken: brokenIn(cells) })),
    edges,
  }
}
