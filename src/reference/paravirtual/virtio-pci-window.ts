import { CAPABILITY } from '../../layout/pci.ts'
import { CFG_TYPE } from '../../layout/virtio.ts'
import type { Capability, PciFunction, Register } from '../pci/function.ts'
import type { VirtioPci } from './virtio-pci.ts'

/**
 * The configuration access window, VIRTIO 1.3 4.1.4.9: software reaches any BAR through configuration space, whether or
 * not the BAR is placed or decoded. An access goes to `cap.offset` of `cap.bar` and has `cap.length` bytes.
 */
export function windowCapability(transport: VirtioPci): Capability {
  const field = (at: number, bytes: 1 | 4, name: 'bar' | 'offset' | 'length'): Register => ({
    at,
    bytes,
    name: `window ${name}`,
    read: () => transport.state.window[name],
    write(_fn, value, touched) {
      const { window } = transport.state
      window[name] = ((window[name] & ~touched) | (value & touched)) >>> 0
    },
  })
  return {
    id: CAPABILITY.VENDOR,
    bytes: 20,
    registers: [
      { at: 3, bytes: 1, name: 'window cfg_type', read: () => CFG_TYPE.PCI },
      field(4, 1, 'bar'),
      field(8, 4, 'offset'),
      field(12, 4, 'length'),
      {
        at: 16,
        bytes: 4,
        name: 'window data',
        read(fn) {
          const width = accessWidth(transport, fn)
          const { bar, offset } = transport.state.window
          return width ? transport.readBar(fn, bar, offset, width) : 0
        },
        write(fn, value) {
          const width = accessWidth(transport, fn)
          const { bar, offset } = transport.state.window
          const bits = width === 4 ? value : value & ((1 << (8 * width)) - 1)
          if (width) transport.writeBar(fn, bar, offset, width, bits >>> 0)
        },
      },
    ],
  }
}

/** Width of the access that the window stands for, or 0 when it may not be made: 4.1.4.9.1 asks drivers for no other. */
function accessWidth({ bars, state: { window } }: VirtioPci, fn: PciFunction): 0 | 1 | 2 | 4 {
  const { bar, offset, length } = window
  if (length !== 1 && length !== 2 && length !== 4) return 0
  const target = bars.find((each) => each.index === bar)
  if (!target || offset % length !== 0 || offset + length > target.bytes) return 0
  // In D3hot nothing behind the configuration registers runs.
  return fn.state.power === 0 ? length : 0
}
