/**
 * What the memory of the queue models should hold. For targets that do not show single accesses: a write to where a
 * device must not write shows as a difference. What it only reads is not seen, nor a write outside these pages.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { loadInto } from '../guest/access.ts'
import { type MemoryMap, type RingArea, SLOT_BYTES, SLOTS } from './memory-map.ts'

/** Is told what is at an address and should not be. */
type Told = (gpa: Gpa, data: Uint8Array) => void

interface Page {
  readonly start: Gpa
  /** What it should hold. */
  readonly bytes: Buffer
  /** The same bytes, as targets take them. */
  readonly plain: Uint8Array
  /** What it held when it was looked at last. */
  readonly seen: Buffer
  /** It has been written in this run, so that it is looked at. */
  inUse: boolean
}

const PAGE_BYTES = 4096
/** Slots before the latest one that are looked at each time: twice as many as there can be chains. */
const RECENT = 16

export class Shadow {
  target: Target
  private readonly slots: Gpa
  private readonly slotPages: readonly Page[]
  private readonly ringPages: readonly [Page, Page]
  private readonly edgePage: Page
  /** The bytes of all slots in a row, so that slots in a row are looked at and compared at once. */
  private readonly slotBytes = Buffer.alloc(SLOTS * SLOT_BYTES)
  private readonly slotsSeen = Buffer.alloc(SLOTS * SLOT_BYTES)
  /** The slots that were looked at and not compared yet, by number; none, where nobody looked. */
  private readonly looked = new Uint8Array(SLOTS)
  private hasLooked = false
  /** The slot that was written last: they are taken in turn. */
  private latest = 0
  private turn = 0

  constructor(target: Target, map: MemoryMap) {
    this.target = target
    this.slots = map.slots
    const page = (start: Gpa, bytes: Buffer, seen: Buffer): Page => {
      const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      return { start, bytes, plain, seen, inUse: false }
    }
    const fresh = (start: Gpa, bytes: number): Page => page(start, Buffer.alloc(bytes), Buffer.alloc(bytes))
    const rings = ({ start, end }: RingArea): Page => fresh(start, end - start)
    this.slotPages = Array.from({ length: SLOTS }, (_, slot) => {
      const [from, to] = [slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES]
      return page(map.slots + from, this.slotBytes.subarray(from, to), this.slotsSeen.subarray(from, to))
    })
    this.ringPages = [rings(map.rings[0]), rings(map.rings[1])]
    this.edgePage = fresh(map.edge - PAGE_BYTES, PAGE_BYTES)
  }

  /** A new run: only what it writes is looked at. */
  restart(): void {
    for (const page of this.slotPages) page.inUse = false
    for (const page of this.ringPages) page.inUse = false
    this.edgePage.inUse = false
    this.forgetLooks()
  }

  /** What the driver writes. The first time in a run its whole page is put in order with it. */
  store(gpa: Gpa, data: Uint8Array): void {
    const slot = this.slotOf(gpa)
    if (slot !== undefined) this.latest = slot
    const page = this.pageOf(gpa, slot)
    if (page !== undefined) put(page, gpa, data)
    if (page === undefined || page.inUse) {
      this.target.store(gpa, data)
      return
    }
    page.inUse = true
    this.target.store(page.start, page.plain)
    if (gpa + data.length > page.start + page.bytes.length) this.target.store(gpa, data)
  }

  /** These bytes are right: a device that may wrote them. */
  note(gpa: Gpa, data: Uint8Array): void {
    const page = this.pageOf(gpa, this.slotOf(gpa))
    if (page !== undefined) put(page, gpa, data)
  }

  /** Looks at rings: their bytes, up to the next look. */
  lookAtRings({ start }: RingArea): Uint8Array {
    const page = this.ringPages[0].start === start ? this.ringPages[0] : this.ringPages[1]
    loadInto(this.target, start, page.seen)
    return page.seen
  }

