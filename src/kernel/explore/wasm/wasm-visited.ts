/** The visited set in WebAssembly's memory, by WebAssembly's loops. It grows in place. */
import type { Visited } from '../visited.ts'
import { arenaOf, type Ground, Lane, LOAD_MAX, WORD } from './ground.ts'

const FIRST_SLOTS = 2 ** 15
/** Part of the slots that may be taken before the table grows. */
const LOAD = 0.7
const SMALL_SLOTS = 2 ** 24

export class WasmVisited implements Visited {
  readonly stride: number
  readonly rows: Int32Array
  readonly arena: Int32Array
  readonly ground: Ground
  count: number
  full: 'states' | 'memory' | undefined
  private slots: number
  private readonly lane: Lane
  readonly maxStates: number
  private readonly memoryBytes: number

  /** Begins with the states of another set, and takes the rows to insert from where that one did. */
  constructor(ground: Ground, from: Visited, maxStates: number, memoryBytes: number) {
    this.ground = ground
    this.stride = from.stride
    this.rows = from.rows
    this.maxStates = maxStates
    this.memoryBytes = memoryBytes
    this.lane = new Lane(ground, 0, false)
    this.arena = arenaOf(ground)
    this.arena.set(from.arena.subarray(0, from.count * from.stride))
    this.count = from.count
    this.slots = Math.min(FIRST_SLOTS, ground.slotsMax)
    while (this.count > this.slots * LOAD && this.slots * 8 <= ground.slotsMax) this.slots *= 8
    this.fillSlots()
  }

  get bytes(): number {
    return this.usedBytes() + this.slots * WORD
  }

  get mask(): number {
    return this.slots - 1
  }

  insert(n: number, numbers?: Int32Array): boolean {
    const { lane } = this
    const limit = this.makeRoom(n)
    lane.load(this.rows, n, this.mask)
    this.count = lane.insert(this.mask, 0, n, this.count, limit, numbers)
    if (lane.stoppedAt(n) === n) return true
    this.full = limit === this.maxStates ? 'states' : 'memory'
    return false
  }

  private usedBytes(): number {
    return this.count * this.stride * WORD
  }

  /** Grows the table where it has to grow for `n` more states; how many states there may be now. */
  makeRoom(n: number): number {
    const { ground, maxStates, memoryBytes, stride } = this
    const wanted = Math.min(this.count + n, maxStates)
    while (wanted > this.slots * LOAD && (this.growSlots(this.slots < SMALL_SLOTS ? 8 : 4) || this.growSlots(2)));
    const room = Math.floor((memoryBytes - this.slots * WORD) / (stride * WORD))
    return Math.max(this.count, Math.min(maxStates, room, ground.statesMax, Math.floor(this.slots * LOAD_MAX)))
  }

  /** The same for several threads at once, which leave the table as it is: below `LOAD`, as long as it can grow. */
  limitFor(n: number): number {
    const limit = this.makeRoom(n)
    const soft = Math.floor(this.slots * LOAD)
    return soft >= this.count + n ? Math.min(soft, limit) : limit
  }

  /**
   * After others inserted: numbers up to `end` were given out, and the holes were not used. States from the end are
   * moved there.
   */
  settle(holes: readonly (readonly [from: number, to: number])[], end: number): void {
    const free = holes.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
    const isFree = new Set(free)
    const count = end - free.length
    let last = end - 1
    for (const hole of free) {
      if (hole >= count) continue
      while (isFree.has(last)) last--
      this.move(last--, hole)
    }
    this.count = count
  }

  private move(from: number, to: number): void {
    const { arena, stride, mask, lane } = this
    const slots = new Int32Array(this.ground.memory.buffer, this.ground.slotsAt, this.slots)
    const hash = lane.hashOf(from)
    let slot = hash & mask
    while (slots[slot] !== ((hash & ~mask) | (from + 1))) slot = (slot + 1) & mask
    slots[slot] = (hash & ~mask) | (to + 1)
    arena.copyWithin(to * stride, from * stride, (from + 1) * stride)
  }

  private growSlots(by: number): boolean {
    const slots = this.slots * by
    if (slots > this.ground.slotsMax || this.usedBytes() + slots * WORD > this.memoryBytes) return false
    this.slots = slots
    this.fillSlots()
    return true
  }

  private fillSlots(): void {
    const { memory, slotsAt, rowsMax } = this.ground
    // Written before it is read: a page that is read first is mapped twice.
    new Int32Array(memory.buffer, slotsAt, this.slots).fill(0)
    for (let first = 0; first < this.count; first += rowsMax)
      this.lane.place(this.mask, first, Math.min(rowsMax, this.count - first))
  }
}
