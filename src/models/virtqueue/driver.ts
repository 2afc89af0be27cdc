/**
 * A raw split-ring driver: writes descriptors, rings and indexes as it is told, and remembers what it granted. It never
 * validates; what it may do is the machine's business.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { ALIGN, AVAIL_NO_INTERRUPT, avail, DESC } from '../../layout/split-ring.ts'
import type { Wide } from '../guest/access.ts'
import { type ChainText, chainText, type Descriptor, encodeDescriptor, type Segment, spoilSegments } from './chain.ts'
import { type MemoryMap, type RingArea, SLOT_BYTES, SLOTS } from './memory-map.ts'
import { cut, type Request } from './requests.ts'
import type { Shadow } from './shadow.ts'

/** What a fresh writable buffer holds, so that what the device wrote shows. No pattern of the suite uses it. */
export const UNWRITTEN = 0xa7

/** A chain that the driver built, by logical head. */
export interface BuiltChain {
  readonly logical: number
  /** Index of its first table descriptor: what the device returns. */
  readonly physical: number
  readonly indexes: readonly number[]
  readonly slot: number
  readonly segments: readonly Segment[]
  readonly text: ChainText
  readonly request: Request
  /** Built without a defect. */
  readonly sound: boolean
  at: 'added' | 'available' | 'returned'
  /** Its position in the available ring, free-running, once it is available. */
  position: number
  /** The device may have noticed that it is available. */
  offered: boolean
  popped: boolean
  /** No other outstanding chain shares its descriptors. */
  readonly exclusive: boolean
  /** What the device was seen reading of each table descriptor: a bit for every two bytes. */
  readonly fetched: Uint8Array
  /** Bytes that the device was seen writing into the writable segments. */
  filled: number
  /** Its slot as it was when the chain came back, where that was looked at. */
  image: Uint8Array | undefined
}

/** `[start, end)`. Beyond 2^53, where only hostile descriptors point, the bounds are rounded; no access comes near. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** A segment of a slot begins at a multiple of these bytes; the indirect table is at the end. */
const SEGMENT_STRIDE = 0x280
const WRITABLE_OFFSET = 3 * SEGMENT_STRIDE
const TABLE_OFFSET = 0xf00
/** Ranges of earlier lives that are remembered. */
const FORMER_MAX = 256

export class SplitDriver {
  target: Target
  readonly map: MemoryMap
  /** Rings in use; undefined while the queue is down. */
  rings: RingArea | undefined
  /** Outstanding and returned chains, by logical head. */
  readonly chains: (BuiltChain | undefined)[]
  readonly byPhysical: (BuiltChain | undefined)[]
  /** Every range that was named in a descriptor since the last reset: what the device was given, if foolishly. */
  named: Range[] = []
  /** The same of earlier lives: granted once, and no more. */
  former: Range[] = []
  /** What the device would return for chains that were outstanding when their queue was reset. */
  readonly formerHeads = new Set<number>()
  availIdx = 0
  /** IN_ORDER was negotiated: descriptors are taken in the order of the table. */
  inOrder = false
  private nextDescriptor = 0
  private pending: number[] = []
  private readonly size: number
  private nextSlot = 0
  private nextRings = 0
  private edgeTaken: BuiltChain | undefined
  private readonly shadow: Shadow | undefined
  /** Descriptors on their way into memory, and no note of a run: to make room for them each time costs too much. */
  #text = new DataView(new ArrayBuffer(8 * DESC.bytes))
  /** The device looks at its queue while it is kicked, and at no other time. */
  private readonly worksInKicks: boolean

  /** `shadow` is told whatever is written. */
  constructor(target: Target, map: MemoryMap, shadow?: Shadow, worksInKicks = false) {
    this.target = target
    this.shadow = shadow
    this.worksInKicks = worksInKicks
    this.map = map
    this.size = map.size
    this.chains = new Array<BuiltChain | undefined>(map.size).fill(undefined)
    this.byPhysical = new Array<BuiltChain | undefined>(map.size).fill(undefined)
  }

  /** Fresh, zeroed rings at other addresses than the last ones. */
  layOutRings(): RingArea {
    const rings = this.map.rings[this.nextRings]!
    this.nextRings = 1 - this.nextRings
    this.put(rings.start, new Uint8Array(rings.end - rings.start))
    this.rings = rings
    this.availIdx = this.nextDescriptor = 0
    return rings
  }

