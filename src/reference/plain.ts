/** State on its way into JSON and back: byte arrays become `{ hex }`, everything else is JSON already. */

interface Hex {
  readonly hex: string
}

const isHex = (value: object): value is Hex => 'hex' in value && typeof value.hex === 'string'

/** A deep copy of plain state in which nothing but JSON is left. */
export function encode(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(encode)
  const out: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) out[key] = encode(member)
  return out
}

/** A deep copy of plain state, as it would come back from being written and read. */
export function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value)) return value.map(copy)
  const out: Record<string, unknown> = {}
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) out[key] = copy(member)
  }
  return out
}

/** The inverse of `encode`; byte arrays that are there already are handed on. */
export function decode(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(decode)
  if (isHex(value)) return new Uint8Array(Buffer.from(value.hex, 'hex'))
  const out: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) out[key] = decode(member)
  return out
}

/** Where `found` is built unlike `sample`, in words; `undefined`: nowhere. Empty arrays and objects of the sample take any content. */
export function unlike(sample: unknown, found: unknown, path: string): string | undefined {
  const kind = (value: unknown) =>
    value === null ? 'null' : Array.isArray(value) ? 'array' : value instanceof Uint8Array ? 'bytes' : typeof value
  if (kind(sample) !== kind(found)) return `${path} is ${kind(found)}, expected ${kind(sample)}`
  if (Array.isArray(sample)) {
    const items = found as unknown[]
    if (sample.length > 0 && items.length !== sample.length)
      return `${path} has ${items.length} members, expected ${sample.length}`
    return first(sample, (item, index) => unlike(item, items[index], `${path}[${index}]`))
  }
  if (kind(sample) !== 'object') return undefined
  const members = found as Record<string, unknown>
  return first(Object.entries(sample as object), ([key, member]) =>
    key in members ? unlike(member, members[key], `${path}.${key}`) : `${path} has no member '${key}'`,
  )
}

function first<T>(items: readonly T[], look: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = look(item, index)
    if (found !== undefined) return found
  }
  return undefined
}
