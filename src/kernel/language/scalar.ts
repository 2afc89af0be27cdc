/** One cell: raw number to author's value, to JSON, and back. The source texts are compiled into views. */
import { Bits } from './bits.ts'
import type { Scalar } from './types.ts'

export type AnyScalar = Scalar<unknown>
/** JSON form of a scalar: sets are arrays, "none" is null. */
export type ScalarJson = boolean | number | string | null | readonly number[]

export const decodeScalar = (type: AnyScalar, raw: number): unknown => {
  switch (type.kind) {
    case 'flag':
      return raw === 1
    case 'enum':
      return type.names![raw]
    case 'set':
      return Bits.of(raw)
    case 'maybe':
      return raw === 0 ? undefined : decodeScalar(type.of!, raw - 1)
    default:
      return raw + type.low
  }
}

const refuse = (path: string, expected: string, found: unknown): never => {
  throw new RangeError(
    `${path}: expected ${expected}, found ${found instanceof Bits ? JSON.stringify(found) : String(found)}`,
  )
}

/** What a type admits, in words. */
export const describeScalar = (type: AnyScalar): string => {
  switch (type.kind) {
    case 'flag':
      return 'true or false'
    case 'enum':
      return `one of ${type.names!.join(', ')}`
    case 'set':
      return `a set of numbers below ${type.members}`
    case 'maybe':
      return `nothing or ${describeScalar(type.of!)}`
    default:
      return `a whole number from ${type.low} to ${type.low + type.cells - 1}`
  }
}

/** The raw number of a value; throws a RangeError that names `path` when the value is outside its type. */
export const encodeScalar = (type: AnyScalar, value: unknown, path: string): number => {
  switch (type.kind) {
    case 'flag':
      return typeof value === 'boolean' ? Number(value) : refuse(path, 'true or false', value)
    case 'enum': {
      const raw = type.names!.indexOf(value as string)
      return raw >= 0 ? raw : refuse(path, describeScalar(type), value)
    }
    case 'set': {
      const mask = value instanceof Bits ? value.mask : -1
      return mask >= 0 && mask < type.cells ? mask : refuse(path, describeScalar(type), value)
    }
    case 'maybe':
      return value === undefined ? 0 : encodeScalar(type.of!, value, path) + 1
    case 'mod': {
      if (!Number.isInteger(value)) return refuse(path, 'a whole number', value)
      const rest = (value as number) % type.cells
      return rest < 0 ? rest + type.cells : rest
    }
    default: {
      const raw = (value as number) - type.low
      return Number.isInteger(raw) && raw >= 0 && raw < type.cells ? raw : refuse(path, describeScalar(type), value)
    }
  }
}

export const scalarToJson = (value: unknown): ScalarJson => {
  if (value === undefined) return null
  if (value instanceof Bits) return value.toArray()
  return value as ScalarJson
}

/** The author's value of a JSON form; throws like `encodeScalar`. */
export const scalarFromJson = (type: AnyScalar, json: unknown, path: string): unknown => {
  const inner = type.kind === 'maybe' ? type.of! : type
  if (type.kind === 'maybe' && (json === null || json === undefined)) return undefined
  let value = json
  if (inner.kind === 'set') {
    const fits = Array.isArray(json) && json.every((m) => Number.isInteger(m) && m >= 0 && m < inner.members!)
    if (!fits) return refuse(path, describeScalar(inner), JSON.stringify(json))
    value = Bits.from(json as number[])
  }
  encodeScalar(type, value, path)
  return value
}
