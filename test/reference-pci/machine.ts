import type { TargetEvent } from '../../src/contract/index.ts'
import { CAPABILITY, COMMAND, CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT, MSIX, PCI } from '../../src/layout/pci.ts'
import { CFG_TYPE, COMMON } from '../../src/layout/virtio.ts'
import type { QueueArea, QueueRegisters, Signals, VirtioDevice } from '../../src/reference/paravirtual/device.ts'
import { createPciBus, type VirtioPciBusOptions } from '../../src/reference/pci/bus.ts'

/** A device that does nothing by itself: tests complete its requests, and see what its transport told it. */
class FakeDevice implements VirtioDevice {
  readonly type = 2
  readonly queueCount = 2
  signals: Signals | undefined
  statusValue = 0
  /** What is in flight keeps a reset from completing. */
  inFlight = 0
  resetting = false
  mastering = true
  driver = [0, 0]
  readonly kicks: number[] = []
  readonly queueResets: number[] = []
  readonly config = new Uint8Array(60).map((_, index) => index)
  readonly queues: QueueRegisters[] = [0, 1].map(() => emptyQueue())

  attach(signals: Signals): void {
    this.signals = signals
  }
  deviceFeatures(select: number): number {
    return [1 << 29, (1 << 0) | (1 << 8)][select] ?? 0
  }
  driverFeatures(select: number): number {
    return this.driver[select] ?? 0
  }
  setDriverFeatures(select: number, value: number): void {
    if (select < 2) this.driver[select] = value
  }
  status(): number {
    return this.statusValue
  }
  setStatus(value: number): void {
    if (value !== 0) {
      this.statusValue = value
      return
    }
    this.resetting = true
    this.finishReset()
  }
  finishReset(): void {
    if (!this.resetting || this.inFlight > 0) return
    this.resetting = false
    this.statusValue = 0
    this.driver = [0, 0]
    for (const [index] of this.queues.entries()) this.queues[index] = emptyQueue()
  }
  /** One request that was in flight ends; it signals, as a careless device would, even during a reset. */
  complete(queue: number): void {
    this.inFlight--
    this.signals!.queueInterrupt(queue)
    this.finishReset()
  }
  queue(index: number): QueueRegisters | undefined {
    return this.queues[index]
  }
  setQueueSize(index: number, value: number): void {
    this.queues[index]!.size = value
  }
  setQueueAddress(index: number, area: QueueArea, half: 0 | 1, value: number): void {
    this.queues[index]![area][half] = value
  }
  enableQueue(index: number): void {
    this.queues[index]!.enabled = true
  }
  disableQueue(index: number): void {
    this.queues[index]!.enabled = false
  }
  resetQueue(index: number): void {
    this.queueResets.push(index)
    this.queues[index]!.resetting = true
  }
  kick(index: number): void {
    this.kicks.push(index)
  }
  configGeneration(): number {
    return 7
  }
  readConfig(offset: number, width: 1 | 2 | 4): number {
    let value = 0
    for (let byte = width - 1; byte >= 0; byte--) value = value * 256 + (this.config[offset + byte] ?? 0)
    return value
  }
  writeConfig(offset: number, width: 1 | 2 | 4, value: number): void {
    for (let byte = 0; byte < width; byte++) this.config[offset + byte] = value >>> (8 * byte)
  }
  step(): boolean {
    return false
  }
  busMaster(enabled: boolean): void {
    this.mastering = enabled
  }
  save(): unknown {
    return null
  }
  restore(): void {}
}

function emptyQueue(): QueueRegisters {
  return { sizeMax: 8, size: 8, enabled: false, resetting: false, desc: [0, 0], driver: [0, 0], device: [0, 0] }
}

type Width = 1 | 2 | 4
export type Options = Omit<Partial<VirtioPciBusOptions>, 'seats' | 'emit'>

export const SLOT = 1
export const MEMORY_BASE = 0xe000_0000
const MSIX_BASE = 0xe100_0000
export const IO_BASE = 0xc000

