/**
 * One state for all that differ by a declared symmetry. Indexes are turned back until one that is always there is zero;
 * then ids are named in the order of their signatures. Where that leaves a choice (no index that is always there, ids
 * that are related to ids) each of what is left is tried, and the least row is taken. So the form is exact: two states
 * have the same one if and only if a declared permutation leads from one to the other.
 */
import type { Domain, Machine } from '../../language/index.ts'
import { wordLayoutOf } from '../../language/word-layout.ts'
import { generate } from '../source.ts'
import { actOf, loadOf, storeOf } from './act.ts'
import { signaturesOf } from './ranks.ts'

export interface Canoniser {
  /** Puts the first `count` rows into canonical form. */
  canonise(rows: Int32Array, count: number): void
  /** How many states the row at a place stands for, itself included. */
  orbitAt(rows: Int32Array, at: number): number
}

interface Turning {
  readonly act: (by: number) => void
  readonly size: number
  /** A cell that holds an index whatever the state is, or none. */
  readonly anchor: number | undefined
  /** Values of the anchor: so far turning it back to zero decides the rotation. */
  readonly decided: number
}

interface Naming {
  readonly act: (names: Int32Array) => void
  readonly sign: () => void
  readonly size: number
  readonly words: number
  readonly relation: boolean
  /** Ids in the order of their signatures, and the place of each in it. */
  readonly order: Int32Array
  readonly names: Int32Array
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))

class Forms implements Canoniser {
  private readonly stride: number
  private readonly cells: Int32Array
  private readonly signatures: Int32Array
  private readonly load: (rows: Int32Array, at: number) => void
  private readonly store: (rows: Int32Array, at: number) => void
  private readonly turnings: readonly Turning[]
  private readonly namings: readonly Naming[]
  /** The first form is the form: nothing is left to be tried. */
  private readonly isDecided: boolean
  private readonly group: number
  private readonly least: Int32Array
  private readonly row: Int32Array
  /** Permutations that lead to the least row, of those that were tried. */
  private hits = 0

  constructor(machine: Machine) {
    const { layout, symmetry } = machine
    const { words } = wordLayoutOf(layout)
    const ids = symmetry.filter(({ kind }) => kind === 'ids')
    const rotations = symmetry.filter(({ kind }) => kind === 'rotation')
    const signed = ids.map((domain) => ({ domain, ...signaturesOf(domain, ids, layout) }))
    this.stride = words + 1
    const cells = new Int32Array(layout.cells)
    const spare = new Int32Array(layout.cells)
    const signatures = new Int32Array(Math.max(0, ...signed.map(({ domain, words }) => words * domain.size)))
    this.cells = cells
    this.signatures = signatures
    this.load = loadOf(machine, cells)
    this.store = storeOf(machine, cells)
    this.turnings = rotations.map((domain) => ({
      ...{ act: actOf<number>(domain, cells, spare), size: domain.size },
      ...anchorOf(domain, symmetry),
    }))
    this.namings = signed.map(({ domain, words, text, relation }) => ({
      ...{ act: actOf<Int32Array>(domain, cells, spare), size: domain.size, words, relation },
      sign: generate<() => void>('sign', '', [text], { c: cells, sig: signatures }),
      ...{ order: new Int32Array(domain.size), names: new Int32Array(domain.size) },
    }))
    this.isDecided =
      this.turnings.every(({ size, decided }) => size === decided) && signed.every(({ relation }) => !relation)
    this.group = symmetry.reduce((all, { kind, size }) => all * (kind === 'ids' ? factorial(size) : size), 1)
    this.least = new Int32Array(words)
    this.row = new Int32Array(words)
  }

  canonise(rows: Int32Array, count: number): void {
    for (let i = 0, at = 0; i < count; i++, at += this.stride) {
      this.load(rows, at)
      if (this.isDecided) {
        const isTurned = this.turnBack()
        if (this.nameAll() || isTurned) this.store(rows, at)
      } else {
        this.tryAll()
        rows.set(this.least, at)
      }
    }
  }

  orbitAt(rows: Int32Array, at: number): number {
    this.load(rows, at)
    if (!this.isDecided) this.tryAll()
    else {
      this.turnBack()
      this.hits = this.nameAndCount()
    }
    return this.group / this.hits
  }

  /** Turns each index domain so that its anchor is zero; whether that changed anything. */
  private turnBack(): boolean {
    let isTurned = false
    for (const { act, size, anchor } of this.turnings) {
      const back = anchor === undefined ? 0 : this.cells[anchor]!
      if (back === 0) continue
      act(size - back)
      isTurned = true
    }
    return isTurned
  }

