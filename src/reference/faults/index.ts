import { pciFaults } from '../pci/faults.ts'
import { amdIommuFaults } from './amd-iommu.ts'
import { assignedFaults } from './assigned.ts'
import { behindIommuFaults } from './behind-iommu.ts'
import { chainFaults } from './chain.ts'
import { deviceFaults } from './device.ts'
import { driverDomainFaults } from './driver-domain.ts'
import type { Fault } from './fault.ts'
import { ideFaults } from './ide.ts'
import { ioapicFaults } from './ioapic.ts'
import { lapicFaults } from './lapic.ts'
import { mediatedFaults } from './mediated.ts'
import { migrationFaults } from './migration.ts'
import { msiDeviceFaults } from './msi-device.ts'
import { ne2000Faults } from './ne2000.ts'
import { notificationFaults } from './notification.ts'
import { parallelFaults } from './parallel.ts'
import { picFaults } from './pic.ts'
import { postedFaults } from './posted.ts'
import { remappingFaults } from './remapping.ts'
import { returningFaults } from './returning.ts'
import { serialFaults } from './serial.ts'
import { sriovFaults } from './sr-iov.ts'
import { upcallFaults } from './upcall.ts'
import { vcpuFaults } from './vcpu.ts'
import { vgaFaults } from './vga.ts'
import { virtioIommuFaults } from './virtio-iommu.ts'
import { vtdFaults } from './vtd.ts'
import { waysFaults } from './ways.ts'
import { wiredFaults } from './wired.ts'

export type { Fault } from './fault.ts'

/** Every seeded fault of the reference. */
export const faults: readonly Fault[] = [
  ...notificationFaults,
  ...chainFaults,
  ...returningFaults,
  ...deviceFaults,
  ...migrationFaults,
  ...pciFaults,
  ...remappingFaults,
  ...msiDeviceFaults,
  ...picFaults,
  ...vcpuFaults,
  ...postedFaults,
  ...upcallFaults,
  ...wiredFaults,
  ...waysFaults,
  ...ioapicFaults,
  ...lapicFaults,
  ...serialFaults,
  ...parallelFaults,
  ...vgaFaults,
  ...ideFaults,
  ...ne2000Faults,
  ...mediatedFaults,
  ...driverDomainFaults,
  ...assignedFaults,
  ...sriovFaults,
  ...virtioIommuFaults,
  ...vtdFaults,
  ...behindIommuFaults,
  ...amdIommuFaults,
]
