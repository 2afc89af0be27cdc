/** The registers of an IDE channel, as a driver reaches them. */
import type { DeviceDescription, Location } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { ATA_COMMAND, ATA_CONTROL, ATA_DEVICE, ATA_SIGNATURE, ATA_STATUS, IDE, SECTOR_BYTES } from '../../layout/ide.ts'
import { type Guest, place } from '../guest/access.ts'

type Register = keyof typeof IDE

/** Turns that a command may take; milliseconds of each. */
const TURNS = 200
const TURN_MS = 1
const TRANSFER_TURNS = 30
const HALF_BYTES = SECTOR_BYTES / 2

export class IdeDriver {
  readonly guest: Guest
  readonly #at: Readonly<Record<Register, Location>>
  readonly #control: Location
  /** Sectors of the medium. */
  readonly sectors: number
  #disabled = false
  #resetting = false

  constructor(guest: Guest, device: DeviceDescription) {
    const { transport, facts = {} } = device
    const { control, sectors } = facts
    if (transport.kind !== 'port' || typeof control !== 'number' || typeof sectors !== 'number')
      throw new ModelError(
        `${device.id}: expected ports, and the facts control and sectors, found ${JSON.stringify(facts)}`,
      )
    this.guest = guest
    this.sectors = sectors
    this.#control = place('port', control)
    const at = Object.entries(IDE).map(([name, offset]) => [name, place('port', transport.base + offset)])
    this.#at = Object.fromEntries(at) as Record<Register, Location>
  }

  /** Idle, drive 0 selected, no interrupt. */
  restart(): void {
    const { target } = this.guest
    target.reset('system')
    this.#disabled = this.#resetting = false
    this.#writeControl(0)
    this.#write('device', ATA_DEVICE.OBSOLETE)
    this.awaitReady()
    this.readStatus()
    target.settle(0)
    target.events()
  }

  /** Writes the address of a transfer, and its command. */
  command(code: number, lba = 0, count = 1, features = 0): void {
    this.#write('device', ATA_DEVICE.OBSOLETE | ATA_DEVICE.LBA | ((lba >>> 24) & ATA_DEVICE.HIGH))
    this.#write('features', features)
    this.#write('count', count)
    this.#write('lbaLow', lba & 0xff)
    this.#write('lbaMid', (lba >>> 8) & 0xff)
    this.#write('lbaHigh', (lba >>> 16) & 0xff)
    this.#write('command', code)
  }

  /** FLUSH CACHE to whatever is selected. */
  commandSelected(): void {
    this.#write('command', ATA_COMMAND.FLUSH)
  }

  select(second: boolean): void {
    this.#write('device', ATA_DEVICE.OBSOLETE | (second ? ATA_DEVICE.DEV : 0))
  }

  disable(disabled: boolean): void {
    this.#disabled = disabled
    this.#writeControl(0)
  }
  get isDisabled(): boolean {
    return this.#disabled
  }
  holdReset(held: boolean): void {
    this.#resetting = held
    this.#writeControl(held ? ATA_CONTROL.SRST : 0)
  }

  get isResetting(): boolean {
    return this.#resetting
  }

  readStatus(): number {
    return this.guest.read8(this.#at.status)
  }
  readAlternate(): number {
    return this.guest.read8(this.#control)
  }
  readError(): number {
    return this.guest.read8(this.#at.error)
  }
  hasSignature(): boolean {
    return Object.entries(ATA_SIGNATURE).every(
      ([register, value]) => this.guest.read8(this.#at[register as Register]) === value,
    )
  }

  /** Looks at Alternate Status until BSY is clear, as long as that may take. */
  awaitReady(): void {
    const { target } = this.guest
    target.settle(0)
    for (let turn = 0; turn < TURNS && (this.readAlternate() & ATA_STATUS.BSY) !== 0; turn++) target.settle(TURN_MS)
  }

  /** The same for a transfer by DMA, which may also never end. */
  awaitTransfer(): void {
    const { target } = this.guest
    const moves = (): boolean => (this.readAlternate() & (ATA_STATUS.BSY | ATA_STATUS.DRQ)) !== 0
    for (let turn = 0; turn < TRANSFER_TURNS && moves(); turn++) target.settle(TURN_MS)
    target.settle(0)
  }

  /** From byte `from` on to the end of the first half or of the block. Drivers use both widths. */
  readData(into: DataView, from: number): void {
    if (from === 0)
      for (let at = 0; at < HALF_BYTES; at += 2) into.setUint16(at, this.guest.read16(this.#at.data), true)
    else for (let at = from; at < SECTOR_BYTES; at += 4) into.setUint32(at, this.guest.read32(this.#at.data), true)
  }
  writeData(data: DataView, from: number): void {
    if (from === 0)
      for (let at = 0; at < HALF_BYTES; at += 2) this.guest.write16(this.#at.data, data.getUint16(at, true))
    else for (let at = from; at < SECTOR_BYTES; at += 4) this.guest.write32(this.#at.data, data.getUint32(at, true))
  }

  #write(register: Register, value: number): void {
    this.guest.write8(this.#at[register], value)
  }
  #writeControl(bits: number): void {
    this.guest.write8(this.#control, bits | (this.#disabled ? ATA_CONTROL.NIEN : 0))
  }
}

/** What is written to a sector: its second half tells what it is. */
export const contentOf = (lba: number, value: number): DataView => {
  const view = new DataView(new ArrayBuffer(SECTOR_BYTES))
  for (let at = 0; at < SECTOR_BYTES; at += 2)
    view.setUint16(at, ((at < HALF_BYTES ? 0 : value + 1) << 12) | ((lba & 7) << 9) | (at >> 1), true)
  return view
}
export const HALF = HALF_BYTES
