import { describe, expect, test } from 'vitest'
import { CAPABILITY, COMMAND, EXPRESS, MSIX_ENTRY, PCI, POWER } from '../../src/layout/pci.ts'
import { COMMON } from '../../src/layout/virtio.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { pciFaults } from '../../src/reference/pci/faults.ts'
import { correctParts, type PciParts } from '../../src/reference/pci/parts.ts'
import { platformParts } from '../../src/reference/platform.ts'
import { boot, MEMORY_BASE } from './machine.ts'

const ENABLE = 0x8000

/** A machine with MSI-X on and queue 0 at vector 1. */
function running(parts: Partial<PciParts>) {
  const machine = boot({ parts, noSoftReset: true })
  machine.place()
  for (const vector of [0, 1, 2]) machine.program(vector, 0xfee0_0000 + 0x1000 * vector, vector)
  machine.control(ENABLE)
  machine.common.write(COMMON.configMsixVector, 2, 0)
  machine.mapQueue(0, 1)
  machine.device.setStatus(15)
  const raise = machine.device.signals!
  const mask = (on: number) => machine.bus.write('mmio', machine.entry(1, MSIX_ENTRY.control), 4, on)
  const interruptStatus = () => machine.config.read(PCI.status, 2) & 8
  return { ...machine, raise, mask, interruptStatus }
}

/** What software sees of one machine in situations that tell a right part from a wrong one. */
const situations: Record<string, (parts: Partial<PciParts>) => unknown> = {
  'masked, event, entry changed, unmasked, event'(parts) {
    const { raise, mask, events, pending, program } = running(parts)
    raise.queueInterrupt(0)
    mask(1)
    raise.queueInterrupt(0)
    const whileMasked = pending()
    program(1, 0xfee0_9000, 9, 1)
    mask(0)
    raise.queueInterrupt(0)
    return [whileMasked, events()]
  },
  'function mask'(parts) {
    const { raise, control, events, pending } = running(parts)
    control(ENABLE | 0x4000)
    raise.queueInterrupt(0)
    const whileMasked = [events(), pending()]
    control(ENABLE)
    return [whileMasked, events()]
  },
  'line, both causes'(parts) {
    const { raise, control, events, isr, interruptStatus, config } = running(parts)
    control(0)
    raise.queueInterrupt(0)
    raise.configInterrupt()
    config.write(PCI.command, 2, COMMAND.MEMORY | COMMAND.INTX_DISABLE)
    config.write(PCI.command, 2, COMMAND.MEMORY)
    return [isr(), isr(), interruptStatus(), events()]
  },
  'a configuration change with MSI-X enabled'(parts) {
    const { raise, isr, events } = running(parts)
    raise.configInterrupt()
    return [isr(), events()]
  },
  'no vector, and a vector that is not there'(parts) {
    const { raise, mapQueue, events } = running(parts)
    const readBack = [mapQueue(0, 0xffff), mapQueue(1, 77)]
    raise.queueInterrupt(0)
    return [readBack, events()]
  },
  'a device reset'(parts) {
    const { common, raise, events } = running(parts)
    common.write(COMMON.deviceStatus, 1, 0)
    raise.queueInterrupt(0)
    return events()
  },
  'bus mastering off'(parts) {
    const { config, raise, device, events } = running(parts)
    config.write(PCI.command, 2, COMMAND.MEMORY)
    raise.queueInterrupt(0)
    return [device.mastering, events()]
  },
  sizing(parts) {
    const { config } = running(parts)
    config.write(PCI.bar(1), 4, 0xffff_ffff)
    return config.read(PCI.bar(1), 4)
  },
  D3hot(parts) {
    const { config, capability, common } = running(parts)
    config.write(capability(CAPABILITY.POWER) + POWER.control, 2, 3)
    return common.read(COMMON.numQueues, 2)
  },
  'function-level reset with work in flight'(parts) {
    const { config, capability, device, common, place } = running(parts)
    config.write(capability(CAPABILITY.EXPRESS) + EXPRESS.deviceControl, 2, 0x8000)
    const msixControl = config.read(capability(CAPABILITY.MSIX) + 2, 2)
    place()
    return [msixControl, device.status(), common.read(COMMON.deviceStatus, 1)]
  },
  'saved and restored in the middle of set-up'(parts) {
    const { bus, common } = running(parts)
    common.write(COMMON.queueSelect, 2, 1)
    bus.restore(bus.save())
    return bus.read('mmio', MEMORY_BASE + COMMON.queueSelect, 2)
  },
}

const seen = (parts: Partial<PciParts>) => Object.entries(situations).map(([name, run]) => [name, run(parts)] as const)

describe('seeded faults', () => {
  const honest = seen({})

  test('have ids of their own, and together replace every part', () => {
    expect(new Set(pciFaults.map(({ id }) => id)).size).toBe(pciFaults.length)
    // Those that show on a board of their own count, too.
    const replaced = new Set(faults.map(({ replaces }) => replaces).filter((part) => part.startsWith('pci.')))
    expect(replaced).toEqual(new Set(Object.keys(correctParts).map((part) => `pci.${part}`)))
  })

  test.each(pciFaults.map((each) => [each.id, each] as const))('%s replaces one part, and shows', (_id, fault) => {
    const { pci } = platformParts((parts) => fault.install(parts))
    const names = Object.keys(correctParts) as (keyof PciParts)[]
    expect(names.filter((name) => pci[name] !== correctParts[name]).map((name) => `pci.${name}`)).toEqual([
      fault.replaces,
    ])
    const faulty = seen(pci)
    const differing = honest.filter(([, value], index) => JSON.stringify(value) !== JSON.stringify(faulty[index]![1]))
    expect(differing.map(([name]) => name)).not.toEqual([])
    // One fault is one wrong behaviour: most situations look as they should.
    expect(differing.length).toBeLessThanOrEqual(5)
  })
})
