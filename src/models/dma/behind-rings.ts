/**
 * The rings of a virtio device behind an IOMMU, at IOVAs unlike their frames: a page that the device only reads (descriptors,
 * an indirect table, the available ring, the header of the request), and two that it also writes (status, used ring, which
 * crosses from one into the other, and data of requests of the driver's own).
 */
import type { Gpa } from '../../contract/target.ts'
import { BLK_HEADER, BLK_TYPE, SECTOR_BYTES } from '../../layout/blk.ts'
import { AVAIL_NO_INTERRUPT, avail, DESC, DESC_FLAG, used } from '../../layout/split-ring.ts'
import type { Guest } from '../guest/access.ts'
import type { VirtioTransport } from '../guest/virtio-transport.ts'
import { type DmaUnit, PAGE_BYTES } from './unit.ts'

const RING_PAGES = 3
/** Frames: a spare one for each page of both places, and three neighbours for a device that uses GPAs. */
export const RING_FRAMES = 4 * RING_PAGES + RING_PAGES
const FLAT_FRAME = 4 * RING_PAGES
const QUEUE_SIZE = 8
/** In the pages of the rings, one after the other. */
const AREA = {
  descriptors: 0,
  table: 0x200,
  driver: 0x400,
  header: 0x800,
  status: PAGE_BYTES,
  /** The fourth element crosses into the next page. */
  device: 2 * PAGE_BYTES - 32,
  own: 2 * PAGE_BYTES + 0x800,
} as const
/** Data of a request of the driver's own. */
const OWN_BYTES = 0x800
/** What a status byte holds before the device writes it. */
const NO_STATUS = 0xee
const POISON = 0xdb

export interface RingRequest {
  /** The device writes memory. */
  readonly write: boolean
  readonly sector: number
  readonly address: number
  readonly bytes: number
  readonly indirect: boolean
}

export class BehindRings {
  readonly #guest: Guest
  readonly #frames: Gpa
  /** IOVA of the first page in each place. */
  readonly #places: readonly number[]
  /** By page of the first place, then of the second: the frame that it is in now. */
  readonly #at: number[] = []
  /** -1: GPAs. */
  #place = -1
  #submitted = 0
  #spare: number[] = []

  constructor(guest: Guest, frames: Gpa, places: readonly number[]) {
    this.#guest = guest
    this.#frames = frames
    this.#places = places
  }

  /** Maps both places, and keeps them mapped. */
  start(unit: DmaUnit): void {
    this.#place = -1
    this.#submitted = 0
    // Neighbours by IOVA are none in memory.
    for (let page = 0; page < 2 * RING_PAGES; page++) this.#at[page] = (page * 5 + 3) % (4 * RING_PAGES)
    this.#spare = Array.from({ length: 4 * RING_PAGES }, (_, frame) => frame).filter((f) => !this.#at.includes(f))
    for (let frame = 0; frame < RING_FRAMES; frame++) this.#poison(frame)
    for (let page = 0; page < 2 * RING_PAGES; page++) this.#map(unit, page)
  }

  #map(unit: DmaUnit, page: number): void {
    const iova = this.#places[Math.floor(page / RING_PAGES)]! + (page % RING_PAGES) * PAGE_BYTES
    unit.map(0, iova, this.#gpaOf(this.#at[page]!), page % RING_PAGES === 0 ? 'read' : 'both')
  }

  /** Sets the queue up in a place, by GPAs where it is undefined. */
  setUp(transport: VirtioTransport, place: number | undefined): void {
    // What is left of the rings in other places makes no sense.
    for (let page = 0; page < RING_PAGES; page++) this.#poison(this.#frameOf(page))
    this.#place = place ?? -1
    this.#submitted = 0
    for (let page = 0; page < RING_PAGES; page++)
      this.#guest.target.store(this.#gpaOf(this.#frameOf(page)), new Uint8Array(PAGE_BYTES))
    this.#store16(AREA.driver + avail.flags, AVAIL_NO_INTERRUPT)
    const base = this.base
    transport.setUpQueue(0, QUEUE_SIZE, base + AREA.descriptors, base + AREA.driver, base + AREA.device)
  }

  /** Address of the first page for the device. */
  get base(): number {
    return this.#place < 0 ? this.#gpaOf(FLAT_FRAME) : this.#places[this.#place]!
  }

