/** The ide machine on an IDE channel: registers at fixed ports, data word by word, the line of the channel. */
import { ide } from '../../../spec/emulated/ide.ts'
import type { Description, DeviceDescription, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  ATA_COMMAND,
  ATA_ERROR,
  ATA_FEATURE,
  ATA_STATUS,
  IDENTIFY,
  IDENTIFY_LBA,
  SECTOR_BYTES,
} from '../../layout/ide.ts'
import { Guest } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'
import { contentOf, HALF, IdeDriver } from './ide-driver.ts'

const NOT_ATA = 0x8000

class IdeSession implements Session {
  readonly device: string
  readonly #driver: IdeDriver
  readonly #synchronous: boolean
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #contents: readonly (readonly DataView[])[]
  /** The first sector that is played with. */
  readonly #first: number
  /** The block that is being transferred, how much of it is, and its sector. */
  readonly #block = new DataView(new ArrayBuffer(SECTOR_BYTES))
  #at = 0
  #lba = 0

  constructor(target: Target, machine: Machine, sink: Sink) {
    const description = target.describe()
    const device = deviceOf(description)
    if (device === undefined) throw new ModelError('expected an IDE channel, found none')
    this.device = device.id
    this.#synchronous = description.can.synchronous
    this.#driver = new IdeDriver(new Guest(target), device)
    this.#machine = machine
    this.#sink = sink
    const { sectors = 1, values = 1 } = machine.scope
    this.#first = this.#driver.sectors - sectors
    this.#contents = Array.from({ length: sectors }, (_, lba) =>
      Array.from({ length: values }, (_value, value) => contentOf(lba, value)),
    )
  }

  start(): void {
    this.#driver.restart()
    this.#at = this.#lba = 0
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or backend`)
    perform(args)
    this.#comeToRest()
    this.collect()
  }

  /** Where the target works by itself, nothing is left under way: what it then did could be before or behind our next action. */
  #comeToRest(): void {
    if (!this.#synchronous && !this.#driver.isResetting) this.#driver.awaitReady()
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.read': ({ lba, count }) => this.#transfer(ATA_COMMAND.READ, lba as number, count as number),
    'driver.write': ({ lba, count }) => this.#transfer(ATA_COMMAND.WRITE, lba as number, count as number),
    'driver.identify': () => this.#transfer(ATA_COMMAND.IDENTIFY, 0, 1),
    'driver.flush': () => this.#driver.command(ATA_COMMAND.FLUSH),
    'driver.setFeature': ({ exists }) =>
      this.#driver.command(ATA_COMMAND.SET_FEATURES, 0, 0, exists ? ATA_FEATURE.WRITE_CACHE_ON : ATA_FEATURE.RESERVED),
    'driver.commandUnknown': ({ nop }) => this.#driver.command(nop ? ATA_COMMAND.NOP : ATA_COMMAND.RESERVED),
    'driver.select': ({ absent }) => this.#driver.select(absent as boolean),
    'driver.commandAbsent': () => this.#driver.commandSelected(),
    'driver.readHalf': () => {
      this.#driver.readData(this.#block, 0)
      this.#at = HALF
    },
    'driver.readBlock': () => {
      if (this.#at === 0) this.#driver.readData(this.#block, 0)
      this.#driver.readData(this.#block, HALF)
      this.#answerBlock()
    },
    'driver.writeHalf': () => {
      this.#driver.writeData(this.#contentOf(0), 0)
      this.#at = HALF
    },
    'driver.writeBlock': ({ value }) => {
      const content = this.#contentOf(value as number)
      if (this.#at === 0) this.#driver.writeData(content, 0)
      this.#driver.writeData(content, HALF)
      this.#nextBlock()
    },
    'driver.disableInterrupts': () => this.#driver.disable(true),
    'driver.enableInterrupts': () => this.#driver.disable(false),
    'driver.setReset': () => {
      this.#driver.holdReset(true)
      this.#at = 0
    },
    'driver.clearReset': () => this.#driver.holdReset(false),
    'driver.readStatus': () => this.#answerStatus(() => this.#driver.readStatus()),
    'driver.readAlternate': () => this.#answerStatus(() => this.#driver.readAlternate()),
    'driver.poll': () => {
      this.#driver.awaitReady()
      this.collect()
      this.#answerStatus(() => this.#driver.readStatus())
    },
    'driver.readError': () => {
      const error = this.#driver.readError()
      this.#tell('device.answerError', {
        abort: (error & ATA_ERROR.ABRT) !== 0,
        missing: (error & ATA_ERROR.IDNF) !== 0,
      })
    },
    'driver.readSignature': () => this.#tell('device.answerSignature', { intact: this.#driver.hasSignature() }),
    'backend.hold': () => this.#target.control!(this.device, { do: 'hold' }),
    'backend.release': () => this.#target.control!(this.device, { do: 'release', order: 'fifo' }),
    'backend.fail': () => this.#target.control!(this.device, { do: 'fail', count: 1 }),
  }

  get #target(): Target {
    return this.#driver.guest.target
  }

  collect(): void {
    for (const level of this.#levels()) this.#tell(level ? 'device.raise' : 'device.lower', {})
  }

  move(target: Target): void {
    this.#driver.guest.target = target
  }

  remembers(): string {
    const block = new Uint8Array(this.#block.buffer).slice(0, this.#at)
    return notesOf([block, this.#at, this.#lba, this.#driver.isDisabled])
  }

  #transfer(code: number, lba: number, count: number): void {
    this.#at = 0
    this.#lba = lba
    this.#driver.command(code, this.#first + lba, count)
  }

  #nextBlock(): void {
    this.#at = 0
    this.#lba++
  }

  #contentOf(value: number): DataView {
    return this.#contents[this.#lba]?.[value] ?? contentOf(this.#lba, value)
  }

  #answerBlock(): void {
    const found = this.#contents[this.#lba]?.findIndex((content) => equal(content, this.#block)) ?? -1
    this.#tell('device.answerBlock', { value: found < 0 ? undefined : found, identity: this.#isIdentity() })
    this.#nextBlock()
  }

  #isIdentity(): boolean {
    const word = (at: number): number => this.#block.getUint16(2 * at, true)
    return (
      (word(IDENTIFY.general) & NOT_ATA) === 0 &&
      (word(IDENTIFY.capabilities) & IDENTIFY_LBA) !== 0 &&
      word(IDENTIFY.sectorsLow) + word(IDENTIFY.sectorsHigh) * 2 ** 16 === this.#driver.sectors
    )
  }

  /** An interrupt that came since the last look came before the drive was seen to be ready, and after it was seen busy. */
  #answerStatus(read: () => number): void {
    this.collect()
    const status = read()
    const levels = this.#levels()
    const busy = (status & ATA_STATUS.BSY) !== 0
    if (!busy && levels[0] === true) this.#tellLevel(levels.shift()!)
    const has = (bits: number): boolean => !busy && (status & bits) !== 0
    const { DRDY, DRQ, ERR, DF } = ATA_STATUS
    const note = `status 0x${status.toString(16)}`
    const answer = { busy, ready: has(DRDY), drq: has(DRQ), failed: has(ERR | DF), blank: status === 0 }
    this.#tell('device.answerStatus', answer, note)
    for (const level of levels) this.#tellLevel(level)
  }

  #levels(): boolean[] {
    const levels: boolean[] = []
    for (const event of this.#target.events())
      if (event.kind === 'line' && event.device === this.device) levels.push(event.level)
    return levels
  }

  #tellLevel(level: boolean): void {
    this.#tell(level ? 'device.raise' : 'device.lower', {})
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const equal = (a: DataView, b: DataView): boolean => {
  for (let at = 0; at < SECTOR_BYTES; at += 4) if (a.getUint32(at) !== b.getUint32(at)) return false
  return true
}

export const deviceOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind, transport }) => kind === 'ide' && transport.kind === 'port')

/** What a back end that cannot be steered leaves out. */
export const steering = ({ can }: Description): Readonly<Record<string, string>> => {
  const reason = 'its back end cannot be steered'
  return {
    ...(can.controls.includes('hold') ? {} : { 'backend.hold': reason, 'backend.release': reason }),
    ...(can.controls.includes('fail') ? {} : { 'backend.fail': reason }),
  }
}

export const ideModel: Model = {
  machine: ide,
  played: ['driver', 'backend'],
  notApplicable: (target) => (deviceOf(target) === undefined ? 'it has no IDE channel' : undefined),
  scope: ({ observes }) => ({ scope: 'played', ...(observes.line === 'exact' ? {} : { bounds: { lines: 0 } }) }),
  profiles: [{ name: 'QEMU 7.2', bounds: { gates: 0, holdsReset: 0, quietReset: 0, selects: 0 } }],
  unavailable: steering,
  unreachableGoals: (target): Readonly<Record<string, string>> => ({
    ...('backend.fail' in steering(target) ? { aFailureOfTheMedium: steering(target)['backend.fail']! } : {}),
    ...('backend.hold' in steering(target) ? { aResetWhileBusy: steering(target)['backend.hold']! } : {}),
  }),
  open: (target, machine, sink) => new IdeSession(target, machine, sink),
}
