import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { machines } from '../../spec/index.ts'
import { cliPage } from '../../src/cli/docs.ts'
import { hereJson, root } from './run-cli.ts'

describe('list and targets', () => {
  it('show what there is', async () => {
    const { code, value } = await hereJson(['list'])
    expect(code).toBe(0)
    expect(value.machines.map(({ name }: { name: string }) => name)).toEqual(machines.map(({ name }) => name))
    const ids = new Set(value.clauses.map(({ id }: { id: string }) => id))
    expect(value.laws.filter(({ clause }: { clause: string }) => !ids.has(clause))).toEqual([])
    expect(value.goals).toContainEqual({ machine: 'queue', name: 'everyChainOutstanding' })
    expect(value.doors.map(({ scheme }: { scheme: string }) => scheme)).toContain('stdio')
    expect(Object.keys((await hereJson(['list', 'goals'])).value)).toEqual(['goals'])
  })

  it('tell what a target says about itself', async () => {
    const { code, value } = await hereJson(['targets', 'reference:virtio-blk-mmio'])
    expect(code).toBe(0)
    expect(value).toMatchObject({ name: 'reference', memory: [{ start: '0x0' }, {}], can: { synchronous: true } })
  })
})

describe('explore', () => {
  it('answers in the shape that was promised', async () => {
    const { code, value } = await hereJson(['explore', 'queue', '--scope', 'size=2'])
    expect(code).toBe(0)
    expect(value).toMatchObject({
      machine: 'queue',
      scope: { size: 2 },
      states: 15,
      represents: 25,
      result: 'holds',
      violations: [],
      goals: { everyChainOutstanding: 3, aReturnedChain: 3 },
    })
    for (const field of ['transitions', 'depth', 'seconds']) expect(value[field]).toBeTypeOf('number')
  })

  it('says when it was cut short', async () => {
    const { code, value } = await hereJson(['explore', 'split-ring', '--max-states', '500'])
    expect([code, value.result]).toEqual([4, 'cut-short'])
  })
})

it('check tells what an adapter breaks', async () => {
  const adapter = path.join(root, 'test/fixtures/adapters/adapter.mjs')
  const noisy = await hereJson(['check', `stdio:'${process.execPath}' ${adapter} noise`])
  expect(noisy).toMatchObject({ code: 3, value: { ok: false } })
})

it('docs/cli.md is what the option table says', () => {
  expect(readFileSync(path.join(root, 'docs/cli.md'), 'utf8'), 'run scripts/cli-page.mjs').toBe(cliPage())
})
