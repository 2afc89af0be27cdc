/**
 * The building blocks of every codec in the project: wire messages, files, configuration.
 *
 * They are io-ts types with two additions: names that read well in an error ("an integer from 0 to 255"), and the
 * JSON Schema of what they accept, so that a published schema is made from the codec and cannot drift from it.
 */

import * as t from 'io-ts'

export type JsonSchema = { readonly [keyword: string]: unknown }

/** An io-ts type that knows the JSON Schema of its encoded form. */
export class Codec<A, O = A> extends t.Type<A, O, unknown> {
  readonly schema: JsonSchema
  constructor(
    name: string,
    schema: JsonSchema,
    is: (u: unknown) => u is A,
    validate: t.Validate<unknown, A>,
    encode: (a: A) => O,
  ) {
    super(name, is, validate, encode)
    this.schema = schema
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a codec of anything, as in io-ts
export type AnyCodec = Codec<any, any>

/** A codec of values that look the same on both sides. */
const plain = <A>(name: string, schema: JsonSchema, is: (u: unknown) => u is A): Codec<A> =>
  new Codec(name, schema, is, (u, c) => (is(u) ? t.success(u) : t.failure(u, c)), t.identity)

export const text: Codec<string> = plain('a string', { type: 'string' }, (u) => typeof u === 'string')
export const flag: Codec<boolean> = plain('true or false', { type: 'boolean' }, (u) => typeof u === 'boolean')
export const finite: Codec<number> = plain(
  'a number',
  { type: 'number' },
  (u): u is number => typeof u === 'number' && Number.isFinite(u),
)

/** An integer in `[min, max]`, both ends included. */
export const integer = (min: number, max: number = Number.MAX_SAFE_INTEGER): Codec<number> =>
  plain(
    max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`,
    { type: 'integer', minimum: min, maximum: max },
    (u): u is number => Number.isSafeInteger(u) && (u as number) >= min && (u as number) <= max,
  )

/** A string that matches `pattern`; `name` is what an error says was expected. */
export const matching = (name: string, pattern: RegExp): Codec<string> =>
  plain(name, { type: 'string', pattern: pattern.source }, (u): u is string => typeof u === 'string' && pattern.test(u))

/** One of several strings or numbers; an error names the nearest word. */
export const oneOf = <const V extends string | number | boolean>(...values: readonly V[]): Codec<V> => {
  const name =
    values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map((v) => JSON.stringify(v)).join(', ')}`
  const is = (u: unknown): u is V => (values as readonly unknown[]).includes(u)
  const expected = (u: unknown): string => {
    const near = typeof u === 'string' && values.length > 1 ? nearest(u, values.map(String)) : undefined
    return near === undefined ? name : `${name} (did you mean ${JSON.stringify(near)}?)`
  }
  const validate: t.Validate<unknown, V> = (u, c) => (is(u) ? t.success(u) : t.failure(u, c, expected(u)))
  return new Codec(name, { enum: values }, is, validate, t.identity)
}

/** A string codec of something that is not a string inside. */
const coded = <A>(
  name: string,
  pattern: RegExp,
  is: (u: unknown) => u is A,
  decode: (text: string) => A,
  encode: (a: A) => string,
): Codec<A, string> =>
  new Codec(
    name,
    { type: 'string', pattern: pattern.source },
    is,
    (u, c) => (typeof u === 'string' && pattern.test(u) ? t.success(decode(u)) : t.failure(u, c)),
    encode,
  )

/** An address or other count below 2^53: a number inside, a string "0x..." in JSON. */
export const address: Codec<number, string> = coded(
  'an address such as "0x1f", below 2^53',
  /^0x(?:1?[0-9a-fA-F]{13}|[0-9a-fA-F]{1,12})$/,
  (u): u is number => Number.isSafeInteger(u) && (u as number) >= 0,
  Number,
  (a) => `0x${a.toString(16)}`,
)

/** An unsigned 64-bit value: a bigint inside, a string "0x..." in JSON. */
export const u64: Codec<bigint, string> = coded(
  'a value such as "0x1f", below 2^64',
  /^0x[0-9a-fA-F]{1,16}$/,
  (u): u is bigint => typeof u === 'bigint' && u >= 0n && u < 1n << 64n,
  BigInt,
  (a) => `0x${a.toString(16)}`,
)

/** Bytes, in base64 with padding. */
export const bytes: Codec<Uint8Array, string> = coded(
  'bytes in base64',
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  (u): u is Uint8Array => u instanceof Uint8Array,
  (s) => Uint8Array.from(Buffer.from(s, 'base64')),
  (a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('base64'),
)

/** An array of at least `min` elements. */
export function listOf<A, O>(item: Codec<A, O>, min = 0): Codec<readonly A[], O[]> {
  const array = t.array(item)
  return new Codec<readonly A[], O[]>(
    min === 0 ? `a list, each element ${item.name}` : `a list of at least ${min}, each element ${item.name}`,
    { type: 'array', items: item.schema, ...(min > 0 && { minItems: min }) },
    (u): u is readonly A[] => array.is(u) && u.length >= min,
    (u, c) => (Array.isArray(u) && u.length >= min ? array.validate(u, c) : t.failure(u, c)),
    (a) => a.map(item.encode),
  )
}

/** An object whose keys are free and whose values are all of one kind. */
export function mapOf<A, O>(value: Codec<A, O>): Codec<Readonly<Record<string, A>>, Record<string, O>> {
  const dictionary = t.record(t.string, value)
  return new Codec<Readonly<Record<string, A>>, Record<string, O>>(
    `an object, each value ${value.name}`,
    { type: 'object', additionalProperties: value.schema },
    dictionary.is,
    (u, c) => (isObject(u) ? dictionary.validate(u, c) : t.failure(u, c)),
    dictionary.encode,
  )
}

/** The first of several codecs that accepts the value. Objects that carry a tag belong into `tagged`. */
export function either<A, OA, B, OB>(a: Codec<A, OA>, b: Codec<B, OB>): Codec<A | B, OA | OB> {
  return new Codec<A | B, OA | OB>(
    `${a.name} or ${b.name}`,
    { anyOf: [a.schema, b.schema] },
    (u): u is A | B => a.is(u) || b.is(u),
    (u, c) => {
      const first = a.validate(u, c)
      if (first._tag === 'Right') return first
      const second = b.validate(u, c)
      return second._tag === 'Right' ? second : t.failure(u, c)
    },
    (v) => (a.is(v) ? a.encode(v) : b.encode(v as B)),
  )
}

type Props = Readonly<Record<string, AnyCodec>>
type Flatten<T> = { readonly [K in keyof T]: T[K] }
type Decoded<R extends Props, P extends Props> = Flatten<
  { [K in keyof R]: t.TypeOf<R[K]> } & { [K in keyof P]?: t.TypeOf<P[K]> }
>
type Encoded<R extends Props, P extends Props> = Flatten<
  { [K in keyof R]: t.OutputOf<R[K]> } & { [K in keyof P]?: t.OutputOf<P[K]> }
>

/** A codec of an object, with its fields at hand so that larger objects can be put together. */
export class Fields<R extends Props, P extends Props> extends Codec<Decoded<R, P>, Encoded<R, P>> {
  readonly required: R
  readonly optional: P
  constructor(required: R, optional: P) {
    const all: Props = { ...required, ...optional }
    const names = Object.keys(all)
    super(
      'an object',
      {
        type: 'object',
        properties: Object.fromEntries(names.map((name) => [name, all[name]!.schema])),
        required: Object.keys(required),
        additionalProperties: false,
      },
      (u): u is Decoded<R, P> =>
        isObject(u) &&
        Object.keys(u).every((name) => Object.hasOwn(all, name)) &&
        names.every((name) =>
          Object.hasOwn(u, name) && u[name] !== undefined ? all[name]!.is(u[name]) : !Object.hasOwn(required, name),
        ),
      (u, context) => {
        if (!isObject(u)) return t.failure(u, context)
        const errors: t.Errors = []
        const value: Record<string, unknown> = {}
        // A misspelt name comes before the field that is missing because of it.
        for (const name of Object.keys(u)) {
          if (Object.hasOwn(all, name)) continue
          errors.push({ value: u[name], context: t.appendContext(context, name, unknownField(names, name)) })
        }
        for (const name of names) {
          const present = Object.hasOwn(u, name) && u[name] !== undefined
          if (!present && !Object.hasOwn(required, name)) continue
          const field = all[name]!
          const result = field.validate(present ? u[name] : undefined, t.appendContext(context, name, field, u[name]))
          // One by one: a list may hold more mistakes than a call takes arguments.
          if (result._tag === 'Left') for (const error of result.left) errors.push(error)
          else value[name] = result.right
        }
        return errors.length > 0 ? t.failures(errors) : t.success(value as Decoded<R, P>)
      },
      (a) => {
        const out: Record<string, unknown> = {}
        for (const name of names) {
          const value = (a as Record<string, unknown>)[name]
          if (value !== undefined) out[name] = all[name]!.encode(value)
        }
        return out as Encoded<R, P>
      },
    )
    this.required = required
    this.optional = optional
  }
}

/** An object with exactly these fields; an unknown field is an error, since it is most often a misspelt one. */
export const fields = <R extends Props, P extends Props = Record<never, never>>(
  required: R,
  optional: P = {} as P,
): Fields<R, P> => new Fields(required, optional)

/** Objects told apart by the value of one field: `{ read: fields({ call: oneOf('read'), ... }), ... }`. */
export function tagged<T extends string, C extends Readonly<Record<string, AnyCodec>>>(
  tag: T,
  cases: C,
): Codec<t.TypeOf<C[keyof C]>, t.OutputOf<C[keyof C]>> {
  const tags = oneOf(...Object.keys(cases))
  const find = (u: unknown): AnyCodec | undefined => {
    const key = isObject(u) && Object.hasOwn(u, tag) ? u[tag] : undefined
    return typeof key === 'string' && Object.hasOwn(cases, key) ? cases[key] : undefined
  }
  return new Codec<t.TypeOf<C[keyof C]>, t.OutputOf<C[keyof C]>>(
    'an object',
    { oneOf: Object.values(cases).map((codec) => codec.schema) },
    (u): u is t.TypeOf<C[keyof C]> => find(u)?.is(u) ?? false,
    (u, context) => {
      if (!isObject(u)) return t.failure(u, context)
      const found = find(u)
      return found ? found.validate(u, context) : tags.validate(u[tag], t.appendContext(context, tag, tags, u[tag]))
    },
    (a) => find(a)!.encode(a),
  )
}

function isObject(u: unknown): u is Record<string, unknown> {
  return typeof u === 'object' && u !== null && !Array.isArray(u)
}

/** The name is what the error prints after "expected". */
function unknownField(names: readonly string[], found: string): t.Decoder<unknown, unknown> {
  const near = nearest(found, names)
  const name = near ? `no such field (did you mean \`${near}\`?)` : `no such field (known: ${names.join(', ')})`
  return { name, validate: t.failure, decode: (u) => t.failure(u, []) }
}

/** What to say after "no x is called `word`": the nearest of `names`, or all of them. */
export function hintFor(word: string, names: readonly string[]): string {
  const near = nearest(word, names)
  return near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`
}

/** The entry of `names` that is at most two edits away from `word`, the closest first. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.min(3, Math.max(2, word.length))
  for (const name of names) {
    const distance = edits(word.slice(0, 64).toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}

/** Levenshtein distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
