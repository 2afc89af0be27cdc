import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type CheckResult, checkTarget } from '../../src/contract/check.ts'
import { checkWire } from '../../src/contract/check-wire.ts'
import type { Description, Target } from '../../src/contract/target.ts'
import { openStdioWire, stdioDoor } from '../../src/targets/stdio/index.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'iospec-check-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const adapter = path.resolve(import.meta.dirname, '../fixtures/adapters/adapter.mjs')
const broken = (results: readonly CheckResult[]) => results.filter(({ verdict }) => verdict === 'broken')

const command = (misbehaviour: string) => `'${process.execPath}' ${adapter} ${misbehaviour}`
const options = (timeoutMs = 10_000) => ({ directory, timeoutMs })

const overStdio = (misbehaviour: string): Promise<readonly CheckResult[]> =>
  checkTarget(
    () => stdioDoor.open(command(misbehaviour), options()),
    () => openStdioWire(command(misbehaviour), options()),
  )

test('an honest adapter has nothing broken', async () => {
  const results = await overStdio('none')
  expect(broken(results)).toEqual([])
  expect(results.length).toBe(16)
  expect(results.find(({ name }) => name.startsWith('restore'))?.verdict).toBe('ok')
})

test.each([
  ['dies-on-malformed', /^wire: a malformed line is refused, and the adapter goes on: .*ended with exit status 3$/],
  ['silent-on-malformed', /^wire: a malformed line .*did not answer within 2000 ms$/],
  [
    'accepts-anything',
    /^wire: an unknown request is unsupported: expected `\{"id":23,"unsupported":true\}`, found the line/,
  ],
  ['small-ids', /^wire: ids are echoed: expected the reply to `events` with id 2147483648, found the line/],
  ['drops-pipelined', /^wire: many requests may be sent at once: /],
  ['ignores-bye', /^wire: bye ends it: expected the adapter to end after `bye`, found it still running$/],
  ['unclean-end', /^wire: bye ends it: expected exit status 0 after `bye`, found that it ended with exit status 5$/],
])('%s is found on the wire', async (misbehaviour, line) => {
  // Long enough for any answer on a busy machine, where one is expected; not so long where none comes.
  const wire = () => openStdioWire(command(misbehaviour), options(misbehaviour.startsWith('silent') ? 2000 : 10_000))
  const results = await checkWire(wire, (error) => (error as Error).message)
  const found = broken(results).map(({ name, detail }) => `${name}: ${detail}`)
  expect(
    found.some((text) => line.test(text)),
    found.join('\n'),
  ).toBe(true)
})

test('an adapter that does not start is one broken line', async () => {
  const results = await overStdio('exit-at-start')
  expect(results).toMatchObject([{ name: 'the description is sound', verdict: 'broken' }])
})

const honest: Description = {
  name: 'memory',
  version: '1',
  vms: 1,
  cpus: 1,
  memory: [{ start: 0x1000, end: 0x3000 }],
  devices: [{ id: 'a', kind: 'thing', transport: { kind: 'mmio', base: 0x1000_0000 } }],
  observes: { dma: 'none', msi: 'none', line: 'none', fault: 'none' },
  can: {
    step: false,
    save: true,
    migrate: false,
    fingerprint: false,
    resets: ['system'],
    controls: [],
    synchronous: true,
  },
}

/** A memory and one register that counts up when it is told to. */
function memory(changes: Partial<Target> = {}, description: Partial<Description> = {}): Target {
  let bytes = new Uint8Array(0x2000)
  return {
    describe: () => ({ ...honest, ...description }),
    reset: () => void bytes.fill(0),
    read: (at, width) => (at.address < 0x1000_1000 ? 0n : (1n << BigInt(8 * width)) - 1n),
    write: () => {},
    load: (gpa, count) => bytes.slice(gpa - 0x1000, gpa - 0x1000 + count),
    store: (gpa, data) => bytes.set(data, gpa - 0x1000),
    events: () => [],
    settle: () => 'quiet',
    save: () => bytes.slice(),
    restore: (state) => void (bytes = state.slice() as Uint8Array<ArrayBuffer>),
    close: () => {},
    ...changes,
  }
}

test('a sound target in process has nothing broken', async () => {
  expect(broken(await checkTarget(async () => memory()))).toEqual([])
})

let resets = 0
test.each<[name: string, make: () => Target, line: RegExp]>([
  [
    'twins',
    () => memory({}, { devices: [...honest.devices, ...honest.devices] }),
    /expected device ids that differ, found "a" twice/,
  ],
  [
    'overlap',
    () =>
      memory(
        {},
        {
          memory: [
            { start: 0x1000, end: 0x3000 },
            { start: 0x2000, end: 0x2800 },
          ],
        },
      ),
    /memory ranges that do not overlap/,
  ],
  ['no memory', () => memory({}, { memory: [] }), /field `memory`: expected a list of at least 1/],
  [
    'empty range',
    () => memory({}, { memory: [{ start: 0x2000, end: 0x2000 }] }),
    /start below end, found \[0x2000, 0x2000\)/,
  ],
  [
    'register in memory',
    () => memory({}, { devices: [{ ...honest.devices[0]!, transport: { kind: 'mmio', base: 0x1800 } }] }),
    /device a outside memory/,
  ],
  [
    'loses the last byte',
    () => {
      const inner = memory()
      return {
        ...inner,
        store: (gpa, data) => inner.store(gpa, gpa + data.length === 0x3000 ? data.subarray(0, -1) : data),
      }
    },
    /expected at 0x2.* what was stored, found 0x0 at byte/,
  ],
  ['zeros where nothing is', () => memory({ read: () => 0n }), /expected 0xff at mmio 0x10100000, found 0x0/],
  ['never quiet', () => memory({ settle: () => 'busy' }), /expected `quiet` from an idle target/],
  [
    'repeats events',
    () => memory({ events: () => [{ kind: 'halted', detail: 'again' }] }),
    /expected no event the second time, found halted/,
  ],
  [
    'counts resets',
    () => {
      const inner = memory()
      return {
        ...inner,
        reset: () => resets++,
        read: (at, width) => (at.address === 0x1000_0004 ? BigInt(resets) : inner.read(at, width)),
      }
    },
    /the state after one system reset \(mmio 0x10000004 reads 0x\d+\), found mmio 0x10000004 reads/,
  ],
  ['forgets what it saved', () => memory({ restore: () => {} }), /expected the state as it was saved/],
  [
    'throws',
    () =>
      memory({
        events: () => {
          throw new RangeError('oops\u001b[0m')
        },
      }),
    /the adapter threw "RangeError: oops\\u001b\[0m"/,
  ],
])('%s is found', async (_, make, line) => {
  const found = broken(await checkTarget(async () => make())).map(({ detail }) => detail)
  expect(
    found.some((detail) => line.test(detail)),
    found.join('\n'),
  ).toBe(true)
})

test('a target that is not deterministic is reported, not broken', async () => {
  let opened = 0
  const make = async () => {
    const at = opened++
    const inner = memory()
    return {
      ...inner,
      read: (...[where, width]: Parameters<Target['read']>) =>
        where.address === 0x1000_0000 ? BigInt(at) : inner.read(where, width),
    }
  }
  const results = await checkTarget(make)
  expect(broken(results)).toEqual([])
  expect(results.find(({ name }) => name.startsWith('equal pokes'))?.detail).toMatch(
    /^not deterministic: mmio 0x10000000 reads/,
  )
})
