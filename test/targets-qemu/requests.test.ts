import { describe, expect, test } from 'vitest'
import type { Target } from '../../src/contract/index.ts'
import { CAPABILITY, COMMAND, MSIX, MSIX_CONTROL, PCI } from '../../src/layout/pci.ts'
import { openTarget } from './open-target.ts'
import { qemuMissing } from './require-qemu.ts'
import { ScriptedDriver } from './scripted-driver.ts'

const machines = ['virtio-blk', 'virtio-blk?iothread=1', 'virtio-blk-mmio'] as const

/** An interrupt that is still on its way ends a `settle` early, so twice. */
function settleFully(target: Target): void {
  for (let times = 0; times < 2; times++) expect(target.settle(20)).toBe('quiet')
  target.events()
}

/** Configuration address of a capability of the disk. */
function capability(target: Target, id: number): number {
  const base = 4 << 15
  const read = (offset: number): number => Number(target.read({ space: 'config', address: base + offset }, 1))
  let offset = read(PCI.capabilities)
  while (offset !== 0 && read(offset) !== id) offset = read(offset + 1)
  expect(offset).not.toBe(0)
  return base + offset
}

describe.skipIf(qemuMissing !== undefined)('qemu: requests', () => {
  test.each(machines)('%s answers a read and interrupts', async (rest) => {
    const target = await openTarget(rest)
    const driver = new ScriptedDriver(target)
    expect(driver.capacity()).toBe(64)
    driver.publishRead(2, 17)
    driver.kick()
    expect(driver.wait(1)).toEqual([2])
    expect(driver.answer(2)).toEqual({ word: 17, status: 0 })
    target.settle(20)
    const expected = rest.startsWith('virtio-blk-mmio')
      ? { kind: 'line', device: 'disk', pin: 0, level: true }
      : { kind: 'msi', device: 'disk', vector: 1, data: 0x41 }
    expect(target.events()).toMatchObject([expected])
    expect(target.events()).toEqual([])
  })

  test.each(['virtio-blk', 'virtio-blk-mmio'])('%s: the line falls when it is acknowledged', async (rest) => {
    const target = await openTarget(rest)
    const driver = new ScriptedDriver(target, 'line')
    driver.publishRead(0, 1)
    driver.kick()
    driver.wait(1)
    target.settle(20)
    expect(driver.acknowledge()).toBe(1)
    expect(target.events()).toMatchObject([
      { kind: 'line', level: true },
      { kind: 'line', level: false },
    ])
  })

  test.each(machines)('%s: held requests stay, and come back in the order of the release', async (rest) => {
    const target = await openTarget(`${rest}${rest.includes('?') ? '&' : '?'}merging=0`)
    const driver = new ScriptedDriver(target)
    const hold = (): void => {
      target.control!('disk', { do: 'hold' })
      for (const slot of [0, 1, 2, 3]) driver.publishRead(slot, 10 + slot)
      driver.kick()
      settleFully(target)
      expect(driver.returned()).toEqual([])
    }
    hold()
    target.control!('disk', { do: 'release', order: 'fifo' })
    expect(driver.wait(4)).toEqual([0, 1, 2, 3])
    hold()
    target.control!('disk', { do: 'release', order: 'lifo' })
    expect(driver.wait(4)).toEqual([3, 2, 1, 0])
    hold()
    target.control!('disk', { do: 'release-one', index: 2 })
    expect(driver.wait(1)).toEqual([2])
    // A later request is held as well, and is the youngest.
    driver.publishRead(2, 5)
    driver.kick()
    settleFully(target)
    expect(driver.returned()).toEqual([])
    target.control!('disk', { do: 'release-one', index: 3 })
    expect(driver.wait(1)).toEqual([2])
    target.control!('disk', { do: 'release-one', index: 7 })
    target.control!('disk', { do: 'release', order: 'lifo' })
    expect(driver.wait(3)).toEqual([3, 1, 0])
    expect(driver.answer(3)).toEqual({ word: 13, status: 0 })
    driver.publishRead(4, 1)
    driver.kick()
    expect(driver.wait(1)).toEqual([4])
  })

  test.each(machines)('%s: reads and writes are held alike, and nothing is held after a release', async (rest) => {
    const target = await openTarget(rest)
    const driver = new ScriptedDriver(target)
    target.control!('disk', { do: 'hold' })
    driver.publishRead(0, 20)
    driver.publishWrite(1, 30)
    driver.kick()
    settleFully(target)
    expect(driver.returned()).toEqual([])
    target.control!('disk', { do: 'release-one', index: 1 })
    expect(driver.wait(1)).toEqual([1])
    target.control!('disk', { do: 'release', order: 'lifo' })
    expect(driver.wait(1)).toEqual([0])
    for (let times = 0; times < 3; times++) {
      driver.publishWrite(2, 40)
      driver.publishRead(3, 30)
      driver.kick()
      expect(driver.wait(2).toSorted()).toEqual([2, 3])
      expect(driver.answer(3)).toEqual({ word: 0, status: 0 })
    }
  })

  test.each(machines)('%s: a reset with held requests returns, and the device works after it', async (rest) => {
    const target = await openTarget(rest)
    const command = { space: 'config', address: (4 << 15) | PCI.command } as const
    const resets: Record<string, () => void> = {
      status: () => driver.reset(),
      system: () => target.reset('system'),
      // The driver gives up: DRIVER_OK goes away together with everything else.
      failed: () => driver.fail(),
      ...(rest.startsWith('virtio-blk-mmio')
        ? {}
        : { 'bus master': () => target.write(command, 2, BigInt(COMMAND.MEMORY)) }),
    }
    let driver = new ScriptedDriver(target)
    for (const reset of Object.values(resets)) {
      target.control!('disk', { do: 'hold' })
      driver.publishRead(0, 1)
      driver.kick()
      settleFully(target)
      expect(driver.returned()).toEqual([])
      reset()
      settleFully(target)
      driver = new ScriptedDriver(target)
      driver.publishRead(0, 3)
      driver.kick()
      expect(driver.wait(1)).toEqual([0])
      expect(driver.answer(0)).toEqual({ word: 3, status: 0 })
    }
  })

  test('a hold outlasts MSI-X being masked and unmasked', async () => {
    const target = await openTarget('virtio-blk')
    const driver = new ScriptedDriver(target)
    target.control!('disk', { do: 'hold' })
    driver.publishRead(0, 1)
    driver.kick()
    const control = { space: 'config', address: capability(target, CAPABILITY.MSIX) + MSIX.control } as const
    target.write(control, 2, BigInt(MSIX_CONTROL.ENABLE | MSIX_CONTROL.FUNCTION_MASK))
    settleFully(target)
    expect(driver.returned()).toEqual([])
    target.control!('disk', { do: 'release', order: 'fifo' })
    expect(driver.wait(1)).toEqual([0])
    target.settle(5)
    expect(target.events()).toEqual([])
    target.write(control, 2, BigInt(MSIX_CONTROL.ENABLE))
    target.settle(5)
    expect(target.events()).toMatchObject([{ kind: 'msi', vector: 1 }])
  })

  test.each(machines)('%s: exactly the requests that were told to fail do', async (rest) => {
    const target = await openTarget(rest)
    const driver = new ScriptedDriver(target)
    const statuses = (count: number): number[] =>
      Array.from({ length: count }, () => {
        driver.publishRead(0, 1)
        driver.kick()
        expect(driver.wait(1)).toEqual([0])
        return driver.answer(0).status
      })
    target.control!('disk', { do: 'fail', count: 2 })
    expect(statuses(4)).toEqual([1, 1, 0, 0])
    target.control!('disk', { do: 'fail', count: 1 })
    target.control!('disk', { do: 'fail', count: 2 })
    expect(statuses(4)).toEqual([1, 1, 0, 0])
    target.control!('disk', { do: 'fail', count: 3 })
    target.control!('disk', { do: 'hold' })
    target.control!('disk', { do: 'fail', count: 0 })
    target.control!('disk', { do: 'release', order: 'fifo' })
    expect(statuses(2)).toEqual([0, 0])
  })

  test.each(machines)('%s: a new size shows in the configuration and interrupts', async (rest) => {
    const target = await openTarget(rest)
    const driver = new ScriptedDriver(target)
    target.control!('disk', { do: 'resize', sectors: 100 })
    target.settle(20)
    expect(driver.capacity()).toBe(100)
    const [event, ...more] = target.events()
    expect(event).toMatchObject(rest.startsWith('virtio-blk-mmio') ? { kind: 'line' } : { kind: 'msi', vector: 0 })
    expect(more).toEqual([])
  })
})
