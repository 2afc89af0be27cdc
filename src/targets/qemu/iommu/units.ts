/** The IOMMUs of QEMU: their flags, their options, and what a guest finds. */

import type { DeviceDescription } from '../../../contract/index.ts'
import { VTD_BASE } from '../../../layout/vtd.ts'
import type { OptionKind } from '../options.ts'

export interface Unit {
  readonly summary: string
  readonly options: Readonly<Record<string, OptionKind>>
  arguments(options: UnitOptions): string[]
  device(options: UnitOptions): DeviceDescription
}

export type UnitOptions = Readonly<Partial<Record<string, string | number | boolean>>>

const FLAG: OptionKind = { kind: 'flag' }

/** Where amd-iommu of QEMU has its registers. */
const AMD_BASE = 0xfed8_0000
/** Slot of virtio-iommu on bus 0. */
const VIRTIO_IOMMU_SLOT = 9
/** The input of the I/O APIC that INTA of that slot ends at on q35. */
export const VIRTIO_IOMMU_GSI = 21
const UNIT_ID = 'iommu'

const onOff = (flag: unknown): string => (flag === true ? 'on' : 'off')

export type UnitName = 'intel-iommu' | 'amd-iommu' | 'virtio-iommu'

export const units: Readonly<Record<UnitName, Unit>> = {
  'intel-iommu': {
    summary: 'q35 with intel-iommu and bare sources of DMA',
    options: {
      cachingMode: FLAG,
      /** The unit takes translation requests of devices, and remembers what they may keep. */
      deviceIotlb: FLAG,
      /** Bits of an IOVA. */
      awBits: { kind: 'choice', of: ['39', '48'] },
      scalable: FLAG,
      intremap: FLAG,
      passThrough: FLAG,
      snoopControl: FLAG,
    },
    arguments: ({ cachingMode, deviceIotlb, awBits = '39', scalable, intremap, passThrough = true, snoopControl }) => [
      '-device',
      `intel-iommu,caching-mode=${onOff(cachingMode)},device-iotlb=${onOff(deviceIotlb)},aw-bits=${awBits},` +
        `x-scalable-mode=${onOff(scalable)},intremap=${onOff(intremap)},pt=${onOff(passThrough)},snoop-control=${onOff(snoopControl)}`,
    ],
    device: ({ cachingMode = false, deviceIotlb = false, awBits = '39', passThrough = true }) => ({
      id: UNIT_ID,
      kind: 'vt-d',
      transport: { kind: 'chip', inputs: 0, base: VTD_BASE },
      facts: {
        levels: awBits === '48' ? 4 : 3,
        narrow: awBits === '48',
        largePages: 2,
        records: 1,
        protectedRegions: false,
        cachingMode,
        passThrough,
        deviceTlb: deviceIotlb,
        // They go to the local APIC past memory.
        faultMessages: false,
      },
    }),
  },
  'amd-iommu': {
    summary: 'q35 with amd-iommu and bare sources of DMA',
    options: { deviceIotlb: FLAG, intremap: FLAG, passThrough: FLAG },
    arguments: ({ deviceIotlb, intremap, passThrough = true }) => [
      '-device',
      `amd-iommu,device-iotlb=${onOff(deviceIotlb)},intremap=${onOff(intremap)},pt=${onOff(passThrough)}`,
    ],
    device: () => ({
      id: UNIT_ID,
      kind: 'amd-iommu',
      transport: { kind: 'chip', inputs: 0, base: AMD_BASE },
      facts: { faultMessages: false },
    }),
  },
  'virtio-iommu': {
    summary: 'q35 with virtio-iommu-pci and bare sources of DMA',
    options: {
      /** Whether devices reach memory as they like until the driver says otherwise. */
      bootBypass: FLAG,
    },
    arguments: ({ bootBypass = true }) => [
      '-device',
      `virtio-iommu-pci,id=${UNIT_ID},addr=${VIRTIO_IOMMU_SLOT},boot-bypass=${onOff(bootBypass)},` +
        'disable-legacy=on,disable-modern=off',
    ],
    device: () => ({
      id: UNIT_ID,
      kind: 'virtio-iommu',
      transport: { kind: 'pci', bus: 0, device: VIRTIO_IOMMU_SLOT, function: 0 },
      // It serves its queues inside the write that is a kick.
      facts: { worksInKicks: true },
    }),
  },
}
