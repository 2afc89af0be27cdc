/** Where the guest of the queue models keeps its rings and buffers. */
import type { Description, DeviceDescription, Gpa } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { avail, DESC, used } from '../../layout/split-ring.ts'

/** The three areas of one queue. */
export interface RingArea {
  readonly desc: Gpa
  readonly avail: Gpa
  readonly used: Gpa
  /** `[start, end)` of all three. */
  readonly start: Gpa
  readonly end: Gpa
}

/** Bytes of a buffer slot; each outstanding chain has one. */
export const SLOT_BYTES = 4096
export const SLOTS = 48
const RING_BYTES = 0x2000

export interface MemoryMap {
  readonly size: number
  /** Rings move between these, so that a use of the old ones shows. */
  readonly rings: readonly [RingArea, RingArea]
  readonly neighbour: RingArea
  readonly neighbourBuffer: Gpa
  readonly slots: Gpa
  /** End of a region of memory, exclusive. */
  readonly edge: Gpa
  /** An address with no memory behind it. */
  readonly hole: bigint
  /** An address at which registers answer: those that the target names for it, else the device's own where they are fixed. */
  readonly register: Gpa
}

const ringArea = (start: Gpa, size: number): RingArea => {
  const availAt = start + DESC.bytes * size
  const usedAt = (availAt + avail.bytes(size) + 3) & ~3
  return { desc: start, avail: availAt, used: usedAt, start, end: usedAt + used.bytes(size) }
}

/** Bytes from the start of the map to its end. */
const MAP_BYTES = 4 * RING_BYTES + SLOTS * SLOT_BYTES

export const memoryMap = (description: Description, device: DeviceDescription, size: number): MemoryMap => {
  const largest = description.memory.reduce((best, region) =>
    region.end - region.start > best.end - best.start ? region : best,
  )
  // Low memory is left alone: it is special on a PC, and a stray access to address 0 must show as stray.
  const base = largest.start === 0 ? 0x10000 : largest.start
  if (base + MAP_BYTES + SLOT_BYTES > largest.end)
    throw new ModelError(
      `${description.name}: expected a memory region of at least ${base + MAP_BYTES + SLOT_BYTES - largest.start} bytes, found ${largest.end - largest.start}`,
    )
  const { strayRegisters } = device.facts ?? {}
  const own = device.transport.kind === 'mmio' ? device.transport.base : 0xfee0_0000
  const edge = description.memory.reduce((end, region) => Math.max(end, region.end), 0)
  return {
    size,
    rings: [ringArea(base, size), ringArea(base + RING_BYTES, size)],
    neighbour: ringArea(base + 2 * RING_BYTES, size),
    neighbourBuffer: base + 3 * RING_BYTES,
    slots: base + 4 * RING_BYTES,
    edge,
    hole: 0x7f00_0000_0000n,
    register: typeof strayRegisters === 'number' ? strayRegisters : own,
  }
}
