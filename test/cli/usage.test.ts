import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cli, here, temporary } from './run-cli.ts'

const MISTAKES: readonly (readonly [args: string, says: RegExp])[] = [
  ['', /expected a command/],
  ['rum', /no command is called "rum"; did you mean run\?/],
  ['run splt-queue', /no machine is called "splt-queue"; did you mean split-queue\?/],
  ['run nothing-like-it', /no machine is called "nothing-like-it"; there are .*split-queue/],
  ['run all --sed 3', /unknown option '--sed' \(Did you mean --seed\?\)/],
  ['run all --runs many', /^iospec: --runs: expected an integer from 1 to 2147483647, found "many"$/],
  ['run all --runs 0', /--runs: expected an integer from 1 to 2147483647, found 0/],
  ['run all --seed 1.5', /--seed: expected .*found 1\.5/],
  ['run all --hostile 2', /--hostile: expected a number from 0 to 1, found 2/],
  ['run all --time soon', /--time: expected seconds, or a duration/],
  ['run all --reporter junti', /--reporter: expected one of .* \(did you mean junit\?\), found "junti"/],
  ['run all --seed 99999999999', /--seed: expected an integer from -2147483648 to 4294967295/],
  ['run all --directory /proc/x/y', /"\/proc\/x\/y\/counterexamples": cannot be written: ENOENT/],
  ['run all --directory broken.json', /cannot be written: ENOTDIR/],
  ['run all --reporter json=/proc/x/r.json', /"\/proc\/x\/r\.json": cannot be written: ENOENT/],
  ['run all --reporter junit=folder', /"folder": cannot be written: it is a directory/],
  ['run all --reporter xml', /--reporter: expected one of default, json, junit/],
  ['run all --json --reporter junit', /--reporter junit: expected =file beside --json/],
  ['run all --target refrence:virtio-blk', /no door is called "refrence"; did you mean reference/],
  ['run all --target', /argument missing/],
  ['explore', /missing required argument 'machine'/],
  ['explore queue more', /too many arguments/],
  ['explore quue', /no machine is called "quue"; did you mean queue\?/],
  ['explore queue --scope sise=2', /no bound of queue is called "sise"; did you mean size\?/],
  ['explore queue --scope size=big', /--scope size: expected a whole number, found "big"/],
  ['explore queue --scope playd', /no scope of queue is called "playd"; did you mean played\?/],
  ['explore queue --hostile drivr', /--hostile: expected one of .*"driver".* found "drivr"/],
  ['list machine', /no list is called "machine"; did you mean machines\?/],
  ['replay nowhere.json', /"nowhere\.json": expected a counterexample, found no file/],
  ['report broken.json', /"broken\.json": expected a counterexample in JSON/],
  ['report old.json', /"old\.json": field `schemaVersion`: expected 1, found 99/],
  ['report field.json', /"field\.json": field `\w+`/],
  ['report pipe.json', /"pipe\.json": expected a counterexample, found what is no regular file/],
  ['report binary.json', /"binary\.json": expected a counterexample in JSON, found ".*\(Unexpected token '.'\)$/],
  ['report many.json', /"many\.json": field `plan\.\d+`: expected an object/],
  ['help rum', /no command is called "rum"/],
  ['init --lang cobol', /--lang: expected one of "typescript".* found "cobol"/],
  ['init --lang pyton', /--lang: expected one of .* \(did you mean "python"\?\), found "pyton"/],
  // Where Node's own way to make folders never comes back.
  ['init --into /proc/x/y', /"\/proc\/x\/y\/iospec\.config\.json": cannot be written: ENOENT/],
  ['run all --target stdio:', /expected a command line .* names no program/],
  ['run all --target stdio:./nothing-here', /expected a program, found no file/],
  ['run all --target module:./nothing.mjs', /expected a file, found none/],
  ['run all --target reference:virtio-blok', /unknown device 'virtio-blok'; did you mean virtio-blk\?/],
  ['run all --target reference:virtio-blk?queueSizes=4', /unknown option 'queueSizes'; did you mean queueSize\?/],
  ['run all --target qemu:virtio-blk?binary=no-such-qemu', /not in PATH; install QEMU/],
  ['check stdio:./nothing-here', /expected a program, found no file/],
  ['score --faults nothing', /no fault fits 'nothing'/],
]

describe('mistakes on the command line', () => {
  const cwd = temporary()
  writeFileSync(path.join(cwd, 'broken.json'), '{"schemaVersion":1,')
  writeFileSync(path.join(cwd, 'old.json'), '{"schemaVersion":99}')
  writeFileSync(path.join(cwd, 'field.json'), '{"schemaVersion":1,"kind":"counterexample"}')
  writeFileSync(
    path.join(cwd, 'binary.json'),
    Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 199 + 128) & 255)),
  )
  // More complaints than a call has room for arguments.
  writeFileSync(path.join(cwd, 'many.json'), JSON.stringify({ schemaVersion: 1, plan: Array(200_000).fill(0) }))
  execFileSync('mkfifo', [path.join(cwd, 'pipe.json')])
  mkdirSync(path.join(cwd, 'folder'))
  const before = readdirSync(cwd)

  it.each(MISTAKES)('iospec %s', async (args, says) => {
    const { code, stdout, stderr } = await here(args.split(' ').filter(Boolean), { cwd })
    expect(stderr.trimEnd()).toMatch(says)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect([code, stdout]).toEqual([2, ''])
  })

  it('says the same as a program', async () => {
    const { code, stdout, stderr } = await cli(['run', 'splt-queue', '--json'], { cwd })
    expect(stderr).toBe('iospec: no machine is called "splt-queue"; did you mean split-queue?\n')
    expect([code, stdout]).toEqual([2, ''])
  })

  it('leaves nothing behind', () => {
    expect(readdirSync(cwd)).toEqual(before)
  })
})

