/**
 * The state of a v86 target as bytes: guest memory, PCI function, virtio device and back end. The rest of the PC (its
 * processor, timers, screen) is left out: nothing runs on it, and the virtio device does not depend on it.
 *
 * Form: length of the header (4 bytes, little endian), the header as JSON, then the pages of memory that are not zero.
 * Equal states give equal bytes.
 */

import { TargetError } from '../../contract/target.ts'
import { CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT, PCI } from '../../layout/pci.ts'
import type { NinePBackend, SavedBackend } from './backend.ts'
import type { Surface } from './surface.ts'
import type { Watch } from './watch.ts'

const FORMAT = 1
const PAGE_BYTES = 4096
const ZERO_PAGE = new Uint8Array(PAGE_BYTES)
/** The ISA bridge, whose registers route the interrupt line: device 1, function 0. */
const BRIDGE = 1 << 3
const BARS = 4
/** Unused port ranges where base addresses wait while others are put in place. */
const PARKING_PORT = 0xe000
/** Entries of the transport's own state before its queues follow; the feature words among them are arrays. */
const TRANSPORT_ENTRIES = 10

interface Header {
  readonly format: number
  readonly device: string
  readonly function: readonly number[]
  readonly bridge: readonly number[]
  readonly latches: readonly (readonly number[])[]
  readonly transport: readonly unknown[]
  readonly queues: readonly (readonly unknown[])[]
  readonly own: Record<string, number | readonly number[]>
  readonly level: boolean
  readonly backend: SavedBackend | null
  readonly pages: readonly number[]
}

/** What a state is taken of and put back into. */
export interface Parts {
  readonly name: string
  readonly surface: Surface
  readonly watch: Watch
  readonly backend: NinePBackend | undefined
}

export function saveState({ name, surface, watch, backend }: Parts): Uint8Array {
  const { cpu, device } = surface
  const { pci } = cpu.devices
  const pages = usedPages(cpu.mem8)
  const header: Header = {
    format: FORMAT,
    device: name,
    function: [...pci.device_spaces[device.virtio.pci_id]!],
    bridge: [...pci.device_spaces[BRIDGE]!],
    latches: latches(surface).map((latch) => [...latch]),
    transport: device.virtio
      .get_state()
      .slice(0, TRANSPORT_ENTRIES)
      .map((entry) => (entry instanceof Uint32Array ? [...entry] : entry)),
    queues: device.virtio.queues.map((queue) => queue.get_state()),
    own: ownFields(device),
    level: watch.level,
    backend: backend?.save() ?? null,
    pages,
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const bytes = new Uint8Array(4 + text.length + pages.length * PAGE_BYTES)
  new DataView(bytes.buffer).setUint32(0, text.length, true)
  bytes.set(text, 4)
  let at = 4 + text.length
  for (const page of pages) {
    bytes.set(cpu.mem8.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), at)
    at += PAGE_BYTES
  }
  return bytes
}

export function restoreState(parts: Parts, state: Uint8Array): void {
  const { name, surface, watch, backend } = parts
  const { header, memory } = decode(state, name)
  const { cpu, device } = surface
  const { pci } = cpu.devices

  cpu.mem8.fill(0)
  header.pages.forEach((page, i) => {
    cpu.mem8.set(memory.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES), page * PAGE_BYTES)
  })

  moveBars(surface, header.function)
  pci.device_spaces[device.virtio.pci_id]!.set(header.function)
  pci.device_spaces[BRIDGE]!.set(header.bridge)
  latches(surface).forEach((latch, i) => {
    latch.set(header.latches[i]!)
  })

  const transport = header.transport.map((entry) => (Array.isArray(entry) ? Uint32Array.from(entry) : entry))
  device.virtio.set_state([...transport, ...header.queues])
  for (const [field, value] of Object.entries(header.own)) {
    Object.assign(device, { [field]: typeof value === 'number' ? value : Uint8Array.from(value) })
  }
  if (header.backend !== null) backend?.restore(header.backend)
  // Through the device's own connection, so that the interrupt controller of the PC follows.
  if (header.level) device.virtio.pci.raise_irq(device.virtio.pci_id)
  else device.virtio.pci.lower_irq(device.virtio.pci_id)
  watch.restart(header.level)
}

function decode(state: Uint8Array, device: string): { header: Header; memory: Uint8Array } {
  const refuse = (found: string): never => {
    throw new TargetError('protocol', `restore: expected a state of v86:${device}, format ${FORMAT}, found ${found}`)
  }
  if (state.length < 4) refuse(`${state.length} bytes`)
  const length = new DataView(state.buffer, state.byteOffset).getUint32(0, true)
  if (4 + length > state.length) refuse(`a header of ${length} bytes in ${state.length} bytes`)
  let header: Header
  try {
    header = JSON.parse(new TextDecoder().decode(state.subarray(4, 4 + length))) as Header
  } catch {
    return refuse('a header that is no JSON')
  }
  if (header.device !== device || header.format !== FORMAT) refuse(`${header.device}, format ${header.format}`)
  const memory = state.subarray(4 + length)
  if (memory.length !== header.pages.length * PAGE_BYTES)
    refuse(`${memory.length} bytes for ${header.pages.length} pages`)
  return { header, memory }
}

function usedPages(memory: Uint8Array): number[] {
  // Comparing as Buffers is memcmp: a tenth of the time of a loop over words.
  const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.length)
  const isUsed = (page: number) =>
    bytes.compare(ZERO_PAGE, 0, PAGE_BYTES, page * PAGE_BYTES, (page + 1) * PAGE_BYTES) !== 0
  return Array.from({ length: memory.length / PAGE_BYTES }, (_, page) => page).filter(isUsed)
}

/** Puts the base addresses where `target`, a configuration space as words, has them. */
function moveBars({ cpu, device }: Surface, target: readonly number[]): void {
  const bdf = device.virtio.pci_id
  const word = (bar: number) => PCI.bar(bar) / 4
  const space = cpu.devices.pci.device_spaces[bdf]!
  const write = (bar: number, value: number) => {
    cpu.io.port_write32(CONFIG_ADDRESS_PORT, 0x8000_0000 | (bdf << 8) | PCI.bar(bar))
    cpu.io.port_write32(CONFIG_DATA_PORT, value | 0)
  }
  const moved = Array.from({ length: BARS }, (_, bar) => bar).filter((bar) => space[word(bar)] !== target[word(bar)])
  // Two steps: moving one straight onto the old place of another would clear the ports of the first.
  for (const bar of moved) write(bar, PARKING_PORT + 0x100 * bar)
  for (const bar of moved) write(bar, target[word(bar)]!)
}

function latches({ cpu }: Surface): Uint8Array[] {
  const { pci } = cpu.devices
  return [pci.pci_addr, pci.pci_value, pci.pci_response, pci.pci_status]
}

/** What a device model keeps beside its transport: counters, sizes, a MAC address. */
function ownFields(device: object): Record<string, number | readonly number[]> {
  const fields: Record<string, number | readonly number[]> = {}
  for (const [field, value] of Object.entries(device)) {
    if (typeof value === 'number') fields[field] = value
    else if (value instanceof Uint8Array) fields[field] = [...value]
  }
  return fields
}