  /** Looks at the slots and the edge that `compare` is about, so that it compares what was seen here. */
  lookAtSlots(): void {
    this.turn = (this.turn + 1) % SLOTS
    this.hasLooked = true
    // Slots in a row are read together: a look at memory costs about the same for one page and for several.
    for (let slot = 0; slot < SLOTS; slot++) {
      const first = slot
      while (slot < SLOTS && this.isDue(slot)) this.looked[slot++] = 1
      if (slot > first)
        loadInto(
          this.target,
          this.slots + first * SLOT_BYTES,
          this.slotsSeen.subarray(first * SLOT_BYTES, slot * SLOT_BYTES),
        )
    }
    if (this.edgePage.inUse) loadInto(this.target, this.edgePage.start, this.edgePage.seen)
  }

  /** A slot as it was seen by the look that `compare` has not come to yet; undefined where that left it out. */
  imageOf(slot: number): Uint8Array | undefined {
    return this.looked[slot] === 1 ? this.slotPages[slot]!.seen : undefined
  }

  /** The same of the last page of memory. */
  edgeImage(): Uint8Array | undefined {
    return this.hasLooked && this.edgePage.inUse ? this.edgePage.seen : undefined
  }

  /**
   * Tells each run of bytes that are not what they should be, once. Of slots that are long out of use, one a time.
   * `rings` were looked at just now.
   */
  compare(told: Told, rings?: RingArea): void {
    if (!this.hasLooked) this.lookAtSlots()
    for (let slot = 0; slot < SLOTS; slot++) {
      const first = slot
      while (slot < SLOTS && this.looked[slot] === 1) slot++
      if (slot > first) this.compareSlots(first, slot, told)
    }
    this.forgetLooks()
    if (this.edgePage.inUse) comparePage(this.edgePage, told)
    for (const page of this.ringPages) {
      if (!page.inUse) continue
      if (page.start !== rings?.start) loadInto(this.target, page.start, page.seen)
      comparePage(page, told)
    }
  }

  private forgetLooks(): void {
    this.looked.fill(0)
    this.hasLooked = false
  }

  private isDue(slot: number): boolean {
    return this.slotPages[slot]!.inUse && (slot === this.turn || (this.latest + SLOTS - slot) % SLOTS < RECENT)
  }

  private compareSlots(first: number, end: number, told: Told): void {
    const [from, to] = [first * SLOT_BYTES, end * SLOT_BYTES]
    if (this.slotBytes.compare(this.slotsSeen, from, to, from, to) === 0) return
    for (let slot = first; slot < end; slot++) comparePage(this.slotPages[slot]!, told)
  }

  private slotOf(gpa: Gpa): number | undefined {
    const slot = Math.floor((gpa - this.slots) / SLOT_BYTES)
    return slot >= 0 && slot < SLOTS ? slot : undefined
  }

  private pageOf(gpa: Gpa, slot: number | undefined): Page | undefined {
    if (slot !== undefined) return this.slotPages[slot]
    for (const page of this.ringPages) if (isWithin(page, gpa)) return page
    return isWithin(this.edgePage, gpa) ? this.edgePage : undefined
  }
}

const isWithin = ({ start, bytes }: Page, gpa: Gpa): boolean => gpa >= start && gpa < start + bytes.length

/** As much of `data` as is within the page. */
const put = ({ start, bytes }: Page, gpa: Gpa, data: Uint8Array): void => {
  const room = start + bytes.length - gpa
  bytes.set(data.length > room ? data.subarray(0, room) : data, gpa - start)
}

const comparePage = ({ start, bytes, seen }: Page, told: Told): void => {
  if (bytes.equals(seen)) return
  for (let at = 0; at < seen.length; at++) {
    if (seen[at] === bytes[at]) continue
    let end = at + 1
    while (end < seen.length && seen[end] !== bytes[end]) end++
    bytes.set(seen.subarray(at, end), at)
    told(start + at, seen.slice(at, end))
    at = end
  }
}
