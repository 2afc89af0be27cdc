/**
 * A state to come back to. Elements of an array are told apart by what they hold and not by their place: a plan that
 * does the same again with another chain has come back.
 */
import type { Layout } from '../language/layout.ts'

export class Home {
  /** Cells by field; those of the elements of an array are one group. */
  private readonly groups: readonly Int32Array[]
  /** By group, sorted. */
  private marked: readonly Int32Array[]
  private cells: Int32Array
  /** By group: room to sort in. */
  private readonly sorted: readonly Int32Array[]

  constructor(layout: Layout) {
    const groups = new Map<string, number[]>()
    for (const { path, cell } of layout.leaves) {
      const field = path.replaceAll(/\[\d+\]/g, '[]')
      groups.set(field, [...(groups.get(field) ?? []), cell])
    }
    this.groups = [...groups.values()].map((cells) => Int32Array.from(cells))
    this.marked = []
    this.sorted = this.groups.map((group) => new Int32Array(group.length))
    this.cells = new Int32Array()
  }

  /** Remembers a state. */
  mark(cells: Int32Array): void {
    this.cells = cells.slice()
    this.marked = this.groups.map((group) => sortInto(new Int32Array(group.length), group, cells))
  }

  /** In how many values a state differs from the one that is remembered. */
  away(cells: Int32Array): number {
    let away = 0
    for (let g = 0; g < this.groups.length; g++) {
      const group = this.groups[g]!
      if (this.isAsItWas(group, cells)) continue
      const then = this.marked[g]!
      if (group.length === 1) away++
      else away += group.length - common(sortInto(this.sorted[g]!, group, cells), then)
    }
    return away
  }

  /** Sorting is dear, and most fields are as they were. */
  private isAsItWas(group: Int32Array, cells: Int32Array): boolean {
    for (let i = 0; i < group.length; i++) if (cells[group[i]!] !== this.cells[group[i]!]) return false
    return true
  }
}

/** Longer lists are sorted by the engine, for which a call takes more than the sorting of a few. */
const FEW = 32

/** The values of these cells, in order. */
const sortInto = (list: Int32Array, group: Int32Array, cells: Int32Array): Int32Array => {
  for (let i = 0; i < group.length; i++) list[i] = cells[group[i]!]!
  if (list.length > FEW) return list.sort()
  for (let i = 1; i < list.length; i++) {
    const value = list[i]!
    let at = i
    for (; at > 0 && list[at - 1]! > value; at--) list[at] = list[at - 1]!
    list[at] = value
  }
  return list
}

/** How many values two sorted lists have in common. */
const common = (a: Int32Array, b: Int32Array): number => {
  let count = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      count++
      i++
      j++
    } else if (a[i]! < b[j]!) i++
    else j++
  }
  return count
}
