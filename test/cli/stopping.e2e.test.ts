import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cli, here, root, temporary } from './run-cli.ts'

const LOOK_MS = 50
/** Of what /proc tells: the signal number of SIGHUP, which Node itself does not listen for, and clock ticks. */
const SIGHUP_BIT = 1n
const TICK_MS = 10
/** Where /proc does not tell, a program is given so many times as long. */
const SLOWNESS = 3

/** How long a program has worked since it listens for signals, in ms of CPU; undefined where nobody can tell. */
const workedMs = (pid: number): number | undefined => {
  try {
    const [, mask] = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    if (mask === undefined) return undefined
    if ((BigInt(`0x${mask}`) & SIGHUP_BIT) === 0n) return 0
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    return (Number(user) + Number(system)) * TICK_MS
  } catch {
    return undefined
  }
}

/** A process that has ended and was not waited for is still there. */
const runs = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

interface Stop {
  readonly cwd?: string
  readonly signal?: NodeJS.Signals
  readonly env?: Readonly<Record<string, string>>
  /** A file in `cwd` that has to be there first. */
  readonly file?: string
  /** How long it has to have worked, start included; on a busy machine that takes as long as it takes. */
  readonly cpuMs?: number
}

/** A program that is stopped once it works. */
const stopped = (args: readonly string[], { cwd = temporary(), signal = 'SIGINT', env = {}, ...when }: Stop = {}) =>
  cli(args, {
    cwd,
    env,
    onStart: (child) => {
      const since = performance.now()
      const timer = setInterval(() => {
        const worked = workedMs(child.pid!) ?? (performance.now() - since) / SLOWNESS
        if (worked <= (when.cpuMs ?? 0)) return
        if (when.file !== undefined && !existsSync(path.join(cwd, when.file))) return
        clearInterval(timer)
        child.kill(signal)
      }, LOOK_MS)
      child.on('close', () => clearInterval(timer))
    },
  })

// They mostly wait. What is busy with others for a second may leave without its partial result; not three times.
describe.concurrent('a stop', { timeout: 60_000, retry: 2 }, () => {
  it('ends an exploration with what was seen up to then', async ({ expect }) => {
    const { code, stdout } = await stopped(['explore', 'virtio-blk', '--json'], { cpuMs: 1600 })
    expect(code).toBe(130)
    const value = JSON.parse(stdout)
    expect(value.result).toBe('cut-short')
    expect(value.states).toBeGreaterThan(0)
  })

  it('ends a campaign with what was seen up to then', async ({ expect }) => {
    const cwd = temporary()
    const reports = ['default', 'json=partial.json'].flatMap((each) => ['--reporter', each])
    const args = ['run', 'split-queue', 'virtio-blk', '--runs', '1000000', ...reports]
    const { code } = await stopped(args, { cwd, cpuMs: 2000 })
    expect(code).toBe(130)
    const value = JSON.parse(readFileSync(path.join(cwd, 'partial.json'), 'utf8'))
    expect(value).toMatchObject({ interrupted: true, exit: 130 })
    expect(value.machines[0].runs).toBeGreaterThan(0)
    expect(readdirSync(cwd).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('ends the judging of a log with what was seen up to then', async ({ expect }) => {
    const cwd = temporary()
    const header = { schemaVersion: 1, machine: 'split-queue', target: { name: 'recorded', version: '9' } }
    const lines = `${JSON.stringify({ restart: true })}\n`.repeat(1 << 21)
    writeFileSync(path.join(cwd, 'long.jsonl'), `${JSON.stringify(header)}\n${lines}`)
    const { code, stdout } = await stopped(['run', '--target', 'log:long.jsonl', '--json'], { cwd, cpuMs: 1200 })
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ interrupted: true, machines: [{ verdict: 'inconclusive' }] })
  })

  it.for(['SIGINT', 'SIGHUP', 'SIGTERM'] as const)(
    'by %s leaves neither folder nor process',
    async (signal, { expect }) => {
      const cwd = temporary()
      const TMPDIR = path.join(cwd, 'tmp')
      mkdirSync(TMPDIR)
      // It never answers.
      const args = ['check', "stdio:sh -c 'echo $$ > here; exec sleep 1000'", '--timeout', '600000']
      const { code, stdout } = await stopped(args, { cwd, signal, env: { TMPDIR }, file: 'here' })
      expect([code, stdout]).toEqual([{ SIGINT: 130, SIGHUP: 129, SIGTERM: 143 }[signal], ''])
      expect(readdirSync(TMPDIR)).toEqual([])
      const pid = Number(readFileSync(path.join(cwd, 'here'), 'utf8'))
      // It was killed just before we ended; on a busy machine it goes a little later.
      await expect.poll(() => runs(pid), { timeout: 10_000 }).toBe(false)
    },
  )

  it('ends a check of a module that never comes back', async ({ expect }) => {
    const cwd = temporary()
    const spins =
      'import { writeFileSync } from "node:fs"; export default () => { writeFileSync("here", ""); for (;;); }'
    writeFileSync(path.join(cwd, 'spins.mjs'), spins)
    const { code } = await stopped(['check', 'module:./spins.mjs', '--timeout', '600000'], { cwd, file: 'here' })
    expect(code).toBe(130)
  })

  it('ends a score', async ({ expect }) => {
    const { code } = await stopped(['score'], { cpuMs: 800 })
    expect(code).toBe(130)
  })
})

describe.concurrent('a reader that has had enough', { timeout: 60_000 }, () => {
  it('is no error', async ({ expect }) => {
    const { code, stderr } = await cli(['list', 'clauses'], { onStart: (child) => child.stdout!.destroy() })
    expect([code, stderr]).toEqual([0, ''])
  })

  it('makes no campaign conform', async ({ expect }) => {
    const { code, stderr } = await cli(['run', 'split-queue', '--runs', '1000000'], {
      onStart: (child) => child.stdout!.destroy(),
    })
    expect([code, stderr]).toEqual([130, ''])
  })
})

it('no text of a target reaches the terminal as it is', async () => {
  const cwd = temporary()
  const evil = '\u001b[2J\u009b31m\u202eevil\u0007\r\n'
  const honest = path.join(root, 'examples/javascript/start.mjs')
  writeFileSync(
    path.join(cwd, 'evil.mjs'),
    `import make from ${JSON.stringify(honest)}
    export default () => {
      const target = make()
      const described = target.describe()
      const evil = ${JSON.stringify(evil)}
      console.log(evil)
      return Object.assign(target, {
        describe: () => ({ ...described, name: evil, devices: described.devices.map((d) => ({ ...d, id: evil })) }),
        read() { throw new Error(evil) },
      })
    }`,
  )
  for (const command of [
    ['check', 'module:./evil.mjs'],
    ['targets', 'module:./evil.mjs'],
    [
      'run',
      'virtio-blk',
      '--target',
      'module:./evil.mjs',
      '--runs',
      '3',
      '--reporter',
      'default',
      '--reporter',
      'github',
    ],
    ['run', 'virtio-blk', '--target', 'module:./evil.mjs', '--runs', '3', '--reporter', 'markdown'],
  ]) {
    const { stdout, stderr } = await here(command, { cwd })
    expect(stdout + stderr, command.join(' ')).toContain('evil')
    expect((stdout + stderr).replaceAll('\n', ''), command.join(' ')).not.toMatch(/[\p{Cc}\u202e]/u)
  }
})