  /** No chain is outstanding any more, and the rings are no longer the device's. */
  forget(): void {
    for (const chain of this.chains) if (chain?.at === 'available') this.formerHeads.add(chain.physical)
    this.chains.fill(undefined)
    this.byPhysical.fill(undefined)
    this.pending = []
    this.edgeTaken = undefined
    this.former.push(...this.named)
    if (this.rings !== undefined) this.former.push(rangeOf(this.rings))
    if (this.former.length > FORMER_MAX) this.former = this.former.slice(-FORMER_MAX)
    this.named = []
    this.rings = undefined
  }

  /** Gives an area to the device, zeroed. */
  grant(area: RingArea): void {
    this.named.push(rangeOf(area))
    this.put(area.start, new Uint8Array(area.end - area.start))
  }

  add(
    logical: number,
    request: Request,
    how: {
      readable: number
      writable: number
      via: 'direct' | 'indirect' | 'mixed' | 'marked'
      place: number
      defect: string
    },
  ): void {
    const slot = this.takeSlot()
    const segments = spoilSegments(this.segments(slot, request, how), how.defect, this.map, this.rings!)
    const indexes = this.takeDescriptors(logical, how.via === 'direct' ? segments.length : how.via === 'mixed' ? 2 : 1)
    const text = chainText(segments, how.via, how.defect, indexes, this.slotAt(slot) + TABLE_OFFSET, this.size)
    const chain: BuiltChain = {
      logical,
      physical: indexes[0]!,
      indexes,
      slot,
      segments,
      text,
      request,
      sound: how.defect === 'none',
      at: 'added',
      position: 0,
      offered: false,
      popped: false,
      exclusive: indexes.every((index) => this.byPhysical[index] === undefined),
      fetched: new Uint8Array(this.size),
      filled: 0,
      image: undefined,
    }
    if (how.place === 1 && this.edgeTaken === undefined) this.edgeTaken = chain
    this.chains[logical] = chain
    for (const index of indexes) this.byPhysical[index] = chain
    this.writeBuffers(chain)
    this.writeDescriptors(chain)
    const at = (this.availIdx + this.pending.length) % this.size
    this.store16(this.rings!.avail + avail.ring(at), text.head)
    this.pending.push(logical)
  }

  publish(): void {
    this.pending.forEach((logical, i) => {
      const chain = this.chains[logical]
      if (chain === undefined) return
      chain.at = 'available'
      chain.position = (this.availIdx + i) & 0xffff
      chain.offered = !this.worksInKicks
    })
    this.setAvailIdx(this.availIdx + this.pending.length)
    this.pending = []
  }

  /** The device is about to be kicked. */
  offer(): void {
    for (const chain of this.chains) if (chain?.at === 'available') chain.offered = true
  }

  /**
   * Fills the whole available ring with the first `chains` added ones, over and over, from the next position on;
   * nothing is published by that.
   */
  repeat(chains: number): void {
    this.pending = []
    for (let i = 0; i < this.size; i++)
      this.store16(this.rings!.avail + avail.ring((this.availIdx + i) % this.size), this.chains[i % chains]!.physical)
  }

  /** What comes next takes the descriptors that follow those of `chain`. */
  goOnAfter(chain: BuiltChain): void {
    this.nextDescriptor = (chain.indexes.at(-1)! + 1) % this.size
  }

  setAvailIdx(value: number): void {
    this.availIdx = value & 0xffff
    this.store16(this.rings!.avail + avail.idx, this.availIdx)
  }
  setNoInterrupt(on: boolean): void {
    this.store16(this.rings!.avail + avail.flags, on ? AVAIL_NO_INTERRUPT : 0)
  }
  setUsedEvent(position: number): void {
    this.store16(this.rings!.avail + avail.usedEvent(this.size), position)
  }

  /** The chain is the driver's again. */
  release(logical: number): void {
    const chain = this.chains[logical]
    if (chain === undefined) return
    for (const index of chain.indexes) this.byPhysical[index] = undefined
    if (this.edgeTaken === chain) this.edgeTaken = undefined
    this.chains[logical] = undefined
  }

