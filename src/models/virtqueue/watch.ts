/**
 * Reads what a device does to a split queue back as actions of the machine: from single accesses where the target shows
 * them, and from what changed in guest memory where it does not.
 */
import type { TargetEvent } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/machine.ts'
import type { Sink } from '../../kernel/model.ts'
import { DESC, USED_NO_NOTIFY, used } from '../../layout/split-ring.ts'
import type { Segment } from './chain.ts'
import { type BuiltChain, type Range, type SplitDriver, UNWRITTEN } from './driver.ts'
import { type RingArea, SLOT_BYTES, SLOTS } from './memory-map.ts'
import type { Shadow } from './shadow.ts'

type Area =
  | 'descriptors'
  | 'avail'
  | 'used'
  | 'readable'
  | 'writable'
  | 'indirect'
  | 'stale'
  | 'former'
  | 'early'
  | 'again'
  | 'foreign'
  | 'nowhere'

/** What a return means beyond its head and length: the arguments that the device type adds. */
export type ReadReturn = (chain: BuiltChain | undefined, len: number) => Args

export class Watch {
  private readonly driver: SplitDriver
  private readonly sink: Sink
  private readonly touch: Action
  private readonly pop: Action
  private readonly returned: Action
  private readonly publish: Action
  private readonly setNoNotify: Action
  private readonly setAvailEvent: Action
  private readonly readReturn: ReadReturn
  /** The used ring as last seen. */
  private readonly ring: Uint8Array
  private readonly ringView: DataView
  private usedIdx = 0
  /** Slots of the used ring that were written since the index moved last. */
  private readonly fresh = new Set<number>()
  private flags = 0
  private availEvent = 0
  private readonly bytesMax: number
  /** Absent when the device shows every access, so that nothing has to be compared. */
  private readonly shadow: Shadow | undefined
  /** Arguments of accesses, by area, head and direction: they are many, and the same few. */
  private readonly touched: Record<Area, (Args | undefined)[]> = {
    descriptors: [],
    avail: [],
    used: [],
    readable: [],
    writable: [],
    indirect: [],
    stale: [],
    former: [],
    early: [],
    again: [],
    foreign: [],
    nowhere: [],
  }
  /** What is computed once and remembered, for whoever compares two sessions. */
  get memo(): unknown {
    return this.touched
  }
  /** Areas that the device may use and that no law of this queue is about. */
  readonly elsewhere: { readonly start: number; readonly end: number }[] = []
  /** The rings that were looked at last, where nothing was done since. */
  private looked: RingArea | undefined
  /** While a lap runs, its traffic is not told one by one. */
  muted = false
  /** What is seen now may have come before the driver changed what it asks for. */
  racing = false
  /** EVENT_IDX was negotiated: `avail_event` means something. */
  eventIdx = false

  constructor(machine: Machine, driver: SplitDriver, sink: Sink, shadow: Shadow | undefined, readReturn: ReadReturn) {
    this.driver = driver
    this.sink = sink
    this.shadow = shadow
    this.readReturn = readReturn
    this.ring = new Uint8Array(used.bytes(driver.map.size))
    this.ringView = new DataView(this.ring.buffer)
    this.bytesMax = machine.scope.bytes!
    this.touch = machine.action('device.touch')
    this.pop = machine.action('device.pop')
    this.returned = machine.action('device.return')
    this.publish = machine.action('device.publish')
    this.setNoNotify = machine.action('device.setNoNotify')
    this.setAvailEvent = machine.action('device.setAvailEvent')
  }

  /** The rings are fresh. */
  restart(): void {
    this.ring.fill(0)
    this.fresh.clear()
    this.usedIdx = this.flags = this.availEvent = 0
  }

  /** A lap moved the used index without being told. */
  skipTo(usedIdx: number): void {
    const { rings, target } = this.driver
    this.ring.set(target.load(rings!.used, this.ring.length))
    this.fresh.clear()
    this.usedIdx = usedIdx
    this.flags = this.ringView.getUint16(used.flags, true)
    this.availEvent = this.ringView.getUint16(used.availEvent(this.driver.map.size), true)
    if (this.eventIdx) this.sink(this.setAvailEvent, { position: this.availEvent })
  }

  /** One access of the device, as the target showed it. */
  access(event: Extract<TargetEvent, { kind: 'dma' }>): void {
    const { gpa, data } = event
    const write = event.access === 'write'
    const end = gpa + data.length
    const { rings } = this.driver
    if (rings !== undefined && gpa >= rings.start && end <= rings.end) {
      this.ringAccess(rings, gpa, data, write)
      return
    }
    for (const range of this.elsewhere) if (gpa >= range.start && end <= range.end) return
    const slot = Math.floor((gpa - this.driver.map.slots) / SLOT_BYTES)
    if (slot >= 0 && slot < SLOTS)
      for (const chain of this.driver.chains)
        if (chain?.slot === slot && this.chainAccess(chain, gpa, data.length, write)) return
    for (const chain of this.driver.chains)
      if (chain !== undefined && this.chainAccess(chain, gpa, data.length, write)) return
    const { named, former } = this.driver
    const area = covers(named, gpa, end)
      ? write
        ? 'writable'
        : 'readable'
      : covers(former, gpa, end)
        ? 'former'
        : 'foreign'
    this.tell(area, write, undefined)
  }

