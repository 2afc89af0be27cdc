/**
 * Strongly connected components, by Pearce's form of Tarjan's algorithm, without recursion: one number for each state,
 * which is the number of its component in the end.
 */
import type { Transitions } from './transitions.ts'

/** Part of a graph: states, and the transitions between them, but for those by one action. */
export interface Part {
  readonly transitions: Transitions
  /** 1 for each state that belongs to it. */
  readonly marks: Uint8Array
  readonly without: number | undefined
}

const FIRST_CAPACITY = 1 << 12
const OUTSIDE = 2 ** 31 - 1

class Stack {
  items = new Int32Array(FIRST_CAPACITY)
  length = 0

  push(item: number): void {
    if (this.length === this.items.length) {
      const more = new Int32Array(2 * this.length)
      more.set(this.items)
      this.items = more
    }
    this.items[this.length++] = item
  }
}

/**
 * Calls `visit` with each component, its states those of `members` from `first` on; those that `componentOf` gives the
 * same number.
 */
export const eachComponent = (
  { transitions, marks, without = -1 }: Part,
  visit: (members: Int32Array, first: number, end: number, componentOf: Int32Array) => void,
): void => {
  const { starts, to, by } = transitions
  const numbers = new Int32Array(marks.length)
  for (let id = 0; id < marks.length; id++) if (marks[id] === 0) numbers[id] = OUTSIDE
  /** States on the way, their next transitions, and whether each may be the first met of its component. */
  const way = new Stack()
  const nexts = new Stack()
  const firsts = new Stack()
  /** Left, and not yet in a component. */
  const left = new Stack()
  let number = 1
  let component = OUTSIDE - 1
  const enter = (id: number): void => {
    numbers[id] = number++
    way.push(id)
    nexts.push(starts[id]! | 0)
    firsts.push(1)
  }
  const lower = (place: number, id: number, bound: number): void => {
    if (bound >= numbers[id]!) return
    numbers[id] = bound
    firsts.items[place] = 0
  }
  const leave = (id: number, isFirst: boolean): void => {
    const end = left.length
    let first = end
    if (isFirst) {
      while (first > 0 && numbers[id]! <= numbers[left.items[first - 1]!]!) first--
      left.push(id)
      number -= left.length - first
      for (let i = first; i < left.length; i++) numbers[left.items[i]!] = component
      component--
      visit(left.items, first, left.length, numbers)
      left.length = first
    } else left.push(id)
  }
  for (let root = 0; root < marks.length; root++) {
    if (numbers[root] !== 0) continue
    enter(root)
    while (way.length > 0) {
      const top = way.length - 1
      const id = way.items[top]!
      const next = nexts.items[top]!
      if (next < starts[id + 1]!) {
        nexts.items[top] = next + 1
        if (by[next] === without) continue
        const target = to[next]!
        if (numbers[target] === 0) enter(target)
        else lower(top, id, numbers[target]!)
        continue
      }
      way.length = nexts.length = firsts.length = top
      leave(id, firsts.items[top] === 1)
      if (top > 0) lower(top - 1, way.items[top - 1]!, numbers[id]!)
    }
  }
}
