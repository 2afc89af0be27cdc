/** A virtio device as dumb registers: what a driver wrote is read back, every access is logged, nothing happens. */
import type { Description, DeviceDescription, Location, Target, Width } from '../../../src/contract/target.ts'
import { BAR, CAPABILITY, MSIX, PCI, PCI_STATUS } from '../../../src/layout/pci.ts'
import { CFG_TYPE, COMMON, MMIO, MMIO_MAGIC } from '../../../src/layout/virtio.ts'

export interface FakeBar {
  readonly index: number
  readonly bytes: number
  readonly io?: boolean
  readonly wide?: boolean
  readonly preset?: number
}
export interface FakeOptions {
  readonly bars: readonly FakeBar[]
  /** `[cfg_type, bar, offset]` of the virtio capabilities. */
  readonly structures: readonly (readonly [number, number, number])[]
  readonly msix?: boolean
  /** Nobody answers in `config` space; mechanism 1 only. */
  readonly portsOnly?: boolean
  readonly endlessList?: boolean
}

const unused = (): never => {
  throw new Error('not part of this fake')
}

const description = (devices: readonly DeviceDescription[], msi: 'exact' | 'none'): Description => ({
  name: 'fake',
  version: '1',
  vms: 1,
  cpus: 1,
  memory: [{ start: 0, end: 0x10000 }],
  devices,
  observes: { dma: 'none', msi, line: 'exact', fault: 'none' },
  can: {
    step: false,
    save: false,
    migrate: false,
    fingerprint: false,
    resets: [],
    controls: [],
    synchronous: true,
  },
})

const base = (describe: () => Description) => ({
  describe,
  reset: unused,
  load: unused,
  store: unused,
  events: () => [],
  settle: () => 'quiet' as const,
  close: () => {},
})

export interface Logged {
  readonly target: Target
  /** `w2 mmio 1000 7` or `r4 port cfc`, numbers in hexadecimal. */
  readonly log: string[]
  readonly device: DeviceDescription
}

const hex = (value: number): string => value.toString(16)

const logged = (
  device: DeviceDescription,
  msi: 'exact' | 'none',
  read: (at: Location, width: Width) => number,
  write: (at: Location, width: Width, value: number) => void,
): Logged => {
  const log: string[] = []
  const target: Target = {
    ...base(() => description([device], msi)),
    read(at, width) {
      log.push(`r${width} ${at.space} ${hex(at.address)}`)
      return BigInt(read(at, width) >>> 0)
    },
    write(at, width, value) {
      log.push(`w${width} ${at.space} ${hex(at.address)} ${value.toString(16)}`)
      write(at, width, Number(value))
    },
  }
  return { target, log, device }
}

const put = (bytes: Uint8Array, at: number, width: number, value: number): void => {
  for (let i = 0; i < width; i++) bytes[at + i] = Math.floor(value / 2 ** (8 * i)) & 0xff
}
const get = (bytes: Uint8Array, at: number, width: number): number => {
  let value = 0
  for (let i = 0; i < width; i++) value += bytes[at + i]! * 2 ** (8 * i)
  return value
}

