import {
  CAPABILITY,
  EXPRESS,
  FLR_CAPABLE,
  FLR_INITIATE,
  POWER,
  POWER_NO_SOFT_RESET,
  POWER_STATE_MASK,
  TRANSACTIONS_PENDING,
} from '../../layout/pci.ts'
import { type Capability, resetFunction, setPower } from './function.ts'

/** Power management, PCI PM 1.2 section 3.2: version 3, D0 and D3hot only, no power management events. */
export const powerCapability: Capability = {
  id: CAPABILITY.POWER,
  bytes: POWER.bytes,
  registers: [
    { at: POWER.capabilities, bytes: 2, name: 'power capabilities', read: () => 3 },
    {
      at: POWER.control,
      bytes: 2,
      name: 'power control and status',
      read: (fn) => fn.state.power | (fn.options.noSoftReset ? POWER_NO_SOFT_RESET : 0),
      write(fn, value, touched) {
        if ((touched & POWER_STATE_MASK) !== 0) setPower(fn, value & POWER_STATE_MASK)
      },
    },
  ],
}

/** Version 2 of the capability; device type 9 is an endpoint integrated into the root complex, which has no link. */
const EXPRESS_INTEGRATED_ENDPOINT = 0x92
/** Device type 1: only a legacy endpoint may ask for I/O addresses, PCIe 1.3.2. */
const EXPRESS_LEGACY_ENDPOINT = 0x12

/** PCI Express, PCIe section 7.8, as far as function-level reset needs it. */
export const expressCapability: Capability = {
  id: CAPABILITY.EXPRESS,
  bytes: EXPRESS.bytes,
  registers: [
    {
      at: EXPRESS.capabilities,
      bytes: 2,
      name: 'Express capabilities',
      read: ({ personality: { bars } }) =>
        bars.some(({ kind }) => kind === 'io') ? EXPRESS_LEGACY_ENDPOINT : EXPRESS_INTEGRATED_ENDPOINT,
    },
    // Role-based error reporting is mandatory from version 1.1 on.
    { at: EXPRESS.deviceCapabilities, bytes: 4, name: 'device capabilities', read: () => FLR_CAPABLE | 0x8000 },
    {
      at: EXPRESS.deviceControl,
      bytes: 2,
      name: 'device control',
      read: (fn) => fn.state.deviceControl,
      write(fn, value, touched) {
        const writable = touched & ~FLR_INITIATE
        fn.state.deviceControl = (fn.state.deviceControl & ~writable) | (value & writable)
        // Reads back as zero always, 7.8.4; the registers written beside it are reset as well.
        if ((value & touched & FLR_INITIATE) !== 0) resetFunction(fn)
      },
    },
    {
      at: EXPRESS.deviceStatus,
      bytes: 2,
      name: 'device status',
      read: (fn) => (fn.state.resetting ? TRANSACTIONS_PENDING : 0),
    },
  ],
}
