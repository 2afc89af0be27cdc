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

/** The inverse of `encode`; shares nothing with its argument. */
export function decode(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(decode)
  if (isHex(value)) return new Uint8Array(Buffer.from(value.hex, 'hex'))
  const out: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) out[key] = decode(member)
  return out
}
