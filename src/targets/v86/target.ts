/** A v86 instance as a target: everything happens in the calling thread, before each call returns. */

import { createHash } from 'node:crypto'
import {
  type Control,
  type Description,
  type Location,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../contract/target.ts'
import { CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT } from '../../layout/pci.ts'
import { BACKEND_CONTROLS } from './backend.ts'
import { type DeviceName, type Emulator, MEMORY } from './start.ts'
import { type Parts, restoreState, saveState } from './state.ts'
import { EndlessWork } from './watch.ts'

/** Facts about a device's back end that a driver cannot read from it. */
const FACTS: Record<DeviceName, Readonly<Record<string, string | number | boolean>>> = {
  'virtio-9p': { answersTversion: true, answersOthersWith: 'Rlerror', asksForReset: false },
  'virtio-console': { asksForReset: false },
  'virtio-net': { asksForReset: false },
  'virtio-balloon': { asksForReset: false },
}

const PORTS = 0x1_0000
/** Size of the address space of the processor in bytes. */
const BUS_BYTES = 2 ** 32
const FUNCTIONS = 0x1_0000
/** Bit of the configuration address port that makes the data port answer. */
const CONFIG_ENABLE = 1 << 31
const FUNCTION_CONFIG_BYTES = 0x100
const ALL_ONES: Record<Width, bigint> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: 0xffff_ffff_ffff_ffffn }

export interface TargetParts extends Parts {
  readonly name: DeviceName
  readonly version: string
  readonly emulator: Emulator
  readonly heartbeat: (() => void) | undefined
  /** What the emulator printed last. */
  readonly printed: () => string
}

export class V86Target implements Target {
  readonly #parts: TargetParts
  /** Set once the device threw, or the target was closed: no call reaches it any more. */
  #end: TargetError | undefined

  constructor(parts: TargetParts) {
    this.#parts = parts
  }

  describe(): Description {
    const { name, version, surface, backend } = this.#parts
    return {
      name: 'v86',
      version,
      issues: 'https://github.com/copy/v86/issues',
      vms: 1,
      cpus: 1,
      memory: MEMORY,
      devices: [
        {
          id: name,
          kind: name,
          transport: { kind: 'pci', bus: 0, device: surface.device.virtio.pci_id >> 3, function: 0 },
          facts: FACTS[name],
        },
      ],
      observes: { dma: 'exact', msi: 'none', line: 'exact', fault: 'none' },
      can: {
        step: false,
        save: true,
        migrate: false,
        fingerprint: true,
        resets: this.#resets,
        controls: backend === undefined ? [] : BACKEND_CONTROLS,
        synchronous: true,
      },
    }
  }

