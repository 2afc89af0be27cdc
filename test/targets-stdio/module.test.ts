import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Target, TargetError } from '../../src/contract/target.ts'
import { openTarget } from '../../src/targets/index.ts'
import { moduleDoor } from '../../src/targets/module.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'iospec-module-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const honest = path.resolve(import.meta.dirname, '../fixtures/modules/honest.mjs')
const open = (file: string) => moduleDoor.open(file, { directory, timeoutMs: 1000 })
let files = 0
const written = (text: string, ending = 'mjs'): string => {
  const file = path.join(directory, `target-${files++}.${ending}`)
  writeFileSync(file, text.replaceAll('HONEST', JSON.stringify(honest)))
  return file
}

async function why(file: string, reason: TargetError['reason'] = 'start'): Promise<string> {
  try {
    await open(file)
  } catch (error) {
    if (error instanceof TargetError && error.reason === reason) return error.message
    throw error
  }
  throw new Error('it opened')
}

test('a JavaScript file and a TypeScript file are targets', async () => {
  expect((await open(honest)).describe().name).toBe('memory')
  const typescript = written(
    `import { memory } from HONEST
     interface Options { readonly timeoutMs: number }
     export default async ({ timeoutMs }: Options) => memory({ settle: () => (timeoutMs === 1000 ? 'busy' : 'quiet') })`,
    'ts',
  )
  expect((await open(typescript)).settle(1)).toBe('busy')
})

test.each([
  ['', /expected `module:` and a file/],
  ['./no-such-file.ts', /expected a file, found none at .*no-such-file\.ts/],
  [import.meta.dirname, /expected a file, found a directory/],
])('module:%s does not open', async (file, message) => expect(await why(file, 'address')).toMatch(message))

test.each([
  ['export const target = 1', /expected the default export to be a function that makes a target, found nothing/],
  ['export default 7', /found 7/],
  ['export default {', /does not load: ".*(SyntaxError|invalid JS syntax)/],
  ['throw new Error("no\\u001b[2J")', /does not load: "Error: no\\u001b\[2J"/],
  ['export default () => { throw new TypeError("early") }', /its default export threw "TypeError: early"/],
  ['export default async () => { throw "late" }', /its default export threw "late"/],
  ['export default () => undefined', /expected a target, found nothing/],
  [
    'export default () => ({ describe() {}, read() {} })',
    /without the methods reset, write, load, store, events, settle, close/,
  ],
  ['import { memory } from HONEST; export default () => memory({ close: 1 })', /without the method close/],
  [
    'import { memory } from HONEST; export default () => memory({ describe() { throw new Error("x") } })',
    /describe\(\) threw "Error: x"/,
  ],
  [
    'import { memory } from HONEST; export default () => memory({ describe: () => undefined })',
    /describe\(\): expected an object, found nothing/,
  ],
  [
    'import { memory, description } from HONEST; export default () => memory({ describe: () => ({ ...description, memmory: [] }) })',
    /describe\(\): field `memmory`: expected no such field \(did you mean `memory`\?\)/,
  ],
  [
    'import { memory, description as d } from HONEST; export default () => memory({ describe: () => ({ ...d, can: { ...d.can, save: true } }) })',
    /announces can\.save, found no method save, restore/,
  ],
])('%s: says what is wrong', async (text, message) => expect(await why(written(text))).toMatch(message))

/** What a call of a target comes to that is opened as a campaign opens it, and what the next call does. */
const calls = async (changes: string, call: (target: Target) => unknown) => {
  const file = written(`import { memory } from HONEST; export default () => memory({ ${changes} })`)
  const target = await openTarget(`module:${file}`, { directory, timeoutMs: 1000 })
  const attempt = (): TargetError => {
    try {
      call(target)
    } catch (error) {
      if (error instanceof TargetError) return error
      throw error
    }
    throw new Error('it answered')
  }
  const { reason, message } = attempt()
  let goesOn = true
  try {
    target.settle(1)
  } catch {
    goesOn = false
  }
  return { reason, message, goesOn }
}

const read = (target: Target) => target.read({ space: 'mmio', address: 0 }, 2)
test.each<[changes: string, call: (target: Target) => unknown, found: Partial<Awaited<ReturnType<typeof calls>>>]>([
  ['read() { throw new Error("no") }', read, { reason: 'dead', message: 'read() threw Error: no', goesOn: false }],
  ['read() { throw null }', read, { reason: 'dead', message: 'read() threw null' }],
  // The device has no part in these: an adapter that refuses goes on.
  [
    'load() { throw new RangeError("outside") }',
    (target) => target.load(0, 1),
    { reason: 'refused', message: 'load() threw RangeError: outside', goesOn: true },
  ],
  ['events() { throw "no" }', (target) => target.events(), { reason: 'refused', message: 'events() threw "no"' }],
  [
    'read: async () => 0n',
    read,
    {
      reason: 'protocol',
      message: 'read(): expected a bigint that fits the width, found a promise: only opening is asynchronous',
      goesOn: false,
    },
  ],
  ['read: () => 7', read, { reason: 'protocol', message: 'read(): expected a bigint that fits the width, found 7' }],
  ['read: () => 0x1_0000n', read, { message: 'read(): expected a bigint that fits the width, found 65536n' }],
  ['load: () => new Uint8Array(3)', (target) => target.load(0, 4), { reason: 'protocol' }],
  ['events: () => [{}]', (target) => target.events(), { message: 'events(): expected a list of events, found [{}]' }],
])('%s is no answer', async (changes, call, found) => expect(await calls(changes, call)).toMatchObject(found))
