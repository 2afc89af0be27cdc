/** Errors of codecs in one line: which field, what was expected there, what was found. */

import type * as t from 'io-ts'

/** The outcome of `decode`: a value, or one line that says why there is none. */
export type Decoding<A> = { readonly ok: true; readonly value: A } | { readonly ok: false; readonly why: string }

/** Decodes `value`; a refusal is one line without line breaks or control characters. */
export function decode<A>(codec: t.Decoder<unknown, A>, value: unknown): Decoding<A> {
  const result = codec.decode(value)
  return result._tag === 'Right' ? { ok: true, value: result.right } : { ok: false, why: describe(result.left) }
}

/** Why `codec` refuses `value`, in one line; `undefined` when it accepts it. */
export function explain(codec: t.Decoder<unknown, unknown>, value: unknown): string | undefined {
  const result = decode(codec, value)
  return result.ok ? undefined : result.why
}

interface Complaint {
  readonly path: readonly string[]
  readonly expected: string
  readonly found: unknown
}

/** The deepest complaint says most: a union fails at its root and in each of its arms. */
function describe(errors: t.Errors): string {
  const complaints = errors.map(complaint)
  const depth = complaints.reduce((deepest, { path }) => Math.max(deepest, path.length), 0)
  const first = complaints.find((c) => c.path.length === depth)!
  const path = first.path.join('.')
  const alike = complaints.filter((c) => c.path.join('.') === path).map((c) => c.expected)
  const where = path === '' ? '' : `field \`${escapeText(path)}\`: `
  return `${where}expected ${[...new Set(alike)].join(' or ')}, found ${preview(first.found)}`
}

function complaint(error: t.ValidationError): Complaint {
  const path: string[] = []
  error.context.forEach((entry, i) => {
    // Below a plain io-ts union or intersection the key is the number of an arm, not a field.
    const parent = i > 0 ? (error.context[i - 1]!.type as { _tag?: string }) : undefined
    const arm = parent?._tag === 'UnionType' || parent?._tag === 'IntersectionType'
    if (entry.key !== '' && !arm) path.push(entry.key)
  })
  return { path, expected: error.message ?? error.context.at(-1)?.type.name ?? 'something else', found: error.value }
}

/** A value as an error shows it: JSON-like, printable, at most `max` characters; bigints and cycles are no trouble. */
export function preview(value: unknown, max = 80): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value === 'number') return String(value)
  let written: string | undefined
  try {
    written = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))
  } catch {
    written = Array.isArray(value) ? 'a list' : 'an object'
  }
  return clip(escapeText(written ?? 'an object'), max)
}

/** Text of a stranger made harmless for a terminal and for one line: control and non-ASCII format characters escaped. */
export function escapeText(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  )
}

/** At most `max` characters, with the cut marked. */
export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`
}
