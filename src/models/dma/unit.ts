/**
 * What every IOMMU has in common, as a hypervisor drives it: domains that map pages to frames, devices in domains, and
 * flushes that are over when the call returns. A VT-d unit, an AMD-Vi unit and virtio-iommu each stand behind it, and
 * so do abstract machines that judge all three.
 */
import type { Description, DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import type { DmaSource } from './dma-source.ts'

/** What a mapping allows. */
export type Rights = 'read' | 'write' | 'both'

export const PAGE_BYTES = 4096

/** The unit does not say that a flush is over. */
export class FlushStalled extends Error {
  override readonly name = 'FlushStalled'
}

export interface DmaUnit {
  /** Puts the unit into service: it translates, no device is in a domain, and every domain is empty. */
  start(): void
  /** Puts a device into a domain, from another one too. */
  attach(source: DmaSource, domain: number): void
  detach(source: DmaSource): void
  /** Maps the page at `iova`, where none is, so that it is seen without a flush. */
  map(domain: number, iova: number, frame: Gpa, rights: Rights): void
  /** Takes away what `pages` pages from `iova` on map; some may map nothing. */
  unmap(domain: number, iova: number, pages: number): void
  /** Changes what the mapping of a page allows. */
  protect(domain: number, iova: number, rights: Rights): void
  /** This and the other flushes throw `FlushStalled` where the unit does not come to an end. */
  flushPages(domain: number, iova: number, pages: number): void
  flushDomain(domain: number): void
  flushAll(): void
  /** Forgets in which domain a device was. */
  flushDevice(source: DmaSource): void
  /** What it remembers of a run. */
  notes(): readonly unknown[]
  move(target: Target): void
}

export interface UnitOptions {
  readonly target: Target
  readonly device: DeviceDescription
  readonly domains: number
  readonly sources: readonly DmaSource[]
  /** Memory for its tables and rings, `UnitKind.arenaBytes` of it. */
  readonly arena: Gpa
}

/** One kind of unit. */
export interface UnitKind {
  /** As in `DeviceDescription.kind`. */
  readonly kind: string
  readonly arenaBytes: number
  open(options: UnitOptions): DmaUnit
}

/** The first unit of a target that somebody here knows how to drive. */
export const unitOf = (
  target: Description,
  kinds: readonly UnitKind[],
): { readonly device: DeviceDescription; readonly unit: UnitKind } | undefined => {
  for (const device of target.devices) {
    const unit = kinds.find(({ kind }) => kind === device.kind)
    if (unit !== undefined) return { device, unit }
  }
  return undefined
}
