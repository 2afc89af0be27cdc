/**
 * The inner loops of the visited set as a WebAssembly module, made for a number of words a state. They work on addresses
 * within one memory, in which slots, arena, rows and hashes lie. The table is that of `../visited.ts`; the hash is not,
 * for there are products of 64 bits here.
 */
import {
  block,
  branch,
  branchIf,
  type Code,
  type Func,
  get,
  I32,
  I64,
  i32,
  i64,
  loop,
  moduleOf,
  set,
  tee,
  when,
} from './assembler.ts'
import { engine, type WasmMemory } from './engine.ts'

/** Arguments are addresses, masks and counts. */
export interface WasmKernel {
  /** Hashes `n` rows. */
  hash(rows: number, n: number, hashes: number): number
  /** Brings the slots of `n` hashes near. */
  touch(slots: number, mask: number, hashes: number, n: number): number
  /**
   * Appends the new ones of the rows `from` to `n - 1` to the arena, under the numbers from `next` to `end - 1`; is the
   * number after the last. `hashes[n]` then tells the row before which it stopped: `n`, unless the numbers were used up.
   * Unless it is 0, `numbers` is where the number of each row's state goes.
   */
  insert(
    slots: number,
    mask: number,
    arena: number,
    rows: number,
    hashes: number,
    numbers: number,
    from: number,
    n: number,
    next: number,
    end: number,
  ): number
  /** Fills the slots of `n` distinct states from number `first` on. */
  place(slots: number, mask: number, hashes: number, first: number, n: number): number
}

/** Most words of a state that a kernel is made for: all loops over them are written out. */
export const WORDS_MAX = 256
/** 64 KiB each: 4 GiB. */
export const PAGES_MAX = 65_536

const WORD = 4
/** Odd constants with well-spread bits. */
const FACTORS = [0x9e3779b97f4a7c15n, 0xd6e8feb86659fd93n, 0xc2b2ae3d27d4eb4fn] as const

/** Places of words that are read two at a time, and of the last one where they are odd. */
const pairsOf = (words: number): { readonly pairs: number[]; readonly last: number | undefined } => ({
  pairs: Array.from({ length: words >> 1 }, (_, i) => 2 * i * WORD),
  last: words % 2 === 0 ? undefined : (words - 1) * WORD,
})

const wordAt = (base: Code, index: Code): Code => i32.add(base, i32.shiftLeft(index, i32.of(2)))
const increase = (local: number, by: number): Code => set(local, i32.add(get(local), i32.of(by)))
/** Runs the body for `k` up to `n`; it goes on with the next `k` where it is left, and ends the loop by `branch(2)`. */
const countTo = (k: number, n: number, ...body: Code[]): Code =>
  block(loop(branchIf(1, i32.isZero(i32.isBelow(get(k), get(n)))), block(body), increase(k, 1), branch(0)))

const hashOf = (words: number): Func => {
  const [rows, n, hashes, k, h] = [0, 1, 2, 3, 4]
  const { pairs, last } = pairsOf(words)
  const read = [
    ...pairs.map((at) => i64.load(get(rows), at)),
    ...(last === undefined ? [] : [i64.loadWord(get(rows), last)]),
  ]
  const folded = i64.xor(get(h), i64.shiftRight(get(h), i64.of(32n)))
  const mix = read.map((word, i) => {
    const factor = i64.of(FACTORS[i % 2]!)
    return set(h, i64.multiply(i === 0 ? word : i64.xor(word, folded), factor))
  })
  return {
    ...{ name: 'hash', parameters: 3, locals: [I32, I64] },
    body: [
      countTo(
        k,
        n,
        mix,
        set(h, i64.multiply(folded, i64.of(FACTORS[2]))),
        i32.store(wordAt(get(hashes), get(k)), i32.wrap(i64.shiftRight(get(h), i64.of(32n)))),
        increase(rows, (words + 1) * WORD),
      ),
      i32.of(0),
    ],
  }
}

const highBits = (mask: number, of: Code): Code => i32.and(of, i32.xor(get(mask), i32.of(-1)))
/** Where the state begins whose number, plus one, is in slot `x`. */
const stateIn = (arena: number, mask: number, x: number, words: number): Code =>
  i32.add(get(arena), i32.multiply(i32.subtract(i32.and(get(x), get(mask)), i32.of(1)), i32.of((words + 1) * WORD)))

const touchOf = (): Func => {
  const [slots, mask, hashes, n, k, sum] = [0, 1, 2, 3, 4, 5]
  const slot = i32.load(wordAt(get(slots), i32.and(i32.load(wordAt(get(hashes), get(k))), get(mask))))
  return {
    ...{ name: 'touch', parameters: 4, locals: [I32, I32] },
    body: [countTo(k, n, set(sum, i32.xor(get(sum), slot))), get(sum)],
  }
}

