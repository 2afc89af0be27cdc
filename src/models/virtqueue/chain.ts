/** Descriptor chains as bytes: well-formed ones, and each way to spoil them. Nothing here validates. */
import type { Gpa } from '../../contract/target.ts'
import { DESC, DESC_FLAG } from '../../layout/split-ring.ts'
import { setWide, type Wide } from '../guest/access.ts'
import type { MemoryMap } from './memory-map.ts'

export interface Segment {
  /** A number, unless it is one that only a hostile driver writes. */
  readonly gpa: Wide
  readonly bytes: number
  readonly write: boolean
}

/** A descriptor as the driver writes it. */
export interface Descriptor {
  readonly address: Wide
  readonly length: number
  readonly flags: number
  readonly next: number
}

export interface ChainText {
  /** Table index and contents of each direct descriptor. */
  readonly direct: readonly (readonly [index: number, descriptor: Descriptor])[]
  /** The indirect table, if there is one. */
  readonly table: { readonly gpa: Gpa; readonly entries: readonly Descriptor[] } | undefined
  /** What goes into the available ring. */
  readonly head: number
}

export const encodeDescriptor = (view: DataView, at: number, { address, length, flags, next }: Descriptor): void => {
  setWide(view, at + DESC.address, address)
  view.setUint32(at + DESC.length, length, true)
  view.setUint16(at + DESC.flags, flags, true)
  view.setUint16(at + DESC.next, next, true)
}

/** Changes the last writable segment: that is where a device would write. */
const spoilSegment = (segments: readonly Segment[], change: (segment: Segment) => Partial<Segment>): Segment[] => {
  const at = segments.findLastIndex((segment) => segment.write)
  return segments.map((segment, i) => (i === at ? { ...segment, ...change(segment) } : segment))
}

/** The segments of a chain with a defect that lies in addresses, lengths or directions. */
export const spoilSegments = (
  segments: readonly Segment[],
  defect: string,
  map: MemoryMap,
  rings: { readonly used: Gpa },
): readonly Segment[] => {
  switch (defect) {
    case 'addressWraps':
      return spoilSegment(segments, ({ bytes }) => ({ gpa: (1n << 64n) - 8n, bytes: Math.max(bytes, 64) }))
    case 'nowhere':
      return spoilSegment(segments, () => ({ gpa: map.hole }))
    case 'overRegions':
      return spoilSegment(segments, ({ bytes }) => ({ gpa: map.edge - 16, bytes: Math.max(bytes, 64) }))
    case 'onDevice':
      return spoilSegment(segments, () => ({ gpa: map.register }))
    case 'overRings':
      return spoilSegment(segments, () => ({ gpa: rings.used }))
    case 'zeroLength':
      return segments.map((segment, i) => (i === 0 ? { ...segment, bytes: 0 } : segment))
    case 'tooShort':
      return segments.map((segment) => (segment.write ? segment : { ...segment, bytes: Math.min(segment.bytes, 2) }))
    case 'readableAfterWritable':
      return [...segments.filter((segment) => segment.write), ...segments.filter((segment) => !segment.write)]
    default:
      return segments
  }
}

const flagsOf = (segment: Segment, last: boolean): number =>
  (segment.write ? DESC_FLAG.WRITE : 0) | (last ? 0 : DESC_FLAG.NEXT)

const linked = (
  segments: readonly Segment[],
  indexes: readonly number[],
  defect: string,
  size: number,
): Descriptor[] => {
  const list = segments.map((segment, i): Descriptor => {
    const last = i === segments.length - 1
    return {
      address: segment.gpa,
      length: segment.bytes,
      flags: flagsOf(segment, last),
      next: last ? 0 : indexes[i + 1]!,
    }
  })
  const last = list.length - 1
  // A loop of one, so that nothing but its length is wrong with the chain.
  if (defect === 'loop')
    list[last] = { ...list[last]!, flags: list[last]!.flags | DESC_FLAG.NEXT, next: indexes[last]! }
  if (defect === 'nextOutOfRange') list[0] = { ...list[0]!, flags: list[0]!.flags | DESC_FLAG.NEXT, next: size + 5 }
  return list
}

const INDIRECT_DEFECTS: ReadonlySet<string> = new Set([
  'indirectEmpty',
  'indirectOdd',
  'indirectNested',
  'indirectWithNext',
])

/**
 * The descriptors of a chain. `indexes` are the table descriptors it may take, the head first; `tableAt` is where its
 * indirect table goes.
 */
export const chainText = (
  segments: readonly Segment[],
  kind: 'direct' | 'indirect' | 'mixed' | 'marked',
  defect: string,
  indexes: readonly number[],
  tableAt: Gpa,
  size: number,
): ChainText => {
  const head = defect === 'headOutOfRange' ? size + 3 : indexes[0]!
  const via = INDIRECT_DEFECTS.has(defect) && kind === 'direct' ? 'indirect' : kind
  if (via === 'direct') {
    const list = linked(segments, indexes, defect, size)
    return { direct: list.map((descriptor, i) => [indexes[i]!, descriptor] as const), table: undefined, head }
  }
  const before = via === 'mixed' ? segments.slice(0, 1) : []
  const inside = segments.slice(before.length)
  let entries = linked(
    inside,
    inside.map((_, i) => i),
    defect,
    size,
  )
  if (defect === 'indirectNested')
    entries = entries.map((entry, i) =>
      i === 0 ? { ...entry, address: tableAt, length: DESC.bytes, flags: DESC_FLAG.INDIRECT } : entry,
    )
  const bytes = defect === 'indirectEmpty' ? 0 : entries.length * DESC.bytes + (defect === 'indirectOdd' ? 8 : 0)
  const pointer: Descriptor = {
    address: tableAt,
    length: bytes,
    flags:
      DESC_FLAG.INDIRECT |
      (defect === 'indirectWithNext' ? DESC_FLAG.NEXT : 0) |
      (via === 'marked' ? DESC_FLAG.WRITE : 0),
    next: defect === 'indirectWithNext' ? indexes[0]! : 0,
  }
  const direct: (readonly [number, Descriptor])[] = before.map((segment, i) => [
    indexes[i]!,
    { address: segment.gpa, length: segment.bytes, flags: flagsOf(segment, false), next: indexes[i + 1]! },
  ])
  return { direct: [...direct, [indexes[before.length]!, pointer]], table: { gpa: tableAt, entries }, head }
}
