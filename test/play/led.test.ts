/** A campaign leads its later plans to the goals that the earlier ones did not reach. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runHere } from '../../src/campaign/main-side.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'iospec-led-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('a campaign of a hundred runs', () => {
  it.each([1, 2, 3])('reaches every goal of the device status, with seed %i', async (seed) => {
    const target = 'reference:virtio-blk-mmio'
    const result = await runHere({ target, machines: ['device-status'], runs: 100, seed, directory, corpus: false }, {})
    expect(result.machines[0]).toMatchObject({ verdict: 'conforms', missed: [] })
  })
})
