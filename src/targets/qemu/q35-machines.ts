/** Machines of the type q35 in which nothing happens by itself. */

import type { OpenOptions, Target } from '../../contract/index.ts'
import { iommuMachines } from './iommu/index.ts'
import { type MachineFiles, memoryArguments, RAM_BYTES } from './machine.ts'
import { nvmeSriov } from './nvme-sriov.ts'
import { type OptionKind, optionsOf } from './options.ts'
import { QemuProcess } from './process.ts'
import { type Q35Board, Q35Target } from './q35.ts'

type Given = Readonly<Partial<Record<string, string | number | boolean>>>

export interface Q35Machine {
  /** Options beside the program to start. */
  readonly options: Readonly<Record<string, OptionKind>>
  /** Flags of its devices. */
  arguments(options: Given): string[]
  board(options: Given): Q35Board
}

export const q35Machines: Readonly<Record<string, Q35Machine>> = { ...iommuMachines, 'nvme-sriov': nvmeSriov }

const BINARY: OptionKind = { kind: 'text' }

/** Opens one of `q35Machines`; `query` is what stands after the question mark. */
export async function openQ35(machine: Q35Machine, query: string, open: OpenOptions): Promise<Target> {
  const { binary = 'qemu-system-x86_64', ...options } = optionsOf(query, { binary: BINARY, ...machine.options })
  const process = await QemuProcess.start(
    {
      binary: String(binary),
      ramBytes: RAM_BYTES,
      image: new Uint8Array(),
      arguments: (files) => [...q35(files), ...machine.arguments(options)],
    },
    open,
  )
  try {
    return new Q35Target(process, machine.board(options), open.meanwhile)
  } catch (error) {
    process.close()
    throw error
  }
}

/** With nothing that a unit would translate for besides what is asked for: each device more makes it slower to switch on. */
const q35 = (files: MachineFiles): string[] => [
  '-machine',
  'q35,memory-backend=ram0,hpet=off,pit=off,sata=off,smbus=off,i8042=off,vmport=off,smm=off',
  ...memoryArguments(files),
]
