import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { machines } from '../../spec/index.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import type { Actor } from '../../src/kernel/language/index.ts'

interface Entry {
  readonly machine: string
  readonly scope: string
  readonly bounds?: Readonly<Record<string, number>>
  readonly hostile?: readonly Actor[]
  /** Takes minutes: explored by hand, `node scripts/manifest.mjs --long`. */
  readonly long?: boolean
  readonly states?: number
  readonly transitions?: number
  readonly depth?: number
  readonly result?: string
  readonly stuck?: number
  readonly unreached?: readonly string[]
}
const { entries } = JSON.parse(readFileSync(new URL('../../spec/manifest.json', import.meta.url), 'utf8')) as {
  entries: readonly Entry[]
}
const nameOf = ({ machine, scope, bounds, hostile }: Entry): string =>
  [machine, scope, ...(bounds ? [JSON.stringify(bounds)] : []), ...(hostile ? [`hostile ${hostile.join()}`] : [])].join(
    ' ',
  )

describe('spec/manifest.json', () => {
  for (const entry of entries.filter((each) => !each.long))
    it(`says what exploring ${nameOf(entry)} finds`, { timeout: 120_000 }, () => {
      const machine = machines.find((each) => each.name === entry.machine)!.at(entry.scope, entry.bounds ?? {})
      const { states, transitions, depth, result, stuck, goals } = explore(machine, { hostile: entry.hostile ?? [] })
      const unreached = Object.entries(goals).flatMap(([name, reached]) => (reached === null ? [name] : []))
      expect({ states, transitions, depth, result, stuck: stuck.count, unreached }).toEqual({
        states: entry.states,
        transitions: entry.transitions,
        depth: entry.depth,
        result: entry.result,
        stuck: entry.stuck,
        unreached: entry.unreached,
      })
    })

  it('has every machine, so that none goes unexplored', () => {
    expect(machines.map(({ name }) => name).filter((name) => !entries.some((entry) => entry.machine === name))).toEqual(
      [],
    )
  })
})
