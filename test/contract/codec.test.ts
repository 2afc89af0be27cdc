import * as t from 'io-ts'
import { expect, test } from 'vitest'
import {
  address,
  bytes,
  either,
  fields,
  finite,
  flag,
  integer,
  listOf,
  mapOf,
  oneOf,
  tagged,
  text,
  u64,
} from '../../src/contract/codec.ts'
import { decode, escapeText, explain, preview } from '../../src/contract/explain.ts'

const step = tagged('do', {
  read: fields({ do: oneOf('read'), at: address, width: oneOf(1, 2, 4, 8) }),
  wait: fields({ do: oneOf('wait') }, { ms: integer(0, 1000) }),
})
const file = fields(
  { version: oneOf(1), steps: listOf(step, 1), seed: u64 },
  { note: text, facts: mapOf(either(text, either(finite, flag))), state: bytes },
)
const good = { version: 1, seed: '0xffffffffffffffff', steps: [{ do: 'read', at: '0x10', width: 4 }, { do: 'wait' }] }

test('a good file is decoded, and encoded to what it was', () => {
  const decoded = decode(file, { ...good, state: 'AQID' })
  expect(decoded).toEqual({
    ok: true,
    value: {
      version: 1,
      seed: 2n ** 64n - 1n,
      steps: [{ do: 'read', at: 16, width: 4 }, { do: 'wait' }],
      state: Uint8Array.of(1, 2, 3),
    },
  })
  if (decoded.ok) expect(file.encode(decoded.value)).toEqual({ ...good, state: 'AQID' })
})

test.each([
  [7, 'expected an object, found 7'],
  [undefined, 'expected an object, found nothing'],
  [{ ...good, version: 2 }, 'field `version`: expected 1, found 2'],
  [{ ...good, seed: 12n }, 'field `seed`: expected a value such as "0x1f", below 2^64, found 12n'],
  [
    { ...good, seed: '0x1ffffffffffffffff' },
    'field `seed`: expected a value such as "0x1f", below 2^64, found "0x1ffffffffffffffff"',
  ],
  [{ ...good, steps: [] }, 'field `steps`: expected a list of at least 1, each element an object, found []'],
  [
    { ...good, steps: [good.steps[0], { do: 'wiat' }] },
    'field `steps.1.do`: expected one of "read", "wait" (did you mean "wait"?), found "wiat"',
  ],
  [
    { ...good, steps: [{ do: 'read', at: 16, width: 4 }] },
    'field `steps.0.at`: expected an address such as "0x1f", below 2^53, found 16',
  ],
  [
    { ...good, steps: [{ do: 'wait', ms: 1001 }] },
    'field `steps.0.ms`: expected an integer from 0 to 1000, found 1001',
  ],
  [{ ...good, sede: 1 }, 'field `sede`: expected no such field (did you mean `seed`?), found 1'],
  [
    { ...good, zzzzzz: 1 },
    'field `zzzzzz`: expected no such field (known: version, steps, seed, note, facts, state), found 1',
  ],
  [{ ...good, facts: { a: [1] } }, 'field `facts.a`: expected a string or a number or true or false, found [1]'],
  [{ ...good, state: 'AQI' }, 'field `state`: expected bytes in base64, found "AQI"'],
  [{ ...good, 'note\u001b': 1 }, 'field `note\\u001b`: expected no such field (did you mean `note`?), found 1'],
])('%# says what is wrong in one line', (value, line) => expect(explain(file, value)).toBe(line))

test('plain io-ts unions are explained without the number of their arm', () => {
  const codec = t.type({
    size: t.union([t.number, t.literal('auto')]),
    kind: t.intersection([t.type({ a: t.string }), t.type({ b: t.string })]),
  })
  expect(explain(codec, { size: 1n, kind: { a: '', b: '' } })).toBe('field `size`: expected number or "auto", found 1n')
  expect(explain(codec, { size: 1, kind: { a: '' } })).toBe('field `kind.b`: expected string, found nothing')
})

test('prototype properties are no fields', () => {
  expect(explain(fields({ toString: text }), {})).toContain('field `toString`: expected a string, found nothing')
  expect(explain(step, { do: 'constructor' })).toContain('field `do`: expected one of')
  expect(explain(file, JSON.parse('{"__proto__": 1}'))).toContain('expected no such field')
})

test('a preview is printable, short, and never throws', () => {
  const loop: unknown[] = []
  loop.push(loop)
  expect(preview(loop)).toBe('a list')
  expect(preview({ a: 1n })).toBe('{"a":"1n"}')
  expect(preview('x'.repeat(500)).length).toBe(80)
  expect(preview('\u001b[2J\u202e')).toBe('"\\u001b[2J\\u202e"')
  expect(escapeText('a\u009b\u2028b')).toBe('a\\u009b\\u2028b')
})
