/**
 * The adapter check: whether an adapter keeps the target contract, so that a campaign judges the device and not its
 * adapter. It says nothing about whether the device is right.
 */

import { checkWire, type OpenRaw } from './check-wire.ts'
import { decode, preview } from './explain.ts'
import { placeOf } from './place.ts'
import {
  type Description,
  type DeviceDescription,
  type Location,
  type Space,
  type Target,
  TargetError,
  type Width,
} from './target.ts'
import { description as descriptionCodec } from './wire.ts'

/** The outcome of one check. */
export interface CheckResult {
  readonly name: string
  readonly verdict: 'ok' | 'broken' | 'not-applicable'
  /** What was seen, or what was expected and what was found instead. */
  readonly detail: string
}

/** What a check found when nothing is broken. */
type Finding = string | { readonly notApplicable: string }

/** Thrown by a check: expected and found. */
class Broken extends Error {}

function expectThat(holds: boolean, expected: string, found: unknown): asserts holds {
  if (!holds) throw new Broken(`expected ${expected}, found ${typeof found === 'string' ? found : preview(found)}`)
}

/**
 * Checks the adapter that `open` reaches; every call of `open` gives a fresh one. `raw` speaks to the same adapter in
 * lines, where it has a wire.
 */
export async function checkTarget(open: () => Promise<Target>, raw?: OpenRaw): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = []
  let target: Target | undefined
  for (const [name, check] of CHECKS) {
    try {
      target ??= await open()
    } catch (error) {
      if (error instanceof TargetError && error.reason === 'address') throw error
      // There is nothing to be looked at, in lines neither.
      return [...results, { name, verdict: 'broken', detail: told(error) }]
    }
    try {
      results.push(outcome(name, await check(target, open)))
    } catch (error) {
      results.push({ name, verdict: 'broken', detail: told(error) })
      // Whatever it is in now, the next check begins with a fresh one.
      closeQuietly(target)
      target = undefined
    }
  }
  closeQuietly(target)
  if (raw) results.push(...(await checkWire(raw, told)))
  return results
}

type Check = (target: Target, open: () => Promise<Target>) => Finding | Promise<Finding>

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['the description is sound', soundDescription],
  ['memory keeps what is stored', memoryRoundTrip],
  ['a range outside memory does no harm', outsideMemory],
  ['what nobody claims reads as all ones', unclaimedReads],
  ['settle comes back', settleReturns],
  ['events are told once', eventsDrain],
  ['a second reset changes nothing', resetIsIdempotent],
  ['restore brings back what was saved', saveRestore],
  ['equal pokes have equal effects (reported, not demanded)', determinism],
  ['close can be repeated', closesTwice],
]

function soundDescription(target: Target): Finding {
  const d = target.describe()
  const shape = decode(descriptionCodec, descriptionCodec.encode(d))
  expectThat(shape.ok, 'a description', shape.ok ? '' : shape.why)
  const ranges = [...d.memory].sort((a, b) => a.start - b.start)
  for (const [i, { start, end }] of ranges.entries()) {
    const range = `[0x${start.toString(16)}, 0x${end.toString(16)})`
    expectThat(start < end, 'memory ranges with start below end', range)
    const next = ranges[i + 1]
    expectThat(!next || end <= next.start, 'memory ranges that do not overlap', `${range} and another`)
  }
  unique(
    d.devices.map((device) => device.id),
    'device ids',
  )
  // CPUs may have their interrupt controllers at one address.
  unique(d.devices.filter(({ transport }) => transport.kind !== 'chip').map(placeOf), 'device places')
  for (const { id, transport } of d.devices)
    if (transport.kind === 'mmio')
      expectThat(!inMemory(d, transport.base, 1), `device ${id} outside memory`, `0x${transport.base.toString(16)}`)
  unique(d.can.resets, 'kinds of reset')
  const devices = d.devices.map((device) => `${device.kind} at ${placeOf(device)}`).join(', ') || 'no device'
  return `${d.name} ${d.version}: ${devices}; ${d.can.synchronous ? 'synchronous' : 'asynchronous'}`
}

