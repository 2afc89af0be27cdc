/**
 * The states that are known, exactly: an arena that is only appended to, and an open-addressed table of slots over it.
 *
 * A state's number is its place in the arena, which is also the queue of the search and, through the parent beside each
 * state, the way back to the start. A slot holds a number plus one in its low bits, as many as the table has positions,
 * under the high bits of the hash, which save most look-ups of a state that only shares the slot. Look-ups come in
 * batches: hash all, touch all slots, then compare, so that the misses of the cache overlap.
 */
import { type Kernel, kernelOf } from './kernel.ts'

/** The visited set of one exploration. Another implementation may keep it elsewhere, in other memory. */
export interface Visited {
  /** Words from one row to the next: the state's own, then the number of the state that it came from. */
  readonly stride: number
  /** Distinct states so far; their numbers run from 0, in the order in which they were found. */
  readonly count: number
  /** Rows of the known states, by number; `insert` may replace it. */
  readonly arena: Int32Array
  /** Where successors are put to be inserted, `rowsMax` of them; never replaced. */
  readonly rows: Int32Array
  /** What arena and table take. */
  readonly bytes: number
  /** What stopped it from taking one more state. */
  readonly full: 'states' | 'memory' | undefined
  /**
   * Adds those of the first `n` rows that are new; false when there was one more than fits. `numbers` is given the
   * number of each row's state.
   */
  insert(n: number, numbers?: Int32Array): boolean
}

export interface VisitedOptions {
  readonly words: number
  readonly rowsMax: number
  readonly maxStates: number
  readonly memoryBytes: number
}

/** Elements of the arena are counted by 31-bit integers. */
const ARENA_MAX = 2 ** 31 - 1
/** The most states of one word that one exploration can hold. */
export const MAX_STATES = 2 ** 30
const FIRST_CAPACITY = 2 ** 13
const FIRST_SLOTS = 2 ** 15
/** A table below this grows faster: what it takes is little anyhow, and each growth costs a look at all states. */
const SMALL_SLOTS = 2 ** 24
/** The arena grows by so much, and then to all it may have: what is not touched takes no memory. */
const FIRST_GROWTH = 32
/** Part of the slots that may be taken before the table grows, and when it cannot grow any more. */
const LOAD = 0.7
const LOAD_MAX = 0.9
const INT = Int32Array.BYTES_PER_ELEMENT

export class PlainVisited implements Visited {
  readonly stride: number
  readonly rows: Int32Array
  count: number
  full: 'states' | 'memory' | undefined
  arena: Int32Array
  private slots: Int32Array
  private readonly hashes: Int32Array
  private readonly kernel: Kernel
  /** States that fit, memory aside. */
  readonly maxStates: number
  private readonly memoryBytes: number

  /** Begins with the states of another set, if there is one, and leaves them where they are. */
  constructor({ words, rowsMax, maxStates, memoryBytes }: VisitedOptions, from?: Visited) {
    this.stride = words + 1
    this.kernel = kernelOf(words)
    this.maxStates = Math.min(maxStates, MAX_STATES, Math.floor(ARENA_MAX / this.stride))
    this.memoryBytes = memoryBytes
    this.rows = from?.rows ?? new Int32Array(rowsMax * this.stride)
    this.hashes = new Int32Array(rowsMax + 1)
    // A quarter of little memory, so that a small bound still is one on states.
    const least = 2 ** Math.max(4, Math.floor(Math.log2(memoryBytes / (4 * INT))))
    this.slots = new Int32Array(from === undefined ? Math.min(FIRST_SLOTS, least) : slotsFor(from.count))
    this.arena = from?.arena ?? new Int32Array(Math.min(FIRST_CAPACITY, this.maxStates) * this.stride)
    this.count = from?.count ?? 0
    this.fillSlots()
  }

  get bytes(): number {
    return this.usedBytes() + this.slots.byteLength
  }

  insert(n: number, numbers?: Int32Array): boolean {
    const { kernel, rows, hashes } = this
    const limit = this.makeRoom(n)
    kernel.hash(rows, 0, n, hashes)
    const count =
      numbers === undefined
        ? kernel.insert(this.arena, this.slots, rows, hashes, n, this.count, limit)
        : kernel.insertNumbered(this.arena, this.slots, rows, hashes, n, this.count, limit, numbers)
    this.count = count < 0 ? ~count : count
    if (count >= 0) return true
    this.full = limit === this.maxStates ? 'states' : 'memory'
    return false
  }

  private usedBytes(): number {
    return this.count * this.stride * INT
  }

  /** Grows what has to grow for `n` more states; how many states there may be now. */
  private makeRoom(n: number): number {
    const wanted = Math.min(this.count + n, this.maxStates)
    while (
      wanted > this.slots.length * LOAD &&
      (this.growSlots(this.slots.length < SMALL_SLOTS ? 8 : 4) || this.growSlots(2))
    );
    if (wanted * this.stride > this.arena.length) this.growArena(wanted)
    const room = Math.floor((this.memoryBytes - this.slots.byteLength) / (this.stride * INT))
    return Math.max(
      this.count,
      Math.min(this.maxStates, room, this.arena.length / this.stride, Math.floor(this.slots.length * LOAD_MAX)),
    )
  }

  private growArena(wanted: number): void {
    const capacity = this.arena.length / this.stride
    const most = Math.min(this.maxStates, Math.floor(this.memoryBytes / (this.stride * INT)))
    const first = capacity === FIRST_CAPACITY ? Math.min(most, FIRST_GROWTH * capacity) : most
    // A process that cannot have all at once may have less.
    for (let wish = Math.max(first, wanted); wish > capacity; wish = Math.floor(wish / 2)) {
      const next = allocate(wish * this.stride)
      if (next === undefined) continue
      next.set(this.arena.subarray(0, this.count * this.stride))
      this.arena = next
      return
    }
  }

  private growSlots(by: number): boolean {
    const length = this.slots.length * by
    // While it is filled, the old table is there too.
    if (length > 2 ** 30 || this.bytes + length * INT > this.memoryBytes) return false
    const next = allocate(length)
    if (next === undefined) return false
    this.slots = next
    this.fillSlots()
    return true
  }

  private fillSlots(): void {
    // Written before it is read: a page that is read first is mapped twice.
    this.slots.fill(0)
    const batch = this.hashes.length - 1
    for (let first = 0; first < this.count; first += batch) {
      const count = Math.min(batch, this.count - first)
      this.kernel.hash(this.arena, first, count, this.hashes)
      this.kernel.place(this.slots, this.hashes, first, count)
    }
  }
}

/** Slots of a table that is filled by so many states, and need not grow soon. */
const slotsFor = (states: number): number => 2 ** Math.min(30, Math.ceil(Math.log2(states / LOAD)) + 1)

/** Zeroed words; nothing when the process cannot have that many. */
const allocate = (length: number): Int32Array | undefined => {
  try {
    return new Int32Array(length)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
