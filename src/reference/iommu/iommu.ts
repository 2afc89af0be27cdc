/**
 * The seam between what translates and what is translated: units implement `Iommu`; devices ask it where their accesses go
 * and move them by `movePieces`.
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

const sizeOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { bytes }) => sum + bytes, 0)

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
