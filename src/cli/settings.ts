/** Where the value of an option comes from: flags before environment before configuration file before defaults. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { UsageError } from '../campaign/exit.ts'
import { readJsonFile } from '../campaign/files.ts'
import { decode, preview } from '../contract/explain.ts'
import { type Config, config, type OptionName, optionOf, type Values } from './options.ts'
import { addressFromFile } from './trust.ts'

export const CONFIG_FILE = 'iospec.config.json'

/** A value and who gave it: `--runs`, `IOSPEC_SEED`, the path of a file, `default`. */
export interface Setting {
  readonly value: unknown
  readonly from: string
}

interface LoadedConfig {
  readonly file: string
  readonly values: Config
}

/** The nearest configuration file, from `folder` upward; undefined when there is none. */
const findConfig = (folder: string): string | undefined => {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const file = path.join(at, CONFIG_FILE)
    if (existsSync(file)) return file
    if (at === path.dirname(at)) return undefined
  }
}

const loadConfig = (asked: string | undefined, folder: string): LoadedConfig | undefined => {
  const file = asked ?? findConfig(folder)
  if (file === undefined) return undefined
  const values = readJsonFile(file, config, 'a configuration') as Config
  if (values.target !== undefined) addressFromFile(values.target, preview(file, 200))
  return { file, values }
}

/** The long flag, as errors and `--print-config` name an option. */
export const longFlag = (name: OptionName): string => /--[\w-]+/.exec(optionOf(name).flags)![0]

/** Reads words of the command line or the environment; throws a `UsageError` of one line. */
export const readWords = (name: OptionName, given: string | readonly string[], from: string): unknown => {
  const option = optionOf(name)
  const read = typeof given === 'string' ? option.read(given) : given.map((word) => option.read(word))
  const decoded = decode(option.codec, read)
  if (decoded.ok) return decoded.value
  throw new UsageError(`${from}: ${decoded.why.replace(/^field `\d+`: /, '')}`)
}

export interface Sources {
  /** Words of the command line by option; `true` for a flag without a value. */
  readonly flags: Readonly<Partial<Record<OptionName, string | readonly string[] | true>>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the search for a configuration file begins. */
  readonly folder: string
}

/** The settings of a command, in the order of its options. */
export const settingsOf = (
  names: readonly OptionName[],
  { flags, env, folder }: Sources,
): ReadonlyMap<OptionName, Setting> => {
  const asked = flags.config
  const usesFile = names.some((name) => optionOf(name).inFile)
  const loaded = usesFile ? loadConfig(typeof asked === 'string' ? asked : undefined, folder) : undefined
  const settings = new Map<OptionName, Setting>()
  for (const name of names) {
    const option = optionOf(name)
    const flag = flags[name]
    if (flag !== undefined) {
      const value = flag === true ? option.read('') : readWords(name, flag, longFlag(name))
      settings.set(name, { value, from: longFlag(name) })
      continue
    }
    const variable = option.env
    const word = variable === undefined ? undefined : env[variable]
    if (variable !== undefined && word !== undefined && word !== '') {
      settings.set(name, { value: readWords(name, word, variable), from: variable })
      continue
    }
    const inFile = option.inFile ? (loaded?.values as Record<string, unknown> | undefined)?.[name] : undefined
    if (inFile !== undefined) settings.set(name, { value: inFile, from: preview(loaded!.file, 200).slice(1, -1) })
    else if (option.default !== undefined) settings.set(name, { value: option.default, from: 'default' })
  }
  return settings
}

export const valuesOf = <K extends OptionName>(settings: ReadonlyMap<OptionName, Setting>): Values<K> =>
  Object.fromEntries([...settings].map(([name, { value }]) => [name, value])) as Values<K>
