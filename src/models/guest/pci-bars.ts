/** Base address registers: sizing (PCI 3.0, 6.2.5.1), placing, and writing them back after a reset. */
import type { Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { BAR, COMMAND, PCI } from '../../layout/pci.ts'
import type { ConfigSpace } from './pci-bus.ts'

/** One BAR that a function implements. */
export interface Bar {
  readonly index: number
  readonly space: 'mmio' | 'port'
  readonly wide: boolean
  readonly bytes: number
  /** Where it was placed. */
  base: number
}

const BARS = 6
const ALL_ONES = 0xffff_ffff
const MEMORY_BITS = 0xffff_fff0
const IO_BITS = 0xffff_fffc
const PORTS = 0x1_0000
/** Where firmware of a PC puts memory BARs, below the IOAPIC and the interrupt window at 0xfec00000. */
const MEMORY_HOLE = { start: 0xe000_0000, end: 0xfec0_0000 }
const PORT_HOLE = { start: 0xc000, end: PORTS }

interface Range {
  readonly start: number
  readonly end: number
}

/** A range of a target that a BAR was given. `owner` names function and BAR, so that opening twice changes nothing. */
interface Placed extends Range {
  readonly space: Bar['space']
  readonly owner: number
}

const placedOn = new WeakMap<Target, readonly Placed[]>()

const overlaps = (a: Range, b: Range): boolean => a.start < b.end && b.start < a.end

/** Reads the size and type of each BAR with decoding off, as the standard asks, and puts the old values back. */
export const probeBars = (config: ConfigSpace): Bar[] => {
  const command = config.read16(PCI.command)
  config.write16(PCI.command, command & ~(COMMAND.IO | COMMAND.MEMORY))
  const bars: Bar[] = []
  for (let index = 0; index < BARS; index++) {
    const at = PCI.bar(index)
    const old = config.read32(at)
    const wide = (old & BAR.IO) === 0 && (old & 6) === BAR.TYPE_64 && index + 1 < BARS
    config.write32(at, ALL_ONES)
    const mask = config.read32(at)
    config.write32(at, old)
    if ((old & BAR.IO) !== 0 || (mask & BAR.IO) !== 0) {
      // The upper 16 bits may be hardwired to zero, 6.2.5.1.
      const bits = (mask & IO_BITS & 0xffff) | 0xffff_0000
      if ((mask & IO_BITS) !== 0)
        bars.push({ index, space: 'port', wide: false, bytes: (~bits + 1) >>> 0, base: (old & IO_BITS) >>> 0 })
      continue
    }
    let upper = 0
    let size = 2 ** 32 - ((mask & MEMORY_BITS) >>> 0)
    if (wide) {
      const high = PCI.bar(index + 1)
      upper = config.read32(high)
      config.write32(high, ALL_ONES)
      size += 2 ** 32 * (ALL_ONES - config.read32(high))
      config.write32(high, upper)
    }
    if ((mask & MEMORY_BITS) !== 0 || (wide && size > 2 ** 32))
      bars.push({ index, space: 'mmio', wide, bytes: size, base: upper * 2 ** 32 + ((old & MEMORY_BITS) >>> 0) })
    if (wide) index++
  }
  config.write16(PCI.command, command)
  return bars
}

/** Gives every BAR a place of its own. What firmware has placed already stays where it is. */
export const placeBars = (config: ConfigSpace, bars: readonly Bar[], memoryStart = MEMORY_HOLE.start): void => {
  const { target } = config.guest
  const ram = target.describe().memory
  let placed = placedOn.get(target) ?? []
  for (const bar of bars) {
    const owner = config.base + bar.index
    placed = placed.filter((range) => range.owner !== owner)
    const others = placed.filter(({ space }) => space === bar.space)
    const taken = bar.space === 'mmio' ? [...ram, ...others] : others
    const here = { start: bar.base, end: bar.base + bar.bytes }
    const keeps = bar.base !== 0 && !taken.some((range) => overlaps(range, here))
    if (!keeps) {
      const hole = bar.space === 'mmio' ? { ...MEMORY_HOLE, start: memoryStart } : PORT_HOLE
      bar.base = firstFree(hole, bar.bytes, taken)
      if (bar.base < 0)
        throw new ModelError(
          `${config.device}: BAR ${bar.index}: expected ${bar.bytes} free bytes of ${bar.space} from 0x${hole.start.toString(16)} to 0x${hole.end.toString(16)}, found none`,
        )
    }
    placed = [...placed, { start: bar.base, end: bar.base + bar.bytes, space: bar.space, owner }]
  }
  placedOn.set(target, placed)
}

const firstFree = (hole: Range, bytes: number, taken: readonly Range[]): number => {
  for (let start = Math.ceil(hole.start / bytes) * bytes; start + bytes <= hole.end; start += bytes)
    if (!taken.some((range) => overlaps(range, { start, end: start + bytes }))) return start
  return -1
}

/** Writes the base of a BAR, both halves of a wide one. */
export const writeBar = (config: ConfigSpace, bar: Bar, base = bar.base): void => {
  config.write32(PCI.bar(bar.index), base % 2 ** 32)
  if (bar.wide) config.write32(PCI.bar(bar.index + 1), Math.floor(base / 2 ** 32))
}

/** Writes every BAR and lets the function decode and master. 16 bits wide: the status register is left alone. */
export const enableFunction = (config: ConfigSpace, bars: readonly Bar[]): void => {
  for (const bar of bars) writeBar(config, bar)
  config.write16(PCI.command, COMMAND.IO | COMMAND.MEMORY | COMMAND.BUS_MASTER)
}
