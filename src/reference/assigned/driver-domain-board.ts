import type { BoardDesign } from '../boards.ts'
import { DriverDomain } from './driver-domain.ts'
import { correctDriverDomain, type DriverDomainParts } from './driver-domain-parts.ts'

/** Shared pages, and nine frames from 64 KiB on. */
const MEMORY_BYTES = 0x2_0000

export const driverDomainBoard: BoardDesign<DriverDomainParts> = {
  name: 'driver-domain',
  summary: 'a driver domain that serves three clients from grants, and can be killed and brought back',
  parts: correctDriverDomain,
  wire: (parts) => ({
    memory: [{ start: 0, end: MEMORY_BYTES }],
    build: (services) => [new DriverDomain(services, parts, { clients: 3, frames: 3, slots: 4 })],
  }),
}
