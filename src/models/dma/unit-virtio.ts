/**
 * virtio-iommu as one IOMMU among others. A domain is there while an endpoint is attached to it; here it is made anew,
 * with all that it maps, when the first one joins. A request has taken effect when it is back, so that nothing is
 * left to flush.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { MAP_FLAG } from '../../layout/virtio-iommu.ts'
import {
  attachRequest,
  detachRequest,
  mapRequest,
  unmapRequest,
  VIRTIO_IOMMU_BYTES,
  VirtioIommuDriver,
} from '../guest/virtio-iommu.ts'
import type { DmaSource } from './dma-source.ts'
import { type DmaUnit, FlushStalled, PAGE_BYTES, type Rights, type UnitKind, type UnitOptions } from './unit.ts'

interface Mapped {
  readonly frame: Gpa
  readonly rights: Rights
}

const FLAGS: Readonly<Record<Rights, number>> = {
  read: MAP_FLAG.READ,
  write: MAP_FLAG.WRITE,
  both: MAP_FLAG.READ | MAP_FLAG.WRITE,
}

class VirtioDmaUnit implements DmaUnit {
  readonly #driver: VirtioIommuDriver
  readonly #options: UnitOptions
  #configured = false
  #firstDomain = 0
  /** By domain: what it maps, and who is in it. */
  #maps: Map<number, Mapped>[] = []
  #members: Set<string>[] = []

  constructor(options: UnitOptions) {
    this.#options = options
    this.#driver = new VirtioIommuDriver(options.target, options.device, options.arena)
  }

  start(): void {
    const { domains, sources } = this.#options
    this.#driver.configure()
    this.#driver.start()
    if (!this.#configured) {
      const { pageBytes, domainFirst } = this.#driver.config()
      if (pageBytes > PAGE_BYTES)
        throw new ModelError(`expected a unit that maps pages of ${PAGE_BYTES} bytes, found ${pageBytes} at least`)
      // 0 may mean something special to a device.
      this.#firstDomain = Math.max(domainFirst, 1)
      this.#configured = true
    }
    this.#driver.setBypass(0)
    this.#members = Array.from({ length: domains }, () => new Set())
    this.#maps = Array.from({ length: domains }, () => {
      const windows = sources.flatMap(({ window }) => window ?? [])
      const map = new Map<number, Mapped>()
      for (const { start, bytes } of windows)
        for (let at = start; at < start + bytes; at += PAGE_BYTES) map.set(at, { frame: at, rights: 'both' })
      return map
    })
  }

  attach(source: DmaSource, domain: number): void {
    // A device that is in another domain leaves it by that.
    this.#ask(attachRequest(this.#id(domain), source.requester))
    for (const each of this.#members) each.delete(source.id)
    const members = this.#members[domain]!
    if (members.size === 0) for (const [iova, mapped] of this.#maps[domain]!) this.#send(domain, iova, mapped)
    members.add(source.id)
  }
  detach(source: DmaSource): void {
    const domain = this.#members.findIndex((members) => members.has(source.id))
    if (domain < 0) return
    this.#ask(detachRequest(this.#id(domain), source.requester))
    this.#members[domain]!.delete(source.id)
  }

  map(domain: number, iova: number, frame: Gpa, rights: Rights): void {
    const mapped = { frame, rights }
    this.#maps[domain]!.set(iova, mapped)
    if (this.#members[domain]!.size > 0) this.#send(domain, iova, mapped)
  }
  unmap(domain: number, iova: number, pages: number): void {
    for (let page = 0; page < pages; page++) this.#maps[domain]!.delete(iova + page * PAGE_BYTES)
    if (this.#members[domain]!.size === 0) return
    this.#ask(unmapRequest(this.#id(domain), iova, iova + pages * PAGE_BYTES - 1))
  }
  protect(domain: number, iova: number, rights: Rights): void {
    const { frame } = this.#maps[domain]!.get(iova)!
    this.unmap(domain, iova, 1)
    this.map(domain, iova, frame, rights)
  }

  flushPages(): void {}
  flushDomain(): void {}
  flushAll(): void {}
  flushDevice(): void {}

  notes(): readonly unknown[] {
    return [this.#maps, this.#members, this.#driver.notes()]
  }
  move(target: Target): void {
    this.#driver.move(target)
  }

  #id(domain: number): number {
    return this.#firstDomain + domain
  }
  #send(domain: number, iova: number, { frame, rights }: Mapped): void {
    this.#ask(mapRequest(this.#id(domain), iova, iova + PAGE_BYTES - 1, frame, FLAGS[rights]))
  }
  /** What is asked for here is in order, so that a refusal is an answer that the accesses after it will show. */
  #ask(request: Uint8Array): void {
    if (this.#driver.request(request) === undefined) throw new FlushStalled()
  }
}

export const virtioUnit: UnitKind = {
  kind: 'virtio-iommu',
  arenaBytes: VIRTIO_IOMMU_BYTES,
  open: (options) => new VirtioDmaUnit(options),
}
