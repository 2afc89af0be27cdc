import { describe, expect, test } from 'vitest'
import { openTarget } from './open-target.ts'
import { qemuMissing } from './require-qemu.ts'

describe.skipIf(qemuMissing !== undefined)('qemu: transport', () => {
  test('the description says where the disk is, and configuration space agrees', async () => {
    const target = await openTarget('virtio-blk?queueSize=8')
    const description = target.describe()
    expect(description.version).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+/)
    expect(description.devices[0]).toMatchObject({ kind: 'virtio-blk', transport: { bus: 0, device: 4, function: 0 } })
    expect(target.read({ space: 'config', address: 4 << 15 }, 4)).toBe(0x10421af4n)
    expect(target.read({ space: 'config', address: (4 << 15) + 2 }, 2)).toBe(0x1042n)
    expect(target.read({ space: 'config', address: 5 << 15 }, 4)).toBe(0xffffffffn)
    expect(target.read({ space: 'config', address: (4 << 15) + 0x100 }, 4)).toBe(0xffffffffn)
  })

  test('ports: what is written to the configuration address register is read back, nobody answers with ones', async () => {
    const target = await openTarget('virtio-blk')
    target.write({ space: 'port', address: 0xcf8 }, 4, 0x80002008n)
    expect(target.read({ space: 'port', address: 0xcf8 }, 4)).toBe(0x80002008n)
    expect(target.read({ space: 'port', address: 0x5555 }, 1)).toBe(0xffn)
  })

  test('memory: bytes stored are bytes loaded, and are what the CPU sees', async () => {
    const target = await openTarget('virtio-blk')
    const data = Uint8Array.from({ length: 300 }, (_, index) => (index * 7) & 0xff)
    for (const { start, end } of target.describe().memory) {
      for (const gpa of [start, end - data.length]) {
        target.store(gpa, data)
        expect(target.load(gpa, data.length)).toEqual(data)
        expect(target.read({ space: 'mmio', address: gpa }, 8)).toBe(Buffer.from(data).readBigUInt64LE())
      }
    }
    expect(() => target.load(64 << 20, 1)).toThrow(/guest memory ends at 0x4000000/)
  })

  test('posted writes, stores and loads take effect in program order', async () => {
    const target = await openTarget('virtio-blk')
    const at = (index: number) => ({ space: 'mmio', address: 0x200000 + 8 * index }) as const
    // Far more than one batch.
    for (let index = 0; index < 3000; index++) target.write(at(index), 8, BigInt(index) << 32n)
    const loaded = Buffer.from(target.load(0x200000, 8 * 3000))
    expect(Array.from({ length: 3000 }, (_, index) => loaded.readUInt32LE(8 * index + 4))).toEqual(
      Array.from({ length: 3000 }, (_, index) => index),
    )
    target.write(at(0), 1, 1n)
    target.store(0x200000, Uint8Array.of(2))
    expect(target.read(at(0), 1)).toBe(2n)
    target.write(at(0), 1, 3n)
    expect([...target.load(0x200000, 1)]).toEqual([3])
  })

  test('a system reset forgets the BARs and keeps memory', async () => {
    const target = await openTarget('virtio-blk')
    const bar = { space: 'config', address: (4 << 15) + 0x14 } as const
    target.write(bar, 4, 0xe0010000n)
    expect(target.read(bar, 4)).toBe(0xe0010000n)
    target.store(0x100000, Uint8Array.of(42))
    target.reset('system')
    expect(target.read(bar, 4)).toBe(0n)
    expect([...target.load(0x100000, 1)]).toEqual([42])
    expect(target.events()).toEqual([])
  })

  test('an address that is no number never reaches QEMU', async () => {
    const target = await openTarget('virtio-blk')
    expect(() => target.read({ space: 'mmio', address: Number.NaN }, 4)).toThrow('expected an address')
    expect(target.settle(0)).toBe('quiet')
  })
})
