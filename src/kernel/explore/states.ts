/**
 * The states that are known, exactly: an arena that is only appended to, and an open-addressed table of slots over it.
 *
 * A slot is 27 bits of state number plus one, under 5 bits of hash that save most look-ups of a state that only shares
 * the slot. Look-ups come in batches: hash all, touch all slots, then compare, so that the misses of the cache overlap.
 * The arena is also the queue of the search and, through the parent beside each state, the way back to the start.
 */
import { repeat } from './source.ts'

const NUMBER_BITS = 27
/** The most states that one exploration can hold: a slot has 27 bits for a state's number plus one. */
export const MAX_STATES = 2 ** NUMBER_BITS - 2

const FIRST_CAPACITY = 2 ** 12
const FIRST_SLOTS = 2 ** 13
/** Part of the slots that may be taken before the table grows, and when it cannot grow any more. */
const LOAD = 0.7
const LOAD_MAX = 0.9
const INT = Int32Array.BYTES_PER_ELEMENT

interface Kernel {
  hash(from: Int32Array, stride: number, first: number, count: number, hashes: Int32Array): void
  insert(
    arena: Int32Array,
    slots: Int32Array,
    found: Int32Array,
    parents: Int32Array,
    hashes: Int32Array,
    n: number,
    states: number,
    limit: number,
  ): number
  place(slots: Int32Array, hashes: Int32Array, first: number, count: number): number
}

/** Odd constants with well-spread bits. */
const FACTORS = ['0x9e3779b1', '0x85ebca77', '0xc2b2ae3d', '0x27d4eb2f', '0x165667b1']
const UNROLLED = 16

const kernelOf = (words: number): Kernel => {
  const mixed = (word: string, i: number): string =>
    `h=Math.imul(h^${word},${FACTORS[i % FACTORS.length]});h^=h>>>${13 + (i % 4)};`
  const hash =
    words <= UNROLLED
      ? repeat(words, '', (i) => mixed(`from[p+${i}]`, i))
      : `for(let i=0;i<${words};i++){${mixed('from[p+i]', 0)}}`
  const same =
    words <= UNROLLED
      ? repeat(words, '&&', (i) => `arena[q+${i}]===found[p+${i}]`)
      : `(()=>{for(let i=0;i<${words};i++)if(arena[q+i]!==found[p+i])return false;return true})()`
  const copy =
    words <= UNROLLED
      ? repeat(words, '', (i) => `arena[t+${i}]=found[p+${i}];`)
      : `for(let i=0;i<${words};i++)arena[t+i]=found[p+i];`
  const TAG = ~(2 ** NUMBER_BITS - 1)
  const NUMBER = 2 ** NUMBER_BITS - 1
  const text = `'use strict'
const hash=(from,stride,first,count,hashes)=>{
  for(let k=0,p=first*stride;k<count;k++,p+=stride){let h=0;${hash}h=Math.imul(h,0x27d4eb2f);hashes[k]=h^h>>>15}
}
const insert=(arena,slots,found,parents,hashes,n,states,limit)=>{
  const mask=slots.length-1
  let touched=0
  for(let k=0;k<n;k++)touched^=slots[hashes[k]&mask]
  hashes[n]=touched
  for(let k=0,p=0;k<n;k++,p+=${words}){
    const h=hashes[k]
    let i=h&mask,x=slots[i],known=false
    while(x!==0){
      if(((x^h)&${TAG})===0){const q=((x&${NUMBER})-1)*${words + 1};if(${same}){known=true;break}}
      i=(i+1)&mask
      x=slots[i]
    }
    if(known)continue
    if(states===limit)return ~states
    const t=states*${words + 1}
    ${copy}
    arena[t+${words}]=parents[k]
    states++
    slots[i]=h&${TAG}|states
  }
  return states
}
const place=(slots,hashes,first,count)=>{
  const mask=slots.length-1
  let touched=0
  for(let k=0;k<count;k++)touched^=slots[hashes[k]&mask]
  for(let k=0;k<count;k++){
    const h=hashes[k]
    let i=h&mask
    while(slots[i]!==0)i=(i+1)&mask
    slots[i]=h&${TAG}|(first+k+1)
  }
  return touched
}
return {hash,insert,place}`
  return new Function(text)() as Kernel
}

