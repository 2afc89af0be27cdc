/** Sets of interrupt vectors as eight words, the way that interrupt request registers and posted descriptors hold them. */
export type Vectors = number[]

export const noVectors = (): Vectors => [0, 0, 0, 0, 0, 0, 0, 0]

export const hasVector = (set: Vectors, vector: number): boolean => ((set[vector >> 5]! >>> (vector & 31)) & 1) === 1

export const addVector = (set: Vectors, vector: number): void => {
  set[vector >> 5] = (set[vector >> 5]! | (1 << (vector & 31))) >>> 0
}

export const removeVector = (set: Vectors, vector: number): void => {
  set[vector >> 5] = (set[vector >> 5]! & ~(1 << (vector & 31))) >>> 0
}

/** The highest, or -1. */
export const highestVector = (set: Vectors): number => {
  for (let word = 7; word >= 0; word--) if (set[word] !== 0) return 32 * word + 31 - Math.clz32(set[word]!)
  return -1
}

/** Its priority class; -1 of no vector. */
export const classOf = (vector: number): number => vector >> 4
