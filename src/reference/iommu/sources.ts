/** Bare sources of DMA: they do nothing but what `dma` tells them to do, each under its own requester id. */
import type { DmaAccess, DmaOutcome, RequesterId } from '../../contract/index.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { type Iommu, movePieces, moveThrough, type Piece } from './iommu.ts'

/** A source by its place on the bus, and what is special about it. */
export interface Source {
  readonly id: string
  readonly requester: RequesterId
  /** Its accesses are translated at once, and move when it is stepped or drained: DMA in flight. */
  readonly delayed?: boolean
}

interface Flight {
  readonly requester: RequesterId
  readonly pieces: readonly Piece[]
  readonly access: DmaAccess
}

/** The kind of a source in a description: a PCI function without registers. */
export const DMA_SOURCE = 'dma-source'

export class DmaSources implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #iommu: Iommu
  readonly #sources: readonly Source[]
  #inFlight: Flight[] = []

  constructor(services: BoardServices, iommu: Iommu, sources: readonly Source[]) {
    this.#services = services
    this.#iommu = iommu
    this.#sources = sources
    this.describes = sources.map(({ id, requester, delayed = false }) => ({
      id,
      kind: DMA_SOURCE,
      transport: {
        kind: 'pci',
        bus: requester >> 8,
        device: (requester >> 3) & 31,
        function: requester & 7,
      },
      facts: { delayed, claims: true },
    }))
  }

  dma(requester: RequesterId, access: DmaAccess): DmaOutcome | undefined {
    const source = this.#sources.find((one) => one.requester === requester)
    if (source === undefined) return undefined
    const { memory } = this.#services
    if (source.delayed !== true) return moveThrough(memory, source.id, this.#iommu, requester, access)
    const pieces = this.#iommu.translate({ requester, ...access })
    this.#inFlight.push({ requester, pieces, access })
    return {}
  }

  /** What is in flight arrives, of all sources or of those that `isMeant`. */
  drain(isMeant: (requester: RequesterId) => boolean = () => true): void {
    const [now, later] = [
      this.#inFlight.filter((f) => isMeant(f.requester)),
      this.#inFlight.filter((f) => !isMeant(f.requester)),
    ]
    this.#inFlight = later
    for (const flight of now) this.#arrive(flight)
  }

  /** The oldest access in flight arrives. */
  step(): boolean {
    const flight = this.#inFlight.shift()
    if (flight === undefined) return false
    this.#arrive(flight)
    return true
  }

  #arrive({ requester, pieces, access }: Flight): void {
    const { id } = this.#sources.find((one) => one.requester === requester)!
    movePieces(this.#services.memory, id, pieces, access)
  }

  reset(): void {
    this.#inFlight = []
  }
  save(): unknown {
    return this.#inFlight.map(({ requester, pieces, access: { iova, data, ...rest } }) => ({
      requester,
      pieces,
      access: { ...rest, iova: `0x${iova.toString(16)}`, ...(data === undefined ? {} : { data }) },
    }))
  }
  restore(state: unknown): void {
    this.#inFlight = (state as (Flight & { access: { iova: string } })[]).map((flight) => ({
      ...flight,
      access: { ...flight.access, iova: BigInt(flight.access.iova) },
    }))
  }
}
