/** What a session remembers, as text: equal notes are equal text, whatever objects they are written in. */
import { createHash } from 'node:crypto'

/**
 * Everything that can be reached from `roots` through fields, told once each; functions and `apart` (targets, machines,
 * what is computed from them) are left out. Fields with a `#` cannot be read from outside: name their values as roots.
 */
export const notesOf = (roots: readonly unknown[], apart: ReadonlySet<unknown> = new Set()): string => {
  const known = new Map<object, number>()
  const parts: string[] = []
  const tell = (value: unknown): void => {
    if (typeof value === 'function' || apart.has(value)) return
    if (typeof value !== 'object' || value === null) {
      parts.push(`${typeof value === 'bigint' ? 'n' : ''}${String(value)},`)
      return
    }
    const before = known.get(value)
    if (before !== undefined) {
      parts.push(`^${before},`)
      return
    }
    known.set(value, known.size)
    if (ArrayBuffer.isView(value)) {
      const { buffer, byteOffset, byteLength } = value
      parts.push(`"${Buffer.from(buffer, byteOffset, byteLength).toString('latin1')}",`)
    } else if (Array.isArray(value)) {
      parts.push('[')
      for (const item of value) tell(item)
      parts.push(']')
    } else if (value instanceof Map || value instanceof Set) {
      parts.push('<')
      for (const item of value instanceof Map ? [...value].flat() : [...value].sort()) tell(item)
      parts.push('>')
    } else {
      parts.push('{')
      for (const [name, field] of Object.entries(value)) {
        if (typeof field === 'function' || apart.has(field)) continue
        parts.push(`${name}:`)
        tell(field)
      }
      parts.push('}')
    }
  }
  for (const root of roots) tell(root)
  return createHash('sha1').update(parts.join('')).digest('base64')
}
