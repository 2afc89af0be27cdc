import { describe, expect, it } from 'vitest'
import { HousedVisited } from '../../src/kernel/explore/housed-visited.ts'
import { PlainVisited, type Visited } from '../../src/kernel/explore/visited.ts'

const ROWS_MAX = 500

/** Batches of rows in which states come again and again, each told to a visited set; what it answered to all. */
const feed = (visited: Visited, words: number, batches: number) => {
  let seed = 1
  const draw = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    return seed
  }
  const numbers = new Int32Array(ROWS_MAX)
  const told: (boolean | number | string | undefined)[] = []
  for (let batch = 0; batch < batches; batch++) {
    const n = 1 + ((draw() >>> 8) % ROWS_MAX)
    for (let row = 0; row < n; row++) {
      // One of some thousand states, whose words differ in high bits, in low ones, or in the last word only.
      const state = (draw() >>> 8) % (40 * batches)
      for (let i = 0; i < words; i++)
        visited.rows[row * visited.stride + i] =
          i === words - 1 ? state : Math.imul(state & 255, 0x9e3779b1 << (i % 24))
      visited.rows[(row + 1) * visited.stride - 1] = batch
    }
    told.push(visited.insert(n, numbers), visited.count, numbers.slice(0, n).join())
    if (visited.full !== undefined) break
  }
  return { told, arena: [...visited.arena.subarray(0, visited.count * visited.stride)], full: visited.full }
}

describe('the visited set in WebAssembly memory', () => {
  const options = { rowsMax: ROWS_MAX, maxStates: 2 ** 24, memoryBytes: 2 ** 26 }

  it.each([1, 2, 3, 4, 5, 16, 17, 40])(
    'gives every state the number that the plain one gives it, %i words',
    (words) => {
      const housed = new HousedVisited({ ...options, words, moveStates: 300 })
      const plain = new PlainVisited({ ...options, words })
      expect(feed(housed, words, 100)).toEqual(feed(plain, words, 100))
      expect(housed.shared?.count).toBeGreaterThan(2000)
    },
  )

  it('is left again where it is too small for what may be used', () => {
    const housed = new HousedVisited({ ...options, words: 3, moveStates: 300, groundBytes: 300_000 })
    expect(feed(housed, 3, 200)).toEqual(feed(new PlainVisited({ ...options, words: 3 }), 3, 200))
    expect(housed.shared).toBeUndefined()
    expect(housed.count).toBeGreaterThan(6000)
  })

  it('is not used for states that are wider than its loops', () => {
    const housed = new HousedVisited({ ...options, words: 257, moveStates: 300 })
    expect(feed(housed, 257, 20)).toEqual(feed(new PlainVisited({ ...options, words: 257 }), 257, 20))
    expect(housed.shared).toBeUndefined()
  })

  it('ends at the same state', () => {
    for (const bound of [{ maxStates: 1234 }, { memoryBytes: 600_000 }]) {
      const housed = new HousedVisited({ ...options, ...bound, words: 3, moveStates: 300 })
      const { told, arena, full } = feed(housed, 3, 1000)
      expect(housed.shared).toBeDefined()
      expect([told.at(-3), full]).toEqual([false, 'maxStates' in bound ? 'states' : 'memory'])
      if ('maxStates' in bound) {
        const plain = feed(new PlainVisited({ ...options, ...bound, words: 3 }), 3, 1000)
        expect(arena).toEqual(plain.arena)
      }
      expect(housed.bytes).toBeLessThanOrEqual(options.memoryBytes)
    }
  })
})
