/** The `qemu:` door: devices of QEMU, driven through qtest. */

import { type Door, type OpenOptions, type Target, TargetError } from '../../contract/index.ts'
import { SCRATCH_BYTES } from './block-graph.ts'
import { machineFor, machineNames, RAM_BYTES } from './machine.ts'
import { parseAddress, splitAddress } from './options.ts'
import { agentFirmware } from './pc/agent-code.ts'
import { PC_RAM_BYTES, type PcMachine, pcMachines } from './pc/machine.ts'
import { PcTarget } from './pc/target.ts'
import { QemuProcess } from './process.ts'
import { openQ35, q35Machines } from './q35-machines.ts'
import { QemuTarget } from './target.ts'

/** Machines beside those that `machineFor` knows. */
const others = [...Object.keys(pcMachines), ...Object.keys(q35Machines)]

/** Opens for example `qemu:virtio-blk`, `qemu:virtio-blk?iothread=1&queueSize=8`, `qemu:intel-iommu`. */
export const qemuDoor: Door = {
  scheme: 'qemu',
  summary: `a device of QEMU (needs qemu-system-x86_64): ${[...machineNames, ...others].map((name) => `qemu:${name}`).join(', ')}`,
  async open(rest, open) {
    const { machine: wanted, query } = splitAddress(rest)
    const q35 = Object.hasOwn(q35Machines, wanted) ? q35Machines[wanted] : undefined
    if (q35 !== undefined) return openQ35(q35, query, open)
    const { machine: name, options } = parseAddress(rest)
    const pc = Object.hasOwn(pcMachines, name) ? pcMachines[name] : undefined
    if (pc !== undefined) {
      const other = [...new URLSearchParams(query).keys()].find((key) => key !== 'binary')
      if (other !== undefined)
        throw new TargetError('address', `qemu: machine ${name} has no option but binary, found '${other}'`)
      return openPc(pc, options.binary, open)
    }
    const machine = machineFor(name, options, others)
    const process = await QemuProcess.start(
      {
        binary: options.binary,
        ramBytes: RAM_BYTES,
        image: mediumImage(options.sectors),
        arguments: (files) => machine.arguments(options, files),
      },
      open,
    )
    try {
      return new QemuTarget(process, machine, options, open.meanwhile)
    } catch (error) {
      process.close()
      throw error
    }
  },
}

async function openPc(machine: PcMachine, binary: string, open: OpenOptions): Promise<Target> {
  const process = await QemuProcess.start(
    {
      binary,
      ramBytes: PC_RAM_BYTES,
      image: machine.image ?? new Uint8Array(),
      firmware: agentFirmware(),
      trace: true,
      arguments: (files) => machine.arguments(files),
    },
    open,
  )
  try {
    return new PcTarget(process, machine, open.timeoutMs)
  } catch (error) {
    process.close()
    throw error
  }
}

/** The image: the scratch area, then each sector filled with its own number as 32-bit words. */
function mediumImage(sectors: number): Buffer {
  const image = Buffer.alloc(SCRATCH_BYTES + sectors * 512)
  for (let offset = SCRATCH_BYTES; offset < image.length; offset += 4) {
    image.writeUInt32LE((offset - SCRATCH_BYTES) >> 9, offset)
  }
  return image
}
