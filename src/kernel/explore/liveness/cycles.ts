/**
 * The states of a part of a graph that no cycle comes before are on none: they are taken away, and then those that only
 * they came before. What is left is empty where the part has no cycle, as it is of most laws, and it costs two looks at
 * each transition, in the order in which they lie in memory, where a search for components jumps about.
 */
import type { Part } from './components.ts'

/** As many as a byte counts, or more: such a state stays. */
const MANY = 255

/** Not 0 for each state that may be on a cycle, or that comes after one; undefined where there is none. */
export const afterCycles = ({ transitions, marks, without = -1 }: Part): Uint8Array | undefined => {
  const { starts, to, by } = transitions
  /** Transitions that lead to each state, out of states that are left. */
  const before = new Uint8Array(marks.length)
  let left = 0
  for (let id = 0; id < marks.length; id++) {
    if (marks[id] === 0) continue
    left++
    for (let edge = starts[id]!, end = starts[id + 1]!; edge < end; edge++) {
      const target = to[edge]!
      if (by[edge] !== without && before[target] !== MANY) before[target]!++
    }
  }
  /** To be taken away: states that the sweep has passed. Those that it has not, it meets. */
  const passed: number[] = []
  for (let at = 0; at < marks.length; at++) {
    if (marks[at] === 0) {
      before[at] = 0
      continue
    }
    if (before[at] !== 0) continue
    let id = at
    for (;;) {
      left--
      for (let edge = starts[id]!, end = starts[id + 1]!; edge < end; edge++) {
        const target = to[edge]!
        if (by[edge] === without || before[target] === MANY || marks[target] === 0) continue
        if (--before[target]! === 0 && target <= at) passed.push(target)
      }
      if (passed.length === 0) break
      id = passed.pop()!
    }
  }
  return left === 0 ? undefined : before
}