  /** v86 leaves its balloon out when the machine is reset, so there is no reset that works for it. */
  get #resets(): readonly ResetKind[] {
    return this.#parts.name === 'virtio-balloon' ? [] : ['system']
  }

  reset(kind: ResetKind): void {
    if (!this.#resets.includes(kind)) {
      throw new TargetError('protocol', `v86:${this.#parts.name} has no reset of kind ${kind}`)
    }
    this.#poke(() => this.#parts.surface.cpu.reboot_internal())
    this.#parts.backend?.reset()
  }

  read(at: Location, width: Width): bigint {
    if (width === 8) return this.read(at, 4) | (this.read({ ...at, address: at.address + 4 }, 4) << 32n)
    return this.#poke(() => {
      const { cpu } = this.#parts.surface
      if (at.space === 'mmio') {
        if (at.address + width > BUS_BYTES) return ALL_ONES[width]
        if (width === 1) return BigInt(cpu.read8(at.address))
        return BigInt(width === 2 ? cpu.read16(at.address) : cpu.read32s(at.address) >>> 0)
      }
      const port = this.#port(at)
      if (port === undefined) return ALL_ONES[width]
      if (width === 1) return BigInt(cpu.io.port_read8(port) & 0xff)
      return BigInt(width === 2 ? cpu.io.port_read16(port) & 0xffff : cpu.io.port_read32(port) >>> 0)
    })
  }

  write(at: Location, width: Width, value: bigint): void {
    if (width === 8) {
      this.write(at, 4, value)
      this.write({ ...at, address: at.address + 4 }, 4, value >> 32n)
      return
    }
    const data = Number(BigInt.asUintN(8 * width, value))
    this.#parts.heartbeat?.()
    this.#poke(() => {
      const { cpu } = this.#parts.surface
      if (at.space === 'mmio') {
        if (at.address + width > BUS_BYTES) return
        if (width === 1) cpu.write8(at.address, data)
        else if (width === 2) cpu.write16(at.address, data)
        else cpu.write32(at.address, data | 0)
        return
      }
      const port = this.#port(at)
      if (port === undefined) return
      if (width === 1) cpu.io.port_write8(port, data)
      else if (width === 2) cpu.io.port_write16(port, data)
      else cpu.io.port_write32(port, data | 0)
    })
    this.#parts.heartbeat?.()
  }

  load(gpa: number, bytes: number): Uint8Array {
    return this.#memory(gpa, bytes).slice()
  }

  store(gpa: number, data: Uint8Array): void {
    this.#memory(gpa, data.length).set(data)
  }

  events(): TargetEvent[] {
    return this.#parts.watch.take()
  }

  settle(): Settled {
    return this.#end === undefined ? 'quiet' : 'dead'
  }

  control(device: string, control: Control): void {
    const { name, backend } = this.#parts
    if (device !== name || backend === undefined || !BACKEND_CONTROLS.includes(control.do)) {
      throw new TargetError('protocol', `v86:${name} has no control ${control.do} of ${device}`)
    }
    this.#poke(() => backend.control(control))
  }

  save(): Uint8Array {
    return this.#poke(() => saveState(this.#parts))
  }

  restore(state: Uint8Array): void {
    this.#alive()
    restoreState(this.#parts, state)
  }

  fingerprint(): string {
    return createHash('sha256').update(this.save()).digest('hex')
  }

  close(): void {
    this.#end = new TargetError('poisoned', `v86:${this.#parts.name} was closed`)
    this.#parts.emulator.destroy().catch(() => {})
  }

  /** The port that stands for `at`; a configuration access sets the address latch first, as a guest does. */
  #port(at: Location): number | undefined {
    if (at.space === 'port') return at.address < PORTS ? at.address : undefined
    if (at.space !== 'config') return undefined
    const bdf = Math.floor(at.address / 2 ** 12)
    const offset = at.address % 2 ** 12
    if (bdf >= FUNCTIONS || offset >= FUNCTION_CONFIG_BYTES) return undefined
    this.#parts.surface.cpu.io.port_write32(CONFIG_ADDRESS_PORT, (CONFIG_ENABLE | (bdf << 8) | (offset & ~3)) >>> 0)
    return CONFIG_DATA_PORT + (offset & 3)
  }

  #memory(gpa: number, bytes: number): Uint8Array {
    this.#alive()
    if (!MEMORY.some(({ start, end }) => gpa >= start && gpa + bytes <= end)) {
      const ranges = MEMORY.map(({ start, end }) => `[${hex(start)}, ${hex(end)})`).join(' and ')
      throw new TargetError('protocol', `guest memory is ${ranges}, not ${bytes} bytes at ${hex(gpa)}`)
    }
    return this.#parts.surface.cpu.mem8.subarray(gpa, gpa + bytes)
  }

  #alive(): void {
    if (this.#end !== undefined) throw this.#end
  }

  /** Does something that may make the device work, and turns what the device throws into the end of the target. */
  #poke<Result>(action: () => Result): Result {
    this.#alive()
    const { watch, backend } = this.#parts
    watch.beginPoke()
    try {
      const result = action()
      if (backend?.crash !== undefined) throw backend.crash
      return result
    } catch (error) {
      this.#end = this.#endOf(error)
      throw this.#end
    }
  }

  #endOf(error: unknown): TargetError {
    const { name, printed } = this.#parts
    const words = [String(error), printed()].filter((text) => text !== '').join('\n')
    if (error instanceof EndlessWork)
      return new TargetError('hang', `v86:${name} does not finish: ${error.message}`, words)
    return new TargetError('dead', `v86:${name} threw an exception out of an access by the guest`, words)
  }
}

function hex(value: number): string {
  return `${value < 0 ? '-' : ''}0x${Math.abs(value).toString(16)}`
}
