// Copies the data files that compiled code reads at run time (clause catalogue, manifest, lists, C sources) beside it.
import { chmodSync, cpSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const walk = (dir) =>
  readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    return statSync(path).isDirectory() ? walk(path) : [path]
  })
for (const file of ['spec', 'src'].flatMap(walk).filter((f) => /\.(?:json|c)$/.test(f)))
  cpSync(file, join('dist', file))
chmodSync('dist/src/cli/main.js', 0o755)
