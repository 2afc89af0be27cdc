/**
 * Arrays in a state. Elements are reached through `at` and `set`, not through brackets: a bracket needs an accessor
 * per index, which engines treat as a slow dictionary, and it cannot name the field when an index is out of range.
 */
export interface ReadonlyCells<V> {
  readonly length: number
  at(index: number): V
  some(test: (value: V, index: number) => boolean): boolean
  every(test: (value: V, index: number) => boolean): boolean
  count(test: (value: V, index: number) => boolean): number
  /** Index of the first element that passes. */
  findIndex(test: (value: V, index: number) => boolean): number | undefined
}

export interface Cells<V> extends ReadonlyCells<V> {
  set(index: number, value: V): void
  fill(value: V): void
}

/** Shared half of the two array views (of scalars, of records). */
export abstract class CellsBase<V> implements Cells<V> {
  readonly length: number
  protected readonly path: string

  constructor(length: number, path: string) {
    this.length = length
    this.path = path
  }

  abstract at(index: number): V
  abstract set(index: number, value: V): void

  some(test: (value: V, index: number) => boolean): boolean {
    for (let i = 0; i < this.length; i++) if (test(this.at(i), i)) return true
    return false
  }
  every(test: (value: V, index: number) => boolean): boolean {
    for (let i = 0; i < this.length; i++) if (!test(this.at(i), i)) return false
    return true
  }
  count(test: (value: V, index: number) => boolean): number {
    let count = 0
    for (let i = 0; i < this.length; i++) if (test(this.at(i), i)) count++
    return count
  }
  findIndex(test: (value: V, index: number) => boolean): number | undefined {
    for (let i = 0; i < this.length; i++) if (test(this.at(i), i)) return i
    return undefined
  }
  fill(value: V): void {
    for (let i = 0; i < this.length; i++) this.set(i, value)
  }
  protected check(index: number): void {
    if (!(index >= 0 && index < this.length))
      throw new RangeError(`${this.path}[${String(index)}]: expected an index from 0 to ${this.length - 1}`)
  }
}
