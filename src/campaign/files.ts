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

/** Reads and decodes a JSON file; a `UsageError` names file, field, what was expected and what was found. */
export const readJsonFile = <A>(file: string, codec: t.Decoder<unknown, A>, what: string): A => {
  const name = preview(file, PATH_MAX)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const found = code === 'ENOENT' ? 'no file' : code === 'EISDIR' ? 'a directory' : String(code)
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
    throw new UsageError(`${name}: expected ${what} in JSON, found ${preview(text, 40)} (${oneLine(error)})`)
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
  new UsageError(`${preview(file, PATH_MAX)}: cannot be written: ${oneLine(error)}`)

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

/** Throws what `writeWhole` would throw, before the work is done whose outcome is to be written. Leaves nothing behind. */
export const expectWritable = (file: string): void => {
  const full = path.resolve(file)
  let folder = path.dirname(full)
  // Only what is there is looked at: others may make the folders in between at this moment.
  while (!existsSync(folder)) folder = path.dirname(folder)
  const probe = path.join(folder, `.iospec-${process.pid}-${++serial}.tmp`)
  try {
    if (existsSync(full) && statSync(full).isDirectory()) throw new Error('it is a directory')
    writeFileSync(probe, '')
  } catch (error) {
    throw unwritable(file, error)
  } finally {
    discard(probe)
  }
}

/** A folder for files of targets, gone afterwards, also when the program is ended before. */
export const withFolder = async <T>(body: (folder: string) => Promise<T>): Promise<T> => {
  let folder: string
  try {
    folder = mkdtempSync(path.join(tmpdir(), 'iospec-'))
  } catch (error) {
    throw new UsageError(`${preview(tmpdir(), PATH_MAX)}: expected a folder for temporary files: ${oneLine(error)}`)
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
