import { describe, expect, test } from 'vitest'
import type { Target } from '../../src/contract/index.ts'
import { openSubject } from '../../src/models/pci/function-model.ts'
import { openTarget } from './open-target.ts'
import { qemuMissing } from './require-qemu.ts'

const IOAPIC = 0xfec00000
const LAPIC = 0xfee00000
const SPURIOUS = 0x0f0
const EOI = 0x0b0
const IN_SERVICE = 0x100
const REQUESTS = 0x200
const TRIGGERS = 0x180

class Chips {
  readonly target: Target

  constructor(target: Target) {
    this.target = target
  }

  local(register: number, value?: number): number {
    const at = { space: 'mmio', address: LAPIC + register } as const
    if (value === undefined) return Number(this.target.read(at, 4))
    this.target.write(at, 4, BigInt(value))
    return value
  }

  io(register: number, value?: number): number {
    this.target.write({ space: 'mmio', address: IOAPIC }, 4, BigInt(register))
    const window = { space: 'mmio', address: IOAPIC + 0x10 } as const
    if (value === undefined) return Number(this.target.read(window, 4))
    this.target.write(window, 4, BigInt(value))
    return value
  }
}

const open = async (): Promise<Chips> => new Chips(await openTarget('pc'))
const message = (vector: number, level: boolean) => ({
  ...{ kind: 'interrupt', device: 'ioapic', destination: 0, logical: false, delivery: 'fixed', level, vector },
})

describe.skipIf(qemuMissing !== undefined)('qemu: the simple devices of a PC', () => {
  test('are at their ports, and drive their lines', async () => {
    const target = await openTarget('pc-devices')
    const out = (port: number, value: number) => target.write({ space: 'port', address: port }, 1, BigInt(value))
    const read = (port: number, width: 1 | 2 = 1) => Number(target.read({ space: 'port', address: port }, width))
    const line = (device: string, level: boolean) => ({ kind: 'line', device, pin: 0, level })
    expect(target.describe().devices.map(({ kind }) => kind)).toEqual(['serial-16550', 'ide', 'ne2000'])
    // The transmitter is empty; reading what interrupts ends it.
    out(0x3fc, 0x08)
    out(0x3f9, 0x02)
    expect([target.events(), read(0x3fa), target.events()]).toEqual([
      [line('serial', true)],
      2,
      [line('serial', false)],
    ])
    // Sector 5 of the disk holds fives.
    out(0x3f6, 0)
    for (const [register, value] of [1, 5, 0, 0, 0xe0, 0x20].entries()) out(0x1f2 + register, value)
    for (let turn = 0; turn < 100 && (read(0x3f6) & 0x88) !== 0x08; turn++) target.settle(1)
    expect(target.events()).toEqual([line('ide', true)])
    expect([read(0x1f7) & 0x89, read(0x1f0, 2), target.events()]).toEqual([8, 5, [line('ide', false)]])
    // A remote read of no byte is complete at once.
    out(0x300, 0x22)
    out(0x30f, 0x40)
    for (const register of [0x30a, 0x30b]) out(register, 0)
    out(0x300, 0x0a)
    expect(target.events()).toEqual([line('ne2000', true)])
    expect(target.read({ space: 'config', address: (1 << 15) | (1 << 12) }, 4)).toBe(0x70108086n)
  })
})