/** One function at 0:3.0. */
export const fakePci = (options: FakeOptions): Logged => {
  const config = new Uint8Array(256)
  put(config, PCI.vendorId, 4, 0x1042_1af4)
  put(config, PCI.status, 2, PCI_STATUS.CAPABILITIES)
  put(config, PCI.capabilities, 1, 0x40)
  let at = 0x40
  for (const [type, bar, offset] of options.structures) {
    put(config, at, 4, CAPABILITY.VENDOR + (at + 20) * 2 ** 8 + 20 * 2 ** 16 + type * 2 ** 24)
    put(config, at + 4, 1, bar)
    put(config, at + 8, 4, offset)
    put(config, at + 12, 4, 0x100)
    if (type === CFG_TYPE.NOTIFY) put(config, at + 16, 4, 4)
    at += 20
  }
  put(config, at, 2, options.msix ? CAPABILITY.MSIX : 0x05)
  put(config, at + MSIX.control, 2, options.msix ? 2 : 0)
  put(config, at + MSIX.table, 4, 1)
  put(config, at + MSIX.pba, 4, 0x800 + 1)
  if (options.endlessList) put(config, at + 1, 1, 0x40)
  const kind = (bar: FakeBar): number => (bar.io ? BAR.IO : bar.wide ? BAR.TYPE_64 : 0)
  for (const bar of options.bars) put(config, PCI.bar(bar.index), 4, (bar.preset ?? 0) + kind(bar))

  const writeConfig = (offset: number, width: number, value: number): void => {
    const bar = options.bars.find(({ index }) => offset === PCI.bar(index))
    const upper = options.bars.some(({ index, wide }) => wide && offset === PCI.bar(index + 1))
    if (bar !== undefined) put(config, offset, 4, ((value & -bar.bytes) | kind(bar)) >>> 0)
    else if (upper || offset === PCI.command || offset === at + MSIX.control) put(config, offset, width, value)
  }
  const windows = options.bars.map((bar) => ({ bar, bytes: new Uint8Array(bar.bytes) }))
  const hit = ({ space, address }: Location) => {
    for (const { bar, bytes } of windows) {
      const start = get(config, PCI.bar(bar.index), 4) & -16
      const wanted = bar.io ? 'port' : 'mmio'
      if (space === wanted && address >= start >>> 0 && address < (start >>> 0) + bar.bytes)
        return { bytes, offset: address - (start >>> 0) }
    }
    return undefined
  }
  const common = options.structures.find(([type]) => type === CFG_TYPE.COMMON)
  if (common !== undefined)
    put(windows.find(({ bar }) => bar.index === common[1])!.bytes, common[2] + COMMON.queueNotifyOff, 2, 3)

  let selected = 0
  const device: DeviceDescription = {
    id: 'disk',
    kind: 'virtio-blk',
    transport: { kind: 'pci', bus: 0, device: 3, function: 0 },
  }
  const offsetOf = ({ space, address }: Location): number | undefined => {
    if (space === 'config' && !options.portsOnly && address >>> 12 === 3 << 3) return address & 0xfff
    const data = space === 'port' && address >= 0xcfc && address < 0xd00
    return data && selected >>> 8 === 0x80_0018 ? (selected & 0xfc) + (address & 3) : undefined
  }
  return logged(
    device,
    options.msix ? 'exact' : 'none',
    (where, width) => {
      const offset = offsetOf(where)
      if (offset !== undefined) return get(config, offset, width)
      const found = hit(where)
      return found === undefined ? 0xffff_ffff >>> (32 - 8 * width) : get(found.bytes, found.offset, width)
    },
    (where, width, value) => {
      if (where.space === 'port' && where.address === 0xcf8) selected = value
      const offset = offsetOf(where)
      if (offset !== undefined) return writeConfig(offset, width, value)
      const found = hit(where)
      if (found !== undefined) put(found.bytes, found.offset, width, value)
    },
  )
}

/** An MMIO device at 0xd0000000. */
export const fakeMmio = (registers: Readonly<Record<number, number>> = {}): Logged => {
  const start = 0xd000_0000
  const values = new Map<number, number>([
    [MMIO.magicValue, MMIO_MAGIC],
    [MMIO.version, 2],
    [MMIO.deviceId, 2],
    ...Object.entries(registers).map(([register, value]) => [Number(register), value] as const),
  ])
  const device: DeviceDescription = { id: 'disk', kind: 'virtio-blk', transport: { kind: 'mmio', base: start } }
  return logged(
    device,
    'none',
    (at) => values.get(at.address - start) ?? 0,
    (at, _width, value) => void values.set(at.address - start, value),
  )
}
