import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/contract/target.ts'
import { FEATURE, STATUS } from '../../../src/layout/virtio.ts'
import { openTransport, type TransportOptions } from '../../../src/models/guest/virtio-transport.ts'
import { qemuDoor } from '../../../src/targets/qemu/index.ts'
import { openReference } from '../../../src/targets/reference.ts'
import { stdioDoor } from '../../../src/targets/stdio/index.ts'
import { v86Door } from '../../../src/targets/v86/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'iospec-transport-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const open = { directory, timeoutMs: 10_000 }
const missing = (program: string) => spawnSync(program, ['--version']).status !== 0

/** Resets, negotiates VERSION_1, and goes as far as FEATURES_OK. */
const negotiate = (target: Target, options?: TransportOptions) => {
  const transport = openTransport(target, target.describe().devices[0]!, options)
  transport.setStatus(0)
  target.settle(100)
  expect(transport.status()).toBe(0)
  transport.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER)
  const version1 = 1n << BigInt(FEATURE.VERSION_1)
  expect(transport.deviceFeatures() & version1).toBe(version1)
  transport.setDriverFeatures(version1)
  const agreed = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
  transport.setStatus(agreed)
  expect(transport.status()).toBe(agreed)
  return transport
}
const capacityOf = (transport: ReturnType<typeof negotiate>): number =>
  transport.readConfig(0, 4) + transport.readConfig(4, 4) * 2 ** 32

describe('the reference', () => {
  it.each([
    ['pci', {}, 'msix'],
    ['pci', { ioBars: true }, 'intx'],
    ['pci', { transitional: true }, 'msix'],
    ['mmio', {}, 'line'],
  ] as const)('is reached over %s %o', (transport, shape, interrupts) => {
    const target = openReference({ transport, ...shape, capacity: 77, queueSize: 8 })
    const driver = negotiate(target)
    expect([driver.interrupts, capacityOf(driver), driver.queueCount(), driver.queueSizeMax(1)]).toEqual([
      interrupts,
      77,
      2,
      8,
    ])
    driver.setUpQueue(1, 4, 0x1000, 0x2000, 0x3000)
    expect([driver.queueEnabled(0), driver.queueEnabled(1)]).toEqual([false, true])
    const moved = target.migrate!()
    driver.move(moved)
    expect(driver.queueEnabled(1)).toBe(true)
  })

  it('is reached again after a system reset has erased its BARs', () => {
    const target = openReference()
    const driver = negotiate(target)
    target.reset('system')
    expect(driver.status()).toBe(0xff)
    driver.configure()
    expect(driver.status()).toBe(0)
    expect(capacityOf(driver)).toBe(64)
  })
})

describe('v86', () => {
  it('is reached through its I/O BARs, which stay where they were', async () => {
    const target = await v86Door.open('virtio-9p', open)
    const driver = negotiate(target)
    expect([driver.interrupts, driver.queueCount(), driver.queueSizeMax(0)]).toEqual(['intx', 1, 32])
    expect(driver.readConfig(0, 2)).toBe('host9p'.length)
    expect(Number(target.read({ space: 'port', address: 0xa814 }, 1))).toBe(driver.status())
    target.close()
  })
})

describe.skipIf(missing('qemu-system-x86_64'))('QEMU', () => {
  it.each([
    ['virtio-blk?sectors=99', 'msix'],
    ['virtio-blk-mmio?sectors=99', 'line'],
  ])('is reached at %s', async (address, interrupts) => {
    const target = await qemuDoor.open(address, open)
    const driver = negotiate(target)
    expect([driver.interrupts, capacityOf(driver), driver.queueCount()]).toEqual([interrupts, 99, 2])
    target.close()
  })

  it('is reached by INTx where that is preferred', async () => {
    const target = await qemuDoor.open('virtio-blk', open)
    expect(negotiate(target, { preferIntx: true }).interrupts).toBe('intx')
    target.close()
  })
})

describe.skipIf(missing('python3'))('the Python example', () => {
  it('is reached over stdio', async () => {
    const target = await stdioDoor.open('python3 examples/python/virtio_blk_mmio.py', open)
    const driver = negotiate(target)
    expect(driver.kind).toBe('mmio')
    expect(capacityOf(driver)).toBeGreaterThan(0)
    target.close()
  })
})