  /** An access that the platform refused. */
  refused(event: Extract<TargetEvent, { kind: 'fault' }>): void {
    this.tell('nowhere', event.access === 'write', undefined)
  }

  /** Compares the used ring with what was last seen: for targets that do not show accesses. Returns whether it changed. */
  compare(): boolean {
    const { rings } = this.driver
    this.looked = undefined
    if (rings === undefined || this.shadow === undefined || this.muted) return false
    const area = this.shadow.lookAtRings(rings)
    this.looked = rings
    const { ring, fresh } = this
    const from = rings.used - rings.start
    const { size } = this.driver.map
    const [start, end] = [used.ring(0), used.ring(size)]
    const step = used.ring(1) - start
    let changed = false
    for (let i = 0; i < ring.length; i++) {
      if (area[from + i] === ring[i]) continue
      changed = true
      if (i >= start && i < end) fresh.add(Math.floor((i - start) / step))
    }
    if (!changed) return false
    ring.set(area.subarray(from, from + ring.length))
    this.shadow.lookAtSlots()
    this.tell('used', true, undefined)
    this.usedChanged()
    return true
  }

  /** Compares all other memory of the driver with what should be in it: a difference is a write of the device. */
  inspect(): void {
    if (this.muted) this.overlook()
    else this.shadow?.compare((gpa, data) => this.changed(gpa, data), this.looked)
  }

  /** Takes all memory as it is. */
  overlook(): void {
    this.shadow?.compare(() => undefined)
  }

  private changed(gpa: number, data: Uint8Array): void {
    const { rings, chains } = this.driver
    const end = gpa + data.length
    if (rings !== undefined && gpa >= rings.used && end <= rings.end) return
    for (const chain of chains)
      if (chain?.at === 'available' && chain.segments.some((segment) => segment.write && within(segment, gpa, end))) {
        this.tell('writable', true, chain.logical)
        return
      }
    this.access({ kind: 'dma', device: '', access: 'write', gpa, data })
  }

  private ringAccess(rings: RingArea, gpa: number, data: Uint8Array, write: boolean): void {
    if (gpa >= rings.used) {
      this.tell('used', write, undefined)
      if (!write) return
      const at = gpa - rings.used
      this.ring.set(data, at)
      for (let slot = 0; slot < this.driver.map.size; slot++)
        if (at < used.ring(slot + 1) && at + data.length > used.ring(slot)) this.fresh.add(slot)
      if (!this.muted) this.usedChanged()
    } else if (gpa >= rings.avail) this.tell('avail', write, undefined)
    else {
      this.tell('descriptors', write, undefined)
      if (write || this.muted) return
      const index = Math.floor((gpa - rings.desc) / DESC.bytes)
      const chain = this.driver.byPhysical[index]
      if (chain === undefined || chain.at !== 'available') return
      if (chain.sound && chain.exclusive) this.fetch(chain, index, (gpa - rings.desc) % DESC.bytes, data.length)
      if (chain.popped || chain.physical !== index) return
      chain.popped = true
      this.sink(this.pop, { head: chain.logical })
    }
  }

  /** A device that reads a field of a descriptor twice may be shown two different ones. */
  private fetch(chain: BuiltChain, index: number, at: number, bytes: number): void {
    const halfwords = 0xff & ((1 << ((at + bytes + 1) >> 1)) - (1 << (at >> 1)))
    if ((chain.fetched[index]! & halfwords) !== 0) this.tell('again', false, chain.logical)
    chain.fetched[index]! |= halfwords
  }

  /** Whether the access is within a buffer or the table of `chain`; if so it is told. */
  private chainAccess(chain: BuiltChain, gpa: number, bytes: number, write: boolean): boolean {
    const late: Area | undefined = chain.at === 'returned' ? 'stale' : chain.at === 'added' ? 'early' : undefined
    for (const segment of chain.segments) {
      const start = Number(segment.gpa)
      if (gpa < start || gpa + bytes > start + segment.bytes) continue
      if (write && segment.write) chain.filled += bytes
      this.tell(late ?? (segment.write ? 'writable' : 'readable'), write, chain.logical)
      return true
    }
    const { table } = chain.text
    if (table === undefined || gpa < table.gpa || gpa + bytes > table.gpa + table.entries.length * DESC.bytes)
      return false
    this.tell(late ?? 'indirect', write, chain.logical)
    return true
  }