  /** Where the data of a request of the driver's own are for the device. */
  get ownAddress(): number {
    return this.base + AREA.own
  }
  storeOwn(data: Uint8Array): void {
    this.#guest.target.store(this.#gpa(AREA.own), data.subarray(0, OWN_BYTES))
  }
  loadOwn(): Uint8Array {
    return this.#guest.target.load(this.#gpa(AREA.own), SECTOR_BYTES)
  }

  submit(transport: VirtioTransport, { write, sector, address, bytes, indirect }: RingRequest): void {
    const { base } = this
    const header = new Uint8Array(BLK_HEADER.bytes)
    const words = new DataView(header.buffer)
    words.setUint32(BLK_HEADER.type, write ? BLK_TYPE.IN : BLK_TYPE.OUT, true)
    words.setUint32(BLK_HEADER.sector, sector, true)
    this.#guest.target.store(this.#gpa(AREA.header), header)
    this.#guest.target.store(this.#gpa(AREA.status), Uint8Array.of(NO_STATUS))
    const from = indirect ? AREA.table : AREA.descriptors
    this.#describe(from, base + AREA.header, BLK_HEADER.bytes, DESC_FLAG.NEXT, 1)
    this.#describe(from + DESC.bytes, address, bytes, DESC_FLAG.NEXT | (write ? DESC_FLAG.WRITE : 0), 2)
    this.#describe(from + 2 * DESC.bytes, base + AREA.status, 1, DESC_FLAG.WRITE, 0)
    const head = indirect ? 3 : 0
    if (indirect)
      this.#describe(AREA.descriptors + 3 * DESC.bytes, base + AREA.table, 3 * DESC.bytes, DESC_FLAG.INDIRECT, 0)
    this.#store16(AREA.driver + avail.ring(this.#submitted % QUEUE_SIZE), head)
    this.#submitted = (this.#submitted + 1) & 0xffff
    this.#store16(AREA.driver + avail.idx, this.#submitted)
    transport.kick(0)
  }

  /** Whether all that was submitted is back, and how the last one ended. */
  ended(): 'not' | 'done' | 'failed' {
    if (this.#guest.load16(this.#gpa(AREA.device + used.idx)) !== this.#submitted) return 'not'
    return this.#guest.target.load(this.#gpa(AREA.status), 1)[0] === 0 ? 'done' : 'failed'
  }

  /** A page goes into another frame. */
  moveRing(unit: DmaUnit, page: number): void {
    const at = this.#place * RING_PAGES + page
    const old = this.#at[at]!
    const frame = this.#spare.shift()!
    this.#guest.target.store(this.#gpaOf(frame), this.#guest.target.load(this.#gpaOf(old), PAGE_BYTES))
    this.#at[at] = frame
    const iova = this.#places[this.#place]! + page * PAGE_BYTES
    unit.unmap(0, iova, 1)
    this.#map(unit, at)
    unit.flushPages(0, iova, 1)
    this.#poison(old)
    this.#spare.push(old)
  }

  /** Whether the device may touch that address in memory, for its rings. */
  isOwn(gpa: Gpa, write: boolean): boolean {
    const frame = Math.floor((gpa - this.#frames) / PAGE_BYTES)
    for (let page = 0; page < RING_PAGES; page++)
      if (this.#frameOf(page) === frame) return page > 0 || !write || this.#place < 0
    return false
  }

  notes(): readonly unknown[] {
    return [this.#place, this.#submitted, this.#at, this.#spare]
  }

  #frameOf(page: number): number {
    return this.#place < 0 ? FLAT_FRAME + page : this.#at[this.#place * RING_PAGES + page]!
  }
  #gpaOf(frame: number): Gpa {
    return this.#frames + frame * PAGE_BYTES
  }
  /** Where an offset in the rings is in memory. */
  #gpa(offset: number): Gpa {
    return this.#gpaOf(this.#frameOf(Math.floor(offset / PAGE_BYTES))) + (offset % PAGE_BYTES)
  }
  #store16(offset: number, value: number): void {
    this.#guest.store16(this.#gpa(offset), value)
  }
  #poison(frame: number): void {
    this.#guest.target.store(this.#gpaOf(frame), new Uint8Array(PAGE_BYTES).fill(POISON))
  }

  #describe(offset: number, address: number, length: number, flags: number, next: number): void {
    const at = this.#gpa(offset)
    this.#guest.store64(at + DESC.address, address)
    this.#guest.store32(at + DESC.length, length)
    this.#guest.store16(at + DESC.flags, flags)
    this.#guest.store16(at + DESC.next, next)
  }
}
