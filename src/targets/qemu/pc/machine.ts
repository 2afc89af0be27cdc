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

export const pcMachines: Readonly<Record<string, PcMachine>> = {
  pc: {
    name: 'pc with its interrupt chips',
    devices: chips,
    synchronous: true,
    arguments: (files) => base('pc', files),
  },
}
