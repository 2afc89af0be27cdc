/** iospec as somebody else gets it: the packed files, in the `node_modules` of a project that is not ours. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

/** A folder with `node_modules/iospec` from the tarball; packages that it depends on are links. */
export const foreignProject = (): { readonly folder: string; remove(): void } => {
  const folder = mkdtempSync(path.join(tmpdir(), 'iospec-foreign-'))
  const modules = path.join(folder, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(path.join(root, 'node_modules')))
    if (name !== '.bin' && !name.startsWith('.vite'))
      symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const [{ filename }] = JSON.parse(
    execFileSync('npm', pack, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  execFileSync('tar', ['-xzf', filename], { cwd: folder })
  execFileSync('mv', ['package', 'node_modules/iospec'], { cwd: folder })
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
