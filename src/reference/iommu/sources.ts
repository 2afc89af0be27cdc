/**
 * Bare sources of DMA: they do nothing but what `dma` tells them to do, each under its own requester id. One with a device TLB
 * asks the unit for translations, keeps them, and sends what it translated itself, until it is told to forget.
 */
import type { DmaAccess, DmaOutcome, RequesterId } from '../../contract/index.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { decode } from '../plain.ts'
import { type Downstream, type Grant, type Iommu, isTaken, movePieces, type Piece, requestOf } from './iommu.ts'
import { overlap, remember } from './pages.ts'

/** A source by its place on the bus, and what is special about it. */
export interface Source {
  readonly id: string
  readonly requester: RequesterId
  /** Its accesses are translated at once, and move when it is stepped or drained: DMA in flight. */
  readonly delayed?: boolean
  /** It has a device TLB. */
  readonly ats?: boolean
  /** The unit knows the process address spaces that it names. */
  readonly pasid?: boolean
}

interface Flight {
  readonly requester: RequesterId
  readonly pieces: readonly Piece[]
  readonly access: DmaAccess
}

/** An entry of a device TLB. */
interface Granted {
  readonly requester: RequesterId
  /** -1: of requests that name none. */
  readonly pasid: number
  readonly grant: Grant
}

/** The kind of a source in a description: a PCI function without registers. */
export const DMA_SOURCE = 'dma-source'

const PAGE_BYTES = 4096
const GRANTED_MAX = 16

export class DmaSources implements BoardPart, Downstream {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #iommu: Iommu
  readonly #sources: readonly Source[]
  #inFlight: Flight[] = []
  #granted: Granted[] = []

  constructor(services: BoardServices, iommu: Iommu, sources: readonly Source[]) {
    this.#services = services
    this.#iommu = iommu
    this.#sources = sources
    this.describes = sources.map(({ id, requester, delayed = false, ats = false, pasid = false }) => ({
      id,
      kind: DMA_SOURCE,
      transport: {
        kind: 'pci',
        bus: requester >> 8,
        device: (requester >> 3) & 31,
        function: requester & 7,
      },
      facts: { delayed, ats, pasid, claims: true },
    }))
  }

  dma(requester: RequesterId, access: DmaAccess): DmaOutcome | undefined {
    const source = this.#sources.find((one) => one.requester === requester)
    if (source === undefined) return undefined
    const request = requestOf(requester, access)
    if (isTaken(source.id, this.#iommu, request, access)) return { moved: access.bytes }
    const own = source.ats === true && access.translated !== true
    const pieces = own ? this.#translated(requester, access) : this.#iommu.translate(request)
    if (source.delayed !== true) return movePieces(this.#services.memory, source.id, pieces, access)
    this.#inFlight.push({ requester, pieces, access })
    return {}
  }

  /** The pieces of an access by the device TLB, page by page, up to the first that is refused. */
  #translated(requester: RequesterId, access: DmaAccess): readonly Piece[] {
    const pieces: Piece[] = []
    for (let moved = 0; moved < access.bytes; ) {
      const iova = access.iova + BigInt(moved)
      const bytes = Math.min(access.bytes - moved, PAGE_BYTES - Number(iova % BigInt(PAGE_BYTES)))
      const part = requestOf(requester, { ...access, iova, bytes })
      const grant = this.#grant(requester, part.access, iova, access.pasid)
      if (grant !== undefined && !grant[part.access]) break
      const found = this.#iommu.translate(
        grant === undefined ? part : { ...part, iova: behind(grant, iova), translated: true },
      )
      pieces.push(...found)
      if (found.reduce((sum, piece) => sum + piece.bytes, 0) < bytes) break
      moved += bytes
    }
    return pieces
  }

  /** What is known of the page of an IOVA, or what the unit says of it now. */
  #grant(requester: RequesterId, access: 'read' | 'write', iova: bigint, pasid?: number): Grant | undefined {
    const page = Number(iova / BigInt(PAGE_BYTES))
    const space = pasid ?? -1
    const isOf = (each: Granted): boolean =>
      each.requester === requester && each.pasid === space && overlap(each.grant, { page, pages: 1 })
    const known = this.#granted.find(isOf)?.grant
    if (known?.[access]) return known
    const asked = this.#iommu.grant?.(
      requestOf(requester, { access, iova, bytes: 1, ...(pasid === undefined ? {} : { pasid }) }),
    )
    if (asked?.[access]) {
      this.#granted = this.#granted.filter((each) => !isOf(each))
      const { pages, host, read, write } = asked
      remember(
        this.#granted,
        { requester, pasid: space, grant: { page: asked.page, pages, host, read, write } },
        GRANTED_MAX,
      )
    }
    return asked
  }

  forget(requester: RequesterId, page: number, pages: number): void {
    this.#arrive((flight) => flight.requester === requester)
    this.#granted = this.#granted.filter(
      (each) => each.requester !== requester || !overlap(each.grant, { page, pages }),
    )
  }

  drain(): void {
    this.#arrive(() => true)
  }

  #arrive(isMeant: (flight: Flight) => boolean): void {
    const now = this.#inFlight.filter(isMeant)
    this.#inFlight = this.#inFlight.filter((flight) => !isMeant(flight))
    for (const flight of now) this.#land(flight)
  }

  /** The oldest access in flight arrives, of `device` if it is named. */
  step(device?: string): boolean {
    const requester = this.#sources.find(({ id }) => id === device)?.requester
    const at = this.#inFlight.findIndex((flight) => device === undefined || flight.requester === requester)
    if (at < 0) return false
    const [flight] = this.#inFlight.splice(at, 1)
    this.#land(flight!)
    return true
  }

  #land({ requester, pieces, access }: Flight): void {
    const { id } = this.#sources.find((one) => one.requester === requester)!
    movePieces(this.#services.memory, id, pieces, access)
  }

  reset(): void {
    this.#inFlight = []
    this.#granted = []
  }
  save(): unknown {
    return {
      inFlight: this.#inFlight.map(({ requester, pieces, access: { iova, data, ...rest } }) => ({
        requester,
        pieces,
        access: { ...rest, iova: `0x${iova.toString(16)}`, ...(data === undefined ? {} : { data }) },
      })),
      granted: this.#granted,
    }
  }
  restore(state: unknown): void {
    const { inFlight, granted } = decode(state) as {
      inFlight: (Flight & { access: { iova: string } })[]
      granted: readonly Granted[]
    }
    this.#inFlight = inFlight.map((flight) => ({
      ...flight,
      access: { ...flight.access, iova: BigInt(flight.access.iova) },
    }))
    this.#granted = [...granted]
  }
}

/** The address in memory of an IOVA that a grant holds. */
const behind = ({ page, host }: Grant, iova: bigint): bigint => iova + BigInt(host - page) * BigInt(PAGE_BYTES)