/** With `shared`, others insert at the same time, and slots are claimed. */
const insertOf = (words: number, shared: boolean): Func => {
  const [slots, mask, arena, rows, hashes, numbers, k, n, next, end] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  const [h, i, x, q, p, number] = [10, 11, 12, 13, 14, 15]
  const { pairs, last } = pairsOf(words)
  const differs = [
    ...pairs.map((at) => i32.isZero(i64.equal(i64.load(get(p), at), i64.load(get(q), at)))),
    ...(last === undefined ? [] : [i32.xor(i32.load(get(p), last), i32.load(get(q), last))]),
  ]
  const moved = pairsOf(words + 1)
  const append = [
    set(q, i32.add(get(arena), i32.multiply(get(next), i32.of((words + 1) * WORD)))),
    moved.pairs.map((at) => i64.store(get(q), i64.load(get(p), at), at)),
    moved.last === undefined ? [] : i32.store(get(q), i32.load(get(p), moved.last), moved.last),
  ]
  const slot = wordAt(get(slots), get(i))
  const taken = i32.or(highBits(mask, get(h)), i32.add(get(next), i32.of(1)))
  const isMine = [set(number, get(next)), increase(next, 1)]
  /** Depths within the loop over the positions of one row: 0 goes on, 1 is done with the row; one more within `when`. */
  const probe = [
    set(x, shared ? i32.atomicLoad(slot) : i32.load(slot)),
    when(
      i32.isZero(get(x)),
      // The loop over rows ends: its block is around the loop and the body of one row.
      branchIf(5, i32.equal(get(next), get(end))),
      append,
      shared
        ? [set(x, i32.compareExchange(slot, i32.of(0), taken)), when(i32.isZero(get(x)), isMine, branch(3))]
        : [i32.store(slot, taken), isMine, branch(2)],
    ),
    when(
      i32.isZero(highBits(mask, i32.xor(get(x), get(h)))),
      set(number, i32.subtract(i32.and(get(x), get(mask)), i32.of(1))),
      set(q, stateIn(arena, mask, x, words)),
      block(
        differs.map((each) => branchIf(0, each)),
        branch(3),
      ),
    ),
    set(i, i32.and(i32.add(get(i), i32.of(1)), get(mask))),
    branch(0),
  ]
  return {
    ...{ name: 'insert', parameters: 10, locals: [I32, I32, I32, I32, I32, I32] },
    body: [
      set(p, i32.add(get(rows), i32.multiply(get(k), i32.of((words + 1) * WORD)))),
      countTo(
        k,
        n,
        set(i, i32.and(tee(h, i32.load(wordAt(get(hashes), get(k)))), get(mask))),
        block(loop(probe)),
        when(get(numbers), i32.store(wordAt(get(numbers), get(k)), get(number))),
        increase(p, (words + 1) * WORD),
      ),
      i32.store(wordAt(get(hashes), get(n)), get(k)),
      get(next),
    ],
  }
}

const placeOf = (shared: boolean): Func => {
  const [slots, mask, hashes, first, n, k, h, i] = [0, 1, 2, 3, 4, 5, 6, 7]
  const slot = wordAt(get(slots), get(i))
  const taken = i32.or(highBits(mask, get(h)), i32.add(get(first), i32.add(get(k), i32.of(1))))
  const isTaken = shared ? i32.compareExchange(slot, i32.of(0), taken) : i32.load(slot)
  return {
    ...{ name: 'place', parameters: 5, locals: [I32, I32, I32] },
    body: [
      countTo(
        k,
        n,
        set(i, i32.and(tee(h, i32.load(wordAt(get(hashes), get(k)))), get(mask))),
        block(
          loop(branchIf(1, i32.isZero(isTaken)), set(i, i32.and(i32.add(get(i), i32.of(1)), get(mask))), branch(0)),
        ),
        shared ? [] : i32.store(slot, taken),
      ),
      i32.of(0),
    ],
  }
}

const makeModule = (words: number, shared: boolean): object =>
  new engine!.Module(moduleOf([hashOf(words), touchOf(), insertOf(words, shared), placeOf(shared)], PAGES_MAX))

const known = new Map<string, object>()

/** A kernel on a memory; `shared` where several threads insert at the same time. */
export const wasmKernelOf = (words: number, memory: WasmMemory, shared: boolean): WasmKernel => {
  const key = `${words} ${shared}`
  const made = known.get(key) ?? makeModule(words, shared)
  known.set(key, made)
  return new engine!.Instance(made, { env: { memory } }).exports as unknown as WasmKernel
}
