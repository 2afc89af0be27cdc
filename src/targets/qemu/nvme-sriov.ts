/** `qemu:nvme-sriov`: an NVMe controller with virtual functions behind a root port, for its configuration space and BARs. */

import { BRIDGE, COMMAND, PCI } from '../../layout/pci.ts'
import { units } from './iommu/units.ts'
import { MESSAGE_GPA } from './machine.ts'
import type { Q35Machine } from './q35-machines.ts'

const VFS = 4
const SLOT = 6
const BUS = 1
/** Virtual functions may have numbers of the next bus. */
const LAST_BUS = 2
/** Addresses that the root port passes on: all BARs have to be there. */
const WINDOW = { start: 0xd000_0000, last: 0xdff0_0000 } as const
const ECAM = 0xb000_0000
/** PCIEXBAR of the host bridge, in halves: 256 MiB at its base, on. */
const PCIEXBAR = 0x60
const MESSAGE_SLOTS = 64
const ID = 'nvme'

export const nvmeSriov: Q35Machine = {
  options: { iommu: { kind: 'choice', of: Object.keys(units) } },
  arguments: ({ iommu }) => [
    ...(iommu === undefined ? [] : units[iommu as keyof typeof units].arguments({})),
    ...['-device', 'nvme-subsys,id=subsystem'],
    ...['-device', `pcie-root-port,id=root,addr=${SLOT},chassis=1,slot=1`],
    '-device',
    // Each virtual function can be given two queues and one interrupt.
    `nvme,id=${ID},bus=root,subsys=subsystem,serial=iospec,sriov_max_vfs=${VFS},sriov_vq_flexible=${2 * VFS},` +
      `sriov_vi_flexible=${VFS},max_ioqpairs=${2 * VFS + 2},msix_qsize=${VFS + 1}`,
  ],
  board: ({ iommu }) => ({
    name: 'q35 with an nvme controller that has SR-IOV',
    devices: [
      {
        id: ID,
        kind: 'nvme-sriov',
        transport: { kind: 'pci', bus: BUS, device: 0, function: 0 },
        facts: {
          vfs: VFS,
          lastBus: LAST_BUS,
          memoryWindow: WINDOW.start,
          messageGpa: MESSAGE_GPA,
          messageSlots: MESSAGE_SLOTS,
          ...(iommu === undefined ? {} : { behind: 'iommu' }),
        },
      },
      ...(iommu === undefined ? [] : [units[iommu as keyof typeof units].device({})]),
    ],
    messages: { device: ID, slots: MESSAGE_SLOTS },
    sources: false,
    ecam: ECAM,
    firmware: [
      [PCIEXBAR + 4, 4, 0],
      [PCIEXBAR, 4, ECAM + 1],
      [(SLOT << 15) + BRIDGE.buses, 4, (LAST_BUS << 16) | (BUS << 8)],
      [(SLOT << 15) + BRIDGE.memory, 4, WINDOW.last + (WINDOW.start >>> 16)],
      [(SLOT << 15) + PCI.command, 2, COMMAND.MEMORY | COMMAND.BUS_MASTER],
    ],
  }),
}
