/** The ide-dma machine on an IDE channel and its bus master: tables and buffers in memory, sentinels around them. */
import { ideDma } from '../../../spec/emulated/ide-dma.ts'
import type { DeviceDescription, Gpa, Location, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  ATA_COMMAND,
  ATA_STATUS,
  BUS_MASTER,
  BUS_MASTER_BAR,
  BUS_MASTER_COMMAND,
  BUS_MASTER_STATUS,
  PRD,
  SECTOR_BYTES,
} from '../../layout/ide.ts'
import { COMMAND, PCI } from '../../layout/pci.ts'
import { Guest, place } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'
import { findFunction } from '../guest/pci-bus.ts'
import { deviceOf, steering } from './ide.ts'
import { IdeDriver } from './ide-driver.ts'

/** Bytes of a unit of the machine; its number for a region of 64 KiB. */
const UNIT_BYTES = SECTOR_BYTES / 2
const WHOLE = 5
/** Where firmware would put the registers of the bus master. */
const PORTS = 0xc000
/** No region crosses a border of 64 KiB: each begins at one. The last one is what the descriptor behind the table names. */
const REGION_STEP = 0x1_0000
const REGIONS = 4
const GUARD_BYTES = 512
const SENTINEL = 0xee
/** Bytes of a whole region that are looked at. */
const LOOKED_AT_BYTES = 2048
const SENTINELS = new Uint8Array(LOOKED_AT_BYTES + GUARD_BYTES).fill(SENTINEL)

interface Region {
  readonly start: Gpa
  readonly bytes: number
  /** A count of zero. */
  readonly whole: boolean
}

class IdeDmaSession implements Session {
  readonly device: string
  readonly #driver: IdeDriver
  readonly #function: DeviceDescription
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #base: Gpa
  readonly #first: number
  readonly #contents: readonly (readonly Uint8Array[])[]
  readonly #exact: boolean
  #regions: Region[] = []
  #lba = 0
  #count = 0
  #command = 0
  /** A transfer to memory is under way, and no memory may be accessed any more. */
  #toMemory = false
  #stopped = false