/** Both ends of each range, odd lengths, and a page in the middle; what was there is put back. */
function memoryRoundTrip(target: Target): Finding {
  let bytes = 0
  for (const { start, end } of target.describe().memory) {
    const size = end - start
    const lengths = [1, 2, 3, 7, 8, 9, 4096].filter((length) => length <= size)
    for (const length of lengths)
      for (const gpa of [start, end - length, start + Math.floor((size - length) / 2)]) {
        const before = target.load(gpa, length)
        expectThat(before.length === length, `${length} bytes at 0x${gpa.toString(16)}`, `${before.length}`)
        const data = Uint8Array.from({ length }, (_, i) => (i * 167 + length) & 0xff)
        target.store(gpa, data)
        same(target.load(gpa, length), data, `at 0x${gpa.toString(16)} what was stored`)
        target.store(gpa, before)
        bytes += length
      }
  }
  return `${bytes} bytes stored and loaded`
}

function outsideMemory(target: Target): Finding {
  const end = Math.max(...target.describe().memory.map((range) => range.end))
  const inside = target.describe().memory[0]!.start
  let answer = 'is refused'
  try {
    target.load(end - 1, 2)
    answer = 'is answered'
  } catch {
    // A refusal is what we hope for; whether it was more than that, the next load tells.
  }
  expectThat(target.load(inside, 1).length === 1, 'the target to go on after that', 'no answer')
  return `a load over the end of memory ${answer}`
}

function unclaimedReads(target: Target): Finding {
  const at = unclaimed(target.describe())
  if (!at) return { notApplicable: 'no device, so no space in which an access could be claimed' }
  for (const width of [1, 2, 4] as const) {
    const value = target.read(at, width)
    const ones = (1n << BigInt(8 * width)) - 1n
    const where = `${at.space} 0x${at.address.toString(16)}`
    expectThat(value === ones, `0x${ones.toString(16)} at ${where}`, `0x${value.toString(16)}`)
  }
  return `${at.space} 0x${at.address.toString(16)}`
}

function settleReturns(target: Target): Finding {
  const answers: string[] = []
  for (let i = 0; i < 10 && answers.at(-1) !== 'quiet'; i++) answers.push(target.settle(100))
  expectThat(answers.at(-1) === 'quiet', '`quiet` from an idle target within a second', answers.join(', '))
  return answers.length === 1 ? 'quiet at once' : `quiet after ${answers.length} calls`
}

function eventsDrain(target: Target): Finding {
  poke(target)
  target.settle(100)
  const first = target.events().length
  target.settle(100)
  const second = target.events()
  expectThat(second.length === 0, 'no event the second time', second.map((event) => event.kind).join(', '))
  return `${first} events, then none`
}

function resetIsIdempotent(target: Target): Finding {
  const kinds = target.describe().can.resets.filter((kind) => kind === 'system' || kind === 'device')
  if (kinds.length === 0) return { notApplicable: 'no system or device reset is offered' }
  for (const kind of kinds) {
    poke(target)
    target.reset(kind)
    const once = observe(target)
    target.reset(kind)
    sameObservation(once, observe(target), `the state after one ${kind} reset`)
    target.events()
  }
  return kinds.join(', ')
}

function saveRestore(target: Target): Finding {
  if (!target.save || !target.restore) return { notApplicable: 'save is not offered' }
  poke(target)
  const state = target.save()
  const before = observe(target)
  const fingerprint = target.fingerprint?.()
  if (target.describe().can.resets.includes('system')) target.reset('system')
  target.store(target.describe().memory[0]!.start, Uint8Array.of(0xde, 0xad))
  target.restore(state)
  sameObservation(before, observe(target), 'the state as it was saved')
  expectThat(target.fingerprint?.() === fingerprint, `the fingerprint ${fingerprint}`, target.fingerprint?.())
  const again = target.save()
  const differs = state.length !== again.length ? 0 : state.findIndex((byte, i) => byte !== again[i])
  return `${state.length} bytes${differs === -1 ? '' : `, though a second save differs from byte ${differs} on`}`
}

async function determinism(target: Target, open: () => Promise<Target>): Promise<Finding> {
  target.close()
  const runs: string[][] = []
  for (let i = 0; i < 2; i++) {
    const fresh = await open()
    try {
      poke(fresh)
      fresh.settle(100)
      runs.push([...observe(fresh), ...fresh.events().map((event) => preview(event, 200))])
    } finally {
      fresh.close()
    }
  }
  const [a, b] = runs as [string[], string[]]
  const at = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i).find((i) => a[i] !== b[i])
  return at === undefined ? 'deterministic' : `not deterministic: ${a[at] ?? 'nothing'}, then ${b[at] ?? 'nothing'}`
}