it('help comes for a command as well', async () => {
  const { code, stdout } = await here(['help', 'run'])
  expect([code, stdout]).toEqual([0, (await here(['run', '--help'])).stdout])
  expect(stdout).toContain('Usage: iospec run')
})

it('a target that starts and then breaks is no mistake of the command line', async () => {
  const { code, stdout, stderr } = await here(['run', 'split-queue', '--target', 'stdio:false', '--json'])
  expect([code, stdout]).toEqual([3, ''])
  expect(stderr).toMatch(/^iospec: .*before it answered `hello`\n$/)
})

describe('configuration', () => {
  const project = (config: unknown): string => {
    const folder = temporary()
    writeFileSync(path.join(folder, 'iospec.config.json'), typeof config === 'string' ? config : JSON.stringify(config))
    const inner = path.join(folder, 'deep/inside')
    mkdirSync(inner, { recursive: true })
    return inner
  }
  const settings = async (args: readonly string[], cwd: string, env = {}) =>
    JSON.parse((await here(['run', ...args, '--print-config', '--json'], { cwd, env })).stdout)

  it('takes flags before the environment, that before the file, and that before defaults', async () => {
    const cwd = project({ seed: 7, runs: 11, corpus: false, target: 'v86:virtio-9p' })
    const env = { IOSPEC_SEED: '8', IOSPEC_TARGET: 'module:./x.ts' }
    const found = await settings(['--seed', '9'], cwd, env)
    expect(found.seed).toEqual({ value: 9, from: '--seed' })
    expect(found.target).toEqual({ value: 'module:./x.ts', from: 'IOSPEC_TARGET' })
    expect(found.runs).toMatchObject({ value: 11, from: expect.stringMatching(/iospec\.config\.json$/) })
    expect(found.corpus).toMatchObject({ value: false })
    expect(found.timeout).toEqual({ value: 5000, from: 'default' })
    expect((await settings([], cwd, env)).seed).toEqual({ value: 8, from: 'IOSPEC_SEED' })
    expect((await settings([], cwd)).seed).toMatchObject({ value: 7 })
  })

  it.each([
    [{ runs: 'many' }, /iospec\.config\.json": field `runs`: expected an integer from 1 to 2147483647, found "many"/],
    [{ rums: 3 }, /field `rums`: expected no such field \(did you mean `runs`\?\)/],
    ['{"runs": ', /expected a configuration in JSON/],
    [{ reporters: ['xml'] }, /field `reporters\.0`: expected one of default/],
  ])('refuses %j', async (config, says) => {
    const { code, stdout, stderr } = await here(['run', 'all'], { cwd: project(config) })
    expect(stderr.trimEnd()).toMatch(says)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect([code, stdout]).toEqual([2, ''])
  })

  it('never names a program to start', async () => {
    for (const target of ['stdio:touch started', 'module:./evil.mjs', 'qemu:virtio-blk?binary=./evil']) {
      const cwd = project({ target })
      writeFileSync(path.join(cwd, 'evil.mjs'), 'import fs from "node:fs"; fs.writeFileSync("started", "")')
      const { code, stderr } = await cli(['run', 'all'], { cwd })
      expect(stderr).toMatch(/a file never names a program to start; add --target/)
      expect([code, readdirSync(cwd)]).toEqual([2, ['evil.mjs']])
    }
  })
})
