import { describe, expect, test } from 'vitest'
import { CAPABILITY, COMMAND, PCI } from '../../src/layout/pci.ts'
import { CFG_TYPE, COMMON, LEGACY_PCI } from '../../src/layout/virtio.ts'
import { boot, IO_BASE, MEMORY_BASE } from './machine.ts'

describe('common configuration structure', () => {
  test('features go through their windows, and beyond the last there are none', () => {
    const { common, place, device } = boot()
    place()
    const offered = [0, 1, 2, 0xffff_ffff].map((select) => {
      common.write(COMMON.deviceFeatureSelect, 4, select)
      return common.read(COMMON.deviceFeature, 4)
    })
    expect(offered).toEqual([1 << 29, 0x101, 0, 0])
    common.write(COMMON.driverFeatureSelect, 4, 1)
    common.write(COMMON.driverFeature, 4, 0x101)
    expect(device.driver).toEqual([0, 0x101])
    expect(common.read(COMMON.driverFeature, 4)).toBe(0x101)
  })

  test('queue registers are those of the selected queue; a queue that does not exist reads zero', () => {
    const { common, place, device } = boot()
    place()
    common.write(COMMON.queueSelect, 2, 1)
    common.write(COMMON.queueSize, 2, 4)
    common.write(COMMON.queueDesc, 4, 0x1000)
    common.write(COMMON.queueDesc + 4, 4, 0x2)
    common.write(COMMON.queueDevice, 4, 0x3000)
    common.write(COMMON.queueEnable, 2, 0)
    expect(common.read(COMMON.queueEnable, 2)).toBe(0)
    common.write(COMMON.queueEnable, 2, 1)
    expect(device.queues[1]).toMatchObject({ size: 4, enabled: true, desc: [0x1000, 2], device: [0x3000, 0] })
    expect(device.queues[0]!.enabled).toBe(false)
    expect(common.read(COMMON.queueNotifyOff, 2)).toBe(1)
    common.write(COMMON.queueSelect, 2, 2)
    common.write(COMMON.queueSize, 2, 4)
    common.write(COMMON.queueEnable, 2, 1)
    expect([COMMON.queueSize, COMMON.queueEnable].map((at) => common.read(at, 2))).toEqual([0, 0])
  })

  test('an access of another width than the field reads zero and writes nothing', () => {
    const { common, place } = boot()
    place()
    common.write(COMMON.queueSelect, 4, 1)
    common.write(COMMON.queueSelect, 1, 1)
    expect(common.read(COMMON.queueSelect, 2)).toBe(0)
    expect(common.read(COMMON.numQueues, 1)).toBe(0)
    expect(common.read(COMMON.numQueues, 4)).toBe(0)
  })

  test('a queue is reset only if that was negotiated, and the register shows it under way', () => {
    const { common, place, device, mapQueue } = boot()
    place()
    expect(mapQueue(1, 2)).toBe(2)
    common.write(COMMON.queueReset, 2, 1)
    expect(device.queueResets).toEqual([])
    common.write(COMMON.driverFeatureSelect, 4, 1)
    common.write(COMMON.driverFeature, 4, 0x101)
    common.write(COMMON.queueReset, 2, 1)
    expect(device.queueResets).toEqual([1])
    expect(common.read(COMMON.queueReset, 2)).toBe(1)
    device.queues[1]!.resetting = false
    expect(common.read(COMMON.queueReset, 2)).toBe(0)
    expect(common.read(COMMON.queueMsixVector, 2)).toBe(0xffff)
  })
})

test('each queue has its doorbell, of 16 bits', () => {
  const { bus, place, device, structure, config, capability } = boot()
  place()
  const multiplier = config.read(capability(CAPABILITY.VENDOR, CFG_TYPE.NOTIFY) + 16, 4)
  const doorbell = MEMORY_BASE + structure(CFG_TYPE.NOTIFY)
  bus.write('mmio', doorbell + multiplier, 2, 1)
  bus.write('mmio', doorbell, 2, 0)
  bus.write('mmio', doorbell, 1, 0)
  bus.write('mmio', doorbell + 2 * multiplier, 2, 2)
  expect(device.kicks).toEqual([1, 0])
})

test('device configuration is read and written at any width', () => {
  const { bus, place, device, structure } = boot()
  place()
  const base = MEMORY_BASE + structure(CFG_TYPE.DEVICE)
  expect(bus.read('mmio', base + 4, 4)).toBe(0x0706_0504)
  expect(bus.read('mmio', base + 9, 1)).toBe(9)
  bus.write('mmio', base + 32, 1, 0x55)
  expect(device.config[32]).toBe(0x55)
})

