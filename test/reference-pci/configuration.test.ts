import { describe, expect, test } from 'vitest'
import {
  CAPABILITY,
  COMMAND,
  CONFIG_ADDRESS_PORT,
  CONFIG_DATA_PORT,
  EXPRESS,
  PCI,
  POWER,
} from '../../src/layout/pci.ts'
import { COMMON } from '../../src/layout/virtio.ts'
import { boot, IO_BASE, MEMORY_BASE, SLOT } from './machine.ts'

describe('configuration mechanism 1', () => {
  test('finds the function where it sits and nothing elsewhere', () => {
    const { mechanism1 } = boot()
    const found = [...Array(32).keys()].filter((slot) => mechanism1.read(slot, PCI.vendorId, 4) !== undefined)
    expect(found).toEqual([SLOT])
    expect(mechanism1.read(SLOT, PCI.vendorId, 4)).toBe(0x1042_1af4)
    expect(mechanism1.read(SLOT, PCI.deviceId, 2)).toBe(0x1042)
    expect(mechanism1.read(SLOT, PCI.deviceId + 1, 1)).toBe(0x10)
  })

  test('answers only while the enable bit is set, and only for whole accesses inside the data register', () => {
    const { bus } = boot()
    bus.write('port', CONFIG_ADDRESS_PORT, 4, SLOT << 11)
    expect(bus.read('port', CONFIG_DATA_PORT, 4)).toBeUndefined()
    bus.write('port', CONFIG_ADDRESS_PORT, 4, 0x8000_0000 + (SLOT << 11))
    expect(bus.read('port', CONFIG_DATA_PORT, 4)).toBe(0x1042_1af4)
    expect(bus.read('port', CONFIG_DATA_PORT + 1, 4)).toBeUndefined()
    expect(bus.read('port', CONFIG_ADDRESS_PORT, 1)).toBeUndefined()
  })

  test('writes the same registers as the memory-mapped way, byte by byte', () => {
    const { mechanism1, config } = boot()
    mechanism1.write(SLOT, PCI.interruptLine, 1, 11)
    mechanism1.write(SLOT, PCI.command + 1, 1, 0xff)
    expect(config.read(PCI.interruptLine, 4)).toBe(0x0000_010b)
    expect(config.read(PCI.command, 2)).toBe(COMMAND.INTX_DISABLE | 0x100)
  })
})

describe('header', () => {
  test('identity cannot be written, the command register keeps only bits that exist', () => {
    const { config } = boot()
    const before = [PCI.vendorId, PCI.revision, 0x2c, PCI.capabilities].map((at) => config.read(at, 4))
    for (const at of [PCI.vendorId, PCI.revision, 0x2c, PCI.capabilities]) config.write(at, 4, 0)
    expect([PCI.vendorId, PCI.revision, 0x2c, PCI.capabilities].map((at) => config.read(at, 4))).toEqual(before)
    config.write(PCI.command, 2, 0xffff)
    // No I/O BAR, so no I/O enable.
    expect(config.read(PCI.command, 2)).toBe(COMMAND.MEMORY | COMMAND.BUS_MASTER | COMMAND.INTX_DISABLE | 0x140)
  })

  test('an error bit of the status register is cleared by writing 1, also when the command is written beside it', () => {
    const { bus, config } = boot()
    bus.masterAborted('blk')
    expect(config.read(PCI.status, 2)).toBe(0x2010)
    config.write(PCI.command, 4, 0x1000_0002)
    expect(config.read(PCI.status, 2)).toBe(0x2010)
    config.write(PCI.status + 1, 1, 0x20)
    expect(config.read(PCI.status, 2)).toBe(0x0010)
  })

  test('a read over several registers shows each at its place', () => {
    const { config } = boot()
    config.write(PCI.command, 2, COMMAND.MEMORY)
    expect(config.read(PCI.command, 4)).toBe(0x0010_0002)
    expect(config.read(PCI.command + 1, 2)).toBe(0x1000)
  })

  test('the chain of capabilities ends and stays inside 256 bytes', () => {
    const { config } = boot()
    const ids: number[] = []
    for (let at = config.read(PCI.capabilities, 1); at !== 0; at = config.read(at + 1, 1)) {
      expect(at % 4).toBe(0)
      ids.push(config.read(at, 1))
      expect(ids.length).toBeLessThan(20)
    }
    const { POWER: power, MSIX, EXPRESS: express, VENDOR } = CAPABILITY
    expect(ids).toEqual([power, MSIX, express, VENDOR, VENDOR, VENDOR, VENDOR, VENDOR])
    expect(config.read(0x100, 4)).toBe(0)
  })
})

