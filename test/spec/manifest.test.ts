import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { machines } from '../../spec/index.ts'
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

/** What has more states is left to `npm run manifest -- --check`. */
const STATES_MAX = 30_000
/** The script's own exploration: what is compiled is twice as fast as what the test runner loads. */
const exploreAgain = async (): Promise<readonly Entry[]> => {
  const script = fileURLToPath(new URL('../../scripts/manifest.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--print', '--upto', `${STATES_MAX}`], {
    maxBuffer: 2 ** 24,
  })
  return (JSON.parse(stdout) as { entries: readonly Entry[] }).entries
}

describe('spec/manifest.json', () => {
  let found: readonly Entry[]
  beforeAll(async () => {
    found = await exploreAgain()
  }, 120_000)

  for (const [i, entry] of entries.filter(({ long, states }) => !long && states! <= STATES_MAX).entries())
    it(`says what exploring ${nameOf(entry)} finds`, () => {
      expect(found[i]).toEqual(entry)
    })

  it('has every machine, so that none goes unexplored', () => {
    expect(machines.map(({ name }) => name).filter((name) => !entries.some((entry) => entry.machine === name))).toEqual(
      [],
    )
  })
})
