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

  constructor(layout: Layout) {
    const groups = new Map<string, number[]>()
    for (const { path, cell } of layout.leaves) {
      const field = path.replaceAll(/\[\d+\]/g, '[]')
      groups.set(field, [...(groups.get(field) ?? []), cell])
    }
    this.groups = [...groups.values()].map((cells) => Int32Array.from(cells))
    this.marked = []
    this.cells = new Int32Array()
  }

  /** Remembers a state. */
  mark(cells: Int32Array): void {
    this.cells = cells.slice()
    this.marked = this.groups.map((group) => group.map((cell) => cells[cell]!).sort())
  }

  /** In how many values a state differs from the one that is remembered. */
  away(cells: Int32Array): number {
    let away = 0
    for (let g = 0; g < this.groups.length; g++) {
      const group = this.groups[g]!
      if (this.isAsItWas(group, cells)) continue
      const then = this.marked[g]!
      if (group.length === 1) away++
      else away += group.length - common(group.map((cell) => cells[cell]!).sort(), then)
    }
    return away
  }

  /** Sorting is dear, and most fields are as they were. */
  private isAsItWas(group: Int32Array, cells: Int32Array): boolean {
    for (let i = 0; i < group.length; i++) if (cells[group[i]!] !== this.cells[group[i]!]) return false
    return true
  }
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
