/** The machines that this door can start: one entry says the flags of QEMU and what the guest finds. */

import { type DeviceDescription, TargetError } from '../../contract/index.ts'
import { blockGraph, HOLDS, TOP_NODE } from './block-graph.ts'
import { units } from './iommu/units.ts'
import type { QemuOptions } from './options.ts'

/** Guest memory in bytes. The file behind it is sparse. */
export const RAM_BYTES = 64 << 20
/** Slots of the message page that are watched: QEMU gives the device a vector per queue and one for configuration. */
export const messageSlots = (options: QemuOptions): number => options.numQueues + 1
/** Bytes of one slot of the message page. */
export const MESSAGE_SLOT_BYTES = 16
/**
 * GPA of the message page, the last page of memory. A driver points MSI-X entry i at `MESSAGE_GPA + 16 * i`, with data
 * other than zero; each interrupt is then a write that `events` finds there.
 */
export const MESSAGE_GPA = RAM_BYTES - 4096

/** Files that QEMU opens while it starts. */
export interface MachineFiles {
  readonly bios: string
  readonly ram: string
  readonly image: string
  /** For the trace, where the launch asks for one. */
  readonly trace: string
}

/** One machine type with its devices. */
export interface Machine {
  readonly summary: string
  /** Options that cannot be switched on, and why. */
  readonly lacks: Partial<Record<keyof QemuOptions, string>>
  /** Flags of the machine and its devices. */
  arguments(options: QemuOptions, files: MachineFiles): string[]
  devices(options: QemuOptions): DeviceDescription[]
  /** Where the virtio device is in QEMU's object tree. */
  readonly path: string
  /** Interrupt input of the I/O APIC that each device's line ends at. */
  readonly lines: readonly { readonly gsi: number; readonly device: string; readonly pin: number }[]
  /** How the whole machine is reset: the PC's reset port, or the monitor. */
  readonly reset: 'port' | 'monitor'
}

const facts = (options: QemuOptions) => ({
  capacitySectors: options.sectors,
  readonly: options.readonly,
  messageGpa: MESSAGE_GPA,
  messageSlots: messageSlots(options),
  holds: HOLDS,
  // Without a thread of its own the device looks at its queues inside the write that is a kick, and at no other time.
  worksInKicks: !options.iothread,
})

export const memoryArguments = (files: MachineFiles): string[] => [
  '-m',
  `${RAM_BYTES >> 20}`,
  '-object',
  `memory-backend-file,id=ram0,mem-path=${files.ram},size=${RAM_BYTES},share=on`,
]

/** Name of the device, for QEMU and in events. */
const DEVICE = 'disk'

/** Properties of virtio-blk that do not depend on the transport. */
const blk = (options: QemuOptions): string =>
  [
    `id=${DEVICE}`,
    `drive=${TOP_NODE}`,
    'serial=iospec',
    // The drive beside the failing node writes, too.
    'share-rw=on',
    'werror=report',
    'rerror=report',
    `num-queues=${options.numQueues}`,
    `request-merging=${onOff(options.merging)}`,
    ...(options.queueSize === undefined ? [] : [`queue-size=${options.queueSize}`]),
  ].join(',')

const iothread = (options: QemuOptions): string[] => (options.iothread ? ['-object', 'iothread,id=thread0'] : [])

const onOff = (flag: boolean): string => (flag ? 'on' : 'off')

/** Slot of the device on bus 0, and the input of the I/O APIC that INTA of that slot ends at on q35. */
const SLOT = 4
const SLOT_GSI = 20

/** First transport of microvm and its line. */
const MICROVM_BASE = 0xfeb00000
const MICROVM_GSI = 16
/** Registers beside the device under test. */
const IOAPIC_BASE = 0xfec00000

const machines: Readonly<Record<string, Machine>> = {
  'virtio-blk': {
    summary: 'q35 with a virtio-blk-pci disk',
    lacks: {},
    arguments: (options, files) => [
      '-machine',
      // Without timers that nobody programmed, so that only the device under test interrupts.
      'q35,memory-backend=ram0,hpet=off,pit=off',
      ...memoryArguments(files),
      ...blockGraph(files.image, options.readonly),
      ...iothread(options),
      // A unit comes before what is behind it.
      ...(options.iommu === undefined ? [] : units[options.iommu].arguments({ deviceIotlb: options.ats })),
      '-device',
      `virtio-blk-pci,addr=${SLOT},iommu_platform=${onOff(options.iommu !== undefined)},ats=${onOff(options.ats)},disable-legacy=${onOff(!options.transitional)},disable-modern=off,` +
        `${options.iothread ? 'iothread=thread0' : 'ioeventfd=off'},${blk(options)}`,
    ],
    devices: (options) => [
      {
        id: DEVICE,
        kind: 'virtio-blk',
        transport: { kind: 'pci', bus: 0, device: SLOT, function: 0 },
        facts: options.iommu === undefined ? facts(options) : { ...facts(options), behind: 'iommu', ats: options.ats },
      },
      ...(options.iommu === undefined ? [] : [units[options.iommu].device({ deviceIotlb: options.ats })]),
    ],
    path: `/machine/peripheral/${DEVICE}/virtio-backend`,
    lines: [{ gsi: SLOT_GSI, device: DEVICE, pin: 0 }],
    reset: 'port',
  },
  'virtio-blk-mmio': {
    summary: 'microvm with a virtio-blk disk on the MMIO transport',
    lacks: {
      iothread: 'QEMU has ioeventfd for virtio-mmio with KVM only',
      transitional: 'a PCI option',
      iommu: 'a PCI option',
      ats: 'a PCI option',
    },
    arguments: (options, files) => [
      '-machine',
      'microvm,memory-backend=ram0,ioapic2=off,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=off',
      ...memoryArguments(files),
      ...blockGraph(files.image, options.readonly),
      '-global',
      'virtio-mmio.force-legacy=false',
      '-device',
      `virtio-blk-device,bus=virtio-mmio-bus.0,${blk(options)}`,
    ],
    devices: (options) => [
      {
        id: DEVICE,
        kind: 'virtio-blk',
        transport: { kind: 'mmio', base: MICROVM_BASE, irq: MICROVM_GSI },
        facts: { ...facts(options), strayRegisters: IOAPIC_BASE },
      },
    ],
    path: `/machine/peripheral/${DEVICE}`,
    lines: [{ gsi: MICROVM_GSI, device: DEVICE, pin: 0 }],
    reset: 'monitor',
  },
}

export const machineNames: readonly string[] = Object.keys(machines)

/** The machine of that name, when it has those options; an unknown one is an error that lists those, and `others`. */
export function machineFor(name: string, options: QemuOptions, others: readonly string[] = []): Machine {
  const machine = Object.hasOwn(machines, name) ? machines[name] : undefined
  for (const [option, why] of Object.entries(machine?.lacks ?? {})) {
    const value = options[option as keyof QemuOptions]
    if (value === undefined || value === false) continue
    throw new TargetError('address', `qemu: machine ${name} does not have the option ${option}: ${why}`)
  }
  if (options.iommu !== undefined && options.transitional)
    throw new TargetError(
      'address',
      'qemu: expected iommu or transitional, found both: the legacy interface knows GPAs only',
    )
  if (options.iommu === undefined && options.ats)
    throw new TargetError('address', 'qemu: the option ats needs the option iommu')
  if (machine !== undefined) return machine
  throw new TargetError(
    'address',
    `qemu: unknown machine '${name}', expected one of ${[...Object.keys(machines), ...others].join(', ')}`,
  )
}