  constructor(target: Target, machine: Machine, sink: Sink) {
    const description = target.describe()
    const device = deviceOf(description)
    if (device === undefined) throw new ModelError('expected an IDE channel, found none')
    this.device = device.id
    this.#driver = new IdeDriver(new Guest(target), device)
    this.#function = functionOf(device)
    this.#machine = machine
    this.#sink = sink
    this.#exact = description.observes.dma === 'exact'
    const { sectors = 1, values = 1 } = machine.scope
    this.#first = this.#driver.sectors - sectors
    this.#contents = Array.from({ length: sectors }, (_, lba) =>
      Array.from({ length: values }, (_value, value) => contentOf(lba, value)),
    )
    const room = description.memory.find(({ start, end }) => aligned(start) + (REGIONS + 1) * REGION_STEP <= end)
    if (room === undefined)
      throw new ModelError(
        `expected ${REGIONS + 1} times 64 KiB of memory, found ${JSON.stringify(description.memory)}`,
      )
    this.#base = aligned(room.start)
  }

  start(): void {
    this.#driver.restart()
    const config = findFunction(this.#guest, this.#function)
    config.write32(PCI.bar(BUS_MASTER_BAR), PORTS)
    config.write16(PCI.command, COMMAND.IO | COMMAND.BUS_MASTER)
    this.#guest.write8(this.#at('command'), 0)
    this.#guest.write8(this.#at('status'), BUS_MASTER_STATUS.INTERRUPT | BUS_MASTER_STATUS.ERROR)
    this.#guest.write32(this.#at('table'), this.#base)
    this.#regions = []
    this.#lba = this.#count = this.#command = 0
    this.#toMemory = this.#stopped = false
    this.#target.settle(0)
    this.#target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or backend`)
    this.collect()
    perform(args)
    this.collect()
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.setTable': ({ first, second, third }) =>
      this.#setTable([first, second, third].filter((each) => each !== undefined) as number[]),
    'driver.setRegion': ({ size }) => this.#setTable([size as number]),
    'driver.issue': (args) => this.#issue(args as unknown as Issue),
    'driver.start': () => {
      this.#writeCommand(this.#command | BUS_MASTER_COMMAND.START)
      // What a target did by itself could be before or behind our next action.
      if (!this.#target.describe().can.synchronous) this.#driver.awaitTransfer()
    },
    'driver.stop': () => this.#stop(),
    'driver.giveUp': () => this.#stop(),
    'driver.acknowledge': () => void this.#driver.readStatus(),
    'driver.reset': () => {
      this.#driver.holdReset(true)
      this.#target.settle(0)
      this.#driver.holdReset(false)
      this.#driver.awaitReady()
      this.#driver.readStatus()
      this.#guest.write8(this.#at('status'), BUS_MASTER_STATUS.INTERRUPT)
      this.#afterReset()
    },
    'driver.readStatus': () => this.#answerStatus(),
    'driver.readAtRest': () => {
      for (let turn = 0; turn < 2; turn++) this.#target.settle(1)
      this.collect()
      this.#answerStatus()
    },
    'driver.clearBits': ({ interrupt }) =>
      this.#guest.write8(this.#at('status'), interrupt ? BUS_MASTER_STATUS.INTERRUPT : 0),
    'backend.hold': () => this.#target.control!(this.device, { do: 'hold' }),
    'backend.release': () => this.#target.control!(this.device, { do: 'release', order: 'fifo' }),
    'backend.fail': () => this.#target.control!(this.device, { do: 'fail', count: 1 }),
  }

  get #guest(): Guest {
    return this.#driver.guest
  }
  get #target(): Target {
    return this.#driver.guest.target
  }

  collect(): void {
    for (const event of this.#target.events()) {
      if (!('device' in event) || event.device !== this.device) continue
      if (event.kind === 'line') this.#tellLevel(event.level)
      else if (event.kind === 'dma') this.#watch(event.gpa, event.data.length)
      else if (event.kind === 'fault') this.#tell('device.stray', { stopped: this.#stopped })
    }
  }

  /** Whether a reset interrupts is no question of transfers: a line that was raised and released by it is not told. */
  #afterReset(): void {
    const levels = this.#target
      .events()
      .flatMap((event) => (event.kind === 'line' && event.device === this.device ? [event.level] : []))
    if (levels[0] === false) this.#tellLevel(false)
    if (levels.at(-1) === true) this.#tellLevel(true)
  }

  move(target: Target): void {
    this.#driver.guest.target = target
  }

  remembers(): string {
    return notesOf([this.#regions, this.#lba, this.#count, this.#command, this.#toMemory, this.#stopped])
  }

  #at(register: 'command' | 'status' | 'table'): Location {
    return place('port', PORTS + BUS_MASTER[register])
  }

  #writeCommand(value: number): void {
    this.#command = value
    this.#guest.write8(this.#at('command'), value)
  }

  #stop(): void {
    this.#writeCommand(0)
    this.#stopped = true
    this.collect()
    this.#lookAround()
  }

  #regionAt(index: number): Gpa {
    return this.#base + (index + 1) * REGION_STEP
  }

  #setTable(sizes: readonly number[]): void {
    const table = new DataView(new ArrayBuffer(PRD.bytes * (sizes.length + 1)))
    this.#regions = sizes.map((size, index) => ({
      start: this.#regionAt(index),
      bytes: size === WHOLE ? PRD.WHOLE : size * UNIT_BYTES,
      whole: size === WHOLE,
    }))
    for (const [index, { start, bytes, whole }] of this.#regions.entries()) {
      table.setUint32(PRD.bytes * index, start, true)
      const end = index === sizes.length - 1 ? PRD.END : 0
      table.setUint32(PRD.bytes * index + PRD.count, ((whole ? 0 : bytes) | end) >>> 0, true)
    }
    const behind = PRD.bytes * sizes.length
    table.setUint32(behind, this.#regionAt(REGIONS - 1), true)
    table.setUint32(behind + PRD.count, (LOOKED_AT_BYTES | PRD.END) >>> 0, true)
    this.#target.store(this.#base, new Uint8Array(table.buffer))
  }

  #issue({ toMemory, lba, count, value }: Issue): void {
    this.#lba = lba
    this.#count = count
    this.#toMemory = toMemory
    this.#stopped = false
    this.#fill()
    if (!toMemory) {
      const data = new Uint8Array(count * SECTOR_BYTES)
      for (let i = 0; i < count; i++) data.set(this.#contents[lba + i]![value]!, i * SECTOR_BYTES)
      this.#scatter(data)
    }
    this.#writeCommand(toMemory ? BUS_MASTER_COMMAND.TO_MEMORY : 0)
    this.#driver.command(toMemory ? ATA_COMMAND.READ_DMA : ATA_COMMAND.WRITE_DMA, this.#first + lba, count)
  }

  /** Sentinels in all regions and behind them. */
  #fill(): void {
    for (const { start, bytes } of this.#looked())
      this.#target.store(start, SENTINELS.subarray(0, bytes + (bytes < LOOKED_AT_BYTES ? GUARD_BYTES : 0)))
  }

  /** Each region as far as it is looked at, and the one that is none. */
  #looked(): Region[] {
    const decoy = { start: this.#regionAt(REGIONS - 1), bytes: LOOKED_AT_BYTES, whole: true }
    return [...this.#regions.map((each) => ({ ...each, bytes: Math.min(each.bytes, LOOKED_AT_BYTES) })), decoy]
  }

  #scatter(data: Uint8Array): void {
    let done = 0
    for (const { start, bytes } of this.#regions) {
      const share = data.subarray(done, done + bytes)
      if (share.length > 0) this.#target.store(start, share)
      done += bytes
    }
  }

  #gather(bytes: number): Uint8Array {
    const data = new Uint8Array(bytes)
    let done = 0
    for (const region of this.#regions) {
      const share = Math.min(region.bytes, bytes - done)
      if (share > 0) data.set(this.#target.load(region.start, share), done)
      done += share
    }
    return data
  }

  /** The sentinels that no transfer may touch. */
  #lookAround(): void {
    const total = this.#count * SECTOR_BYTES
    let left = this.#toMemory ? total : 0
    if (!this.#toMemory) return
    const regions = this.#looked()
    for (const [index, { start, bytes }] of regions.entries()) {
      const used = index === regions.length - 1 ? 0 : Math.min(left, this.#regions[index]!.bytes)
      left -= used
      const length = bytes + (bytes < LOOKED_AT_BYTES ? GUARD_BYTES : 0) - used
      if (length <= 0 || this.#target.load(start + used, length).every((byte) => byte === SENTINEL)) continue
      this.#tell('device.stray', { stopped: false }, `around the region at 0x${start.toString(16)}`)
      return
    }
  }

  #watch(gpa: Gpa, bytes: number): void {
    const inTable = gpa >= this.#base && gpa + bytes <= this.#base + PRD.bytes * this.#regions.length
    const inside = inTable || this.#regions.some(({ start, bytes: all }) => gpa >= start && gpa + bytes <= start + all)
    if (inside && !this.#stopped) return
    this.#tell('device.stray', { stopped: this.#stopped && inside }, `${bytes} bytes at 0x${gpa.toString(16)}`)
  }

  #tellLevel(level: boolean): void {
    if (!level) {
      this.#tell('device.lower', {})
      return
    }
    const status = this.#driver.readAlternate()
    const failed = (status & (ATA_STATUS.ERR | ATA_STATUS.DF)) !== 0
    this.#tell('device.raise', { failed }, `drive status 0x${status.toString(16)}`)
    if (this.#stopped) return
    if (!this.#exact) this.#lookAround()
    if (!failed && this.#toMemory) this.#tellLanding()
    this.#toMemory = false
  }

  #tellLanding(): void {
    const data = this.#gather(this.#count * SECTOR_BYTES)
    const sectorAt = (index: number): number => this.#recognised(this.#lba + index, data.subarray(index * SECTOR_BYTES))
    this.#tell('device.land', { first: sectorAt(0), second: this.#count > 1 ? sectorAt(1) : this.#values })
  }

  get #values(): number {
    return this.#machine.scope.values ?? 1
  }

  #recognised(lba: number, data: Uint8Array): number {
    const sector = data.subarray(0, SECTOR_BYTES)
    const found = this.#contents[lba]?.findIndex((content) => content.every((byte, at) => byte === sector[at])) ?? -1
    if (found >= 0) return found
    const half = (from: number): boolean => sector.subarray(from, from + UNIT_BYTES).every((byte) => byte === SENTINEL)
    return half(0) || half(UNIT_BYTES) ? this.#values + 1 : this.#values
  }

  #answerStatus(): void {
    const status = this.#guest.read8(this.#at('status'))
    const interrupt = (status & BUS_MASTER_STATUS.INTERRUPT) !== 0
    // What came in between came before a bit that shows it, and after one that does not.
    if (interrupt) this.collect()
    const active = (status & BUS_MASTER_STATUS.ACTIVE) !== 0
    this.#tell('device.answerStatus', { active, interrupt }, `status 0x${status.toString(16)}`)
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

interface Issue {
  readonly toMemory: boolean
  readonly lba: number
  readonly count: number
  readonly value: number
}

const aligned = (start: number): number => Math.ceil(start / REGION_STEP) * REGION_STEP

/** What is written to a sector: each half tells what it is. */
const contentOf = (lba: number, value: number): Uint8Array => {
  const words = Uint16Array.from({ length: SECTOR_BYTES / 2 }, (_, at) => ((value + 1) << 12) | ((lba & 7) << 9) | at)
  return new Uint8Array(words.buffer)
}

const ADDRESS = /^pci (\d+):(\d+)\.(\d)$/

/** The bus master, as its channel names it. */
const functionOf = (channel: DeviceDescription): DeviceDescription => {
  const said = String(channel.facts?.busMaster)
  const [, bus, device, fn] = ADDRESS.exec(said) ?? []
  if (fn === undefined)
    throw new ModelError(`${channel.id}: busMaster: expected an address such as 'pci 0:1.1', found ${said}`)
  const transport = { kind: 'pci', bus: Number(bus), device: Number(device), function: Number(fn) } as const
  return { id: `${channel.id} bus master`, kind: 'ide-bus-master', transport }
}

export const ideDmaModel: Model = {
  machine: ideDma,
  played: ['driver', 'backend'],
  notApplicable(target) {
    const device = deviceOf(target)
    if (device === undefined) return 'it has no IDE channel'
    if (device.facts?.busMaster === undefined) return 'its IDE channel has no bus master'
    return target.observes.line === 'exact'
      ? undefined
      : 'it does not show interrupt lines, which tell that a transfer has ended'
  },
  unavailable: steering,
  unreachableGoals(target): Readonly<Record<string, string>> {
    const reasons = steering(target)
    return {
      ...(reasons['backend.fail'] === undefined ? {} : { aFailureOfTheMedium: reasons['backend.fail'] }),
      ...(reasons['backend.hold'] === undefined ? {} : { aStopInTheMiddle: reasons['backend.hold'] }),
    }
  },
  open: (target, machine, sink) => new IdeDmaSession(target, machine, sink),
}