describe.skipIf(qemuMissing !== undefined)('qemu: the chips of a PC', () => {
  test('an agent reads and writes the local APIC, takes its interrupts, and ends them', async () => {
    const chips = await open()
    expect(chips.local(SPURIOUS)).toBe(0xff)
    chips.local(SPURIOUS, 0x1ff)
    chips.target.message!(0, LAPIC, 0x45)
    chips.target.message!(0, LAPIC, 0x61)
    expect([chips.local(REQUESTS + 0x20), chips.local(REQUESTS + 0x30)]).toEqual([1 << 5, 1 << 1])
    expect([chips.target.acknowledge!(0), chips.target.acknowledge!(0)]).toEqual([0x61, undefined])
    expect(chips.local(IN_SERVICE + 0x30)).toBe(1 << 1)
    chips.local(EOI, 0)
    expect(chips.target.acknowledge!(0)).toBe(0x45)
    chips.local(EOI, 0)
    // Messages that we send leave no chip, and edges end without a broadcast.
    expect(chips.target.events()).toEqual([])
  })

  test('messages of the I/O APIC are seen one by one, and so are the ends that the local APIC broadcasts', async () => {
    const chips = await open()
    expect(chips.io(1) & 0xff).toBe(0x20)
    chips.local(SPURIOUS, 0x1ff)
    chips.io(0x10 + 2 * 9, 0x8050)
    chips.io(0x10 + 2 * 7, 0x0051)
    chips.target.setLine!('ioapic', 9, true)
    for (const level of [true, false, true]) chips.target.setLine!('ioapic', 7, level)
    expect(chips.target.events()).toEqual([message(0x50, true), message(0x51, false), message(0x51, false)])
    expect(chips.local(TRIGGERS + 0x20)).toBe(1 << 16)
    chips.target.endOfInterrupt!(0x50)
    expect(chips.target.events()).toEqual([message(0x50, true)])
    expect(chips.target.acknowledge!(0)).toBe(0x51)
    chips.local(EOI, 0)
    chips.target.setLine!('ioapic', 9, false)
    expect(chips.target.acknowledge!(0)).toBe(0x50)
    chips.local(EOI, 0)
    expect(chips.target.events()).toEqual([{ kind: 'eoi', device: 'lapic0', vector: 0x50 }])
    expect(chips.io(0x10 + 2 * 9)).toBe(0x8050)
  })

  test('INT of the 8259s is seen, reaches the CPU, and a reset leaves nothing behind', async () => {
    const chips = await open()
    const out = (port: number, value: number) => chips.target.write({ space: 'port', address: port }, 1, BigInt(value))
    const init = () => {
      for (const [port, ...words] of [[0x20, 0x11, 0x30, 4, 1] as const, [0xa0, 0x11, 0x38, 2, 1] as const])
        for (const [i, word] of words.entries()) out(port + Math.min(i, 1), word)
    }
    const int = (level: boolean) => ({ kind: 'line', device: 'pic', pin: 0, level })
    init()
    chips.target.setLine!('pic', 11, true)
    expect(chips.target.events()).toEqual([int(true)])
    expect(chips.target.acknowledge!(0)).toBe(0x3b)
    expect(chips.target.events()).toEqual([int(false)])
    chips.target.setLine!('pic', 1, true)
    chips.target.reset('system')
    expect(chips.target.events()).toEqual([int(true), int(false)])
    expect([chips.local(SPURIOUS), chips.local(0x350), chips.target.events()]).toEqual([0xff, 0x10000, []])
    init()
    expect([chips.target.acknowledge!(0), chips.target.events()]).toEqual([undefined, []])
  })

  test('a PCI function beside them interrupts by its line, and by messages in memory', async () => {
    const { target } = await open()
    const subject = openSubject(target)
    const line = (level: boolean) => ({ kind: 'line', device: 'function', pin: 0, level })
    const lines = () => target.events().filter((event) => event.kind !== 'line' || event.device !== 'pic')
    const start = () => {
      subject.restart()
      subject.bringUp(() => {})
      subject.forget()
    }
    start()
    subject.msix!.control(false, false)
    subject.provoke()
    expect(lines()).toEqual([line(true)])
    expect([subject.causes() & 2, lines()]).toEqual([2, [line(false)]])
    // A line that is up falls with the reset.
    subject.provoke()
    target.reset('system')
    expect(lines()).toEqual([line(true), line(false)])
    start()
    const { address, data } = subject.msix!.messageOf(1)
    subject.msix!.program()
    expect(subject.map(1)).toBe(1)
    subject.provoke()
    expect([target.events(), subject.isRunning()]).toEqual([
      [{ kind: 'msi', device: 'function', address, data, vector: 1 }],
      true,
    ])
  })

  test('model-specific registers are those of the CPU', async () => {
    const { target } = await open()
    expect(target.read({ space: 'hypercall', address: 0x1b }, 8)).toBe(0xfee00900n)
  })
})
