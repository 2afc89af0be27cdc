/** Where this package lies, whether its compiled or its written form runs. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from './exit.ts'

const above = (folder: string): string => {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) return at
    if (at === path.dirname(at))
      throw new UsageError(`${folder}: expected a package.json in a folder above, found none`)
  }
}

/** The folder with `package.json`. */
export const packageRoot = above(path.dirname(fileURLToPath(import.meta.url)))

/** Version of iospec. */
export const packageVersion: string = (
  JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as { version: string }
).version

/** A compiled module of this package: threads load nothing else. */
export const compiled = (module: string): string => {
  const file = path.join(packageRoot, 'dist', module)
  if (existsSync(file)) return file
  throw new UsageError(`${file}: expected the compiled project, found no file; run npm run build`)
}
