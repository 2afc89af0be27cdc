/**
 * What the memory of the queue models should hold. For targets that do not show single accesses: a write to where a
 * device must not write shows as a difference. What it only reads is not seen, nor a write outside these pages.
 */
import type { Gpa, Target } from '../../contract/target.ts'
import { type MemoryMap, SLOT_BYTES, SLOTS } from './memory-map.ts'

/** Is told what is at an address and should not be. */
type Told = (gpa: Gpa, data: Uint8Array) => void

interface Page {
  readonly start: Gpa
  readonly bytes: Buffer
  /** It has been written in this run, so that it is looked at. */
  inUse: boolean
}

const PAGE_BYTES = 4096
/** Slots before the latest one that are looked at each time: twice as many as there can be chains. */
const RECENT = 16

export class Shadow {
  target: Target
  /** In the order of their addresses: those of the slots follow each other without a gap. */
  private readonly pages: readonly Page[]
  private readonly slots: Gpa
  /** What the pages of the slots should hold, so that pages in a row are compared at once. */
  private readonly slotBytes = Buffer.alloc(SLOTS * SLOT_BYTES)
  /** The slot that was written last: they are taken in turn. */
  private latest = 0
  private turn = 0

  constructor(target: Target, map: MemoryMap) {
    this.target = target
    this.slots = map.slots
    const page = (start: Gpa, bytes: Buffer): Page => ({ start, bytes, inUse: false })
    this.pages = [
      ...Array.from({ length: SLOTS }, (_, slot) =>
        page(map.slots + slot * SLOT_BYTES, this.slotBytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)),
      ),
      ...map.rings.map(({ start, end }) => page(start, Buffer.alloc(end - start))),
      page(map.edge - PAGE_BYTES, Buffer.alloc(PAGE_BYTES)),
    ]
  }

  /** A new run: only what it writes is looked at. */
  restart(): void {
    for (const page of this.pages) page.inUse = false
  }

  /** What the driver writes. The first time in a run its whole page is put in order with it. */
  store(gpa: Gpa, data: Uint8Array): void {
    const page = this.pageOf(gpa)
    if (page !== undefined) put(page, gpa, data)
    if (page === undefined || page.inUse) {
      this.target.store(gpa, data)
      return
    }
    page.inUse = true
    this.target.store(page.start, new Uint8Array(page.bytes))
    if (gpa + data.length > page.start + page.bytes.length) this.target.store(gpa, data)
  }

  /** These bytes are right: a device that may wrote them. */
  note(gpa: Gpa, data: Uint8Array): void {
    const page = this.pageOf(gpa)
    if (page !== undefined) put(page, gpa, data)
  }

  /** Tells each run of bytes that are not what they should be, once. Of pages that are long out of use, one a time. */
  compare(told: Told): void {
    this.turn = (this.turn + 1) % SLOTS
    // Slots in a row are read together: a look at memory costs about the same for one page and for several.
    for (let slot = 0; slot < SLOTS; slot++) {
      const first = slot
      while (slot < SLOTS && this.isDue(slot)) slot++
      if (slot > first) this.compareSlots(first, slot, told)
    }
    for (let i = SLOTS; i < this.pages.length; i++) {
      const page = this.pages[i]!
      if (page.inUse) comparePage(page, this.target.load(page.start, page.bytes.length), told)
    }
  }

  private isDue(slot: number): boolean {
    return this.pages[slot]!.inUse && (slot === this.turn || (this.latest + SLOTS - slot) % SLOTS < RECENT)
  }

  private compareSlots(first: number, end: number, told: Told): void {
    const now = this.target.load(this.pages[first]!.start, (end - first) * SLOT_BYTES)
    if (this.slotBytes.subarray(first * SLOT_BYTES, end * SLOT_BYTES).equals(now)) return
    for (let slot = first; slot < end; slot++) {
      const at = (slot - first) * SLOT_BYTES
      comparePage(this.pages[slot]!, now.subarray(at, at + SLOT_BYTES), told)
    }
  }

  private pageOf(gpa: Gpa): Page | undefined {
    const slot = Math.floor((gpa - this.slots) / SLOT_BYTES)
    if (slot >= 0 && slot < SLOTS) {
      this.latest = slot
      return this.pages[slot]
    }
    for (let i = SLOTS; i < this.pages.length; i++) {
      const page = this.pages[i]!
      if (gpa >= page.start && gpa < page.start + page.bytes.length) return page
    }
    return undefined
  }
}

/** As much of `data` as is within the page. */
const put = ({ start, bytes }: Page, gpa: Gpa, data: Uint8Array): void => {
  const room = start + bytes.length - gpa
  bytes.set(data.length > room ? data.subarray(0, room) : data, gpa - start)
}

const comparePage = ({ start, bytes }: Page, now: Uint8Array, told: Told): void => {
  if (bytes.equals(now)) return
  for (let at = 0; at < now.length; at++) {
    if (now[at] === bytes[at]) continue
    let end = at + 1
    while (end < now.length && now[end] !== bytes[end]) end++
    const data = now.subarray(at, end)
    bytes.set(data, at)
    told(start + at, data)
    at = end
  }
}