  private nameAll(): boolean {
    let isRenamed = false
    for (const naming of this.namings) {
      if (!this.sort(naming)) continue
      naming.act(naming.names)
      isRenamed = true
    }
    return isRenamed
  }

  /** Orders ids by their signatures; whether their names have to change. */
  private sort({ sign, size, words, order, names }: Naming): boolean {
    const { signatures } = this
    sign()
    for (let id = 0; id < size; id++) {
      let place = id
      for (; place > 0; place--) {
        const other = order[place - 1]!
        let word = 0
        while (word < words - 1 && signatures[word * size + id] === signatures[word * size + other]) word++
        if (signatures[word * size + id]! >= signatures[word * size + other]!) break
        order[place] = other
      }
      order[place] = id
    }
    let isRenamed = false
    for (let place = 0; place < size; place++) {
      names[order[place]!] = place
      if (order[place] !== place) isRenamed = true
    }
    return isRenamed
  }

  /** Where in the order ids of equal signature begin, and one past the last; after `sort`. */
  private classes({ size, words, order }: Naming): number[] {
    const { signatures } = this
    const starts = [0]
    for (let place = 1; place < size; place++) {
      let word = 0
      const at = (id: number): number => signatures[word * size + id]!
      while (word < words && at(order[place]!) === at(order[place - 1]!)) word++
      if (word < words) starts.push(place)
    }
    return [...starts, size]
  }

  /** Names all ids; how many ways to name them lead to the same, where no id is related to another. */
  private nameAndCount(): number {
    let ways = 1
    for (const naming of this.namings) {
      const isRenamed = this.sort(naming)
      const starts = this.classes(naming)
      if (!naming.relation) for (let i = 1; i < starts.length; i++) ways *= factorial(starts[i]! - starts[i - 1]!)
      if (isRenamed) naming.act(naming.names)
    }
    return ways
  }

  private tryAll(): void {
    this.hits = 0
    this.turnBack()
    this.tryTurns(0)
  }

  private tryTurns(first: number): void {
    const turning = this.turnings[first]
    if (turning === undefined) {
      const ways = this.nameAndCount()
      this.tryNames(0, ways)
      return
    }
    const before = this.cells.slice()
    for (let by = 0; by < turning.size; by += turning.decided) {
      this.cells.set(before)
      if (by > 0) turning.act(by)
      this.tryTurns(first + 1)
    }
  }

  /** Tries every order of ids that have equal signatures and are related to others. */
  private tryNames(first: number, ways: number): void {
    const naming = this.namings[first]
    if (naming === undefined) this.offer(ways)
    else if (!naming.relation) this.tryNames(first + 1, ways)
    else {
      this.sort(naming)
      const before = this.cells.slice()
      for (const names of namesWithin(this.classes(naming))) {
        this.cells.set(before)
        naming.act(names)
        this.tryNames(first + 1, ways)
      }
    }
  }

  private offer(ways: number): void {
    const { row, least } = this
    this.store(row, 0)
    let word = 0
    if (this.hits > 0) {
      while (word < row.length && row[word] === least[word]) word++
      if (word === row.length) {
        this.hits += ways
        return
      }
      if (row[word]! > least[word]!) return
    }
    least.set(row)
    this.hits = ways
  }
}

/** All ways to name ids that are in order anew within their classes. */
const namesWithin = (starts: readonly number[]): Int32Array[] => {
  let all: number[][] = [[]]
  for (let i = 1; i < starts.length; i++) {
    const members = Array.from({ length: starts[i]! - starts[i - 1]! }, (_, m) => starts[i - 1]! + m)
    all = all.flatMap((names) => orders(members).map((some) => [...names, ...some]))
  }
  return all.map((names) => Int32Array.from(names))
}

const orders = (members: readonly number[]): number[][] =>
  members.length === 0
    ? [[]]
    : members.flatMap((first) => orders(members.filter((one) => one !== first)).map((rest) => [first, ...rest]))

/** The index with the most values that no permutation moves and that is always there. */
const anchorOf = ({ values }: Domain, symmetry: readonly Domain[]): Pick<Turning, 'anchor' | 'decided'> => {
  const isMoved = (cell: number): boolean =>
    symmetry.some(({ blocks }) =>
      blocks.some((block) => block.cell <= cell && cell < block.cell + block.length * block.stride),
    )
  let best: { readonly anchor: number | undefined; readonly decided: number } = { anchor: undefined, decided: 1 }
  for (const { cell, type, only } of values)
    if (type.kind === 'mod' && only === undefined && type.cells > best.decided && !isMoved(cell))
      best = { anchor: cell, decided: type.cells }
  return best
}

/** Nothing where nothing is declared. */
export const canoniserOf = (machine: Machine): Canoniser | undefined =>
  machine.symmetry.length === 0 ? undefined : new Forms(machine)
