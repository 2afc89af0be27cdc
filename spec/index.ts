/** Every machine, by name: the small products that are walked exhaustively, and those that targets are judged by. */
import type { ScopedMachine } from '../src/kernel/language/index.ts'
import { amdIommu } from './dma/amd-iommu.ts'
import { assignment } from './dma/assignment.ts'
import { driverDomain } from './dma/driver-domain.ts'
import { invalidation } from './dma/invalidation.ts'
import { invalidationRaces } from './dma/invalidation-races.ts'
import { isolation } from './dma/isolation.ts'
import { softwareMediatedAssignment } from './dma/software-mediated-assignment.ts'
import { sriov } from './dma/sr-iov.ts'
import { translation } from './dma/translation.ts'
import { virtioBehindIommu } from './dma/virtio-behind-iommu.ts'
import { virtioIommu } from './dma/virtio-iommu.ts'
import { ide } from './emulated/ide.ts'
import { ideDma } from './emulated/ide-dma.ts'
import { ne2000 } from './emulated/ne2000.ts'
import { parallel } from './emulated/parallel.ts'
import { serial } from './emulated/serial.ts'
import { vgaText } from './emulated/vga-text.ts'
import { cpuDelivery } from './interrupt/cpu-delivery.ts'
import { endToEnd } from './interrupt/end-to-end.ts'
import { eventUpcall } from './interrupt/event-upcall.ts'
import { intx } from './interrupt/intx.ts'
import { ioapic } from './interrupt/ioapic.ts'
import { lapic } from './interrupt/lapic.ts'
import { msix } from './interrupt/msix.ts'
import { pic } from './interrupt/pic.ts'
import { posted } from './interrupt/posted.ts'
import { remapping } from './interrupt/remapping.ts'
import { interruptWays } from './interrupt/ways.ts'
import { mmioInterrupt } from './mmio/interrupt.ts'
import { configSpace } from './paravirtual/config-space.ts'
import { blkRequests, virtioBlk } from './paravirtual/virtio-blk.ts'
import { pciFunction } from './pci/function.ts'
import { busOrder } from './virtqueue/bus-order.ts'
import { deviceStatus } from './virtqueue/device-status.ts'
import {
  inOrderMachine,
  lifecycleMachine,
  notificationMachine,
  queueMachine,
  splitRingMachine,
} from './virtqueue/explored.ts'
import { splitQueue } from './virtqueue/split-queue.ts'
import { weakMemory } from './virtqueue/weak-memory.ts'

export const machines: readonly ScopedMachine[] = [
  queueMachine,
  lifecycleMachine,
  splitRingMachine,
  inOrderMachine,
  notificationMachine,
  weakMemory,
  busOrder,
  splitQueue,
  blkRequests,
  virtioBlk,
  deviceStatus,
  configSpace,
  mmioInterrupt,
  pciFunction,
  pic,
  msix,
  intx,
  isolation,
  translation,
  assignment,
  sriov,
  virtioIommu,
  softwareMediatedAssignment,
  driverDomain,
  amdIommu,
  invalidation,
  invalidationRaces,
  virtioBehindIommu,
  remapping,
  cpuDelivery,
  posted,
  eventUpcall,
  endToEnd,
  interruptWays,
  ioapic,
  lapic,
  serial,
  parallel,
  vgaText,
  ide,
  ideDma,
  ne2000,
]
