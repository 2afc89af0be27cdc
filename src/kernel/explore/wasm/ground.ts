/**
 * One WebAssembly memory that holds a visited set, made at its full size at once: what is not touched takes no memory,
 * and nothing in it ever moves. From the start: a lane for each thread that inserts, the slots, the arena.
 */
import { engine, type WasmMemory } from './engine.ts'
import { PAGES_MAX, type WasmKernel, WORDS_MAX, wasmKernelOf } from './kernel.ts'

export const WORD = Int32Array.BYTES_PER_ELEMENT
const PAGE = 65_536
/** Part of the slots that may be taken when the table cannot grow any more. */
export const LOAD_MAX = 0.9

/** What a thread has to be told of it; can be cloned. */
export interface Ground {
  readonly memory: WasmMemory
  readonly words: number
  readonly rowsMax: number
  readonly slotsAt: number
  readonly slotsMax: number
  readonly arenaAt: number
  readonly statesMax: number
}

export interface GroundOptions {
  readonly words: number
  readonly rowsMax: number
  readonly lanes: number
  readonly maxStates: number
  readonly memoryBytes: number
  /** With room for fewer it is not worth having. */
  readonly leastStates: number
}

const roundUp = (bytes: number, to: number): number => Math.ceil(bytes / to) * to

/** Rows, then their hashes with one word for a result, then the numbers of their states. Address 0 is in nobody's. */
const laneBytes = (words: number, rowsMax: number): number => roundUp(rowsMax * (words + 3) * WORD + WORD, PAGE)

/** Nothing where there is no WebAssembly, or the process cannot have so much, or states are too wide. */
export const groundOf = ({
  words,
  rowsMax,
  lanes,
  maxStates,
  memoryBytes,
  leastStates,
}: GroundOptions): Ground | undefined => {
  if (engine === undefined || words > WORDS_MAX) return undefined
  const stateBytes = (words + 1) * WORD
  const slotsAt = PAGE + lanes * laneBytes(words, rowsMax)
  const bytes = Math.min(PAGES_MAX * PAGE - slotsAt, roundUp(memoryBytes, PAGE))
  const statesWith = (slots: number): number =>
    Math.min(maxStates, Math.floor(slots * LOAD_MAX), Math.floor((bytes - slots * WORD) / stateBytes))
  let slotsMax = PAGE
  while (statesWith(2 * slotsMax) > statesWith(slotsMax)) slotsMax *= 2
  const statesMax = statesWith(slotsMax)
  if (statesMax < leastStates) return undefined
  const arenaAt = slotsAt + slotsMax * WORD
  const pages = Math.ceil((arenaAt + statesMax * stateBytes) / PAGE)
  try {
    const memory = new engine.Memory({ initial: pages, maximum: pages, shared: true })
    return { memory, words, rowsMax, slotsAt, slotsMax, arenaAt, statesMax }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

export const arenaOf = ({ memory, arenaAt, statesMax, words }: Ground): Int32Array =>
  new Int32Array(memory.buffer, arenaAt, statesMax * (words + 1))

/** Where one thread puts rows to be inserted, and its kernel. */
export class Lane {
  readonly kernel: WasmKernel
  readonly hashesAt: number
  private readonly ground: Ground
  private readonly rows: Int32Array
  private readonly hashes: Int32Array
  private readonly numbers: Int32Array

  /** `shared` where others insert at the same time. */
  constructor(ground: Ground, lane: number, shared: boolean) {
    const { memory, words, rowsMax } = ground
    this.ground = ground
    this.kernel = wasmKernelOf(words, memory, shared)
    const at = PAGE + lane * laneBytes(words, rowsMax)
    this.rows = new Int32Array(memory.buffer, at, rowsMax * (words + 1))
    this.hashesAt = at + this.rows.byteLength
    this.hashes = new Int32Array(memory.buffer, this.hashesAt, rowsMax + 1)
    this.numbers = new Int32Array(memory.buffer, this.hashesAt + this.hashes.byteLength, rowsMax)
  }

  /** Takes over the first `n` rows and brings their slots near. */
  load(rows: Int32Array, n: number, mask: number): void {
    const { slotsAt, words } = this.ground
    this.rows.set(rows.subarray(0, n * (words + 1)))
    this.kernel.hash(this.rows.byteOffset, n, this.hashesAt)
    this.kernel.touch(slotsAt, mask, this.hashesAt, n)
  }

  /**
   * Appends the new ones of the loaded rows from `from` on, under the numbers from `next` to `end - 1`; the number after
   * the last. `numbers` is given the number of each row's state.
   */
  insert(mask: number, from: number, n: number, next: number, end: number, numbers?: Int32Array): number {
    const { slotsAt, arenaAt } = this.ground
    const { kernel, rows, hashesAt } = this
    const numbersAt = numbers === undefined ? 0 : this.numbers.byteOffset
    const after = kernel.insert(slotsAt, mask, arenaAt, rows.byteOffset, hashesAt, numbersAt, from, n, next, end)
    numbers?.set(this.numbers.subarray(0, n))
    return after
  }

  /** Row before which the last insertion of `n` rows stopped. */
  stoppedAt(n: number): number {
    return this.hashes[n]!
  }

  /** Of a state in the arena. */
  hashOf(id: number): number {
    const { arenaAt, words } = this.ground
    this.kernel.hash(arenaAt + id * (words + 1) * WORD, 1, this.hashesAt)
    return this.hashes[0]!
  }

  /** Fills the slots of `n` states from number `first` on, at most `rowsMax` of them. */
  place(mask: number, first: number, n: number): void {
    const { slotsAt, arenaAt, words } = this.ground
    this.kernel.hash(arenaAt + first * (words + 1) * WORD, n, this.hashesAt)
    this.kernel.touch(slotsAt, mask, this.hashesAt, n)
    this.kernel.place(slotsAt, mask, this.hashesAt, first, n)
  }
}
