/** The PCs whose chips this door plays with. */

import type { DeviceDescription } from '../../../contract/index.ts'
import type { MachineFiles } from '../machine.ts'
import { TRACE_EVENTS } from './trace.ts'

export const PC_RAM_BYTES = 16 << 20
/** Without what the agent uses, and without the hole below 1 MiB. */
export const FREE_MEMORY = [{ start: 0x100000, end: PC_RAM_BYTES }] as const

export const IOAPIC_BASE = 0xfec00000
export const LAPIC_BASE = 0xfee00000
export const LAPIC_BYTES = 0x1000

export interface PcMachine {
  readonly name: string
  /** The disk image; default: none. */
  readonly image?: Uint8Array
  readonly devices: readonly DeviceDescription[]
  /** Nothing happens but by our calls. */
  readonly synchronous: boolean
  arguments(files: MachineFiles): string[]
}

const chips: readonly DeviceDescription[] = [
  { id: 'pic', kind: 'i8259-pair', transport: { kind: 'chip', inputs: 16 } },
  { id: 'ioapic', kind: 'ioapic', transport: { kind: 'chip', inputs: 24, base: IOAPIC_BASE } },
  {
    id: 'lapic0',
    kind: 'local-apic',
    transport: { kind: 'chip', inputs: 2, base: LAPIC_BASE },
    facts: { apicId: 0, x2apic: false },
  },
]

const base = (type: string, files: MachineFiles): string[] => [
  '-machine',
  // Without what would move lines by itself.
  `${type},memory-backend=ram0,hpet=off,pit=off,acpi=off,usb=off,vmport=off,i8042=off`,
  ...['-m', `${PC_RAM_BYTES >> 20}`],
  ...['-object', `memory-backend-file,id=ram0,mem-path=${files.ram},size=${PC_RAM_BYTES},share=on`],
  ...['-D', files.trace],
  ...TRACE_EVENTS.flatMap((event) => ['-trace', event]),
]

const SECTORS = 64
const SECTOR_BYTES = 512

/** Each sector is filled with its own number, as 32-bit words. */
const numberedSectors = (): Uint8Array => {
  const words = Uint32Array.from({ length: (SECTORS * SECTOR_BYTES) / 4 }, (_, word) =>
    Math.floor((word * 4) / SECTOR_BYTES),
  )
  return new Uint8Array(words.buffer)
}

const isaDevices: readonly DeviceDescription[] = [
  { id: 'serial', kind: 'serial-16550', transport: { kind: 'port', base: 0x3f8, irq: 4 } },
  {
    id: 'ide',
    kind: 'ide',
    transport: { kind: 'port', base: 0x1f0, irq: 14 },
    facts: { control: 0x3f6, sectors: SECTORS, busMaster: 'pci 0:1.1' },
  },
  { id: 'ne2000', kind: 'ne2000', transport: { kind: 'port', base: 0x300, irq: 9 } },
]

export const pcMachines: Readonly<Record<string, PcMachine>> = {
  pc: {
    name: 'pc with its interrupt chips',
    devices: chips,
    synchronous: true,
    arguments: (files) => base('pc', files),
  },
  'pc-devices': {
    name: 'pc with its simple devices',
    devices: isaDevices,
    image: numberedSectors(),
    // The disk is read and written by threads of QEMU.
    synchronous: false,
    arguments: (files) => [
      ...base('pc', files),
      ...['-chardev', 'null,id=peer', '-device', 'isa-serial,chardev=peer,iobase=0x3f8,irq=4'],
      ...['-blockdev', `driver=file,node-name=image,filename=${files.image}`],
      ...['-blockdev', 'driver=raw,node-name=disk,file=image'],
      ...['-device', 'ide-hd,bus=ide.0,unit=0,drive=disk'],
      ...['-netdev', 'hubport,id=net,hubid=0', '-device', 'ne2k_isa,netdev=net,iobase=0x300,irq=9'],
    ],
  },
}