  /** Changes one field of the first or the last direct descriptor of an exposed chain. */
  scribble(logical: number, field: string, which: string): void {
    const chain = this.chains[logical]
    if (chain === undefined || this.rings === undefined) return
    const [index, descriptor] = chain.text.direct.at(which === 'first' ? 0 : -1)!
    const changed = {
      length: { ...descriptor, length: 0x0100_0000 },
      address: { ...descriptor, address: this.map.hole },
      next: { ...descriptor, flags: descriptor.flags | 1, next: this.size + 1 },
      flags: { ...descriptor, flags: descriptor.flags ^ 2 },
    }[field]
    if (changed === undefined) return
    this.name(changed.address, changed.length)
    this.storeDescriptors(this.rings.desc + DESC.bytes * index, [changed])
  }

  /** With IN_ORDER: the chains that are outstanding and were made available before `chain`, oldest first. */
  before(chain: BuiltChain): BuiltChain[] {
    const age = (each: BuiltChain): number => (this.availIdx - each.position) & 0xffff
    return this.chains
      .filter((each): each is BuiltChain => each?.at === 'available' && age(each) > age(chain))
      .sort((a, b) => age(b) - age(a))
  }

  /** A chain is available that did not come back. */
  get isWaiting(): boolean {
    for (const chain of this.chains) if (chain?.at === 'available') return true
    return false
  }

  /** The same of a chain that the device may be at work on. */
  get isServed(): boolean {
    for (const chain of this.chains) if (chain?.at === 'available' && chain.offered) return true
    return false
  }

  /** A well-built chain is available whose direct descriptors end in an indirect one. */
  get offersMixed(): boolean {
    return this.chains.some(
      (chain) =>
        chain?.at === 'available' &&
        chain.sound &&
        chain.text.table !== undefined &&
        chain.text.direct.length > 1 &&
        chain.segments.length < this.size,
    )
  }

  /** Everything that the device may write of a chain, as it is in memory. */
  writableBytes(chain: BuiltChain): Uint8Array {
    const writable = chain.segments.filter((segment) => segment.write && this.isOurs(segment))
    if (writable.length === 1) return this.loadSegment(chain, writable[0]!)
    const parts = writable.map((segment) => this.loadSegment(chain, segment))
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  }

  /** Looks at the whole slot of a chain: one look instead of one for each of its segments. */
  lookAt(chain: BuiltChain): void {
    chain.image = this.shadow?.imageOf(chain.slot) ?? this.target.load(this.slotAt(chain.slot), SLOT_BYTES)
  }

  slotAt(slot: number): Gpa {
    return this.map.slots + slot * SLOT_BYTES
  }

  /** A segment as it was when its chain was looked at, else as it is now. */
  loadSegment(chain: BuiltChain, segment: Segment): Uint8Array {
    const at = Number(segment.gpa) - this.slotAt(chain.slot)
    if (chain.image !== undefined && at >= 0 && at + segment.bytes <= SLOT_BYTES)
      return chain.image.subarray(at, at + segment.bytes)
    const edge = chain.image && Number(segment.gpa) + segment.bytes === this.map.edge && this.shadow?.edgeImage()
    if (edge && segment.bytes <= edge.length) return edge.subarray(edge.length - segment.bytes)
    return this.target.load(Number(segment.gpa), segment.bytes)
  }

  private segments(
    slot: number,
    request: Request,
    how: { readable: number; writable: number; place: number; defect: string },
  ): Segment[] {
    const base = this.slotAt(slot)
    const readable = cut(request.readable.length, how.readable, request.readableCuts) ?? [request.readable.length]
    const writable = cut(request.writableBytes, how.writable, request.writableCuts) ?? [request.writableBytes]
    const segments: Segment[] = []
    layOut(segments, base, readable, false)
    layOut(segments, base + WRITABLE_OFFSET, writable, true)
    if (how.place === 1 && this.edgeTaken === undefined) {
      const last = segments.length - 1
      segments[last] = { ...segments[last]!, gpa: this.map.edge - segments[last]!.bytes }
    }
    return segments
  }

