import { expect, it } from 'vitest'
import { SECTOR_BYTES } from '../../src/layout/blk.ts'
import { Medium } from '../../src/models/virtqueue/medium.ts'

it('what a sector held is remembered, not where it was seen', () => {
  const medium = new Medium(1, 2)
  const seen = Buffer.alloc(SECTOR_BYTES, 1)
  expect(medium.recognise(0, seen)).toBe(0)
  seen.fill(2)
  expect(medium.recognise(0, seen)).toBeUndefined()
  expect(medium.recognise(0, Buffer.alloc(SECTOR_BYTES, 1))).toBe(0)
})
