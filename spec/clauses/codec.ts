import type { Context, Errors, ValidationError } from 'io-ts'
import * as t from 'io-ts'
import type { Clause } from '../../src/kernel/language/clause.ts'

/** A string that matches `pattern`; `what` names it in errors. */
const matching = (what: string, pattern: RegExp) => {
  const is = (u: unknown): u is string => typeof u === 'string' && pattern.test(u)
  return new t.Type<string>(what, is, (u, c) => (is(u) ? t.success(u) : t.failure(u, c)), t.identity)
}

const oneOf = <K extends string>(...names: readonly K[]) =>
  t.keyof(Object.fromEntries(names.map((name) => [name, null])) as Record<K, null>, names.join(' | '))

const text = matching('a text without line breaks or spaces at its ends', /^\S(?:[^\n]*\S)?$/)
const sentence = matching('a sentence that ends in a full stop', /^\S[^\n]*\.$/)
const report = matching('a report as owner/repository#number', /^[\w.-]+\/[\w.-]+#\d+$/)

const required = t.type(
  {
    id: matching('an id such as VIO-NTF-01', /^[A-Z]+(?:-[A-Z]+)*-\d{2}$/),
    area: oneOf('virtqueue', 'interrupt', 'emulated', 'dma', 'migration'),
    source: text,
    section: text,
    since: matching('a version such as 1.0', /^\d+\.\d+$/),
    duty: oneOf('driver', 'device', 'iommu', 'irqchip', 'hypervisor', 'migration'),
    strength: oneOf('MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'),
    basis: oneOf('normative', 'recommendation', 'derived', 'hardening'),
    confidence: oneOf('checked', 'source-read', 'from-knowledge'),
    requirement: sentence,
  },
  'a clause',
)

const optional = t.partial(
  {
    label: text,
    observable: text,
    evidence: t.readonlyArray(report, 'a list of reports'),
    corrected: text,
    notes: text,
  },
  'a clause',
)

const fields: ReadonlySet<string> = new Set([...Object.keys(required.props), ...Object.keys(optional.props)])

/** One clause as it stands in a file. */
const clauseCodec = t.intersection([required, optional], 'a clause')

/** A file of the catalogue cannot be used: file, which entry, field, what was expected and what was found. */
export class ClauseError extends Error {
  override readonly name = 'ClauseError'
}

/** What was found, short enough for one line. */
const shown = (value: unknown): string => {
  const json = value === undefined ? 'nothing' : JSON.stringify(value)
  return json.length > 60 ? `${json.slice(0, 57)}...` : json
}

/** Keys on the way to the failing value; the two halves of the intersection are not places. */
const keysOf = (context: Context): string[] =>
  context.slice(1).flatMap((entry, i) => (context[i]?.type instanceof t.IntersectionType ? [] : [entry.key]))

/** An optional field whose value fails is reported for its whole union; the deepest error says most. */
const deepest = (errors: Errors): ValidationError =>
  errors.reduce((a, b) => (keysOf(b.context).length > keysOf(a.context).length ? b : a))

const fail = (file: string, entry: string, field: string, expected: string, found: unknown): never => {
  throw new ClauseError(`${file}: ${entry}: ${field}: expected ${expected}, found ${shown(found)}`)
}

const entryName = (value: unknown, index: number): string =>
  typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && value.id !== ''
    ? value.id
    : `entry ${index}`

const decodeOne = (file: string, value: unknown, index: number): Clause => {
  const entry = entryName(value, index)
  const decoded = clauseCodec.decode(value)
  if (decoded._tag === 'Left') {
    const { context, value: found } = deepest(decoded.left)
    const expected = context[context.length - 1]?.type.name ?? 'a clause'
    return fail(file, entry, keysOf(context).join('.') || 'entry', expected, found)
  }
  for (const key of Object.keys(decoded.right))
    if (!fields.has(key)) fail(file, entry, key, `one of the fields ${[...fields].join(', ')}`, key)
  return decoded.right as Clause
}

/** Decodes the text of one file of clauses; throws a `ClauseError` of one line. */
export const decodeClauses = (file: string, json: string): readonly Clause[] => {
  let data: unknown
  try {
    data = JSON.parse(json)
  } catch (error) {
    return fail(file, 'file', 'text', `JSON (${(error as Error).message.replaceAll('\n', ' ')})`, json.slice(0, 40))
  }
  if (!Array.isArray(data)) return fail(file, 'file', 'value', 'a list of clauses', data)
  return data.map((value: unknown, index) => decodeOne(file, value, index))
}
