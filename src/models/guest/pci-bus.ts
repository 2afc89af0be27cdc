/** Configuration space as a guest sees it: the two ways into it, and the walk along the capabilities (PCI 3.0, 6.7). */
import type { DeviceDescription, Location } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT, PCI, PCI_STATUS } from '../../layout/pci.ts'
import { type Guest, place } from './access.ts'

const NOBODY = 0xffff
const MECHANISM_1_ENABLE = 0x8000_0000
/** Capabilities are dword-aligned and behind the 64-byte header, so that no longer list can exist. */
const CAPABILITIES_MAX = 48

/** One entry of the capability list. */
export interface Capability {
  readonly id: number
  /** Where it starts in configuration space. */
  readonly at: number
}

/** The configuration space of one function. */
export class ConfigSpace {
  readonly guest: Guest
  /** `DeviceDescription.id`, for errors. */
  readonly device: string
  /** `bus << 20 | device << 15 | function << 12`. */
  readonly base: number
  readonly #byPorts: boolean
  readonly #addressPort = place('port', CONFIG_ADDRESS_PORT)

  constructor(guest: Guest, device: string, base: number, byPorts: boolean) {
    this.guest = guest
    this.device = device
    this.base = base
    this.#byPorts = byPorts
  }

  read8(offset: number): number {
    return this.guest.read8(this.#at(offset))
  }
  read16(offset: number): number {
    return this.guest.read16(this.#at(offset))
  }
  read32(offset: number): number {
    return this.guest.read32(this.#at(offset))
  }
  write8(offset: number, value: number): void {
    this.guest.write8(this.#at(offset), value)
  }
  write16(offset: number, value: number): void {
    this.guest.write16(this.#at(offset), value)
  }
  write32(offset: number, value: number): void {
    this.guest.write32(this.#at(offset), value)
  }

  /** The capabilities in the order of the list; throws a ModelError when the list does not end. */
  capabilities(): readonly Capability[] {
    if ((this.read16(PCI.status) & PCI_STATUS.CAPABILITIES) === 0) return []
    const found: Capability[] = []
    for (let at = this.read8(PCI.capabilities) & 0xfc; at !== 0; at = this.read8(at + 1) & 0xfc) {
      if (found.length === CAPABILITIES_MAX)
        throw new ModelError(
          `${this.device}: capability list: expected an end within ${CAPABILITIES_MAX} entries, found another at 0x${at.toString(16)}`,
        )
      found.push({ id: this.read8(at), at })
    }
    return found
  }

  #at(offset: number): Location {
    if (!this.#byPorts) return place('config', this.base + offset)
    const { base } = this
    const selected = (base >>> 20) * 2 ** 16 + ((base >>> 12) & 0xff) * 2 ** 8 + (offset & 0xfc)
    this.guest.write32(this.#addressPort, MECHANISM_1_ENABLE + selected)
    return place('port', CONFIG_DATA_PORT + (offset & 3))
  }
}

/** Finds the function of a device through `config` space or, where nobody answers there, through mechanism 1. */
export const findFunction = (guest: Guest, device: DeviceDescription): ConfigSpace => {
  if (device.transport.kind !== 'pci')
    throw new ModelError(`${device.id}: expected a device on PCI, found one on ${device.transport.kind}`)
  const { bus, device: slot, function: fn } = device.transport
  const base = bus * 2 ** 20 + slot * 2 ** 15 + fn * 2 ** 12
  for (const byPorts of [false, true]) {
    const config = new ConfigSpace(guest, device.id, base, byPorts)
    const vendor = config.read16(PCI.vendorId)
    if (vendor !== NOBODY && vendor !== 0) return config
  }
  throw new ModelError(
    `${device.id}: expected a PCI function at ${bus}:${slot}.${fn} as described, found nobody, neither in config space nor behind port 0xcf8`,
  )
}
