/**
 * Strongly connected components: first the one that is likely to be large, then the others by Pearce's form of Tarjan's
 * algorithm, without recursion. One number for each state, which is the number of its component in the end.
 */
import { componentAroundFirst } from './around-first.ts'
import type { Transitions } from './transitions.ts'

/** Part of a graph: states, and the transitions between them, but for those by one action. */
export interface Part {
  readonly transitions: Transitions
  /** Not 0 for each state that belongs to it. */
  readonly marks: Uint8Array
  readonly without: number | undefined
}

/** Of states that are no part of it. */
const OUTSIDE = 2 ** 31 - 1

/**
 * Calls `visit` with each component of a part that is not empty: its states are those of `members` from `first` on, and
 * those of its number in `componentOf`. Arrays are taken whole: what is not touched takes no memory.
 */
export const eachComponent = (
  part: Part,
  visit: (members: Int32Array, first: number, end: number, componentOf: Int32Array) => void,
): void => {
  const { transitions, marks, without = -1 } = part
  const { starts, to, by } = transitions
  const numbers = new Int32Array(marks.length)
  let component = OUTSIDE - 1
  let size = 0
  for (let id = 0; id < marks.length; id++) {
    if (marks[id] === 0) numbers[id] = OUTSIDE
    else size++
  }
  const around = componentAroundFirst(part)
  if (around !== undefined) {
    const members = new Int32Array(size)
    let count = 0
    for (let id = 0; id < marks.length; id++) {
      if (around[id] === 0) continue
      numbers[id] = component
      members[count++] = id
    }
    component--
    size -= count
    visit(members, 0, count, numbers)
  }
  /** States on the way, their next transitions, and whether each may be the first met of its component. */
  const way = new Int32Array(size)
  const nexts = new Int32Array(size)
  const firsts = new Uint8Array(size)
  /** Left, and not yet in a component. */
  const left = new Int32Array(size)

  const enter = (place: number, id: number, number: number): void => {
    numbers[id] = number
    way[place] = id
    nexts[place] = starts[id]!
    firsts[place] = 1
  }
  /** Goes on with the state at a place of the way, up to a state that is new, and is given back; -1 at its end. */
  const look = (place: number): number => {
    const id = way[place]!
    const end = starts[id + 1]!
    for (let next = nexts[place]!; next < end; next++) {
      if (by[next] === without) continue
      const target = to[next]!
      const number = numbers[target]!
      if (number === 0) {
        // Looked at again when it has its number for good.
        nexts[place] = next
        return target
      }
      if (number < numbers[id]!) {
        numbers[id] = number
        firsts[place] = 0
      }
    }
    return -1
  }
  /** Where among those left the component of the last of them begins; they get its number. */
  const close = (end: number, component: number): number => {
    const lowest = numbers[left[end - 1]!]!
    let first = end - 1
    while (first > 0 && lowest <= numbers[left[first - 1]!]!) first--
    for (let i = first; i < end; i++) numbers[left[i]!] = component
    return first
  }

  let number = 1
  let leftEnd = 0
  for (let root = 0; root < marks.length; root++) {
    if (numbers[root] !== 0) continue
    let top = 0
    enter(top, root, number++)
    while (top >= 0) {
      const met = look(top)
      if (met >= 0) {
        enter(++top, met, number++)
        continue
      }
      left[leftEnd++] = way[top]!
      if (firsts[top--] === 0) continue
      const first = close(leftEnd, component--)
      number -= leftEnd - first
      visit(left, first, leftEnd, numbers)
      leftEnd = first
    }
  }
}
