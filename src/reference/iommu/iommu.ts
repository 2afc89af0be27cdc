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

/** A unit that translates, or something that stands in its place. */
export interface Iommu {
  /** Pieces in the order of the access, up to the first byte that is refused; the unit has reported the refusal. */
  translate(request: TranslationRequest): readonly Piece[]
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
  { access, iova, bytes, data, pasid, translated }: DmaAccess,
): DmaOutcome {
  const asked = { requester, access, iova, bytes }
  const named = pasid === undefined ? asked : { ...asked, pasid }
  return movePieces(memory, device, iommu.translate(translated ? { ...named, translated } : named), {
    access,
    iova,
    bytes,
    ...(data === undefined ? {} : { data }),
  })
}

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
