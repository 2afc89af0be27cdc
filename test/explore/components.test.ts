import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { componentAroundFirst } from '../../src/kernel/explore/liveness/around-first.ts'
import { eachComponent, type Part } from '../../src/kernel/explore/liveness/components.ts'
import { afterCycles } from '../../src/kernel/explore/liveness/cycles.ts'

/** Transitions as `[from, to, by]`; those by action 1 do not belong to it. */
const partOf = (states: number, marked: readonly boolean[], edges: readonly (readonly number[])[]): Part => {
  const sorted = edges.map(([from, to, by]) => ({ from: from!, to: to!, by: by! })).sort((a, b) => a.from - b.from)
  const starts = Uint32Array.from({ length: states + 1 }, (_, id) => sorted.filter(({ from }) => from < id).length)
  return {
    transitions: {
      ...{ starts, to: Int32Array.from(sorted, ({ to }) => to) },
      by: Uint16Array.from(sorted, ({ by }) => by),
    },
    marks: Uint8Array.from(marked, (mark) => (mark ? 2 : 0)),
    without: 1,
  }
}

/** Whether there is a way of one transition at least from each state to each. */
const closureOf = ({ transitions: { starts, to, by }, marks, without }: Part): boolean[][] => {
  const leads = Array.from(marks, () => Array.from(marks, () => false))
  for (const [from, row] of leads.entries())
    for (let edge = starts[from]!; edge < starts[from + 1]!; edge++)
      if (marks[from] !== 0 && marks[to[edge]!] !== 0 && by[edge] !== without) row[to[edge]!] = true
  for (const [by] of leads.entries())
    for (const row of leads) if (row[by]) for (const [to, is] of leads[by]!.entries()) if (is) row[to] = true
  return leads
}

const STATES = 14
const graph = fc
  .record({
    marked: fc.array(fc.integer({ max: 5 }), { minLength: STATES, maxLength: STATES }),
    edges: fc.array(fc.tuple(fc.nat(STATES - 1), fc.nat(STATES - 1), fc.nat(3)), { maxLength: 40 }),
  })
  .map(({ marked, edges }) =>
    partOf(
      STATES,
      marked.map((mark) => mark !== 0),
      edges,
    ),
  )

const numbers = (states: ArrayLike<number>): number[] =>
  Array.from(states).flatMap((mark, id) => (mark === 0 ? [] : [id]))

describe('the graph of the states in which a law is open', () => {
  it('is left with what is on cycles or after them', () => {
    const seen = { none: 0, some: 0 }
    fc.assert(
      fc.property(graph, (part) => {
        const leads = closureOf(part)
        const after = numbers(part.marks).filter((id) => leads.some((row, other) => row[other] && (row[id] ?? false)))
        const left = afterCycles(part)
        seen[left === undefined ? 'none' : 'some']++
        expect(left === undefined ? [] : numbers(left)).toEqual(after)
      }),
      { numRuns: 300 },
    )
    expect(Math.min(seen.none, seen.some)).toBeGreaterThan(10)
  })

  it('comes apart into components: the first state, and all that it leads to and that leads to it', () => {
    fc.assert(
      fc.property(graph, (part) => {
        fc.pre(part.marks.some((mark) => mark !== 0))
        const leads = closureOf(part)
        const like = (id: number): number[] =>
          numbers(part.marks).filter((other) => other === id || (leads[id]![other] && leads[other]![id]))
        const found: number[][] = []
        eachComponent(part, (members, first, end, componentOf) => {
          const component = Array.from(members.subarray(first, end)).sort((a, b) => a - b)
          expect(numbers(componentOf.map((number) => +(number === componentOf[component[0]!])))).toEqual(component)
          found.push(component)
        })
        const expected = numbers(part.marks).filter((id) => like(id)[0] === id)
        expect(found.sort(([a], [b]) => a! - b!)).toEqual(expected.map(like))
        expect(numbers(componentAroundFirst(part)!)).toEqual(expected.slice(0, 1).flatMap(like))
      }),
      { numRuns: 300 },
    )
  })

  it('is one component also where its way back turns too often to be found by sweeps', () => {
    // 0 -> 2 -> 1 -> 4 -> 3 -> 6 -> 5 ... -> 0: each second step leads to a lower number, and no other way goes on.
    const turns = 100
    const way = [0, ...Array.from({ length: turns }, (_, i) => [2 * i + 2, 2 * i + 1]).flat(), 0]
    const edges = way.slice(1).map((to, i) => [way[i]!, to, 0])
    const part = partOf(
      2 * turns + 1,
      way.slice(1).map(() => true),
      edges,
    )
    expect(componentAroundFirst(part)).toBeUndefined()
    const sizes: number[] = []
    eachComponent(part, (_, first, end) => sizes.push(end - first))
    expect(sizes).toEqual([2 * turns + 1])
  })
})
