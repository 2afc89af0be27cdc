/** Files of a campaign: read with errors of one line, written whole or not at all. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import canonicalize from 'canonicalize'
import type * as t from 'io-ts'
import { decode, escapeText, preview } from '../contract/explain.ts'
import { UsageError } from './exit.ts'

/** A path in an error is cut only where nobody could have meant it. */
const PATH_MAX = 200
/** No file that a campaign reads whole is nearly as large. */
const FILE_BYTES_MAX = 32 << 20

/** Reads and decodes a JSON file; a `UsageError` names file, field, what was expected and what was found. */
export const readJsonFile = <A>(file: string, codec: t.Decoder<unknown, A>, what: string): A => {
  const name = preview(file, PATH_MAX)
  let text: string
  try {
    const kind = statSync(file)
    // A pipe or a device might never come to an end, and nobody could interrupt that.
    if (!kind.isFile()) throw new UsageError(kind.isDirectory() ? 'a directory' : 'what is no regular file')
    if (kind.size > FILE_BYTES_MAX) throw new UsageError(`a file of ${kind.size} bytes, and ${FILE_BYTES_MAX} at most`)
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const found = error instanceof UsageError ? error.message : code === 'ENOENT' ? 'no file' : String(code)
    throw new UsageError(`${name}: expected ${what}, found ${found}`)
  }
  return decodeText(name, text, codec, what)
}

/** Decodes the text of a file, or of a line of one. */
export const decodeText = <A>(name: string, text: string, codec: t.Decoder<unknown, A>, what: string): A => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${name}: expected ${what} in JSON, found ${preview(text, 40)} (${parseTrouble(error)})`)
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const version = (value as { schemaVersion?: unknown } | null)?.schemaVersion
  const known = (codec as { required?: { schemaVersion?: t.Decoder<unknown, unknown> } }).required?.schemaVersion
  // The version comes first: a file of another version may look different in every other respect.
  if (isObject && known !== undefined && known.decode(version)._tag === 'Left')
    throw new UsageError(
      `${name}: field \`schemaVersion\`: expected ${(known as unknown as { name: string }).name}, found ${preview(version)}`,
    )
  const decoded = decode(codec, value)
  if (!decoded.ok) throw new UsageError(`${name}: ${decoded.why}`)
  return decoded.value
}

const oneLine = (error: unknown): string => escapeText(error instanceof Error ? error.message : String(error))
/** Without the piece of the text that Node quotes: it has been shown. */
const parseTrouble = (error: unknown): string => oneLine(error).replace(/, ?(?:\.\.\.)?".*$/, '')
/** Without the call that failed and its path, which may be one of our own. */
const systemTrouble = (error: unknown): string => oneLine(error).replace(/, \w+ '.*$/, '')

/** Writes canonical JSON: the same value gives the same bytes. */
export const writeJsonFile = (file: string, value: unknown): void =>
  writeWhole(file, `${canonicalize(JSON.parse(JSON.stringify(value)))}\n`)

let serial = 0

/** What stands in the way of writing may stand in the way of this as well. */
const discard = (file: string): void => {
  try {
    rmSync(file, { force: true })
  } catch {
    // Then it is not there.
  }
}

const unwritable = (file: string, error: unknown): UsageError =>
  new UsageError(`${preview(file, PATH_MAX)}: cannot be written: ${systemTrouble(error)}`)

/** A folder and those above it. Node's own way to do that never comes back from a place like /proc/x. */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(path.dirname(folder))
  try {
    mkdirSync(folder)
  } catch (error) {
    // Somebody else may have been faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Writes a file whole or not at all: under a temporary name first, then renamed. */
export const writeWhole = (file: string, text: string): void => {
  const temporary = `${file}.${process.pid}-${++serial}.tmp`
  try {
    makeFolder(path.dirname(path.resolve(file)))
    writeFileSync(temporary, text)
    renameSync(temporary, file)
  } catch (error) {
    discard(temporary)
    throw unwritable(file, error)
  }
}

/** Whether files can be written in a folder, made for them if need be; throws a `UsageError`. Leaves nothing behind. */
export const expectWritableFolder = (folder: string, name = folder): void => {
  let there = path.resolve(folder)
  // Only what is there is looked at: others may make the folders in between at this moment.
  while (!existsSync(there)) there = path.dirname(there)
  const probe = path.join(there, `.iospec-${process.pid}-${++serial}.tmp`)
  try {
    writeFileSync(probe, '')
  } catch (error) {
    throw unwritable(name, error)
  } finally {
    discard(probe)
  }
}

/** Throws what `writeWhole` would throw, before the work is done whose outcome is to be written. */
export const expectWritable = (file: string): void => {
  if (existsSync(file) && statSync(file).isDirectory()) throw unwritable(file, new Error('it is a directory'))
  expectWritableFolder(path.dirname(file), file)
}

/** A folder for files of targets, gone afterwards, also when the program is ended before. */
export const withFolder = async <T>(body: (folder: string) => Promise<T>): Promise<T> => {
  let folder: string
  try {
    folder = mkdtempSync(path.join(tmpdir(), 'iospec-'))
  } catch (error) {
    throw new UsageError(
      `${preview(tmpdir(), PATH_MAX)}: expected a folder for temporary files: ${systemTrouble(error)}`,
    )
  }
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.on('exit', remove)
  try {
    return await body(folder)
  } finally {
    process.off('exit', remove)
    remove()
  }
}
