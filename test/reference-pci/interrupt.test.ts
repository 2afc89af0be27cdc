import { describe, expect, test } from 'vitest'
import { CAPABILITY, COMMAND, MSIX_ENTRY, PCI, POWER } from '../../src/layout/pci.ts'
import { COMMON, NO_VECTOR } from '../../src/layout/virtio.ts'
import { boot, type Options } from './machine.ts'

const ENABLE = 0x8000
const MASK_ALL = 0x4000

/** A machine with MSI-X on and each queue at its own vector, 1 and 2; configuration changes at 0. */
function withMsix(options: Options = {}) {
  const machine = boot(options)
  machine.place()
  for (const vector of [0, 1, 2]) machine.program(vector, 0xfee0_0000 + 0x1000 * vector, 0x40 + vector)
  machine.control(ENABLE)
  machine.common.write(COMMON.configMsixVector, 2, 0)
  machine.mapQueue(0, 1)
  machine.mapQueue(1, 2)
  machine.device.setStatus(15)
  return machine
}

describe('MSI-X', () => {
  test('an event sends the address and data of its entry, and leaves INTx and ISR alone', () => {
    const { device, events, isr } = withMsix()
    device.signals!.queueInterrupt(1)
    expect(events()).toEqual(['msi 2 fee02000=66'])
    expect(isr()).toBe(0)
    device.signals!.configInterrupt()
    expect(events()).toEqual(['msi 0 fee00000=64'])
    expect(isr()).toBe(2)
  })

  test('a masked entry remembers one message, and sends what the entry holds when it is unmasked', () => {
    const { bus, device, events, entry, pending, program } = withMsix()
    bus.write('mmio', entry(1, MSIX_ENTRY.control), 4, 1)
    device.signals!.queueInterrupt(0)
    device.signals!.queueInterrupt(0)
    expect(events()).toEqual([])
    expect(pending()).toBe(0b010)
    program(1, 0x1_fee0_7000, 99, 1)
    expect(events()).toEqual([])
    bus.write('mmio', entry(1, MSIX_ENTRY.control), 1, 0)
    expect(events()).toEqual(['msi 1 1fee07000=99'])
    expect(pending()).toBe(0)
    device.signals!.queueInterrupt(0)
    expect(events()).toEqual(['msi 1 1fee07000=99'])
  })

  test('the function mask holds every entry back and keeps what was pending', () => {
    const { device, events, pending, control, bus, entry } = withMsix()
    control(ENABLE | MASK_ALL)
    device.signals!.queueInterrupt(0)
    device.signals!.queueInterrupt(1)
    bus.write('mmio', entry(2, MSIX_ENTRY.control), 4, 1)
    expect([events(), pending()]).toEqual([[], 0b110])
    control(ENABLE)
    expect([events(), pending()]).toEqual([['msi 1 fee01000=65'], 0b100])
    bus.write('mmio', entry(2, MSIX_ENTRY.control), 4, 0)
    expect([events(), pending()]).toEqual([['msi 2 fee02000=66'], 0])
  })

  test('toggled while an event waits: the line goes with it and comes back', () => {
    const { device, events, control, isr } = withMsix()
    control(0)
    device.signals!.queueInterrupt(0)
    expect(events()).toEqual(['line 0 up'])
    control(ENABLE)
    expect(events()).toEqual(['line 0 down'])
    control(0)
    expect(events()).toEqual(['line 0 up'])
    expect(isr()).toBe(1)
    expect(events()).toEqual(['line 0 down'])
  })

  test('pending survives MSI-X being off and is sent when it is on again', () => {
    const { device, events, control } = withMsix()
    control(ENABLE | MASK_ALL)
    device.signals!.queueInterrupt(0)
    control(0)
    expect(events()).toEqual([])
    control(ENABLE)
    expect(events()).toEqual(['msi 1 fee01000=65'])
  })

  test('no message leaves without bus mastering; it waits, and is pending only once it is masked', () => {
    const { bus, device, entry, events, config, pending } = withMsix()
    config.write(PCI.command, 2, COMMAND.MEMORY)
    device.signals!.queueInterrupt(0)
    expect([events(), pending()]).toEqual([[], 0])
    bus.write('mmio', entry(1, MSIX_ENTRY.control), 4, 1)
    expect(pending()).toBe(0b010)
    bus.write('mmio', entry(1, MSIX_ENTRY.control), 4, 0)
    config.write(PCI.command, 2, COMMAND.MEMORY | COMMAND.BUS_MASTER)
    expect(events()).toEqual(['msi 1 fee01000=65'])
  })

  test('a device reset takes pending messages and every mapping with it', () => {
    const { device, events, control, pending, common, mapQueue } = withMsix()
    control(ENABLE | MASK_ALL)
    device.signals!.queueInterrupt(0)
    common.write(COMMON.deviceStatus, 1, 0)
    expect(pending()).toBe(0)
    control(ENABLE)
    device.signals!.queueInterrupt(0)
    device.signals!.configInterrupt()
    expect(events()).toEqual([])
    expect(common.read(COMMON.configMsixVector, 2)).toBe(NO_VECTOR)
    common.write(COMMON.queueSelect, 2, 1)
    expect(common.read(COMMON.queueMsixVector, 2)).toBe(NO_VECTOR)
    expect(mapQueue(1, 0)).toBe(0)
    device.signals!.queueInterrupt(1)
    expect(events()).toEqual(['msi 0 fee00000=64'])
  })

  test('what a device signals while its reset is under way goes nowhere', () => {
    const { device, events, common, control, isr } = withMsix()
    control(0)
    device.inFlight = 1
    common.write(COMMON.deviceStatus, 1, 0)
    expect(common.read(COMMON.deviceStatus, 1)).toBe(15)
    device.complete(0)
    expect(common.read(COMMON.deviceStatus, 1)).toBe(0)
    expect([events(), isr()]).toEqual([[], 0])
    device.signals!.queueInterrupt(0)
    expect(events()).toEqual(['line 0 up'])
  })

  test('vectors that the table does not have read back as no vector, and then nothing is sent', () => {
    const { device, events, mapQueue } = withMsix()
    expect(mapQueue(0, 2)).toBe(2)
    expect(mapQueue(0, 3)).toBe(NO_VECTOR)
    device.signals!.queueInterrupt(0)
    expect(events()).toEqual([])
    expect(mapQueue(0, 1)).toBe(1)
    expect(mapQueue(7, 1)).toBe(NO_VECTOR)
  })

  test('the table takes bytes and words; pending bits cannot be written; nothing lies beyond them', () => {
    const { bus, entry, pending } = withMsix()
    bus.write('mmio', entry(0, MSIX_ENTRY.data) + 1, 1, 0xab)
    bus.write('mmio', entry(0, MSIX_ENTRY.data) + 2, 2, 0x1234)
    expect(bus.read('mmio', entry(0, MSIX_ENTRY.data), 4)).toBe(0x1234_ab40)
    bus.write('mmio', entry(0, MSIX_ENTRY.control), 4, 0xffff_fffe)
    expect(bus.read('mmio', entry(0, MSIX_ENTRY.control), 4)).toBe(0)
    bus.write('mmio', entry(0, 0x800), 4, 7)
    expect(pending()).toBe(0)
    bus.write('mmio', entry(3, 0), 4, 0xffff_ffff)
    expect(bus.read('mmio', entry(3, 0), 4)).toBe(0)
  })

  test('after a bus reset every entry is masked and MSI-X is off', () => {
    const { bus, config, capability, place, entry } = withMsix()
    bus.reset('bus')
    expect(config.read(capability(CAPABILITY.MSIX) + 2, 2)).toBe(2)
    place()
    expect([0, 1, 2].map((vector) => bus.read('mmio', entry(vector, 12), 4))).toEqual([1, 1, 1])
  })
})

