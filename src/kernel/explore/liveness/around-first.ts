/**
 * The strongly connected component of the first state of a part: what can be reached from it, as far as it can be reached
 * from there. Where a law is open nearly everywhere that is often all there is, and it is found by sweeps over the states
 * in the order in which they lie in memory, for an eighth of what following one path after another costs.
 */
import type { Part } from './components.ts'

/** A path back that turns to lower numbers more often than this is left to the search for components. */
const SWEEPS_MAX = 32

/** 1 for each state that can be reached from the first one of the part. */
const reachedFrom = (first: number, { transitions, marks, without = -1 }: Part): Uint8Array => {
  const { starts, to, by } = transitions
  const reached = new Uint8Array(marks.length)
  reached[first] = 1
  /** To be followed: states that the sweep has passed. Those that it has not, it meets. */
  const passed: number[] = []
  for (let at = first; at < marks.length; at++) {
    if (reached[at] === 0) continue
    let id = at
    for (;;) {
      for (let edge = starts[id]!, end = starts[id + 1]!; edge < end; edge++) {
        const target = to[edge]!
        if (reached[target] !== 0 || by[edge] === without || marks[target] === 0) continue
        reached[target] = 1
        if (target <= at) passed.push(target)
      }
      if (passed.length === 0) break
      id = passed.pop()!
    }
  }
  return reached
}

/** 1 for each state of the component; undefined where it takes too many sweeps to tell. */
export const componentAroundFirst = (part: Part): Uint8Array | undefined => {
  const { transitions, marks, without = -1 } = part
  const { starts, to, by } = transitions
  const first = marks.findIndex((mark) => mark !== 0)
  const reached = reachedFrom(first, part)
  const around = new Uint8Array(marks.length)
  around[first] = 1
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let found = 0
    for (let id = marks.length - 1; id >= first; id--) {
      if (reached[id] === 0 || around[id] !== 0) continue
      for (let edge = starts[id]!, end = starts[id + 1]!; edge < end; edge++) {
        if (around[to[edge]!] === 0 || by[edge] === without) continue
        around[id] = 1
        found++
        break
      }
    }
    if (found === 0) return around
  }
  return undefined
}