export class States {
  /** Distinct states so far; their numbers run from 0, in the order in which they were found. */
  count = 0
  /** What stopped it from taking one more state. */
  full: 'states' | 'memory' | undefined
  private arena: Int32Array
  private slots: Int32Array
  private hashes = new Int32Array(0)
  private readonly words: number
  private readonly kernel: Kernel
  private readonly maxStates: number
  private readonly memoryBytes: number

  constructor(words: number, maxStates: number, memoryBytes: number) {
    this.words = words
    this.kernel = kernelOf(words)
    this.maxStates = Math.min(maxStates, MAX_STATES)
    this.memoryBytes = memoryBytes
    this.arena = new Int32Array(Math.min(FIRST_CAPACITY, this.maxStates) * this.stride)
    this.slots = new Int32Array(FIRST_SLOTS)
  }

  /** Words from one state of the arena to the next: the state's own, then its parent. */
  get stride(): number {
    return this.words + 1
  }
  /** The arena; a later `insert` may replace it. */
  get packed(): Int32Array {
    return this.arena
  }
  get bytes(): number {
    return this.arena.byteLength + this.slots.byteLength
  }
  parentOf(state: number): number {
    return this.arena[state * this.stride + this.words]!
  }

  /** Adds those of `n` packed states that are new; false when there was one more than fits. */
  insert(found: Int32Array, parents: Int32Array, n: number): boolean {
    if (this.hashes.length <= n) this.hashes = new Int32Array(2 * n + 512)
    const limit = this.makeRoom(n)
    this.kernel.hash(found, this.words, 0, n, this.hashes)
    const count = this.kernel.insert(this.arena, this.slots, found, parents, this.hashes, n, this.count, limit)
    this.count = count < 0 ? ~count : count
    if (count >= 0) return true
    this.full = limit === this.maxStates ? 'states' : 'memory'
    return false
  }

  /** Grows what has to grow for `n` more states; how many states there may be now. */
  private makeRoom(n: number): number {
    const wanted = Math.min(this.count + n, this.maxStates)
    if (wanted * this.stride > this.arena.length) this.growArena(wanted)
    while (wanted > this.slots.length * LOAD && (this.growSlots(4) || this.growSlots(2)));
    return Math.min(this.maxStates, this.arena.length / this.stride, Math.floor(this.slots.length * LOAD_MAX))
  }

  private growArena(wanted: number): void {
    const bytesEach = this.stride * INT
    // While it is copied, the old arena is there too.
    const room = Math.floor((this.memoryBytes - this.bytes) / bytesEach)
    const capacity = Math.min(this.maxStates, Math.max(wanted, 2 * (this.arena.length / this.stride)), room)
    if (capacity * this.stride <= this.arena.length) return
    const next = allocate(capacity * this.stride)
    if (next === undefined) return
    next.set(this.arena.subarray(0, this.count * this.stride))
    this.arena = next
  }

  private growSlots(by: number): boolean {
    const length = this.slots.length * by
    if (this.arena.byteLength + length * INT > this.memoryBytes) return false
    const next = allocate(length)
    if (next === undefined) return false
    this.slots = next
    const batch = 512
    const hashes = new Int32Array(batch)
    for (let first = 0; first < this.count; first += batch) {
      const count = Math.min(batch, this.count - first)
      this.kernel.hash(this.arena, this.stride, first, count, hashes)
      this.kernel.place(next, hashes, first, count)
    }
    return true
  }
}

/** Zeroed words; nothing when the process cannot have that many. */
const allocate = (length: number): Int32Array | undefined => {
  try {
    return new Int32Array(length)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
