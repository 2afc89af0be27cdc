/** The tutorial: its pieces are the device that it promises, the mistake is found, and the end conforms. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { here, hereJson } from '../cli/run-cli.ts'
import { blocksOf, root, textOf } from './pages.ts'

const PAGE = 'docs/tutorial.md'
const TARGET = 'stdio:python3 device.py'
const CLAUSE = 'VIO-NTF-03'
/** Run 11 laps the ring, which takes Python eight seconds; too few for every goal. */
const RUNS = 11
/** The mistake is met with three of four seeds. */
const SEEDS = ['1', '2', '3', '4']
const RUN = ['run', '--target', TARGET, '--runs', String(RUNS)]

const CLASS = '\n\n\nclass Device'
const END = '\n\n\nif __name__'

/** As the page says: what is indented goes to the end of the class, the rest above it. */
const assembled = (): string =>
  blocksOf(PAGE, 'python').reduce((device, block) => {
    const before = block.startsWith(' ') ? END : CLASS
    const [head, ...rest] = device.split(before)
    if (rest.length !== 1) throw new Error(`expected one ${JSON.stringify(before)}, found ${rest.length}`)
    return `${head}\n\n${block.trimEnd()}${before}${rest[0]}`
  })

const changed = (text: string, sign: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith(sign) && !line.startsWith(sign.repeat(3)))
    .map((line) => line.slice(1))

const exchanged = (text: string, from: string, to: string): string => {
  const pieces = text.split(from)
  if (pieces.length !== 2) throw new Error(`expected once: ${from}; found ${pieces.length - 1} times`)
  return pieces.join(to)
}

const device = readFileSync(path.join(root, 'examples/tutorial/device.py'), 'utf8')
const [fix = ''] = blocksOf(PAGE, 'diff')
const [mistake = ''] = changed(fix, '-')
const [right = ''] = changed(fix, '+')

test('the pieces of the page are the device, with one mistake', () => {
  expect(assembled()).toBe(exchanged(device, right, mistake))
})

test('the patch brings the mistake back', () => {
  const patch = readFileSync(path.join(root, 'examples/tutorial/mistake.patch'), 'utf8')
  expect([changed(patch, '-'), changed(patch, '+')]).toEqual([[right], [mistake]])
})

test('the device is a short read', () => {
  expect(device.split('\n').length).toBeLessThan(200)
})

const without = spawnSync('python3', ['--version'], { stdio: 'ignore' }).status !== 0
if (without) console.log('skipped: the device of the tutorial: python3 is not installed')

describe.skipIf(without)('the device', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'iospec-tutorial-'))
  const at = { cwd: folder }
  const write = (text: string): void => writeFileSync(path.join(folder, 'device.py'), text)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  beforeAll(async () => {
    const { code, stderr } = await here(['init', '--lang', 'python'], at)
    expect([code, stderr]).toEqual([0, ''])
  })

  test('is nothing as an empty file, and an adapter after the first step', async () => {
    write('')
    expect((await here(['check', TARGET], at)).code).toBe(3)
    write(blocksOf(PAGE, 'python')[0]!)
    expect(await hereJson(['check', TARGET], at)).toMatchObject({ code: 0, value: { ok: true } })
  })

  test('breaks the clause of the page with its mistake, replays it, and is cured by one line', async () => {
    expect(textOf(PAGE)).toContain(`(${CLAUSE})`)
    write(exchanged(device, right, mistake))
    const short = ['--max-bugs', '1', '--shrink', '200', '--no-minimality']
    let answer: Awaited<ReturnType<typeof hereJson>> | undefined
    for (const seed of SEEDS)
      if (answer?.code !== 1) answer = await hereJson([...RUN, 'split-queue', ...short, '--seed', seed], at)
    const { code, value } = answer!
    expect(code).toBe(1)
    const found = value.machines[0].counterexamples
    expect(found.map((each: { clause: string; law: string }) => [each.clause, each.law])).toEqual([
      [CLAUSE, 'owes device.interrupt'],
    ])
    const [file] = readdirSync(path.join(folder, '.iospec/counterexamples'))
    const replay = ['replay', `.iospec/counterexamples/${file}`, '--target', TARGET]
    expect(await hereJson(replay, at)).toMatchObject({
      code: 1,
      value: { reproduced: true, verdict: 'violates', clause: CLAUSE },
    })
    write(device)
    expect(await hereJson(replay, at)).toMatchObject({ code: 0, value: { reproduced: false, verdict: 'conforms' } })
  })

  test('conforms in the end', async () => {
    write(device)
    const { code, value } = await hereJson([...RUN, 'all'], at)
    // Goals may be missed in so few runs; nothing else may be wrong.
    expect([0, 4]).toContain(code)
    for (const machine of value.machines) {
      expect(machine).toMatchObject({ counterexamples: [], inconclusive: 0 })
      expect(machine.verdict === 'inconclusive' ? machine.missed.length : 1).toBeGreaterThan(0)
    }
    const kept = value.clauses.filter(({ status }: { status: string }) => status === 'kept')
    expect(kept.map(({ id }: { id: string }) => id)).toContain(CLAUSE)
    expect(kept.length).toBeGreaterThan(30)
    expect(value.clauses.filter(({ status }: { status: string }) => status === 'violated')).toEqual([])
  })
})
