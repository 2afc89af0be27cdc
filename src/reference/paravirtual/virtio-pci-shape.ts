import { CAPABILITY } from '../../layout/pci.ts'
import { CFG_TYPE, DEVICE_TYPE, VIRTIO_PCI } from '../../layout/virtio.ts'
import type { BarWindow } from '../pci/bars.ts'
import type { Capability, Identity } from '../pci/function.ts'
import type { MsixWindow } from '../pci/msix.ts'
import { COMMON_BYTES } from './virtio-pci-common.ts'

/** Which of the shapes that the standard allows a device takes. */
export type VirtioPciShape =
  /** Structures in a 64-bit memory BAR, MSI-X, no legacy interface. */
  | 'memory'
  /** Structures in I/O BARs, INTx only. */
  | 'io'
  /** As `memory`, with the legacy register block in BAR 0, VIRTIO 1.3 4.1.4.10. */
  | 'transitional'

type StructureKind = 'common' | 'isr' | 'device' | 'notify' | 'legacy'

/** A structure and the BAR that it sits in. */
export interface Structure {
  readonly kind: StructureKind
  readonly bar: number
  readonly offset: number
  readonly bytes: number
}

/** Where everything of a device is. */
interface Shape {
  readonly bars: readonly BarWindow[]
  readonly msix: MsixWindow | undefined
  readonly structures: readonly Structure[]
}

/** Bytes between the doorbells of two queues. */
export const NOTIFY_MULTIPLIER = 4
/** Bytes kept for the device-specific structure. */
const DEVICE_BYTES = 0x80

/** PCI device ids that the transitional devices kept, 4.1.2.1; the others follow their type. */
const TRANSITIONAL_ID: Readonly<Record<number, number>> = {
  [DEVICE_TYPE.NET]: 0,
  [DEVICE_TYPE.BLOCK]: 1,
  [DEVICE_TYPE.BALLOON]: 2,
  [DEVICE_TYPE.CONSOLE]: 3,
  [DEVICE_TYPE.NINE_P]: 9,
}

/** PCI class codes by device type; `unassigned class` for the rest. */
const CLASS_CODE: Readonly<Record<number, number>> = {
  [DEVICE_TYPE.NET]: 0x020000,
  [DEVICE_TYPE.BLOCK]: 0x010000,
  [DEVICE_TYPE.CONSOLE]: 0x078000,
}

/** Ids and class of a device, VIRTIO 1.3 4.1.2. */
export function identity(type: number, transitional: boolean): Identity {
  const legacyId = TRANSITIONAL_ID[type]
  if (transitional && legacyId === undefined) {
    throw new Error(`device type ${type} has no transitional PCI id; expected one of ${Object.keys(TRANSITIONAL_ID)}`)
  }
  return {
    vendorId: VIRTIO_PCI.VENDOR,
    deviceId: transitional ? VIRTIO_PCI.DEVICE_TRANSITIONAL + legacyId! : VIRTIO_PCI.DEVICE_MODERN + type,
    revision: transitional ? 0 : 1,
    classCode: CLASS_CODE[type] ?? 0xff0000,
    subsystemVendorId: VIRTIO_PCI.VENDOR,
    // The device type in a transitional device; at least 0x40 in any other, 4.1.2.1.
    subsystemId: transitional ? type : 0x40 + type,
  }
}

const powerOfTwo = (bytes: number): number => 2 ** Math.ceil(Math.log2(bytes))

function memoryShape(queueCount: number): Shape {
  const page = 0x1000
  if (queueCount > 127) throw new Error(`virtio-pci: ${queueCount} queues; expected at most 127 beside one MSI-X page`)
  return {
    bars: [
      { index: 1, kind: 'memory32', bytes: page },
      { index: 4, kind: 'memory64', bytes: 4 * page },
    ],
    // One vector for each queue and one for configuration changes.
    msix: { vectors: queueCount + 1, bar: 1, table: 0, pba: page / 2 },
    structures: [
      { kind: 'common', bar: 4, offset: 0, bytes: COMMON_BYTES },
      { kind: 'isr', bar: 4, offset: page, bytes: 1 },
      { kind: 'device', bar: 4, offset: 2 * page, bytes: DEVICE_BYTES },
      { kind: 'notify', bar: 4, offset: 3 * page, bytes: NOTIFY_MULTIPLIER * queueCount },
    ],
  }
}

export const shapes: Record<VirtioPciShape, (queueCount: number) => Shape> = {
  memory: memoryShape,
  io: (queueCount) => ({
    bars: [
      { index: 0, kind: 'io', bytes: 0x40 },
      { index: 1, kind: 'io', bytes: powerOfTwo(NOTIFY_MULTIPLIER * queueCount) },
      { index: 2, kind: 'io', bytes: 4 },
      { index: 4, kind: 'io', bytes: DEVICE_BYTES },
    ],
    msix: undefined,
    structures: [
      { kind: 'common', bar: 0, offset: 0, bytes: COMMON_BYTES },
      { kind: 'notify', bar: 1, offset: 0, bytes: NOTIFY_MULTIPLIER * queueCount },
      { kind: 'isr', bar: 2, offset: 0, bytes: 1 },
      { kind: 'device', bar: 4, offset: 0, bytes: DEVICE_BYTES },
    ],
  }),
  transitional(queueCount) {
    const { bars, msix, structures } = memoryShape(queueCount)
    return {
      bars: [{ index: 0, kind: 'io', bytes: 2 * DEVICE_BYTES }, ...bars],
      msix,
      structures: [...structures, { kind: 'legacy', bar: 0, offset: 0, bytes: 2 * DEVICE_BYTES }],
    }
  },
}

/** The vendor capability that says where a structure is, 4.1.4. The legacy block has none: it is always in BAR 0. */
export function structureCapability({ kind, bar, offset, bytes }: Structure): Capability[] {
  if (kind === 'legacy') return []
  const type = { common: CFG_TYPE.COMMON, notify: CFG_TYPE.NOTIFY, isr: CFG_TYPE.ISR, device: CFG_TYPE.DEVICE }[kind]
  return [
    {
      id: CAPABILITY.VENDOR,
      bytes: kind === 'notify' ? 20 : 16,
      registers: [
        { at: 3, bytes: 1, name: `${kind} cfg_type`, read: () => type },
        { at: 4, bytes: 1, name: `${kind} bar`, read: () => bar },
        { at: 8, bytes: 4, name: `${kind} offset`, read: () => offset },
        { at: 12, bytes: 4, name: `${kind} length`, read: () => bytes },
        ...(kind === 'notify'
          ? [{ at: 16, bytes: 4, name: 'notify_off_multiplier', read: () => NOTIFY_MULTIPLIER } as const]
          : []),
      ],
    },
  ]
}
