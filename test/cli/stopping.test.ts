import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cli, root, temporary } from './run-cli.ts'

const adapter = path.join(root, 'test/fixtures/adapters/adapter.mjs')

/** Interrupted once, some time after it has begun to work. */
const interrupted = (args: readonly string[], cwd = temporary(), afterMs = 1500) =>
  cli(args, { cwd, onStart: (child) => setTimeout(() => child.kill('SIGINT'), afterMs).unref() })

describe('Ctrl-C', () => {
  it('ends an exploration with what was seen up to then', async () => {
    const { code, stdout } = await interrupted(['explore', 'virtio-blk', '--json'])
    expect(code).toBe(130)
    const value = JSON.parse(stdout)
    expect(value.result).toBe('cut-short')
    expect(value.states).toBeGreaterThan(0)
  })

  it('ends a campaign with what was seen up to then', async () => {
    const cwd = temporary()
    const args = ['run', 'split-queue', 'virtio-blk', '--runs', '1000000', '--json', '--reporter', 'json=partial.json']
    const { code, stdout } = await interrupted(args, cwd, 3000)
    expect(code).toBe(130)
    const value = JSON.parse(stdout)
    expect(value).toMatchObject({ interrupted: true, exit: 130 })
    expect(value.machines[0].runs).toBeGreaterThan(0)
    expect(readdirSync(cwd)).toContain('partial.json')
    expect(readdirSync(cwd).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('ends a check of an adapter that never answers', async () => {
    const target = `stdio:'${process.execPath}' ${adapter} no-handshake`
    const { code, stdout } = await interrupted(['check', target, '--timeout', '600000', '--json'])
    expect([code, stdout]).toEqual([130, ''])
  })

  it('ends a check of a module that never comes back', async () => {
    const cwd = temporary()
    writeFileSync(path.join(cwd, 'spins.mjs'), 'export default () => { for (;;); }')
    const { code } = await interrupted(['check', 'module:./spins.mjs', '--timeout', '600000'], cwd)
    expect(code).toBe(130)
  })

  it('ends a score', async () => {
    const { code } = await interrupted(['score'])
    expect(code).toBe(130)
  })
})

it('a reader that has had enough is no error', async () => {
  const { code, stderr } = await cli(['list', 'clauses'], { onStart: (child) => child.stdout!.destroy() })
  expect([code, stderr]).toEqual([0, ''])
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
    const { stdout, stderr } = await cli(command, { cwd })
    expect(stdout + stderr, command.join(' ')).toContain('evil')
    expect((stdout + stderr).replaceAll('\n', ''), command.join(' ')).not.toMatch(/[\p{Cc}\u202e]/u)
  }
})