  private tell(area: Area, write: boolean, head: number | undefined): void {
    if (this.muted && area !== 'foreign' && area !== 'nowhere') return
    const known = this.touched[area]
    // No head, then each head; reads before writes.
    const at = 2 * (head === undefined ? 0 : head + 1) + (write ? 1 : 0)
    this.sink(this.touch, (known[at] ??= { area, write, head }))
  }

  /** Flags, event position or index of the used ring are not what they were. */
  private usedChanged(): void {
    const { size } = this.driver.map
    const flags = this.ringView.getUint16(used.flags, true)
    if (flags !== this.flags) {
      this.flags = flags
      this.sink(this.setNoNotify, { on: (flags & USED_NO_NOTIFY) !== 0 })
    }
    const availEvent = this.ringView.getUint16(used.availEvent(size), true)
    if (availEvent !== this.availEvent) {
      this.availEvent = availEvent
      if (this.eventIdx) this.sink(this.setAvailEvent, { position: availEvent })
    }
    const idx = this.ringView.getUint16(used.idx, true)
    const count = (idx - this.usedIdx) & 0xffff
    if (count === 0) return
    // An index that moved further than the ring is long names no entries that could be read.
    if (count <= size) for (let i = 0; i < count; ) i += this.entry((this.usedIdx + i) % size, count - i)
    this.usedIdx = idx
    this.fresh.clear()
    this.sink(this.publish, { count, racing: this.racing })
  }

  /** One used entry; returns for how many chains it stands, at most `left`. */
  private entry(slot: number, left: number): number {
    const { driver } = this
    const id = this.ringView.getUint32(used.ring(slot), true)
    const len = this.ringView.getUint32(used.ring(slot) + 4, true)
    const chain = driver.byPhysical[id]
    let named = chain?.physical === id ? chain : undefined
    const batch = driver.inOrder && named !== undefined ? this.batchOf(named, slot, left) : []
    for (const each of batch) {
      if (this.shadow !== undefined) this.compareChain(each, this.shadow)
      this.tellReturn(each, 0, false, `skipped by used.id ${id}`)
    }
    if (named !== undefined && this.shadow !== undefined) this.compareChain(named, this.shadow)
    // A chain of which not a byte was filled, not even its status, is not the one that came back.
    const former =
      driver.formerHeads.has(id) && (named === undefined || (this.shadow !== undefined && named.filled === 0))
    if (former) {
      driver.formerHeads.delete(id)
      named = undefined
    }
    this.tellReturn(named, len, former, `used.id ${id}, used.len ${len}`)
    return batch.length + 1
  }

  /**
   * With IN_ORDER an entry may be about the last chain of a batch: those before it were used completely. The slots that
   * are skipped are left as they were; a device that writes them as well means each entry by itself.
   */
  private batchOf(named: BuiltChain, slot: number, left: number): readonly BuiltChain[] {
    const before = this.driver.before(named)
    const isSkip = (_chain: BuiltChain, i: number): boolean => !this.fresh.has((slot + 1 + i) % this.driver.map.size)
    return before.length < left && before.every(isSkip) ? before : []
  }

  private tellReturn(chain: BuiltChain | undefined, len: number, former: boolean, note: string): void {
    const extra = this.readReturn(chain, len)
    const args = {
      head: chain?.logical,
      len: Math.min(len, this.bytesMax),
      filled: Math.min(chain?.filled ?? 0, this.bytesMax),
      former,
      ...extra,
    }
    if (chain !== undefined) {
      chain.at = 'returned'
      chain.image = undefined
    }
    this.sink(this.returned, args, note)
  }

  /** Without single accesses: what of the buffers of a chain has changed. */
  private compareChain(chain: BuiltChain, shadow: Shadow): void {
    let at = 0
    let changed = 0
    let writable = 0
    this.driver.lookAt(chain)
    for (const segment of chain.segments) {
      if (!this.driver.isOurs(segment)) continue
      const bytes = this.driver.loadSegment(chain, segment)
      if (segment.write) {
        shadow.note(Number(segment.gpa), bytes)
        writable += bytes.length
        for (let i = 0; i < bytes.length; i++) if (bytes[i] !== UNWRITTEN) changed++
        continue
      }
      const expected = chain.request.readable.subarray(at, at + segment.bytes)
      at += segment.bytes
      if (Buffer.compare(bytes, expected) !== 0) this.tell('readable', true, chain.logical)
    }
    // Data may hold the byte that marks what is unwritten; where most of it changed, all of it was written.
    chain.filled = changed > writable / 2 ? writable : changed
    if (changed > 0) this.tell('writable', true, chain.logical)
  }
}

const covers = (ranges: readonly Range[], start: number, end: number): boolean =>
  ranges.some((range) => start >= range.start && end <= range.end)

const within = (segment: Segment, start: number, end: number): boolean =>
  start >= Number(segment.gpa) && end <= Number(segment.gpa) + segment.bytes