/** A bus with one fake device, and the accesses that a driver makes. */
export function boot(options: Options = {}) {
  const device = new FakeDevice()
  const log: TargetEvent[] = []
  const seats = [{ id: 'blk', kind: 'virtio-blk', device }]
  const bus = createPciBus({ seats, emit: (event) => log.push(event), ...options })

  const config = {
    read: (offset: number, width: Width) => bus.read('config', (SLOT << 15) | offset, width)!,
    write: (offset: number, width: Width, value: number) => bus.write('config', (SLOT << 15) | offset, width, value),
  }
  const mechanism1 = {
    read(slot: number, offset: number, width: Width) {
      bus.write('port', CONFIG_ADDRESS_PORT, 4, (0x8000_0000 + slot * 0x800 + (offset & 0xfc)) >>> 0)
      return bus.read('port', CONFIG_DATA_PORT + (offset & 3), width)
    },
    write(slot: number, offset: number, width: Width, value: number) {
      bus.write('port', CONFIG_ADDRESS_PORT, 4, (0x8000_0000 + slot * 0x800 + (offset & 0xfc)) >>> 0)
      return bus.write('port', CONFIG_DATA_PORT + (offset & 3), width, value)
    },
  }
  /** Offset of a capability, by walking the chain; of a virtio one by its `cfg_type`. */
  function capability(id: number, type?: number): number {
    for (let at = config.read(PCI.capabilities, 1); at !== 0; at = config.read(at + 1, 1)) {
      if (config.read(at, 1) === id && (type === undefined || config.read(at + 3, 1) === type)) return at
    }
    throw new Error(`no capability ${id} of type ${type}`)
  }
  /** Assigns addresses as firmware does, and switches everything on. */
  function place(): void {
    for (const [index, base] of [
      [0, 0xb001],
      [1, MSIX_BASE],
      [4, MEMORY_BASE],
      [5, 0],
    ] as const) {
      config.write(PCI.bar(index), 4, base)
    }
    config.write(PCI.command, 2, COMMAND.IO | COMMAND.MEMORY | COMMAND.BUS_MASTER)
  }
  const structure = (type: number) => config.read(capability(CAPABILITY.VENDOR, type) + 8, 4)
  const common = {
    read: (offset: number, width: Width) => bus.read('mmio', MEMORY_BASE + structure(CFG_TYPE.COMMON) + offset, width),
    write: (offset: number, width: Width, value: number) =>
      bus.write('mmio', MEMORY_BASE + structure(CFG_TYPE.COMMON) + offset, width, value),
  }
  const isr = () => bus.read('mmio', MEMORY_BASE + structure(CFG_TYPE.ISR), 1)
  const entry = (vector: number, field: number) => MSIX_BASE + 16 * vector + field
  const pending = () => bus.read('mmio', MSIX_BASE + (config.read(capability(CAPABILITY.MSIX) + MSIX.pba, 4) & ~7), 4)
  const control = (value: number) => config.write(capability(CAPABILITY.MSIX) + MSIX.control, 2, value)
  /** Writes a table entry and takes its mask away. */
  function program(vector: number, address: number, data: number, masked = 0): void {
    bus.write('mmio', entry(vector, 0), 4, address % 2 ** 32)
    bus.write('mmio', entry(vector, 4), 4, Math.floor(address / 2 ** 32))
    bus.write('mmio', entry(vector, 8), 4, data)
    bus.write('mmio', entry(vector, 12), 4, masked)
  }
  function mapQueue(queue: number, vector: number): number | undefined {
    common.write(COMMON.queueSelect, 2, queue)
    common.write(COMMON.queueMsixVector, 2, vector)
    return common.read(COMMON.queueMsixVector, 2)
  }
  const events = () => log.splice(0).map(brief)
  return {
    bus,
    device,
    config,
    mechanism1,
    capability,
    place,
    common,
    isr,
    entry,
    pending,
    control,
    program,
    mapQueue,
    structure,
    events,
  }
}

/** One line for an interrupt event. */
function brief(event: TargetEvent): string {
  if (event.kind === 'msi') return `msi ${event.vector} ${event.address.toString(16)}=${event.data}`
  return event.kind === 'line' ? `line ${event.pin} ${event.level ? 'up' : 'down'}` : event.kind
}