describe('base address registers', () => {
  test('all ones shows the size, with the fixed bits as they were', () => {
    const { config } = boot()
    for (let index = 0; index < 6; index++) config.write(PCI.bar(index), 4, 0xffff_ffff)
    const sizes = [0, 1, 2, 3, 4, 5].map((index) => config.read(PCI.bar(index), 4))
    expect(sizes).toEqual([0, 0xffff_f000, 0, 0, 0xffff_c00c, 0xffff_ffff])
  })

  test('an I/O window shows its size and bit 0', () => {
    const { config } = boot({ ioBars: true })
    for (let index = 0; index < 6; index++) config.write(PCI.bar(index), 4, 0xffff_ffff)
    const sizes = [0, 1, 2, 3, 4, 5].map((index) => config.read(PCI.bar(index), 4))
    expect(sizes).toEqual([0xffff_ffc1, 0xffff_fff9, 0xffff_fffd, 0, 0xffff_ff81, 0])
  })

  test('a window moves with its register, and answers nowhere else', () => {
    const { bus, config, place, common } = boot()
    place()
    expect(common.read(COMMON.numQueues, 2)).toBe(2)
    config.write(PCI.bar(4), 4, 0xd000_0000)
    expect(common.read(COMMON.numQueues, 2)).toBeUndefined()
    expect(bus.read('mmio', 0xd000_0000 + COMMON.numQueues, 2)).toBe(2)
    expect(bus.read('mmio', 0xd000_4000, 1)).toBeUndefined()
    expect(bus.read('mmio', 0xd000_3ffe, 4)).toBeUndefined()
  })

  test('the upper half places a 64-bit window above 4 GiB', () => {
    const { bus, config, place, common } = boot()
    place()
    config.write(PCI.bar(5), 4, 0x12)
    expect(common.read(COMMON.numQueues, 2)).toBeUndefined()
    expect(bus.read('mmio', 0x12 * 2 ** 32 + MEMORY_BASE + COMMON.numQueues, 2)).toBe(2)
    config.write(PCI.bar(5), 4, 0xffff_ffff)
    expect(config.read(PCI.bar(5), 4)).toBe(0xffff_ffff)
  })

  test('nothing answers while the command register keeps the space off', () => {
    const { bus, config, place, common } = boot()
    place()
    config.write(PCI.command, 2, COMMAND.BUS_MASTER)
    expect(common.read(COMMON.numQueues, 2)).toBeUndefined()
    expect(bus.write('mmio', MEMORY_BASE, 4, 1)).toBe(false)
    config.write(PCI.command, 2, COMMAND.MEMORY)
    expect(common.read(COMMON.deviceFeatureSelect, 4)).toBe(0)
  })

  test('of two windows at one address the lower register answers', () => {
    const { bus, config, place, entry, program } = boot()
    place()
    program(0, 0xfee0_0000, 33)
    config.write(PCI.bar(4), 4, entry(0, 0))
    expect(bus.read('mmio', entry(0, 8), 4)).toBe(33)
    config.write(PCI.bar(1), 4, 0xc000_0000)
    expect(bus.read('mmio', entry(0, 0) + COMMON.numQueues, 2)).toBe(2)
  })

  test('I/O windows answer in port space only', () => {
    const { bus, config } = boot({ ioBars: true })
    config.write(PCI.bar(0), 4, IO_BASE)
    config.write(PCI.command, 2, COMMAND.IO)
    expect(bus.read('port', IO_BASE + COMMON.numQueues, 2)).toBe(2)
    expect(bus.read('mmio', IO_BASE + COMMON.numQueues, 2)).toBeUndefined()
  })
})

describe('power states', () => {
  const d3hot = 3
  test('in D3hot configuration space answers and windows do not', () => {
    const { config, capability, place, common, device } = boot({ noSoftReset: true })
    place()
    const power = capability(CAPABILITY.POWER) + POWER.control
    config.write(power, 2, d3hot)
    expect(config.read(power, 2) & 3).toBe(3)
    expect(config.read(PCI.vendorId, 2)).toBe(0x1af4)
    expect(common.read(COMMON.numQueues, 2)).toBeUndefined()
    expect(device.mastering).toBe(false)
    config.write(power, 2, 0)
    expect(common.read(COMMON.numQueues, 2)).toBe(2)
    expect(device.mastering).toBe(true)
  })

  test('waking up resets the function unless it says that it does not', () => {
    for (const noSoftReset of [false, true]) {
      const { config, capability, place, device } = boot({ noSoftReset })
      place()
      device.setStatus(15)
      const power = capability(CAPABILITY.POWER) + POWER.control
      expect(config.read(power, 2)).toBe(noSoftReset ? 8 : 0)
      config.write(power, 2, d3hot)
      config.write(power, 2, 0)
      expect(config.read(PCI.bar(4), 4)).toBe(noSoftReset ? MEMORY_BASE + 12 : 12)
      expect(device.status()).toBe(noSoftReset ? 15 : 0)
    }
  })

  test('states that are not implemented are not entered', () => {
    const { config, capability } = boot()
    const power = capability(CAPABILITY.POWER) + POWER.control
    config.write(power, 2, 1)
    expect(config.read(power, 2)).toBe(0)
  })
})

describe('function-level reset', () => {
  test('with work in flight: stops the function, defaults its registers, and lets nothing of before come out', () => {
    const { bus, config, capability, place, control, program, mapQueue, device, events } = boot()
    place()
    program(1, 0xfee0_0000, 65)
    control(0x8000)
    mapQueue(0, 1)
    device.setStatus(15)
    device.inFlight = 2
    device.complete(0)
    expect(events()).toEqual(['msi 1 fee00000=65'])
    const express = capability(CAPABILITY.EXPRESS)
    const controlBefore = config.read(express + EXPRESS.deviceControl, 2)
    config.write(express + EXPRESS.deviceControl, 2, controlBefore | 0x8000)

    expect(device.mastering).toBe(false)
    expect(config.read(express + EXPRESS.deviceControl, 2)).toBe(controlBefore)
    expect(config.read(express + EXPRESS.deviceStatus, 2)).toBe(0x20)
    expect(config.read(PCI.command, 2)).toBe(0)
    expect(config.read(PCI.bar(4), 4)).toBe(12)
    expect(config.read(capability(CAPABILITY.MSIX) + 2, 2)).toBe(2)

    // Bus mastering that is enabled too early does not let the old requests loose.
    config.write(PCI.command, 2, COMMAND.BUS_MASTER | COMMAND.MEMORY)
    expect(device.mastering).toBe(false)
    device.complete(0)
    expect(bus.step()).toBe(true)
    expect(bus.step()).toBe(false)
    expect(device.mastering).toBe(true)
    expect(config.read(express + EXPRESS.deviceStatus, 2)).toBe(0)
    expect(events()).toEqual([])
    expect(device.status()).toBe(0)
  })
})
