// Packs the project, installs the tarball in an empty folder as a user would, and runs it there. Needs a registry.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const folder = mkdtempSync(path.join(tmpdir(), 'iospec-pack-'))
const run = (command, args, cwd = folder) => {
  console.log(`$ ${command} ${args.join(' ')}`)
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
try {
  const [{ filename, files }] = JSON.parse(
    run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root),
  )
  const bytes = statSync(path.join(folder, filename)).size
  console.log(`${filename}: ${files.length} files, ${Math.round(bytes / 1024)} KiB`)
  run('npm', ['init', '-y'])
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `./${filename}`])
  console.log(run('npx', ['--no-install', 'iospec', '--version']).trim())
  const explored = JSON.parse(run('npx', ['--no-install', 'iospec', 'explore', 'queue', '--json']))
  if (explored.result !== 'holds') throw new Error(`expected queue to hold, found ${explored.result}`)
  run('npx', ['--no-install', 'iospec', 'init', '--lang', 'typescript'])
  console.log(run('npx', ['--no-install', 'iospec', 'check', 'module:./device.ts']).trim().split('\n').at(-1))
  console.log(run('npx', ['--no-install', 'iospec', 'run', 'config-space']).trim())
} finally {
  rmSync(folder, { recursive: true, force: true })
}
