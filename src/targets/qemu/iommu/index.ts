/** `qemu:intel-iommu`, `qemu:amd-iommu`, `qemu:virtio-iommu`: bare IOMMUs with sources of DMA. */

import type { OpenOptions, Target } from '../../../contract/index.ts'
import { type MachineFiles, memoryArguments, RAM_BYTES } from '../machine.ts'
import { type OptionKind, optionsOf } from '../options.ts'
import { QemuProcess } from '../process.ts'
import { sourceArguments } from './sources.ts'
import { IommuTarget } from './target.ts'
import { type Unit, units } from './units.ts'

const BINARY: OptionKind = { kind: 'text' }

export const iommuMachines: Readonly<Record<string, Unit>> = units

/** Opens a machine of `iommuMachines` by what stands after the question mark. */
export async function openIommu(unit: Unit, query: string, open: OpenOptions): Promise<Target> {
  const { binary = 'qemu-system-x86_64', ...options } = optionsOf(query, { binary: BINARY, ...unit.options })
  const process = await QemuProcess.start(
    {
      binary: String(binary),
      ramBytes: RAM_BYTES,
      image: new Uint8Array(),
      arguments: (files) => [...board(files), ...unit.arguments(options), ...sourceArguments()],
    },
    open,
  )
  try {
    return new IommuTarget(process, unit.summary, unit.device(options), open.meanwhile)
  } catch (error) {
    process.close()
    throw error
  }
}

/** With nothing that a unit would translate for besides the sources: each device more makes it slower to switch on. */
const board = (files: MachineFiles): string[] => [
  '-machine',
  'q35,memory-backend=ram0,hpet=off,pit=off,sata=off,smbus=off,i8042=off,vmport=off,smm=off',
  ...memoryArguments(files),
]
