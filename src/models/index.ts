/** Every model: a machine joined to targets. */
import type { Model } from '../kernel/model.ts'
import { configSpaceModel } from './config-space.ts'
import { cpuDeliveryModel } from './cpu-delivery.ts'
import { deviceStatusModel } from './device-status.ts'
import { amdIommuModel } from './dma/amd-iommu.ts'
import { assignmentModel } from './dma/assignment.ts'
import { driverDomainModel } from './dma/driver-domain.ts'
import { invalidationModel } from './dma/invalidation.ts'
import { isolationModel } from './dma/isolation.ts'
import { softwareMediatedAssignmentModel } from './dma/software-mediated-assignment.ts'
import { sriovModel } from './dma/sr-iov.ts'
import { translationModel } from './dma/translation.ts'
import { virtioBehindIommuModel } from './dma/virtio-behind-iommu.ts'
import { virtioIommuModel } from './dma/virtio-iommu.ts'
import { ideModel } from './emulated/ide.ts'
import { ideDmaModel } from './emulated/ide-dma.ts'
import { ne2000Model } from './emulated/ne2000.ts'
import { parallelModel } from './emulated/parallel.ts'
import { serialModel } from './emulated/serial.ts'
import { vgaTextModel } from './emulated/vga-text.ts'
import { endToEndModel } from './end-to-end.ts'
import { eventUpcallModel } from './event-upcall.ts'
import { interruptWaysModel } from './interrupt-ways.ts'
import { ioapicModel } from './ioapic.ts'
import { lapicModel } from './lapic.ts'
import { mmioInterruptModel } from './mmio-interrupt.ts'
import { intxModel, msixModel, pciFunctionModel } from './pci-function.ts'
import { picModel } from './pic.ts'
import { postedModel } from './posted.ts'
import { remappingModel } from './remapping.ts'
import { splitQueueModel, virtioBlkModel } from './split-queue.ts'

export const models: readonly Model[] = [
  splitQueueModel,
  virtioBlkModel,
  deviceStatusModel,
  configSpaceModel,
  mmioInterruptModel,
  pciFunctionModel,
  picModel,
  msixModel,
  intxModel,
  isolationModel,
  assignmentModel,
  sriovModel,
  amdIommuModel,
  invalidationModel,
  virtioIommuModel,
  softwareMediatedAssignmentModel,
  driverDomainModel,
  virtioBehindIommuModel,
  remappingModel,
  translationModel,
  cpuDeliveryModel,
  postedModel,
  eventUpcallModel,
  endToEndModel,
  interruptWaysModel,
  ioapicModel,
  lapicModel,
  serialModel,
  parallelModel,
  vgaTextModel,
  ideModel,
  ideDmaModel,
  ne2000Model,
]
