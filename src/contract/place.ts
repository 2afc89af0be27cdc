/** Where a device sits, in words. */
import type { DeviceDescription } from './target.ts'

const hex = (n: number): string => `0x${n.toString(16)}`

/** `mmio 0xa000000`, `pci 0:4.0`, `port 0x3f8`, `a chip with 16 inputs`. */
export function placeOf({ transport }: DeviceDescription): string {
  switch (transport.kind) {
    case 'mmio':
      return `mmio ${hex(transport.base)}`
    case 'port':
      return `port ${hex(transport.base)}`
    case 'pci':
      return `pci ${transport.bus.toString(16)}:${transport.device.toString(16)}.${transport.function}`
    case 'chip': {
      const base = transport.base === undefined ? '' : ` at mmio ${hex(transport.base)}`
      return `a chip with ${transport.inputs} inputs${base}`
    }
  }
}