  private writeBuffers(chain: BuiltChain): void {
    const { readable } = chain.request
    let at = 0
    for (const segment of chain.segments) {
      this.name(segment.gpa, segment.bytes)
      if (!this.isOurs(segment)) continue
      if (segment.write) this.put(Number(segment.gpa), unwritten(segment.bytes))
      else {
        this.put(Number(segment.gpa), readable.subarray(at, at + segment.bytes))
        at += segment.bytes
      }
    }
  }

  /** The segment is a buffer of ours, and not something hostile. */
  isOurs({ gpa, bytes }: Segment): boolean {
    const start = Number(gpa)
    const { slots, edge } = this.map
    return (start >= slots && start + bytes <= slots + SLOTS * SLOT_BYTES) || start + bytes === edge
  }

  private writeDescriptors(chain: BuiltChain): void {
    const { direct, table } = chain.text
    // What lies side by side is written at once.
    for (let i = 0; i < direct.length; ) {
      const first = direct[i]![0]
      const run: Descriptor[] = []
      while (i < direct.length && direct[i]![0] === first + run.length) run.push(direct[i++]![1])
      this.storeDescriptors(this.rings!.desc + DESC.bytes * first, run)
    }
    if (table === undefined) return
    this.name(table.gpa, table.entries.length * DESC.bytes + ALIGN.descriptors)
    this.storeDescriptors(table.gpa, table.entries)
  }

  private storeDescriptors(gpa: Gpa, descriptors: readonly Descriptor[]): void {
    const length = descriptors.length * DESC.bytes
    if (length > this.#text.byteLength) this.#text = new DataView(new ArrayBuffer(length))
    for (let i = 0; i < descriptors.length; i++) encodeDescriptor(this.#text, i * DESC.bytes, descriptors[i]!)
    this.put(gpa, new Uint8Array(this.#text.buffer, 0, length))
  }

  private name(gpa: Wide, bytes: number): void {
    const start = Number(gpa)
    this.named.push({ start, end: start + bytes })
  }

  /** Table descriptors for a chain; the head is the logical one when that is free, and none has to keep an order. */
  private takeDescriptors(logical: number, count: number): number[] {
    if (this.inOrder) {
      const first = this.nextDescriptor
      this.nextDescriptor = (first + count) % this.size
      return Array.from({ length: count }, (_, i) => (first + i) % this.size)
    }
    const { byPhysical } = this
    const indexes: number[] = byPhysical[logical] === undefined ? [logical] : []
    for (let index = 0; index < this.size && indexes.length < count; index++)
      if (index !== logical && byPhysical[index] === undefined) indexes.push(index)
    // Only a hostile driver runs out: it then uses descriptors of chains that are outstanding.
    for (let index = 0; indexes.length < count; index++) indexes.push(index % this.size)
    return indexes
  }

  /** A slot that no chain has used for long, so that a late access to a returned buffer shows as one. */
  private takeSlot(): number {
    for (;;) {
      const slot = this.nextSlot
      this.nextSlot = (this.nextSlot + 1) % SLOTS
      if (!this.chains.some((chain) => chain?.slot === slot)) return slot
    }
  }

  private store16(gpa: Gpa, value: number): void {
    this.put(gpa, Uint8Array.of(value & 0xff, (value >>> 8) & 0xff))
  }
  private put(gpa: Gpa, data: Uint8Array): void {
    if (this.shadow === undefined) this.target.store(gpa, data)
    else this.shadow.store(gpa, data)
  }
}

const rangeOf = ({ start, end }: RingArea): Range => ({ start, end })

/** Adds segments of these lengths, from an address on. */
const layOut = (segments: Segment[], from: Gpa, lengths: readonly number[], write: boolean): void => {
  let gpa = from
  for (const bytes of lengths) {
    segments.push({ gpa, bytes, write })
    gpa += SEGMENT_STRIDE * Math.ceil(bytes / SEGMENT_STRIDE)
  }
}

const BLANK = new Uint8Array(SLOT_BYTES).fill(UNWRITTEN)

/** What a fresh buffer holds: to be read, not to be kept. */
const unwritten = (bytes: number): Uint8Array =>
  bytes <= BLANK.length ? BLANK.subarray(0, bytes) : new Uint8Array(bytes).fill(UNWRITTEN)
