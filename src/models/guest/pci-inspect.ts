/** Looking a PCI function over: what its base addresses, read-only registers and capability list are like. */

import { ModelError } from '../../kernel/model.ts'
import { BAR, PCI } from '../../layout/pci.ts'
import type { Bar } from './pci-bars.ts'
import type { ConfigSpace } from './pci-bus.ts'

const ALL_ONES = 0xffff_ffff
const BARS = 6
const TYPE_BITS = { mmio: 0xf, port: 0x3 } as const

const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value))

export interface ProbedBars {
  readonly sizes: boolean
  readonly types: boolean
  readonly upperHalves: boolean
  readonly unimplemented: boolean
  readonly restored: boolean
}

/** Writes all ones to every BAR, looks at what reads back, and restores it. Decoding is left as it is. */
export const inspectBars = (config: ConfigSpace, bars: readonly Bar[]): ProbedBars => {
  const found = { sizes: true, types: true, upperHalves: true, unimplemented: true, restored: true }
  for (let index = 0; index < BARS; index++) {
    const at = PCI.bar(index)
    const before = config.read32(at)
    config.write32(at, ALL_ONES)
    const read = config.read32(at)
    config.write32(at, before)
    found.restored &&= config.read32(at) === before
    const bar = bars.find((each) => each.index === index)
    const lower = bars.find((each) => each.wide && each.index === index - 1)
    if (bar !== undefined) {
      const bits = TYPE_BITS[bar.space]
      found.types &&= (before & bits) === (read & bits)
      // The upper half of an I/O BAR may be hardwired to zero, 6.2.5.1.
      const address = (read & ~bits) >>> 0
      const bytes = bar.space === 'port' ? 0x1_0000 - (address & 0xffff) : 2 ** 32 - address
      found.sizes &&= isPowerOfTwo(bytes) && bytes === Math.min(bar.bytes, 2 ** 32)
    } else if (lower !== undefined) {
      const writable = lower.bytes > 2 ** 32 ? 2 ** 32 - lower.bytes / 2 ** 32 : ALL_ONES
      found.upperHalves &&= read === writable
    } else found.unimplemented &&= read === 0 || (read & ~BAR.IO) === 0
  }
  return found
}

const IDENTITY = [PCI.vendorId, PCI.revision, PCI.subsystemVendorId] as const

/** Whether vendor, device, revision, class and subsystem survive a write of other bits. */
export const identityIsReadOnly = (config: ConfigSpace): boolean =>
  IDENTITY.every((at) => {
    const before = config.read32(at)
    config.write32(at, ~before >>> 0)
    const after = config.read32(at)
    config.write32(at, before)
    return after === before
  })

/** Whether the capability list is dword-aligned, behind the header, and ends. */
export const listIsSound = (config: ConfigSpace): boolean => {
  try {
    const list = config.capabilities()
    const places = new Set(list.map(({ at }) => at))
    return places.size === list.length && list.every(({ at }) => at >= 0x40 && at % 4 === 0)
  } catch (error) {
    if (error instanceof ModelError) return false
    throw error
  }
}
