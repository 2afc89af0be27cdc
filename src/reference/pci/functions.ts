/** PCI functions on bus 0, each in a slot of its own, behind both ways into configuration space. */
import type { DeviceDescription, ResetKind } from '../../contract/index.ts'
import { CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT } from '../../layout/pci.ts'
import type { BusSpace, PciBus } from '../bus.ts'
import { claim } from './bars.ts'
import { type ConfigurationSpace, configurationSpace, readConfiguration, writeConfiguration } from './configuration.ts'
import { type FunctionState, type PciFunction, resetFunction, setPower, settle } from './function.ts'

/** Status register, PCI 3.0 6.2.3. */
const RECEIVED_MASTER_ABORT = 0x2000
const CONFIG_ENABLE = 0x8000_0000
const RESETS: readonly ResetKind[] = ['system', 'bus', 'function', 'power-state', 'device']

export class PciFunctions implements PciBus {
  readonly resets = RESETS
  readonly #functions: readonly { readonly fn: PciFunction; readonly space: ConfigurationSpace }[]
  /** CONFIG_ADDRESS of configuration mechanism 1. */
  #configAddress = 0

  constructor(functions: readonly PciFunction[]) {
    this.#functions = functions.map((fn) => ({ fn, space: configurationSpace(fn.personality) }))
  }

  read(space: BusSpace, address: number, width: number): number | undefined {
    if (space === 'config') return this.#readConfig(address, width)
    if (space === 'port') {
      if (address === CONFIG_ADDRESS_PORT && width === 4) return this.#configAddress
      const at = this.#mechanism1(address, width)
      if (at !== undefined) return this.#readConfig(at, width)
    }
    const hit = this.#claim(space, address, width)
    return hit && hit.fn.personality.readBar(hit.fn, hit.bar, hit.offset, accessWidth(width)) >>> 0
  }

  write(space: BusSpace, address: number, width: number, value: number): boolean {
    if (space === 'config') return this.#writeConfig(address, width, value)
    if (space === 'port') {
      if (address === CONFIG_ADDRESS_PORT && width === 4) {
        // Bits 30:24 and 1:0 are reserved and read zero, PCI 3.0 3.2.2.3.2.
        this.#configAddress = (value & 0x80fffffc) >>> 0
        return true
      }
      const at = this.#mechanism1(address, width)
      if (at !== undefined) return this.#writeConfig(at, width, value)
    }
    const hit = this.#claim(space, address, width)
    if (!hit) return false
    hit.fn.personality.writeBar(hit.fn, hit.bar, hit.offset, accessWidth(width), value >>> 0)
    return true
  }

  /** The ECAM address that an access to CONFIG_DATA means; none while the enable bit is off or outside the register. */
  #mechanism1(port: number, width: number): number | undefined {
    const byte = port - CONFIG_DATA_PORT
    if (byte < 0 || byte + width > 4 || this.#configAddress < CONFIG_ENABLE) return undefined
    const bus = (this.#configAddress >>> 16) & 0xff
    const deviceAndFunction = (this.#configAddress >>> 8) & 0xff
    return bus * 2 ** 20 + deviceAndFunction * 2 ** 12 + (this.#configAddress & 0xfc) + byte
  }

  #readConfig(address: number, width: number): number | undefined {
    const seat = this.#seatAt(address)
    return seat && readConfiguration(seat.space, seat.fn, address % 4096, width)
  }

  #writeConfig(address: number, width: number, value: number): boolean {
    const seat = this.#seatAt(address)
    if (seat) writeConfiguration(seat.space, seat.fn, address % 4096, width, value >>> 0)
    return seat !== undefined
  }

  /** Only bus 0 and function 0 of each device exist. */
  #seatAt(address: number) {
    const device = Math.floor(address / 2 ** 15)
    return address % 2 ** 15 < 4096 ? this.#functions.find(({ fn }) => fn.options.device === device) : undefined
  }

  #claim(space: 'port' | 'mmio', address: number, width: number) {
    for (const { fn } of this.#functions) {
      const hit = claim(fn, space, address, width)
      if (hit) return { fn, ...hit }
    }
    return undefined
  }

  /** A request of this device to memory found nobody: latches Received Master Abort in its status register. */
  masterAborted(device: string): void {
    const seat = this.#functions.find(({ fn }) => fn.options.id === device)
    if (seat) seat.fn.state.errors |= RECEIVED_MASTER_ABORT
  }

  step(): boolean {
    const unfinished = this.#functions.filter(({ fn }) => fn.state.resetting)
    for (const { fn } of unfinished) settle(fn)
    return unfinished.some(({ fn }) => !fn.state.resetting)
  }

  reset(kind: ResetKind): void {
    if (kind === 'system') this.#configAddress = 0
    for (const { fn } of this.#functions) {
      if (kind === 'device') fn.personality.resetDevice(fn)
      else if (kind === 'power-state') {
        setPower(fn, 3)
        settle(fn)
        setPower(fn, 0)
      } else resetFunction(fn)
      settle(fn)
    }
  }

  save(): unknown {
    return {
      configAddress: this.#configAddress,
      functions: this.#functions.map(({ fn }) => ({
        registers: fn.state,
        transport: fn.personality.save(fn),
      })),
    }
  }

  restore(state: unknown): void {
    const { configAddress, functions } = state as {
      configAddress: number
      functions: { registers: FunctionState; transport: unknown }[]
    }
    this.#configAddress = configAddress
    for (const [index, { fn }] of this.#functions.entries()) {
      const { registers, transport } = functions[index]!
      fn.state = registers
      fn.personality.restore(transport)
    }
  }

  devices(): DeviceDescription[] {
    return this.#functions.map(({ fn: { options } }) => ({
      id: options.id,
      kind: options.kind,
      transport: { kind: 'pci', bus: 0, device: options.device, function: 0 },
      ...(options.facts ? { facts: options.facts } : {}),
    }))
  }
}

/** Wider accesses are split before they reach the bus. */
function accessWidth(width: number): 1 | 2 | 4 {
  if (width === 1 || width === 2 || width === 4) return width
  throw new Error(`PCI bus: access of ${width} bytes; expected 1, 2 or 4 (split wider ones into dwords)`)
}
