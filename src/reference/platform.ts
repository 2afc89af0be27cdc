/** One guest machine with the reference devices: memory, buses, and the target contract around them. */

import {
  type Control,
  type Description,
  type DeviceDescription,
  type Location,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../contract/index.ts'
import { createMemory, type GuestMemory, type Region, type SavedMemory } from './memory.ts'
import { blkKind } from './paravirtual/blk.ts'
import { type DeviceOptions, honestParts, type Parts } from './paravirtual/parts.ts'
import { createVirtioDevice, type EngineDevice } from './paravirtual/virtio-device.ts'
import { createMmioTransport, MMIO_BYTES, type MmioTransport } from './paravirtual/virtio-mmio.ts'
import { createPciBus } from './pci/bus.ts'
import type { PciFunctions } from './pci/functions.ts'
import { correctParts, type PciParts } from './pci/parts.ts'
import { copy, encode } from './plain.ts'
import { readState, type SavedPlatform, stateHash, writeState } from './saved.ts'

/** The parts that a seeded fault can replace one of. */
export type PlatformParts = Parts & { pci: PciParts }

export interface PlatformOptions extends DeviceOptions {
  readonly transport: 'pci' | 'mmio'
  /** PCI: also the legacy register block. */
  readonly transitional: boolean
  /** PCI: the structures in an I/O BAR, no MSI-X. */
  readonly ioBars: boolean
  readonly memory: readonly Region[]
  /** Puts a fault in; runs once for every instance, also for one that a migration makes. */
  readonly install: (parts: PlatformParts) => void
  /** What the machine calls itself. */
  readonly name: string
}

export const defaultOptions: PlatformOptions = {
  transport: 'pci',
  transitional: false,
  ioBars: false,
  // The second region ends nowhere near the first: buffers can end at the last byte of either.
  memory: [
    { start: 0, end: 0x10_0000 },
    { start: 0x20_0000, end: 0x21_0000 },
  ],
  queueSize: 256,
  queues: 2,
  capacity: 64,
  readOnly: false,
  depth: 4,
  resetSteps: 0,
  install() {},
  name: 'reference',
}

/** More steps than this without rest are a livelock: the largest honest burst is two orders of magnitude below. */
const RESTLESS_STEPS = 100_000

const MMIO_BASE = 0x0a00_0000
const MMIO_IRQ = 5
const DEVICE_ID = 'blk0'
const KIND = 'virtio-blk'
const SPACES = ['port', 'mmio', 'config'] as const

export const platformParts = (install: PlatformOptions['install']): PlatformParts => {
  const parts: PlatformParts = { ...honestParts(), pci: { ...correctParts } }
  install(parts)
  return parts
}

/** Opens a machine. Everything in it is synchronous: after a call returns nothing happens by itself. */
export function openPlatform(given: Partial<PlatformOptions> = {}): Target {
  return new Platform({ ...defaultOptions, ...given })
}

class Platform implements Target {
  readonly #options: PlatformOptions
  readonly #memory: GuestMemory
  readonly #device: EngineDevice
  readonly #mmio: MmioTransport | undefined
  readonly #pci: PciFunctions | undefined
  #events: TargetEvent[] = []
  #poison: string | undefined

  constructor(options: PlatformOptions) {
    this.#options = options
    const parts = platformParts(options.install)
    const emit = (event: TargetEvent) => {
      this.#events.push(event)
      if (event.kind === 'fault') this.#pci?.masterAborted(event.device)
    }
    this.#memory = createMemory(options.memory, emit)
    this.#device = createVirtioDevice(DEVICE_ID, this.#memory, options, parts, blkKind)
    if (options.transport === 'mmio')
      this.#mmio = createMmioTransport(DEVICE_ID, MMIO_BASE, this.#device, emit, parts.mmio)
    else {
      const seats = [{ id: DEVICE_ID, kind: KIND, device: this.#device, facts: this.#facts() }]
      const { transitional, ioBars } = options
      this.#pci = createPciBus({ seats, emit, transitional, ioBars, parts: parts.pci })
    }
  }

  #facts() {
    const { capacity, readOnly } = this.#options
    return { sectors: capacity, readOnly }
  }

  #devices(): DeviceDescription[] {
    if (this.#pci !== undefined) return this.#pci.devices()
    const transport = { kind: 'mmio', base: MMIO_BASE, irq: MMIO_IRQ } as const
    return [{ id: DEVICE_ID, kind: KIND, transport, facts: this.#facts() }]
  }

  describe(): Description {
    return {
      name: this.#options.name,
      version: '1',
      vms: 1,
      cpus: 1,
      memory: this.#options.memory,
      devices: this.#devices(),
      observes: { dma: 'exact', msi: 'exact', line: 'exact', fault: 'exact' },
      can: {
        step: true,
        save: true,
        migrate: true,
        fingerprint: true,
        resets: this.#pci === undefined ? ['system', 'device'] : this.#pci.resets,
        controls: ['hold', 'release', 'release-one', 'fail', 'resize'],
        synchronous: true,
      },
    }
  }

  #alive(): void {
    if (this.#poison !== undefined)
      throw new TargetError('poisoned', `this instance was ${this.#poison}; use the one that took its place`)
  }

  reset(kind: ResetKind): void {
    this.#alive()
    if (!this.describe().can.resets.includes(kind))
      throw new TargetError(
        'protocol',
        `reset '${kind}' is unknown here; expected ${this.describe().can.resets.join(', ')}`,
      )
    if (kind === 'system') {
      // A power cycle: memory, medium and back end are as new, so that runs are independent of each other.
      this.#memory.clear()
      this.#device.powerOn()
    }
    if (this.#pci !== undefined) this.#pci.reset(kind)
    else {
      this.#mmio?.reset()
      this.#device.setStatus(0)
    }
  }

  read(at: Location, width: Width): bigint {
    this.#alive()
    if (width === 8) return BigInt(this.#read(at, 0, 4)) | (BigInt(this.#read(at, 4, 4)) << 32n)
    return BigInt(this.#read(at, 0, width))
  }

  #read({ space, address }: Location, offset: number, width: number): number {
    const ones = width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff
    const at = address + offset
    if (this.#mmio !== undefined) {
      const register = at - this.#mmio.base
      if (space === 'mmio' && register >= 0 && register + width <= MMIO_BYTES) return this.#mmio.read(register, width)
    }
    if (space === 'mmio' && this.#memory.covers(at, width)) return littleEndian(this.#memory.load(at, width))
    const known = SPACES.find((name) => name === space)
    return (known && this.#pci?.read(known, at, width)) ?? ones
  }

  write(at: Location, width: Width, value: bigint): void {
    this.#alive()
    const low = Number(BigInt.asUintN(32, value))
    if (width === 8) {
      this.#write(at, 0, 4, low)
      this.#write(at, 4, 4, Number(BigInt.asUintN(32, value >> 32n)))
    } else this.#write(at, 0, width, width === 4 ? low : low % 2 ** (8 * width))
  }

  #write({ space, address }: Location, offset: number, width: number, value: number): void {
    const at = address + offset
    if (this.#mmio !== undefined) {
      const register = at - this.#mmio.base
      if (space === 'mmio' && register >= 0 && register + width <= MMIO_BYTES) {
        this.#mmio.write(register, width, value)
        return
      }
    }
    if (space === 'mmio' && this.#memory.covers(at, width)) {
      const data = new Uint8Array(width)
      for (let byte = 0; byte < width; byte++) data[byte] = (value >>> (8 * byte)) & 0xff
      this.#memory.store(at, data)
      return
    }
    const known = SPACES.find((name) => name === space)
    if (known !== undefined) this.#pci?.write(known, at, width, value)
  }

  load(gpa: number, bytes: number): Uint8Array {
    this.#alive()
    return this.#memory.load(gpa, bytes)
  }

  store(gpa: number, data: Uint8Array): void {
    this.#alive()
    this.#memory.store(gpa, data)
  }

  events(): TargetEvent[] {
    this.#alive()
    const happened = this.#events
    this.#events = []
    return happened
  }

  settle(_deadlineMs: number): Settled {
    this.#alive()
    for (let steps = 0; steps < RESTLESS_STEPS; steps++) if (!this.#step()) return 'quiet'
    const detail = `no rest after ${RESTLESS_STEPS} steps`
    this.#events.push({ kind: 'livelock', device: DEVICE_ID, detail })
    return 'busy'
  }

  #step(): boolean {
    return this.#device.step() || (this.#pci?.step() ?? false)
  }

  step(device: string): boolean {
    this.#alive()
    this.#named(device)
    return this.#step()
  }

  #named(device: string): void {
    if (device !== DEVICE_ID)
      throw new TargetError('protocol', `there is no device '${device}'; expected '${DEVICE_ID}'`)
  }

  control(device: string, control: Control): void {
    this.#alive()
    this.#named(device)
    this.#device.control(control)
  }

  #transportState(): unknown {
    return this.#pci === undefined ? this.#mmio?.save() : this.#pci.save()
  }

  save(): Uint8Array {
    this.#alive()
    const saved: SavedPlatform = {
      memory: this.#memory.save(),
      device: this.#device.save(),
      transport: this.#transportState(),
    }
    return writeState(this.#kind(), saved)
  }

  /** States fit only a machine that is built alike. */
  #kind(): string {
    const { transport, queues, queueSize, transitional, ioBars } = this.#options
    const shape = transitional ? ' transitional' : ioBars ? ' io' : ''
    return `${KIND} ${transport}${shape}, ${queues} queues of ${queueSize}`
  }

  restore(state: Uint8Array): void {
    this.#alive()
    const saved = readState(this.#kind(), state)
    this.#memory.restore(saved.memory as SavedMemory)
    this.#restore(saved.device, saved.transport)
  }

  #restore(device: unknown, transport: unknown): void {
    this.#device.restore(device)
    if (this.#pci === undefined) this.#mmio?.restore(transport)
    else this.#pci.restore(transport)
  }

  migrate(): Target {
    this.#alive()
    const destination = new Platform(this.#options)
    // The same as through a saved state, without the text of it.
    this.#memory.moveInto(destination.#memory)
    destination.#restore(copy(this.#device.save()), copy(this.#transportState()))
    // What happened before the move and was not looked at yet happened all the same.
    destination.#events = this.#events
    this.#poison = 'migrated away'
    return destination
  }

  fingerprint(): string {
    this.#alive()
    return stateHash([encode(this.#device.engine.state), this.#transportState()], this.#memory.hash())
  }

  close(): void {
    this.#poison = 'closed'
  }
}

const littleEndian = (data: Uint8Array): number => {
  let value = 0
  for (let byte = data.length - 1; byte >= 0; byte--) value = value * 256 + data[byte]!
  return value
}