describe('INTx', () => {
  test('rises with the first cause, shows in the status register, falls when ISR is read', () => {
    const { device, events, config, place, isr } = boot()
    place()
    device.signals!.queueInterrupt(0)
    device.signals!.configInterrupt()
    expect(events()).toEqual(['line 0 up'])
    expect(config.read(PCI.status, 2) & 8).toBe(8)
    expect(isr()).toBe(3)
    expect(events()).toEqual(['line 0 down'])
    expect(config.read(PCI.status, 2) & 8).toBe(0)
    expect(isr()).toBe(0)
  })

  test('Interrupt Disable gates the pin and not the status bit', () => {
    const { device, events, config, place } = boot()
    place()
    config.write(PCI.command, 2, COMMAND.MEMORY | COMMAND.INTX_DISABLE)
    device.signals!.queueInterrupt(0)
    expect(events()).toEqual([])
    expect(config.read(PCI.status, 2) & 8).toBe(8)
    config.write(PCI.command, 2, COMMAND.MEMORY)
    expect(events()).toEqual(['line 0 up'])
    config.write(PCI.command, 2, COMMAND.MEMORY | COMMAND.INTX_DISABLE)
    expect(events()).toEqual(['line 0 down'])
  })

  test('a function that sleeps drives nothing, and an event of meanwhile is seen after waking up', () => {
    const { device, events, config, capability, place } = boot({ noSoftReset: true })
    place()
    device.signals!.queueInterrupt(0)
    config.write(capability(CAPABILITY.POWER) + POWER.control, 2, 3)
    expect(events()).toEqual(['line 0 up', 'line 0 down'])
    config.write(capability(CAPABILITY.POWER) + POWER.control, 2, 0)
    expect(events()).toEqual(['line 0 up'])
  })
})

test('saved and restored in the middle, interrupts continue as if nothing had happened', () => {
  const source = withMsix()
  source.control(ENABLE | MASK_ALL)
  source.device.signals!.queueInterrupt(1)
  const state = JSON.parse(JSON.stringify(source.bus.save()))
  const destination = boot()
  destination.bus.restore(state)
  destination.control(ENABLE)
  expect(destination.events()).toEqual(['msi 2 fee02000=66'])
  expect(source.pending()).toBe(0b100)
})