describe('configuration access window', () => {
  function open() {
    const machine = boot()
    const at = machine.capability(CAPABILITY.VENDOR, CFG_TYPE.PCI)
    const aim = (bar: number, offset: number, length: number) => {
      machine.config.write(at + 4, 1, bar)
      machine.config.write(at + 8, 4, offset)
      machine.config.write(at + 12, 4, length)
    }
    return { ...machine, aim, data: at + 16 }
  }

  test('reaches a structure although no BAR is placed or decoded', () => {
    const { config, aim, data, device } = open()
    aim(4, COMMON.deviceStatus, 1)
    config.write(data, 4, 0xffff_ff03)
    expect(device.status()).toBe(3)
    expect(config.read(data, 4)).toBe(3)
    aim(4, COMMON.numQueues, 2)
    expect(config.read(data, 4)).toBe(2)
    aim(1, 12, 4)
    expect(config.read(data, 4)).toBe(1)
  })

  test('makes no access that may not be made', () => {
    const { config, aim, data, device } = open()
    for (const [bar, offset, length] of [
      [4, COMMON.deviceStatus, 3],
      [4, COMMON.deviceStatus, 0],
      [4, COMMON.numQueues + 1, 2],
      [5, COMMON.deviceStatus, 1],
      [77, COMMON.deviceStatus, 1],
      [4, 0xffff_ffff, 1],
    ] as const) {
      aim(bar, offset, length)
      config.write(data, 4, 0x0f)
      expect(config.read(data, 4)).toBe(0)
    }
    expect(device.status()).toBe(0)
  })

  test('reading the ISR register through it clears the causes', () => {
    const { config, aim, data, device, events } = open()
    device.signals!.queueInterrupt(0)
    aim(4, 0x1000, 1)
    expect(config.read(data, 1)).toBe(1)
    expect(config.read(data, 1)).toBe(0)
    expect(events()).toEqual(['line 0 up', 'line 0 down'])
  })
})

describe('transitional device', () => {
  function start() {
    const machine = boot({ transitional: true })
    machine.place()
    machine.config.write(PCI.bar(0), 4, IO_BASE)
    const legacy = {
      read: (at: number, width: 1 | 2 | 4) => machine.bus.read('port', IO_BASE + at, width),
      write: (at: number, width: 1 | 2 | 4, value: number) => machine.bus.write('port', IO_BASE + at, width, value),
    }
    return { ...machine, legacy }
  }

  test('has the old identity and both interfaces', () => {
    const { config, common } = start()
    expect(config.read(PCI.vendorId, 4)).toBe(0x1001_1af4)
    expect(config.read(PCI.revision, 1)).toBe(0)
    expect(config.read(PCI.subsystemId, 2)).toBe(2)
    expect(config.read(PCI.command, 2) & COMMAND.IO).toBe(COMMAND.IO)
    expect(common.read(COMMON.numQueues, 2)).toBe(2)
  })

  test('a legacy driver resets, negotiates, places a queue and takes an interrupt', () => {
    const { legacy, device, events } = start()
    legacy.write(LEGACY_PCI.deviceStatus, 1, 0)
    legacy.write(LEGACY_PCI.deviceStatus, 1, 3)
    expect(legacy.read(LEGACY_PCI.deviceFeatures, 4)).toBe(1 << 29)
    legacy.write(LEGACY_PCI.driverFeatures, 4, 1 << 29)
    legacy.write(LEGACY_PCI.queueSelect, 2, 1)
    expect(legacy.read(LEGACY_PCI.queueSize, 2)).toBe(8)
    legacy.write(LEGACY_PCI.queueAddress, 4, 0x0010_0005)
    expect(legacy.read(LEGACY_PCI.queueAddress, 4)).toBe(0x0010_0005)
    expect(device.queues[1]).toMatchObject({
      enabled: true,
      desc: [0x5000, 1],
      driver: [0x5080, 1],
      device: [0x6000, 1],
    })
    legacy.write(LEGACY_PCI.deviceStatus, 1, 7)
    legacy.write(LEGACY_PCI.queueNotify, 2, 1)
    expect([device.driver[0], device.status(), device.kicks]).toEqual([1 << 29, 7, [1]])
    device.signals!.queueInterrupt(1)
    expect(legacy.read(LEGACY_PCI.isrStatus, 1)).toBe(1)
    expect(events()).toEqual(['line 0 up', 'line 0 down'])
    legacy.write(LEGACY_PCI.queueAddress, 4, 0)
    expect(device.queues[1]!.enabled).toBe(false)
  })

  test('device configuration moves up while MSI-X is enabled', () => {
    const { legacy, control } = start()
    expect(legacy.read(0x14, 4)).toBe(0x0302_0100)
    control(0x8000)
    expect(legacy.read(0x18, 4)).toBe(0x0302_0100)
    legacy.write(LEGACY_PCI.queueSelect, 2, 0)
    legacy.write(0x16, 2, 9)
    expect(legacy.read(0x16, 2)).toBe(0xffff)
  })
})

test('shapes that cannot be are refused with the reason', () => {
  expect(() => boot({ transitional: true, ioBars: true })).toThrow("'transitional' and 'ioBars' both want BAR 0")
})
