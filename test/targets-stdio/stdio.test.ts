import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OpenOptions, type Target, TargetError } from '../../src/contract/target.ts'
import { stdioDoor } from '../../src/targets/stdio/index.ts'

const adapter = path.resolve(import.meta.dirname, '../fixtures/adapters/adapter.mjs')
/** Enough for an answer of a busy machine, and for one that never comes: after a start of Node, or after none. */
const ENOUGH_MS = 10_000
const SILENT_MS = 2000
const NEVER_MS = 100
const at = { space: 'mmio', address: 0x1000_0000 } as const

let directory = ''
let groups: number[] = []
let beats = 0
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'iospec-test-'))
  groups = []
  beats = 0
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const options = (timeoutMs = ENOUGH_MS): OpenOptions => ({
  directory,
  timeoutMs,
  heartbeat: () => beats++,
  onProcessGroup: (pid) => groups.push(pid),
})
const open = (misbehaviour = '', timeoutMs = ENOUGH_MS): Promise<Target> =>
  stdioDoor.open(`'${process.execPath}' ${adapter} ${misbehaviour}`, options(timeoutMs))

/** The error of a body that must fail with one. */
async function trouble(body: () => unknown): Promise<TargetError> {
  try {
    await body()
  } catch (error) {
    if (error instanceof TargetError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Whether a process of the group still runs (a zombie does not). */
function groupIsAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}

async function expectNothingLeft(files = 0): Promise<void> {
  for (let i = 0; i < 1000 && groups.some(groupIsAlive); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(groups.filter(groupIsAlive)).toEqual([])
  expect(readdirSync(directory).length).toBe(files)
}

test('an honest program is a target, and nothing is left when it is closed', async () => {
  const target = await open()
  expect(target.describe()).toMatchObject({ name: 'memory', memory: [{ start: 0, end: 0x10000 }] })
  const data = Uint8Array.from({ length: 0x10000 }, (_, i) => i * 7)
  target.store(0, data)
  // Their replies are many times what a pipe holds, and nobody reads them meanwhile.
  for (let i = 0; i < 20_000; i++) target.write(at, 4, BigInt(i))
  expect(target.load(0, 0x10000)).toEqual(data)
  expect(target.read(at, 8)).toBe(0xffff_ffff_ffff_ffffn)
  const state = target.save!()
  target.reset('system')
  expect(target.load(0x100, 2)).toEqual(new Uint8Array(2))
  target.restore!(state)
  expect(target.load(0, 0x10000)).toEqual(data)
  expect(target.events()).toEqual([])
  expect(target.settle(10)).toBe('quiet')
  expect(target.step).toBeUndefined()
  expect(beats).toBeGreaterThan(4)
  target.close()
  target.close()
  expect((await trouble(() => target.read(at, 4))).reason).toBe('poisoned')
  await expectNothingLeft()
})

test.each([
  [
    'banner',
    'protocol',
    /expected a JSON object as the reply to `hello`, found the line `Welcome to \\u001b\[31mdevice/,
  ],
  [
    'misspelt-field',
    'protocol',
    /`hello`: field `memmory`: expected no such field \(did you mean `memory`\?\), found \[/,
  ],
  ['old-protocol', 'protocol', /expected protocol version 1, found 7/],
  ['no-handshake', 'start', /did not answer within 100 ms, before it answered `hello`/],
  ['exit-at-start', 'start', /ended with exit status 127, before it answered `hello`/],
])('%s: the target does not open', async (misbehaviour, reason, message) => {
  const error = await trouble(() => open(misbehaviour, misbehaviour === 'no-handshake' ? NEVER_MS : ENOUGH_MS))
  expect(error.message).toMatch(message)
  expect(error.reason).toBe(reason)
  if (misbehaviour === 'exit-at-start') expect(error.lastWords).toContain('cannot open shared object')
  await expectNothingLeft(misbehaviour === 'exit-at-start' ? 1 : 0)
})

test.each([
  ['noise', 'protocol', /found the line `debug: a read at 0x10000000`/],
  ['huge-line', 'protocol', /lines of at most 1048576 bytes, found a longer one: `xxxxx/],
  ['endless-line', 'protocol', /lines of at most 1048576 bytes, found a longer one: `yyyyy/],
  ['invalid-utf-8', 'protocol', /expected UTF-8, found the line/],
  ['wrong-id', 'protocol', /expected the reply to `read mmio 0x10000000` with id 2, found id `99`/],
  ['no-id', 'protocol', /with id 2, found no id/],
  ['truncated-json', 'protocol', /expected a JSON object as the reply to `read mmio 0x10000000`/],
  ['wrong-type', 'protocol', /field `value`: expected a value such as "0x1f", below 2\^64, found 7/],
  ['too-wide', 'protocol', /expected at most 4 bytes from `read mmio 0x10000000`, found 0x1ffffffff/],
  ['silent-read', 'hang', /did not answer within 2000 ms/],
  ['exit-in-the-middle', 'dead', /ended with exit status 7, in the middle of a line/],
  ['killed', 'dead', /ended by (SIGSEGV|signal 11)/],
  ['closes-stdout', 'dead', /closed its standard output and still runs/],
])('%s: the call fails, so does every later one, and nothing is left', async (misbehaviour, reason, message) => {
  const target = await open(misbehaviour, misbehaviour === 'silent-read' ? SILENT_MS : ENOUGH_MS)
  const error = await trouble(() => target.read(at, 4))
  expect(error.message).toMatch(message)
  expect(error.reason).toBe(reason)
  if (misbehaviour === 'exit-in-the-middle') expect(error.lastWords).toContain('head < size')
  expect(await trouble(() => target.load(0, 1))).toBe(error)
  target.close()
  await expectNothingLeft(misbehaviour === 'exit-in-the-middle' ? 1 : 0)
})

test('a refusal is no breach: it names the request, and the two sides go on', async () => {
  const target = await open('refuses-reads')
  const error = await trouble(() => target.read(at, 4))
  expect(error.reason).toBe('refused')
  expect(error.message).toContain('refused `read mmio 0x10000000`: `no \\u001b[1mreads\\u001b[0m today`')
  expect((await trouble(() => target.setLine!('pic', 1, true))).message).toContain('does not support `setLine`')
  expect((await trouble(() => target.load(0xffff, 2))).message).toContain('refused `load`: `outside memory`')
  expect(target.load(0, 2)).toEqual(new Uint8Array(2))
  target.close()
})

test('the refusal of a posted write is reported by the next call that waits, once', async () => {
  const target = await open('refuses-writes')
  target.write(at, 4, 1n)
  target.store(0, Uint8Array.of(5))
  target.write(at, 4, 2n)
  expect((await trouble(() => target.load(0, 1))).message).toContain('refused `write mmio 0x10000000`: `read only`')
  expect(target.load(0, 1)).toEqual(Uint8Array.of(5))
  target.write(at, 4, 3n)
  expect((await trouble(() => target.settle(10))).reason).toBe('refused')
  target.close()
  await expectNothingLeft()
})

test('a second reply to one request is noticed', async () => {
  const target = await open('double-reply')
  target.write(at, 4, 1n)
  expect((await trouble(() => target.read(at, 4))).message).toContain('with id 3, found id `2`')
  target.close()
})

test('a program that floods standard error is not blocked by it', async () => {
  const target = await open('echoes-stderr')
  for (let i = 0; i < 20; i++) target.read(at, 4)
  target.close()
  await expectNothingLeft(1)
})

test('a program that ignores bye and end of input is killed', async () => {
  const target = await open('ignores-bye')
  target.close()
  await expectNothingLeft()
})

test.each([
  ['', /names no program/],
  ['./a "b', /has an open "/],
  ['./a \\', /ends in a backslash/],
  ['./no-such-program-here --flag', /expected a program, found no file `\.\/no-such-program-here`/],
  [import.meta.filename, /not executable/],
])('stdio:%s does not start', async (rest, message) => {
  const error = await trouble(() => stdioDoor.open(rest, options()))
  expect(error.reason).toBe('address')
  expect(error.message).toMatch(message)
  await expectNothingLeft()
})
