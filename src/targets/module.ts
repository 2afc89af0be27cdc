/** The door `module:`: a JavaScript or TypeScript file whose default export makes a target. */

import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { explain, preview } from '../contract/explain.ts'
import { type Abilities, type Door, type OpenOptions, type Target, TargetError } from '../contract/target.ts'
import { description } from '../contract/wire.ts'

/** What the file's default export has to be. */
type MakeTarget = (options: OpenOptions) => Target | Promise<Target>

export const moduleDoor: Door = {
  scheme: 'module',
  summary: 'a JavaScript or TypeScript file that exports a target by default: module:./device.ts',
  async open(rest, options) {
    const make = await loadDefault(rest)
    const title = path.basename(rest)
    if (typeof make !== 'function')
      throw start(title, `expected the default export to be a function that makes a target, found ${preview(make)}`)
    let target: unknown
    try {
      target = await (make as MakeTarget)(options)
    } catch (error) {
      throw start(title, `its default export threw ${told(error)}`, error)
    }
    const why = shapeTrouble(target)
    if (why !== undefined) throw start(title, why)
    return target as Target
  },
}

/** The default export of a file, TypeScript included: Node 20 does not load it by itself. */
export async function loadDefault(file: string): Promise<unknown> {
  if (file === '') throw new TargetError('address', 'expected `module:` and a file such as module:./device.ts')
  const full = path.resolve(file)
  if (!existsSync(full))
    throw new TargetError('address', `${preview(file)}: expected a file, found none at ${preview(full)}`)
  if (!statSync(full).isFile()) throw new TargetError('address', `${preview(file)}: expected a file, found a directory`)
  try {
    if (/\.[cm]?tsx?$/.test(full)) {
      const { createJiti } = await import('jiti')
      // No cache on disk: it would lie in a folder that others can write to, and what lies there is run.
      const jiti = createJiti(import.meta.url, { moduleCache: false, fsCache: false })
      return await jiti.import(full, { default: true })
    }
    return ((await import(pathToFileURL(full).href)) as { default?: unknown }).default
  } catch (error) {
    throw start(file, `does not load: ${told(error)}`, error)
  }
}

const METHODS = ['describe', 'reset', 'read', 'write', 'load', 'store', 'events', 'settle', 'close'] as const

/** The optional calls that each ability announces. */
const ANNOUNCED: readonly [(can: Abilities) => boolean, ability: string, readonly (keyof Target)[]][] = [
  [(can) => can.step, 'step', ['step']],
  [(can) => can.save, 'save', ['save', 'restore']],
  [(can) => can.migrate, 'migrate', ['migrate']],
  [(can) => can.fingerprint, 'fingerprint', ['fingerprint']],
  [(can) => can.controls.length > 0, 'controls', ['control']],
]

/** What a value lacks to be a target, in one line; `undefined` when it lacks nothing. */
function shapeTrouble(target: unknown): string | undefined {
  if (typeof target !== 'object' || target === null) return `expected a target, found ${preview(target)}`
  const has = (method: string) => typeof (target as Record<string, unknown>)[method] === 'function'
  const missing = METHODS.filter((method) => !has(method))
  if (missing.length > 0)
    return `expected a target, found an object without the method${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`
  let described: ReturnType<Target['describe']>
  try {
    described = (target as Target).describe()
  } catch (error) {
    return `describe() threw ${told(error)}`
  }
  if (!description.is(described))
    return `describe(): ${explain(description, encoded(described)) ?? 'not a description'}`
  for (const [announces, ability, methods] of ANNOUNCED) {
    const absent = methods.filter((method) => !has(method))
    if (announces(described.can) && absent.length > 0)
      return `describe() announces can.${ability}, found no method ${absent.join(', ')}`
  }
  return undefined
}

/** A description in the form that `explain` judges: its numbers that are addresses, as the codec writes them. */
function encoded(value: unknown, key = ''): unknown {
  if (typeof value === 'number' && ['start', 'end', 'base'].includes(key) && Number.isSafeInteger(value) && value >= 0)
    return `0x${value.toString(16)}`
  if (Array.isArray(value)) return value.map((item) => encoded(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, encoded(inner, name)]))
}

const told = (error: unknown): string =>
  error instanceof Error ? preview(`${error.name}: ${error.message}`, 200) : preview(error)

const start = (file: string, why: string, cause?: unknown): TargetError =>
  new TargetError('start', `${preview(file)}: ${why}`, cause instanceof Error ? (cause.stack ?? '') : '')
