import { COMMAND } from '../../layout/pci.ts'
import type { FunctionState, PciFunction, Register } from './function.ts'

export type BarKind = 'io' | 'memory32' | 'memory64'

/** A window that a base address register places. A 64-bit one also takes the register after `index`. */
export interface BarWindow {
  readonly index: number
  readonly kind: BarKind
  /** A power of two: at least 4 for I/O, 16 for memory. */
  readonly bytes: number
}

/** Where an access falls inside a function. */
export interface Claim {
  readonly bar: number
  readonly offset: number
}

/** Which windows answer: the command register enables each space, and only D0 answers, PCI PM 1.2 5.4. */
export function decodes(state: FunctionState, kind: BarKind): boolean {
  const enable = kind === 'io' ? COMMAND.IO : COMMAND.MEMORY
  return state.power === 0 && (state.command & enable) !== 0
}

/** Bits of register `index` that software may change: the size of the window shows in the others, PCI 3.0 6.2.5.1. */
function barBits(bars: readonly BarWindow[], index: number): number {
  const low = bars.find((bar) => bar.index === index)
  if (low) return ~(low.bytes - 1) & (low.kind === 'io' ? ~3 : ~15)
  return bars.some((bar) => bar.kind === 'memory64' && bar.index === index - 1) ? -1 : 0
}

/** The value that a base address register takes: fixed bits keep their value, whatever is written. */
export function barAfterWrite(old: number, value: number, writable: number): number {
  return ((old & ~writable) | (value & writable)) >>> 0
}

/** First address of a window. Not safe as an integer when the upper half is large; then no CPU of ours reaches it. */
function barBase(state: FunctionState, bar: BarWindow): number {
  const low = state.bars[bar.index]!
  if (bar.kind === 'io') return (low & ~3) >>> 0
  const high = bar.kind === 'memory64' ? state.bars[bar.index + 1]! : 0
  return high * 2 ** 32 + ((low & ~15) >>> 0)
}

/** The window that answers an access, or none. Of overlapping windows the one with the lowest index answers. */
export function claim(fn: PciFunction, space: 'port' | 'mmio', address: number, width: number): Claim | undefined {
  for (const bar of fn.personality.bars) {
    if ((bar.kind === 'io') !== (space === 'port') || !fn.parts.decodes(fn.state, bar.kind)) continue
    const offset = address - barBase(fn.state, bar)
    if (offset >= 0 && offset + width <= bar.bytes) return { bar: bar.index, offset }
  }
  return undefined
}

/** The six base address registers of a type 0 header. */
export function barRegisters(bars: readonly BarWindow[]): Register[] {
  return [0, 1, 2, 3, 4, 5].map((index) => {
    const writable = barBits(bars, index)
    return {
      at: 0x10 + 4 * index,
      bytes: 4,
      name: `BAR ${index}`,
      read: (fn) => fn.state.bars[index]!,
      write(fn, value, touched) {
        fn.state.bars[index] = fn.parts.barAfterWrite(fn.state.bars[index]!, value, writable & touched)
      },
    }
  })
}
