import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Space, Target, TargetEvent, Width } from '../../src/contract/index.ts'
import { COMMAND, MSIX_CONTROL, PCI, PCI_STATUS } from '../../src/layout/pci.ts'
import { COMMON } from '../../src/layout/virtio.ts'
import { openPlatform } from '../../src/reference/index.ts'

const FUNCTION = 1 << 15
const MEMORY = 0xe000_0000
const MSIX = 0xe100_0000
const IO = 0xc000

/** One thing that a guest without manners does, or one step of the device. */
type Poke =
  | { do: 'write'; space: Space; address: number; width: Width; value: bigint }
  | { do: 'read'; space: Space; address: number; width: Width }
  | { do: 'step' }
  | { do: 'control' }

const width = fc.constantFrom<Width[]>(1, 2, 4, 8)
const place = fc.oneof(
  fc.record({ space: fc.constant<Space>('config'), address: fc.nat(0x110).map((offset) => FUNCTION + offset) }),
  fc.record({
    space: fc.constant<Space>('config'),
    address: fc.constantFrom(4, 5, 6, 0x44, 0x4a, 0x4b, 0x5c, 0x5d).map((at) => FUNCTION + at),
  }),
  fc.record({ space: fc.constant<Space>('mmio'), address: fc.nat(0x3c).map((offset) => MEMORY + offset) }),
  fc.record({
    space: fc.constant<Space>('mmio'),
    address: fc.constantFrom(0x1000, 0x2000, 0x3000, 0x3004, 0x3ffd).map((offset) => MEMORY + offset),
  }),
  fc.record({ space: fc.constant<Space>('mmio'), address: fc.nat(0x48).map((offset) => MSIX + offset) }),
  fc.record({ space: fc.constant<Space>('port'), address: fc.nat(0x40).map((offset) => IO + offset) }),
  fc.record({ space: fc.constant<Space>('port'), address: fc.integer({ min: 0xcf8, max: 0xcff }) }),
)
const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 3n, 0xbn, 0xfn, 0x8000n, 0xc000n, 0xffffn, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)
const poke: fc.Arbitrary<Poke> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(place, width, value)
      .map(([at, bytes, bits]) => ({ do: 'write', ...at, width: bytes, value: bits }) as const),
  },
  { weight: 3, arbitrary: fc.tuple(place, width).map(([at, bytes]) => ({ do: 'read', ...at, width: bytes }) as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'step' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'control' } as const) },
)

function perform(target: Target, step: Poke): unknown {
  if (step.do === 'read') return target.read(step, step.width)
  if (step.do === 'write') target.write(step, step.width, step.value)
  if (step.do === 'step') return target.step!('blk0')
  // A configuration change: something to be told of, whatever the driver made of the queues.
  if (step.do === 'control') target.control!('blk0', { do: 'resize', sectors: 77 })
  return undefined
}

/** Placed and switched on; with `msix`, configuration changes send message 0. */
function boot(transitional: boolean, msix: boolean): Target {
  const target = openPlatform({ transitional, queueSize: 4 })
  const write = (offset: number, bits: number) =>
    target.write({ space: 'config', address: FUNCTION + offset }, 4, BigInt(bits))
  for (const [index, base] of [
    [0, IO],
    [1, MSIX],
    [4, MEMORY],
  ] as const)
    write(PCI.bar(index), base)
  write(PCI.command, COMMAND.IO | COMMAND.MEMORY | COMMAND.BUS_MASTER)
  target.write({ space: 'mmio', address: MEMORY + COMMON.deviceStatus }, 1, 0xfn)
  if (msix) {
    target.write({ space: 'mmio', address: MEMORY + COMMON.configMsixVector }, 2, 0n)
    target.write({ space: 'mmio', address: MSIX + 12 }, 4, 0n)
    target.write({ space: 'config', address: FUNCTION + 0x4a }, 2, 0x8000n)
  }
  return target
}

const config = (target: Target, offset: number, bytes: Width) =>
  Number(target.read({ space: 'config', address: FUNCTION + offset }, bytes))

describe('whatever is poked', () => {
  const situation = fc.record({
    transitional: fc.boolean(),
    msix: fc.boolean(),
    pokes: fc.array(poke, { minLength: 1, maxLength: 60 }),
  })

  test('the laws of interrupts hold after every access', () => {
    let [messages, rises] = [0, 0]
    fc.assert(
      fc.property(situation, ({ transitional, msix, pokes }) => {
        const target = boot(transitional, msix)
        const identity = config(target, 0, 4)
        let line = false
        for (const each of pokes) {
          const enabledBefore = (config(target, 0x4a, 2) & MSIX_CONTROL.ENABLE) !== 0
          perform(target, each)
          const enabled = (config(target, 0x4a, 2) & MSIX_CONTROL.ENABLE) !== 0
          const command = config(target, PCI.command, 2)
          const power = config(target, 0x44, 1) & 3
          const causes = (config(target, PCI.status, 2) & PCI_STATUS.INTERRUPT) !== 0
          const events: TargetEvent[] = target.events()
          for (const event of events) {
            if (event.kind === 'line') {
              expect(event.level).toBe(!line)
              line = event.level
              if (line) rises++
            }
            if (event.kind === 'msi') {
              expect(enabledBefore || enabled).toBe(true)
              messages++
            }
          }
          expect(line).toBe(causes && !enabled && power === 0 && (command & COMMAND.INTX_DISABLE) === 0)
          expect(config(target, 0, 4)).toBe(identity)
          expect(config(target, PCI.bar(4), 4) & 0x3fff).toBe(12)
        }
      }),
      { numRuns: 400, seed: 7 },
    )
    // The property says nothing unless both kinds of interrupt were seen.
    expect(messages).toBeGreaterThan(20)
    expect(rises).toBeGreaterThan(20)
  })

  test('a restored twin answers every later access alike', () => {
    fc.assert(
      fc.property(situation, fc.array(poke, { maxLength: 40 }), ({ transitional, msix, pokes }, later) => {
        const target = boot(transitional, msix)
        for (const each of pokes) perform(target, each)
        target.events()
        const twin = openPlatform({ transitional, queueSize: 4 })
        twin.restore!(target.save!())
        for (const each of later) expect(perform(twin, each)).toEqual(perform(target, each))
        expect(twin.events()).toEqual(target.events())
        expect(twin.fingerprint!()).toBe(target.fingerprint!())
      }),
      { numRuns: 150, seed: 11 },
    )
  })
})
