import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cli, here, hereJson, json, temporary } from './run-cli.ts'

const FAULTY = 'reference:virtio-blk?fault=vq-interrupt-before-used-index'

describe('run, replay and report', () => {
  const cwd = temporary()
  const run = [
    'run',
    'split-queue',
    '--target',
    FAULTY,
    '--runs',
    '15',
    '--max-bugs',
    '1',
    '--shrink',
    '100',
    '--no-minimality',
  ]

  it('find a fault, and say so in every report', async () => {
    const reports = ['junit=out/j.xml', 'markdown=out/m.md', 'json=out/r.json'].flatMap((each) => ['--reporter', each])
    const { code, value } = await json([...run, ...reports], { cwd })
    expect(code).toBe(1)
    expect(value).toMatchObject({
      target: { name: expect.stringContaining('reference'), version: expect.any(String) },
      seed: 1,
    })
    const [machine] = value.machines
    expect(machine).toMatchObject({
      machine: 'split-queue',
      verdict: 'violates',
      goals: { aReturnedChain: expect.any(Number) },
    })
    const [found] = machine.counterexamples
    expect(found).toMatchObject({
      bugId: expect.any(String),
      clause: expect.stringMatching(/^VIO-NTF-/),
      verdict: 'violates',
      known: false,
      steps: expect.any(Number),
      minimality: expect.any(String),
    })
    expect(value.clauses).toContainEqual(expect.objectContaining({ id: found.clause, status: 'violated' }))
    expect(readdirSync(path.join(cwd, 'out')).sort()).toEqual(['j.xml', 'm.md', 'r.json'])
    expect(JSON.parse(readFileSync(path.join(cwd, 'out/r.json'), 'utf8'))).toEqual(value)

    const replayed = await hereJson(['replay', found.file], { cwd })
    expect(replayed).toMatchObject({
      code: 1,
      value: { reproduced: true, verdict: 'violates', clause: found.clause, step: expect.any(Number) },
    })
    const elsewhere = await hereJson(['replay', found.file, '--target', 'reference:virtio-blk'], { cwd })
    expect(elsewhere).toMatchObject({ code: 0, value: { reproduced: false, verdict: 'conforms', clause: null } })

    const { stdout } = await here(['report', found.file], { cwd })
    expect(stdout).toContain(`# ${'reference'}`)
    expect(stdout).toContain('sequenceDiagram')
    expect(stdout).toContain(`iospec replay ${found.file} --target '${FAULTY}'`)
  })

  it('end with the bug, in a fixed order', async () => {
    const { code, stdout } = await cli([...run, '--no-corpus'], { cwd })
    expect(code).toBe(1)
    const fields = [...stdout.matchAll(/^ {4}(law|clause|expected|observed|steps|replay|file) /gm)].map(
      ([, name]) => name,
    )
    const once = ['law', 'clause', 'expected', 'observed', 'steps', 'replay', 'file']
    expect(fields.length).toBeGreaterThan(0)
    expect(fields).toEqual(Array.from({ length: fields.length / once.length }, () => once).flat())
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^ {4}file {6}\.iospec\/counterexamples\/split-queue-/)
    expect(stdout).toMatch(/\d+ before shrinking, \d+ after/)
    expect(stdout).not.toContain('\u001b')
  })

  it('a file does not start the program that it names', async () => {
    const [file] = readdirSync(path.join(cwd, '.iospec/counterexamples'))
    const text = readFileSync(path.join(cwd, '.iospec/counterexamples', file!), 'utf8')
    const found = JSON.parse(text)
    found.target.address = 'stdio:touch started'
    writeFileSync(path.join(cwd, 'evil.json'), JSON.stringify(found))
    const { code, stderr } = await here(['replay', 'evil.json'], { cwd })
    expect([code, stderr.includes('a file never names a program to start')]).toEqual([2, true])
    expect(readdirSync(cwd)).not.toContain('started')
  })
})

describe('init', () => {
  it.each(['typescript', 'javascript', 'python'])('writes an adapter in %s that passes the check', async (lang) => {
    const cwd = temporary()
    const { code, value } = await hereJson(['init', '--lang', lang], { cwd })
    expect(code).toBe(0)
    expect(readdirSync(cwd).sort()).toEqual([...value.written].sort())
    const target = /--target '?([^']+)'?$/.exec(value.next.at(-1))![1]!
    const checked = await hereJson(['check', target], { cwd })
    expect(checked.value.checks.filter(({ verdict }: { verdict: string }) => verdict === 'broken')).toEqual([])
    expect(checked.code).toBe(0)
    const again = await here(['init', '--lang', lang], { cwd })
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('nothing was written')])
  })
})

it('score measures a fault beside a random arm', async () => {
  const { code, value } = await hereJson([
    'score',
    '--faults',
    'vq-interrupt-before-used-index',
    '--seeds',
    '1',
    '--runs',
    '20',
  ])
  expect(code).toBe(0)
  expect(value).toMatchObject({ score: expect.any(Number), baseline: expect.any(Number) })
  expect(value.faults).toMatchObject([
    { id: 'vq-interrupt-before-used-index', area: 'virtqueue', seeds: 1, forms: expect.any(Number) },
  ])
})
