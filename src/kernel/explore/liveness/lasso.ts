/** A way round in a component, from a state and back to it, on which everybody who is fair gets what he can ask for. */
import type { Part } from './components.ts'
import type { Demands, Few } from './fair.ts'

export interface Hop {
  readonly from: number
  readonly to: number
  /** Index of the action. */
  readonly by: number
}

const NOT_MET = 0

/** Goes to the nearest state or transition that is still wanted, again and again, and then home: short, not shortest. */
export const loopFrom = (entry: number, part: Part, demands: Demands, componentOf: Int32Array): Hop[] => {
  const { starts, to, by } = part.transitions
  const { without = -1 } = part
  const component = componentOf[entry]!
  /** Those who have neither acted nor been at rest so far. */
  const open = demands.all()
  const isInside = (edge: number): boolean => by[edge] !== without && componentOf[to[edge]!] === component
  const settle = (few: Few, hop: Hop): void => {
    demands.act(few, hop.by)
    demands.rest(few, hop.to)
  }
  const isWelcome = (hop: Hop): boolean => {
    const after = open.slice()
    settle(after, hop)
    return after.some((bits, group) => bits !== open[group])
  }
  /** By state: one more than the number of the one before it on the way of a search, which meets those of the queue. */
  const before = new Int32Array(componentOf.length)
  const queue = new Int32Array(componentOf.length)
  /** The first transition of the component from one state to another. */
  const hopTo = (from: number, target: number): Hop => {
    let edge = starts[from]!
    while (to[edge] !== target || !isInside(edge)) edge++
    return { from, to: target, by: by[edge]! }
  }
  /** A shortest way, of one hop at least. */
  const way = (start: number, isWanted: (hop: Hop) => boolean): Hop[] => {
    let end = 0
    queue[end++] = start
    before[start] = start + 1
    let last: Hop | undefined
    for (let at = 0; at < end && last === undefined; at++) {
      const from = queue[at]!
      for (let edge = starts[from]!; edge < starts[from + 1]! && last === undefined; edge++) {
        if (!isInside(edge)) continue
        const hop = { from, to: to[edge]!, by: by[edge]! }
        if (isWanted(hop)) last = hop
        else if (before[hop.to] === NOT_MET) {
          before[hop.to] = from + 1
          queue[end++] = hop.to
        }
      }
    }
    if (last === undefined) throw new Error('explore: a component is not connected')
    const hops = [last]
    for (let at = last.from; at !== start; at = before[at]! - 1) hops.push(hopTo(before[at]! - 1, at))
    for (let at = 0; at < end; at++) before[queue[at]!] = NOT_MET
    return hops.reverse()
  }

  demands.rest(open, entry)
  const hops: Hop[] = []
  let at = entry
  while (!demands.isNone(open)) {
    const more = way(at, isWelcome)
    for (const hop of more) settle(open, hop)
    hops.push(...more)
    at = more.at(-1)!.to
  }
  return at === entry ? hops : [...hops, ...way(at, (hop) => hop.to === entry)]
}
