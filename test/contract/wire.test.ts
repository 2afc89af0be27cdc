import Ajv from 'ajv'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnyCodec } from '../../src/contract/codec.ts'
import { explain } from '../../src/contract/explain.ts'
import { failure, lineOf, protocolSchema, replies, request, requests, unsupported } from '../../src/contract/wire.ts'

const seed = Number(process.env.IOSPEC_TEST_SEED ?? Date.now() % 2 ** 31)
console.log(`seed ${seed} (IOSPEC_TEST_SEED=${seed} repeats it)`)
const parameters = { seed, numRuns: 100 }

/** Every message with its codec and its place in the published schema. */
const messages: readonly (readonly [name: string, codec: AnyCodec, pointer: string])[] = [
  ...Object.entries(requests).map(([name, codec]) => [`request ${name}`, codec, `requests/${name}`] as const),
  ...Object.entries(replies).map(([name, codec]) => [`reply ${name}`, codec, `replies/${name}`] as const),
  ['any request', request, 'request'],
  ['failure', failure, 'failure'],
  ['unsupported', unsupported, 'unsupported'],
]

const ajv = new Ajv.default({ strict: true, allowUnionTypes: true })
ajv.addSchema(protocolSchema(), 'protocol')
const accepts = (pointer: string) => ajv.compile({ $ref: `protocol#/definitions/${pointer}` })

test('the published schema is the one that the codecs make', async () => {
  await expect(`${JSON.stringify(protocolSchema(), null, 2)}\n`).toMatchFileSnapshot(
    '../../schema/protocol.schema.json',
  )
})

test.each(messages)('%s: schema and codec accept the same', (_, codec, pointer) => {
  const valid = accepts(pointer)
  let accepted = 0
  fc.assert(
    fc.property(jsonOf(codec.schema), (message) => {
      const asSent = JSON.parse(JSON.stringify(message))
      expect(explain(codec, asSent), `seed ${seed}`).toBeUndefined()
      expect(valid(asSent), `seed ${seed}: ${ajv.errorsText(valid.errors)}`).toBe(true)
      accepted++
      // What the codec writes is what it read, but for the spelling of numbers and base64.
      const decoded = codec.decode(asSent)
      if (decoded._tag === 'Right') expect(codec.decode(codec.encode(decoded.right))).toEqual(decoded)
    }),
    parameters,
  )
  expect(accepted).toBeGreaterThan(0)
})

test.each(messages)('%s: schema and codec refuse the same', (_, codec, pointer) => {
  const valid = accepts(pointer)
  let refused = 0
  fc.assert(
    fc.property(jsonOf(codec.schema).chain(corrupted), (message) => {
      const asSent = JSON.parse(JSON.stringify(message))
      const why = explain(codec, asSent)
      expect(valid(asSent), `seed ${seed}: ${JSON.stringify(asSent)}: the codec says: ${why ?? 'fine'}`).toBe(
        why === undefined,
      )
      if (why === undefined) return
      refused++
      expect(why).toMatch(/expected .+, found .+/)
      expect(why).not.toMatch(/\n/)
    }),
    parameters,
  )
  expect(refused, `seed ${seed}`).toBeGreaterThan(20)
})

test('lines that are written by hand are what the codec writes', () => {
  const location = fc.record(
    {
      space: fc.constantFrom('port' as const, 'mmio' as const, 'config' as const, 'hypercall' as const),
      address: fc.maxSafeNat(),
      vm: fc.integer({ min: 1, max: 3 }),
      cpu: fc.integer({ min: 1, max: 3 }),
    },
    { requiredKeys: ['space', 'address'] },
  )
  const width = fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const)
  fc.assert(
    fc.property(location, width, fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: 1 }), (at, width, value, id) => {
      const read = request.encode({ id, call: 'read', ...at, width })
      const write = request.encode({ id, call: 'write', ...at, width, value })
      expect(JSON.parse(lineOf.read(id, at, width))).toEqual(read)
      expect(JSON.parse(lineOf.write(id, at, width, value))).toEqual(write)
    }),
    parameters,
  )
})

type Schema = {
  type?: string
  enum?: readonly unknown[]
  pattern?: string
  minimum?: number
  maximum?: number
  minItems?: number
  items?: Schema
  properties?: Record<string, Schema>
  required?: readonly string[]
  additionalProperties?: Schema | false
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
}

/** Values that a schema accepts. */
function jsonOf(schema: Schema): fc.Arbitrary<unknown> {
  const anyOf = schema.anyOf ?? schema.oneOf
  if (anyOf) return fc.oneof(...anyOf.map(jsonOf))
  if (schema.enum) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'integer':
      return fc.oneof(
        fc.constantFrom(schema.minimum!, schema.maximum!),
        fc.integer({ min: schema.minimum!, max: Math.min(schema.maximum!, 2 ** 31 - 1) }),
      )
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'boolean':
      return fc.boolean()
    case 'string':
      return schema.pattern
        ? fc.stringMatching(new RegExp(schema.pattern), { size: 'small' })
        : fc.string({ unit: 'binary' })
    case 'array':
      return fc.array(jsonOf(schema.items!), { minLength: schema.minItems ?? 0, maxLength: 4 })
    default: {
      if (schema.additionalProperties)
        return fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          jsonOf(schema.additionalProperties),
        )
      const entries = Object.entries(schema.properties ?? {})
      return fc.record(Object.fromEntries(entries.map(([name, inner]) => [name, jsonOf(inner)])), {
        requiredKeys: [...(schema.required ?? [])],
      })
    }
  }
}

/** The same message with one thing changed at a random place, most often for the worse. */
function corrupted(message: unknown): fc.Arbitrary<unknown> {
  const places: (readonly (string | number)[])[] = []
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    places.push(path)
    if (typeof value !== 'object' || value === null) return
    for (const key of Object.keys(value))
      visit((value as Record<string, unknown>)[key], [...path, Array.isArray(value) ? Number(key) : key])
  }
  visit(message, [])
  const junk = fc.oneof(
    fc.constantFrom(
      null,
      true,
      -1,
      0.5,
      2 ** 53,
      '',
      '0x',
      '0x1g',
      'AAA',
      '0x10000000000000000',
      '0x3fffffffffffff',
      [],
      {},
      [[]],
    ),
    fc.jsonValue({ maxDepth: 1 }),
  )
  return fc
    .record({
      path: fc.constantFrom(...places),
      how: fc.constantFrom('replace', 'remove', 'add'),
      junk,
      name: fc.string({ maxLength: 4 }),
    })
    .map(({ path, how, junk, name }) => {
      const copy: { root: unknown } = JSON.parse(JSON.stringify({ root: message }))
      let holder = copy as Record<string | number, unknown>
      const full = ['root', ...path]
      for (const key of full.slice(0, -1)) holder = holder[key] as Record<string | number, unknown>
      const last = full.at(-1)!
      const here = holder[last]
      if (how === 'remove' && path.length > 0 && !Array.isArray(holder)) delete holder[last]
      else if (
        how === 'add' &&
        typeof here === 'object' &&
        here !== null &&
        !Array.isArray(here) &&
        name !== '__proto__'
      )
        (here as Record<string, unknown>)[name] = junk
      else holder[last] = junk
      return copy.root
    })
}
