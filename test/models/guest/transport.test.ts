import { describe, expect, it } from 'vitest'
import { MMIO } from '../../../src/layout/virtio.ts'
import { openTransport } from '../../../src/models/guest/virtio-transport.ts'
import { type FakeOptions, fakeMmio, fakePci } from './fake.ts'

const memory: FakeOptions = {
  bars: [
    { index: 1, bytes: 0x1000 },
    { index: 4, bytes: 0x4000, wide: true },
  ],
  structures: [
    [1, 4, 0],
    [3, 4, 0x1000],
    [4, 4, 0x2000],
    [2, 4, 0x3000],
    [5, 0, 0],
  ],
  msix: true,
}
const ports: FakeOptions = {
  bars: [
    { index: 0, bytes: 0x40, io: true, preset: 0xa800 },
    { index: 1, bytes: 0x10, io: true, preset: 0xa900 },
    { index: 2, bytes: 0x10, io: true },
  ],
  structures: [
    [1, 0, 0],
    [2, 1, 0],
    [3, 2, 0],
  ],
}
const since = (log: string[], act: () => void): string[] => {
  log.length = 0
  act()
  return [...log]
}

describe('virtio over PCI memory BARs', () => {
  it('sizes and places the BARs, programs MSI-X and finds the structures', () => {
    const { target, device, log } = fakePci(memory)
    const transport = openTransport(target, device)
    expect(transport.interrupts).toBe('msix')
    expect(log).toContain('w4 config 18014 e0000000')
    expect(log).toContain('w4 config 18020 e0004000')
    expect(log).toContain('w2 config 18004 7')
    expect(log).toContain('w4 mmio e0000010 fee01000')
    expect(log).toContain('w4 mmio e0000018 2')
    expect(log).toContain('w4 mmio e000001c 0')
    expect(log.at(-1)).toBe('w2 config 180a6 8000')
    expect(transport.messageOf?.(1)).toEqual({ address: 0xfee01000, data: 2 })
    const status = since(log, () => transport.setStatus(3))
    expect(status).toEqual(['w1 mmio e0004014 3'])
    expect(transport.status()).toBe(3)
  })

  it('writes all registers of a queue and enables it last; a kick is one write', () => {
    const { target, device, log } = fakePci(memory)
    const transport = openTransport(target, device)
    const setUp = () => transport.setUpQueue(1, 8, 0x1000, 0xffff_ffff_ffff_fff0n, 2 ** 40, 2)
    setUp()
    expect(since(log, setUp)).toEqual([
      'w2 mmio e0004016 1',
      'w2 mmio e0004018 8',
      'w2 mmio e000401a 2',
      'w4 mmio e0004020 1000',
      'w4 mmio e0004024 0',
      'w4 mmio e0004028 fffffff0',
      'w4 mmio e000402c ffffffff',
      'w4 mmio e0004030 0',
      'w4 mmio e0004034 100',
      'w2 mmio e000401c 1',
    ])
    expect(since(log, () => transport.kick(1))).toEqual(['w2 mmio e000700c 1'])
  })

  it('opens a second time without moving anything', () => {
    const { target, device, log } = fakePci(memory)
    openTransport(target, device)
    const again = since(log, () => openTransport(target, device))
    expect(again).toContain('w4 config 18014 e0000000')
    expect(again).toContain('w4 config 18020 e0004000')
  })
})

describe('virtio over PCI I/O BARs', () => {
  it('keeps what firmware placed, places the rest, and uses INTx', () => {
    const { target, device, log } = fakePci({ ...ports, portsOnly: true })
    const transport = openTransport(target, device)
    expect(transport.interrupts).toBe('intx')
    expect(transport.messageOf).toBeUndefined()
    expect(since(log, () => transport.setStatus(1))).toEqual(['w1 port a814 1'])
    expect(since(log, () => transport.interruptStatus())).toEqual(['r1 port c000'])
    transport.kick(0)
    expect(since(log, () => transport.kick(0))).toEqual(['w2 port a90c 0'])
  })
})

describe('virtio over MMIO', () => {
  it('negotiates by windows, sets a queue up with writes only, and acknowledges what it read', () => {
    const { target, device, log } = fakeMmio({ [MMIO.deviceFeatures]: 0x8000_0001, [MMIO.interruptStatus]: 2 })
    const transport = openTransport(target, device)
    expect(transport.interrupts).toBe('line')
    expect(transport.deviceFeatures()).toBe(0x8000_0001_8000_0001n)
    expect(since(log, () => transport.setDriverFeatures((1n << 32n) | 0x8000_0000n))).toEqual([
      'w4 mmio d0000024 0',
      'w4 mmio d0000020 80000000',
      'w4 mmio d0000024 1',
      'w4 mmio d0000020 1',
    ])
    const setUp = since(log, () => transport.setUpQueue(0, 4, 0x1000, 0x2000, 0x3000))
    expect(setUp).toHaveLength(9)
    expect(setUp.at(-1)).toBe('w4 mmio d0000044 1')
    expect(since(log, () => expect(transport.interruptStatus()).toBe(2))).toEqual([
      'r4 mmio d0000060',
      'w4 mmio d0000064 2',
    ])
    expect(since(log, () => transport.kick(0))).toEqual(['w4 mmio d0000050 0'])
  })
})

describe('a device that lacks something', () => {
  const opened = ({ target, device }: ReturnType<typeof fakePci>) => openTransport(target, device)
  it('is refused with what was expected, found and where', () => {
    expect(() => opened(fakePci({ ...ports, structures: ports.structures.slice(0, 2) }))).toThrow(
      'disk: expected a virtio capability for the ISR structure (cfg_type 3) in an implemented BAR, found types 1, 2',
    )
    expect(() => opened(fakePci({ ...ports, endlessList: true }))).toThrow('disk: capability list: expected an end')
    expect(() => opened(fakeMmio({ [MMIO.version]: 1 }))).toThrow(
      'Version: expected 2 (1 is the legacy interface), found 0x1',
    )
    const { target, device } = fakePci(ports)
    const elsewhere = { ...device, transport: { kind: 'pci', bus: 0, device: 4, function: 0 } } as const
    expect(() => openTransport(target, elsewhere)).toThrow('disk: expected a PCI function at 0:4.0 as described')
  })
})
