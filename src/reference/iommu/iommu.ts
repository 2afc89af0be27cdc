/**
 * The seam between what translates and what is translated: units implement `Iommu`, devices reach memory through
 * `memoryBehind` or `moveThrough`.
 */
import type { DmaAccess, DmaOutcome, Gpa, RequesterId } from '../../contract/index.ts'
import type { GuestMemory } from '../memory.ts'

/** What a requester asks of a unit. */
export interface TranslationRequest {
  readonly requester: RequesterId
  readonly access: 'read' | 'write'
  readonly iova: bigint
  /** At least 1. */
  readonly bytes: number
  readonly pasid?: number
  /** The requester claims to have translated the address itself (ATS). */
  readonly translated?: boolean
}

/** Bytes of an access that lie together in memory. Where no memory is, the bus refuses them. */
export interface Piece {
  readonly gpa: Gpa
  readonly bytes: number
}

/** What a device TLB is given for a page of an IOVA: pages that are together in memory. Neither right: nothing is there. */
export interface Grant {
  readonly page: number
  readonly pages: number
  /** The page of memory that the first one is. */
  readonly host: number
  readonly read: boolean
  readonly write: boolean
}

/** A unit that translates, or something that stands in its place. */
export interface Iommu {
  /** Pieces in the order of the access, up to the first byte that is refused; the unit has reported the refusal. */
  translate(request: TranslationRequest): readonly Piece[]
  /** Takes a write of `device` that is an interrupt request and reaches no memory; false: it is none. */
  takeMessage?(device: string, request: TranslationRequest, data: Uint8Array): boolean
  /** Answers a request for a translation of the page of `iova` (ATS); undefined: there are none, the requester goes on without. */
  grant?(request: TranslationRequest): Grant | undefined
}

/** What a unit asks of those that access memory through it. */
export interface Downstream {
  /** What is in flight arrives. */
  drain(): void
  /** A device TLB forgets what it was given for these pages; what it sent by that arrives before. */
  forget(requester: RequesterId, page: number, pages: number): void
}

/** No unit: an address on the bus is a GPA. */
export const untranslated: Iommu = {
  translate: ({ iova, bytes }) => (iova < 2n ** 53n ? [{ gpa: Number(iova), bytes }] : []),
}

const sizeOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { bytes }) => sum + bytes, 0)

/** An access by a requester, shown as events of `device`: moves the first bytes, up to one that is refused. */
export function moveThrough(
  memory: GuestMemory,
  device: string,
  iommu: Iommu,
  requester: RequesterId,
  access: DmaAccess,
): DmaOutcome {
  const request = requestOf(requester, access)
  if (isTaken(device, iommu, request, access)) return { moved: access.bytes }
  return movePieces(memory, device, iommu.translate(request), access)
}

/** What an access asks of a unit. */
export const requestOf = (requester: RequesterId, access: DmaAccess): TranslationRequest => {
  const { access: kind, iova, bytes, pasid, translated } = access
  const asked = { requester, access: kind, iova, bytes }
  const named = pasid === undefined ? asked : { ...asked, pasid }
  return translated ? { ...named, translated } : named
}

/** Is the access an interrupt request, which the unit has taken? */
export const isTaken = (device: string, iommu: Iommu, request: TranslationRequest, { data }: DmaAccess): boolean =>
  data !== undefined && (iommu.takeMessage?.(device, request, data) ?? false)

/** Moves bytes whose place in memory is known. */
export function movePieces(
  memory: GuestMemory,
  device: string,
  pieces: readonly Piece[],
  { access, iova, bytes, data }: DmaAccess,
): DmaOutcome {
  const found = access === 'read' ? new Uint8Array(bytes) : undefined
  let moved = 0
  for (const piece of pieces) {
    if (found !== undefined) {
      const part = memory.read(device, piece.gpa, piece.bytes)
      if (part === undefined) break
      found.set(part, moved)
    } else if (!memory.write(device, piece.gpa, data!.slice(moved, moved + piece.bytes))) break
    moved += piece.bytes
  }
  // What the unit refused is no access to memory, so that memory did not report it.
  if (moved === sizeOf(pieces) && moved < bytes) memory.refuse(device, access, iova + BigInt(moved), bytes - moved)
  return found === undefined ? { moved } : { moved, data: found }
}

/**
 * Memory as one requester sees it. A read or write that is refused in part counts as refused; what it moved before
 * that stays moved.
 */
export function memoryBehind(memory: GuestMemory, iommu: Iommu, requester: RequesterId): GuestMemory {
  return {
    ...memory,
    read(device, iova, bytes) {
      if (bytes === 0) return new Uint8Array(0)
      const { moved, data } = moveThrough(memory, device, iommu, requester, {
        access: 'read',
        iova: BigInt(iova),
        bytes,
      })
      return moved === bytes ? data : undefined
    },
    write(device, iova, data) {
      if (data.length === 0) return true
      const access = { access: 'write', iova: BigInt(iova), bytes: data.length, data } as const
      return moveThrough(memory, device, iommu, requester, access).moved === data.length
    },
  }
}
