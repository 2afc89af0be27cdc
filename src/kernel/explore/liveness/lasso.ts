/** A way round in a component, from a state and back to it, on which everybody who is fair gets what he can ask for. */
import type { Part } from './components.ts'
import type { Demands, Few } from './fair.ts'

export interface Hop {
  readonly from: number
  readonly to: number
  /** Index of the action. */
  readonly by: number
}

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
  /** A shortest way, of one hop at least. */
  const way = (start: number, isWanted: (hop: Hop) => boolean): Hop[] => {
    const before = new Map<number, Hop>()
    const queue = [start]
    for (const from of queue)
      for (let edge = starts[from]!; edge < starts[from + 1]!; edge++) {
        if (!isInside(edge)) continue
        const hop = { from, to: to[edge]!, by: by[edge]! }
        if (isWanted(hop)) {
          const hops = [hop]
          for (let at = from; at !== start; at = hops[0]!.from) hops.unshift(before.get(at)!)
          return hops
        }
        if (hop.to === start || before.has(hop.to)) continue
        before.set(hop.to, hop)
        queue.push(hop.to)
      }
    throw new Error('explore: a component is not connected')
  }

  demands.rest(open, entry)
  const hops: Hop[] = []
  let at = entry
  while (open.some((bits) => bits !== 0)) {
    const more = way(at, isWelcome)
    for (const hop of more) settle(open, hop)
    hops.push(...more)
    at = more.at(-1)!.to
  }
  return at === entry ? hops : [...hops, ...way(at, (hop) => hop.to === entry)]
}
