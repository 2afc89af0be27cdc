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

/** Text of the methods beside `at` and `set`. Each array has its own copy: shared ones would see the tests of all arrays, and stay slow. */
export const ARRAY_METHODS = `
some(test){for(let i=0;i<this.length;i++)if(test(this.at(i),i))return true;return false}
every(test){for(let i=0;i<this.length;i++)if(!test(this.at(i),i))return false;return true}
count(test){let n=0;for(let i=0;i<this.length;i++)if(test(this.at(i),i))n++;return n}
findIndex(test){for(let i=0;i<this.length;i++)if(test(this.at(i),i))return i;return undefined}
fill(v){for(let i=0;i<this.length;i++)this.set(i,v)}`
