/** Files of a campaign: read with errors of one line, written whole or not at all. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import canonicalize from 'canonicalize'
import type * as t from 'io-ts'
import { decode, escapeText, preview } from '../contract/explain.ts'
import { UsageError } from './exit.ts'

/** Reads and decodes a JSON file; a `UsageError` names file, field, what was expected and what was found. */
export const readJsonFile = <A>(file: string, codec: t.Decoder<unknown, A>, what: string): A => {
  const name = preview(file)
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

/** Writes a file whole or not at all: under a temporary name first, then renamed. */
export const writeWhole = (file: string, text: string): void => {
  const temporary = `${file}.${process.pid}-${++serial}.tmp`
  try {
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(temporary, text)
    renameSync(temporary, file)
  } catch (error) {
    discard(temporary)
    throw new UsageError(`${preview(file)}: cannot be written: ${oneLine(error)}`)
  }
}
