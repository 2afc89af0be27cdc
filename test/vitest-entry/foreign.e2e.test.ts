import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { foreignProject } from './packed.ts'

let folder = ''
let remove = (): void => {}
beforeAll(() => {
  ;({ folder, remove } = foreignProject())
  writeFileSync(path.join(folder, 'package.json'), '{"name":"foreign","type":"module","private":true}')
})
afterAll(() => remove())

const iospec = (...args: string[]) =>
  spawnSync(process.execPath, ['node_modules/iospec/dist/src/cli/main.js', ...args], { cwd: folder, encoding: 'utf8' })

it('the packed program runs where there is nothing of ours', () => {
  expect(statSync(path.join(folder, 'node_modules/iospec/dist/src/cli/main.js')).mode & 0o111).toBe(0o111)
  const main = readFileSync(path.join(folder, 'node_modules/iospec/dist/src/cli/main.js'), 'utf8')
  expect(main.startsWith('#!/usr/bin/env node\n')).toBe(true)
  expect(iospec('explore', 'queue', '--json')).toMatchObject({ status: 0, stdout: expect.stringContaining('"holds"') })
  expect(iospec('list', '--json').status).toBe(0)
  expect(iospec('init', '--lang', 'javascript').status).toBe(0)
  expect(iospec('check', 'module:./device.mjs')).toMatchObject({ status: 0 })
})

it('every entry of the package can be imported', () => {
  const script = `
    const { machines, clauses, explore, runCampaign } = await import('iospec')
    const { conformance } = await import('iospec/vitest').catch((error) => ({ conformance: String(error).includes('Vitest') }))
    await import('iospec/target')
    console.log(typeof machines[0].name, clauses.length > 100, typeof explore, typeof runCampaign, Boolean(conformance))`
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' })
  expect(told.trim()).toBe('string true function function true')
})

it('a project gets one test for each machine, with ids that stay', () => {
  writeFileSync(
    path.join(folder, 'honest.test.js'),
    `import { conformance } from 'iospec/vitest'
    conformance({ target: 'reference:virtio-blk', machines: ['config-space'], runs: 300, seed: 3 })`,
  )
  // It says who it is and does nothing; PCI functions are none of its business.
  writeFileSync(
    path.join(folder, 'mine.test.js'),
    `import { conformance } from 'iospec/vitest'
    conformance({ target: 'module:./device.mjs', machines: ['virtio-blk', 'pci-function'], runs: 10, campaign: { shrinkExecutions: 50 } })`,
  )
  const vitest = path.join(folder, 'node_modules/vitest/vitest.mjs')
  const run = () =>
    JSON.parse(
      spawnSync(process.execPath, [vitest, 'run', '--reporter=json'], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, VITEST: '' },
      }).stdout,
    )
  const { testResults } = run()
  // biome-ignore lint/suspicious/noExplicitAny: the report of vitest
  const tests = testResults.flatMap((file: any) => file.assertionResults)
  // biome-ignore lint/suspicious/noExplicitAny: the report of vitest
  expect(Object.fromEntries(tests.map((test: any) => [test.fullName, test.status]))).toEqual({
    'iospec config-space': 'passed',
    'iospec virtio-blk': 'failed',
    'iospec pci-function': 'skipped',
  })
  // biome-ignore lint/suspicious/noExplicitAny: the report of vitest
  const [message] = tests.find((test: any) => test.status === 'failed').failureMessages
  expect(message).toContain('owes device.return')
  expect(message).toContain('seed 1')
  expect(message).toContain('iospec replay .iospec/counterexamples/virtio-blk-')
}, 120_000)
