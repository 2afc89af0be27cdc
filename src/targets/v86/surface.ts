/**
 * The part of v86 that the door stands on: undocumented properties of the emulator object, typed here and probed at
 * start. Names are v86's own; its release build keeps them.
 */

import { TargetError } from '../../contract/target.ts'
import type { Processor } from './pic/stubs.ts'

/** The version that this door was written against. */
export const EXPECTED_VERSION = '0.5.462'

export const INSTALL = `npm install v86@${EXPECTED_VERSION}`

export interface Cpu {
  readonly io: Io
  /** Guest memory, and no bounds but its own length. */
  readonly mem8: Uint8Array
  readonly devices: Record<string, unknown> & { readonly pci: Pci }
  read8(gpa: number): number
  read16(gpa: number): number
  read32s(gpa: number): number
  write8(gpa: number, value: number): void
  write16(gpa: number, value: number): void
  write32(gpa: number, value: number): void
  read_blob(gpa: number, bytes: number): Uint8Array
  write_blob(data: Uint8Array, gpa: number): void
  zero_memory(gpa: number, bytes: number): void
  /** The reset of the whole machine, as by port 0xcf9. */
  reboot_internal(): void
}

interface Io {
  port_read8(port: number): number
  port_read16(port: number): number
  port_read32(port: number): number
  port_write8(port: number, value: number): void
  port_write16(port: number, value: number): void
  port_write32(port: number, value: number): void
}

export interface Pci {
  raise_irq(bdf: number): void
  lower_irq(bdf: number): void
  /** Configuration space per `device << 3 | function`, as 64 words. */
  readonly device_spaces: readonly (Int32Array | undefined)[]
  /** Latches of ports 0xcf8 and 0xcfc. */
  readonly pci_addr: Uint8Array
  readonly pci_value: Uint8Array
  readonly pci_response: Uint8Array
  readonly pci_status: Uint8Array
}

/** A virtio device model: `virtio` is its transport, the other fields are its own. */
export interface Device {
  readonly virtio: Virtio
}

export interface Virtio {
  cpu: Cpu
  pci: Pci
  readonly pci_id: number
  readonly queues: readonly Queue[]
  get_state(): readonly unknown[]
  set_state(state: readonly unknown[]): void
}

export interface Queue {
  cpu: Cpu
  pop_request(): Chain
  reset(): void
  get_state(): readonly unknown[]
  set_state(state: readonly unknown[]): void
}

/** A descriptor chain that the device has taken. */
export interface Chain {
  readonly length_readable: number
  get_next_blob(into: Uint8Array): number
  set_next_blob(from: Uint8Array): number
}

/** What must be there, as paths from the emulator object; `DEVICE` stands for the name of the virtio device. */
const REQUIRED = {
  function: [
    ...['io.port_read8', 'io.port_read16', 'io.port_read32', 'io.port_write8', 'io.port_write16', 'io.port_write32'],
    ...['read8', 'read16', 'read32s', 'write8', 'write16', 'write32', 'read_blob', 'write_blob', 'zero_memory'],
    ...['reboot_internal', 'devices.pci.raise_irq', 'devices.pci.lower_irq'],
    ...['DEVICE.get_state', 'DEVICE.set_state', 'DEVICE.cpu.read16', 'DEVICE.pci.raise_irq'],
    ...['DEVICE.queues.0.pop_request', 'DEVICE.queues.0.reset', 'DEVICE.queues.0.cpu.read16'],
    ...['DEVICE.queues.0.get_state', 'DEVICE.queues.0.set_state'],
  ],
  object: [
    ...['mem8', 'devices.pci.pci_addr', 'devices.pci.pci_value', 'devices.pci.pci_response', 'devices.pci.pci_status'],
    ...['devices.pci.device_spaces'],
  ],
  number: ['DEVICE.pci_id'],
} as const

const REQUIRED_OF_CHAIN = { function: ['get_next_blob', 'set_next_blob'], number: ['length_readable'] } as const

/** The emulator's parts, known to have the properties that the door uses. */
export interface Surface {
  readonly cpu: Cpu
  readonly device: Device
  /** Prototype of the descriptor chains, to rebuild those that a saved state holds. */
  readonly chainPrototype: object
}

/**
 * Checks that the emulator has every property that the door uses, and throws a one-line error that names the first
 * one missing. `deviceName` is the key in `cpu.devices`.
 */
export function probe(emulator: unknown, deviceName: string, version: string): Surface {
  const device = `devices.${deviceName}.virtio`
  const cpu = dig(emulator, 'v86.cpu')
  for (const [kind, paths] of Object.entries(REQUIRED)) {
    for (const path of paths) check(cpu, 'cpu.', path.replace('DEVICE', device), kind, version)
  }
  const parts = { cpu: cpu as Cpu, device: dig(cpu, `devices.${deviceName}`) as Device }
  // A queue that was just reset gives an empty chain out of zeroed memory; the reset afterwards leaves no trace of it.
  const queue = parts.device.virtio.queues[0]!
  const chain = queue.pop_request()
  queue.reset()
  for (const [kind, paths] of Object.entries(REQUIRED_OF_CHAIN)) {
    for (const path of paths) check(chain, 'pop_request().', path, kind, version)
  }
  return { ...parts, chainPrototype: Object.getPrototypeOf(chain) as object }
}

/** What running code and driving lines needs, as paths from the processor. */
const REQUIRED_TO_RUN = {
  function: [
    ...['main_loop', 'device_raise_irq', 'device_lower_irq', 'reboot_internal'],
    ...['get_pic_addr_master', 'get_pic_addr_slave'],
  ],
  object: ['mem8', 'reg32', 'instruction_pointer', 'in_hlt', 'wasm_memory.buffer'],
} as const

/** Checks that the processor has what the door to the interrupt controllers uses, as `probe` does for devices. */
export function probeProcessor(emulator: unknown, version: string): Processor {
  const cpu = dig(emulator, 'v86.cpu')
  for (const [kind, paths] of Object.entries(REQUIRED_TO_RUN))
    for (const path of paths) check(cpu, 'cpu.', path, kind, version)
  return cpu as Processor
}

function check(root: unknown, prefix: string, path: string, kind: string, version: string): void {
  const found = dig(root, path)
  if (typeof found === kind && found !== null) return
  const problem = `has no ${kind} ${prefix}${path}`
  throw new TargetError(
    'start',
    `v86 ${version} ${problem}, which this door needs; it knows v86 ${EXPECTED_VERSION}: ${INSTALL}`,
  )
}

function dig(root: unknown, path: string): unknown {
  let found = root
  for (const name of path.split('.')) {
    if (found === null || typeof found !== 'object') return undefined
    found = (found as Record<string, unknown>)[name]
  }
  return found
}