async function closesTwice(_: Target, open: () => Promise<Target>): Promise<Finding> {
  const fresh = await open()
  fresh.close()
  fresh.close()
  return 'closed twice'
}

/** A few accesses that every device survives. */
function poke(target: Target): void {
  const { memory, devices } = target.describe()
  target.store(memory[0]!.start, Uint8Array.of(1, 2, 3, 4))
  for (const device of devices) for (const at of registers(device).slice(0, 4)) target.read(at, 4)
  for (const { kind, transport } of devices)
    if (kind.startsWith('virtio-') && transport.kind === 'mmio')
      for (const status of [0n, 1n, 3n]) target.write({ space: 'mmio', address: transport.base + 0x70 }, 4, status)
}

/** What a driver can see without changing it, as lines. */
function observe(target: Target): string[] {
  const { memory, devices } = target.describe()
  const look = (at: Location, width: Width = 4) =>
    `${at.space} 0x${at.address.toString(16)} reads 0x${target.read(at, width).toString(16)}`
  return [
    ...devices.flatMap((device) => registers(device).map((at) => look(at))),
    ...memory.map(({ start, end }) => `memory begins ${[...target.load(start, Math.min(64, end - start))]}`),
  ]
}

/** Registers of a device whose reads have no side effect. */
function registers({ transport }: DeviceDescription): Location[] {
  const at = (space: Space, base: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ space, address: base + 4 * i }))
  switch (transport.kind) {
    case 'mmio':
      return at('mmio', transport.base, 64)
    case 'pci':
      return at('config', configBase(transport.bus, transport.device, transport.function), 16)
    // Reads of an interrupt controller acknowledge, and those of an ISA device clear.
    case 'port':
    case 'chip':
      return []
  }
}

const configBase = (bus: number, device: number, fn: number): number => bus * 0x10_0000 + device * 0x8000 + fn * 0x1000

/** Somewhere in a space that the target has, but where it says that nothing is. */
function unclaimed({ devices, memory }: Description): Location | undefined {
  const pci = devices.flatMap(({ transport }) => (transport.kind === 'pci' ? [transport] : []))
  if (pci.length > 0) return { space: 'config', address: configBase(0xfe, 31, 7) }
  const ends = devices.flatMap(({ transport }) => (transport.kind === 'mmio' ? [transport.base + 0x1000] : []))
  if (ends.length === 0) return undefined
  const top = Math.max(...ends, ...memory.map((range) => range.end))
  return { space: 'mmio', address: Math.ceil(top / 0x10_0000) * 0x10_0000 }
}

const inMemory = (d: Description, gpa: number, bytes: number): boolean =>
  d.memory.some(({ start, end }) => gpa < end && gpa + bytes > start)

function unique(names: readonly string[], what: string): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  expectThat(twice === undefined, `${what} that differ`, `${preview(twice)} twice`)
}

function same(found: Uint8Array, expected: Uint8Array, what: string): void {
  if (found.length !== expected.length) throw new Broken(`expected ${what}, found ${found.length} bytes`)
  const at = expected.findIndex((byte, i) => byte !== found[i])
  if (at !== -1) throw new Broken(`expected ${what}, found 0x${found[at]!.toString(16)} at byte ${at}`)
}

function sameObservation(expected: readonly string[], found: readonly string[], what: string): void {
  const at = expected.findIndex((line, i) => line !== found[i])
  expectThat(at === -1, `${what} (${expected[at]})`, found[at] ?? 'nothing')
}

const outcome = (name: string, finding: Finding): CheckResult =>
  typeof finding === 'string'
    ? { name, verdict: 'ok', detail: finding }
    : { name, verdict: 'not-applicable', detail: finding.notApplicable }

function told(error: unknown): string {
  if (error instanceof Broken) return error.message
  if (error instanceof TargetError) {
    const last = error.lastWords.trim().split('\n').at(-1) ?? ''
    return last === '' ? error.message : `${error.message}; it said last: ${preview(last, 200)}`
  }
  return `the adapter threw ${preview(error instanceof Error ? `${error.name}: ${error.message}` : error, 200)}`
}

function closeQuietly(target: Target | undefined): void {
  try {
    target?.close()
  } catch {
    // It was broken before.
  }
}
