/** The PCs whose chips this door plays with. */

import type { DeviceDescription } from '../../../contract/index.ts'
import type { MachineFiles } from '../machine.ts'
import { TRACE_EVENTS } from './trace.ts'

export const PC_RAM_BYTES = 16 << 20
/** GPA of the page that the messages of a PCI function are pointed at: the last page of memory. */
export const PC_MESSAGE_GPA = PC_RAM_BYTES - 4096
/** Without what the agent uses, without the hole below 1 MiB, and without the message page. */
export const FREE_MEMORY = [{ start: 0x100000, end: PC_MESSAGE_GPA }] as const

export const IOAPIC_BASE = 0xfec00000
export const LAPIC_BASE = 0xfee00000
export const LAPIC_BYTES = 0x1000

/** A function on bus 0 that interrupts when its medium changes its capacity. */
export interface PcFunction {
  readonly id: string
  readonly slot: number
  /** Block node of the medium. */
  readonly node: string
  /** Table entries of its MSI-X, 16 bytes of the message page each. */
  readonly vectors: number
  /** Where its INTA goes: the register of the PIIX3 in configuration space, and the input of the board. */
  readonly route: number
  readonly gsi: number
}

export interface PcMachine {
  readonly name: string
  readonly function?: PcFunction
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

const diskNodes = (files: MachineFiles): string[] => [
  ...['-blockdev', `driver=file,node-name=image,filename=${files.image}`],
  ...['-blockdev', 'driver=raw,node-name=disk,file=image'],
]

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

const pciFunction: PcFunction = {
  ...{ id: 'function', slot: 4, node: 'disk', vectors: 3 },
  // INTA of slot 4 is PIRQD, whose register is at 0x63 of function 1.0.
  ...{ route: (1 << 15) | 0x63, gsi: 11 },
}

/** A virtio disk, described as a function alone: nothing is said of its queue and its medium, so none is played with. */
const functionDevice: DeviceDescription = {
  id: pciFunction.id,
  kind: 'virtio-function',
  transport: { kind: 'pci', bus: 0, device: pciFunction.slot, function: 0 },
  facts: { messageGpa: PC_MESSAGE_GPA, messageSlots: pciFunction.vectors },
}

export const pcMachines: Readonly<Record<string, PcMachine>> = {
  pc: {
    name: 'pc with its interrupt chips',
    devices: [...chips, functionDevice],
    function: pciFunction,
    image: numberedSectors(),
    synchronous: true,
    arguments: (files) => [
      ...base('pc', files),
      ...diskNodes(files),
      '-device',
      `virtio-blk-pci,addr=${pciFunction.slot},id=${pciFunction.id},drive=${pciFunction.node},num-queues=1,vectors=${pciFunction.vectors},` +
        'disable-legacy=on,disable-modern=off,ioeventfd=off',
    ],
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
      ...diskNodes(files),
      ...['-device', 'ide-hd,bus=ide.0,unit=0,drive=disk'],
      ...['-netdev', 'hubport,id=net,hubid=0', '-device', 'ne2k_isa,netdev=net,iobase=0x300,irq=9'],
    ],
  },
}
