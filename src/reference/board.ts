/**
 * A board: chips and simple devices of the reference, wired together behind the target contract.
 *
 * What sits on it is a `BoardPart`. The board decodes addresses, collects events, gathers state for saving, and knows
 * nothing of any chip. Everything is synchronous: after a call returns nothing happens by itself.
 */
import {
  type Abilities,
  type Control,
  type Description,
  type DeviceDescription,
  type DmaAccess,
  type DmaOutcome,
  type Instruction,
  type Location,
  type ResetKind,
  type Schedule,
  type Settled,
  type Space,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../contract/index.ts'
import { createMemory, type GuestMemory, type Region, type SavedMemory } from './memory.ts'
import { copy, encode } from './plain.ts'
import { readBoardState, stateHash, writeState } from './saved.ts'

/** One chip or device. Members that it lacks are calls that it does not answer. */
export interface BoardPart {
  /** Devices and chips that it is for the guest; none for a part that only the board knows. */
  readonly describes: readonly DeviceDescription[]
  /** Reads `width` (1, 2 or 4) bytes, little endian, on behalf of a CPU; undefined: not its address. */
  read?(space: Space, address: number, width: number, cpu: number): number | undefined
  /** Writes `width` (1, 2 or 4) bytes; false: not its address. */
  write?(space: Space, address: number, width: number, value: number, cpu: number): boolean
  /** Reads a register that is 64 bits wide in one access; undefined: it has none there, and two halves are read. */
  readWide?(space: Space, address: number, cpu: number): bigint | undefined
  /** Writes such a register; false: it has none there, and two halves are written. */
  writeWide?(space: Space, address: number, value: bigint, cpu: number): boolean
  /** Drives an input of the chip `id`; false: it has no such chip or input. */
  setLine?(id: string, pin: number, level: boolean): boolean
  /** A message-signalled interrupt that arrives; false: not for it. */
  message?(requester: number, address: number, data: number): boolean
  acknowledge?(cpu: number): number | undefined
  endOfInterrupt?(vector: number): void
  execute?(cpu: number, instruction: Instruction): void
  schedule?(cpu: number, to: Schedule, host: number): void
  /** Time goes on by `ns` nanoseconds. */
  advance?(ns: number): void
  /** An access by a requester; undefined: there is no such requester here. */
  dma?(requester: number, access: DmaAccess): DmaOutcome | undefined
  /** Asks for something of the back end of the device `id`; false: not of this part. */
  controlBackend?(id: string, control: Control): boolean
  /** One smallest step of work that is left to do, of `device` where it is named and the part tells its devices apart; false: none is. */
  step?(device?: string): boolean
  reset(): void
  /** Plain data: numbers, strings, booleans, lists, records and byte arrays. */
  save(): unknown
  /** What `save` gave, written and read or copied: it belongs to the part from now on. */
  restore(state: unknown): void
}

/** What a board offers to the parts on it. */
export interface BoardServices {
  readonly memory: GuestMemory
  emit(event: TargetEvent): void
}

export interface BoardOptions {
  readonly name: string
  /** What it is built like: states are read by boards of the same kind only. */
  readonly kind: string
  readonly cpus?: number
  readonly memory?: readonly Region[]
  /** Makes the parts; called once for every instance, also for one that a migration makes. */
  readonly build: (services: BoardServices) => readonly BoardPart[]
  readonly observes?: Partial<Description['observes']>
  readonly can?: Partial<Abilities>
}

/** More steps than this without rest are a livelock. */
const RESTLESS_STEPS = 100_000
const MEMORY: readonly Region[] = [{ start: 0, end: 0x10_0000 }]

export const openBoard = (options: BoardOptions): Target => new Board(options)

class Board implements Target {
  readonly #options: BoardOptions
  readonly #memory: GuestMemory
  readonly #parts: readonly BoardPart[]
  #description: Description | undefined
  #events: TargetEvent[] = []
  #poison: string | undefined

  constructor(options: BoardOptions) {
    this.#options = options
    const emit = (event: TargetEvent) => void this.#events.push(event)
    this.#memory = createMemory(options.memory ?? MEMORY, emit)
    this.#parts = options.build({ memory: this.#memory, emit })
  }

  #describe(): Description {
    const { name, cpus = 1, memory = MEMORY, observes, can } = this.#options
    const some = (call: keyof BoardPart) => this.#parts.some((part) => part[call] !== undefined)
    return {
      name,
      version: '1',
      vms: 1,
      cpus,
      memory,
      devices: this.#parts.flatMap((part) => part.describes),
      observes: { dma: 'exact', msi: 'exact', line: 'exact', fault: 'exact', interrupt: 'exact', ...observes },
      can: {
        step: some('step'),
        save: true,
        migrate: true,
        fingerprint: true,
        resets: ['system'],
        controls: [],
        synchronous: true,
        lines: some('setLine'),
        message: some('message'),
        acknowledge: some('acknowledge'),
        endOfInterrupt: some('endOfInterrupt'),
        execute: some('execute'),
        schedule: some('schedule'),
        advance: some('advance'),
        dma: some('dma'),
        ...can,
      },
    }
  }

  describe(): Description {
    return (this.#description ??= this.#describe())
  }

  #alive(): void {
    if (this.#poison !== undefined)
      throw new TargetError('poisoned', `this instance was ${this.#poison}; use the one that took its place`)
  }

  reset(kind: ResetKind): void {
    this.#alive()
    if (kind !== 'system') throw new TargetError('protocol', `reset '${kind}' is unknown here; expected system`)
    this.#memory.clear()
    for (const part of this.#parts) part.reset()
  }

  read(at: Location, width: Width): bigint {
    this.#alive()
    if (width === 8) return this.#readWide(at) ?? BigInt(this.#read(at, 0, 4)) | (BigInt(this.#read(at, 4, 4)) << 32n)
    return BigInt(this.#read(at, 0, width))
  }

  #readWide({ space, address, cpu = 0 }: Location): bigint | undefined {
    for (const part of this.#parts) {
      const value = part.readWide?.(space, address, cpu)
      if (value !== undefined) return value
    }
    return undefined
  }

  #read({ space, address, cpu = 0 }: Location, offset: number, width: number): number {
    const at = address + offset
    for (const part of this.#parts) {
      const value = part.read?.(space, at, width, cpu)
      if (value !== undefined) return value >>> 0
    }
    if (space === 'mmio' && this.#memory.covers(at, width)) {
      const data = this.#memory.load(at, width)
      return data.reduceRight((value, byte) => value * 256 + byte, 0)
    }
    return width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff
  }

  write(at: Location, width: Width, value: bigint): void {
    this.#alive()
    const low = Number(BigInt.asUintN(32, value))
    if (width === 8) {
      const { space, address, cpu = 0 } = at
      const whole = BigInt.asUintN(64, value)
      for (const part of this.#parts) if (part.writeWide?.(space, address, whole, cpu) === true) return
      this.#write(at, 0, 4, low)
      this.#write(at, 4, 4, Number(BigInt.asUintN(32, value >> 32n)))
    } else this.#write(at, 0, width, width === 4 ? low : low % 2 ** (8 * width))
  }

  #write({ space, address, cpu = 0 }: Location, offset: number, width: number, value: number): void {
    const at = address + offset
    for (const part of this.#parts) if (part.write?.(space, at, width, value, cpu)) return
    if (space !== 'mmio' || !this.#memory.covers(at, width)) return
    this.#memory.store(
      at,
      Uint8Array.from({ length: width }, (_, byte) => (value >>> (8 * byte)) & 0xff),
    )
  }

  load(gpa: number, bytes: number): Uint8Array {
    this.#alive()
    return this.#memory.load(gpa, bytes)
  }

  loadInto(gpa: number, data: Uint8Array): void {
    this.#alive()
    this.#memory.loadInto(gpa, data)
  }

  store(gpa: number, data: Uint8Array): void {
    this.#alive()
    this.#memory.store(gpa, data)
  }

  events(): TargetEvent[] {
    this.#alive()
    if (this.#events.length === 0) return []
    const happened = this.#events
    this.#events = []
    return happened
  }

  settle(_deadlineMs: number): Settled {
    this.#alive()
    for (let steps = 0; steps < RESTLESS_STEPS; steps++) if (!this.#step()) return 'quiet'
    const device = this.describe().devices[0]?.id ?? this.#options.name
    this.#events.push({ kind: 'livelock', device, detail: `no rest after ${RESTLESS_STEPS} steps` })
    return 'busy'
  }

  #step(device?: string): boolean {
    for (const part of this.#parts) if (part.step?.(device) === true) return true
    return false
  }

  step(device: string): boolean {
    this.#alive()
    return this.#step(device)
  }

  control(device: string, control: Control): void {
    this.#alive()
    if (!this.#parts.some((part) => part.controlBackend?.(device, control) ?? false))
      throw new TargetError('refused', `device '${device}' has no back end that knows '${control.do}'`)
  }

  setLine(chip: string, pin: number, level: boolean): void {
    this.#alive()
    for (const part of this.#parts) if (part.setLine?.(chip, pin, level) === true) return
    throw new TargetError('refused', `there is no input ${pin} of a chip '${chip}'`)
  }

  message(requester: number, address: number, data: number): void {
    this.#alive()
    for (const part of this.#parts) if (part.message?.(requester, address, data) === true) return
  }

  acknowledge(cpu: number): number | undefined {
    this.#alive()
    // The first part that answers is the one next to the CPU; others answer through it.
    for (const part of this.#parts) if (part.acknowledge !== undefined) return part.acknowledge(cpu)
    return undefined
  }

  endOfInterrupt(vector: number): void {
    this.#alive()
    for (const part of this.#parts) part.endOfInterrupt?.(vector)
  }

  execute(cpu: number, instruction: Instruction): void {
    this.#alive()
    for (const part of this.#parts) part.execute?.(cpu, instruction)
  }

  schedule(cpu: number, to: Schedule, host: number): void {
    this.#alive()
    for (const part of this.#parts) part.schedule?.(cpu, to, host)
  }

  advance(ns: number): void {
    this.#alive()
    for (const part of this.#parts) part.advance?.(ns)
  }

  dma(requester: number, access: DmaAccess): DmaOutcome {
    this.#alive()
    for (const part of this.#parts) {
      const outcome = part.dma?.(requester, access)
      if (outcome !== undefined) return outcome
    }
    throw new TargetError('refused', `there is no requester 0x${requester.toString(16)}`)
  }

  #state(): readonly unknown[] {
    return this.#parts.map((part) => encode(part.save()))
  }

  save(): Uint8Array {
    this.#alive()
    return writeState(this.#options.kind, { memory: this.#memory.save(), parts: this.#state() })
  }

  restore(state: Uint8Array): void {
    this.#alive()
    const saved = readBoardState(this.#options.kind, state)
    this.#memory.restore(saved.memory as SavedMemory)
    for (const [index, part] of this.#parts.entries()) part.restore(saved.parts[index])
  }

  migrate(): Target {
    this.#alive()
    const destination = new Board(this.#options)
    // The same as through a saved state, without the text of it: parts share nothing, and what is not saved is lost.
    destination.#description = this.#description
    this.#memory.moveInto(destination.#memory)
    for (const [index, part] of destination.#parts.entries()) part.restore(copy(this.#parts[index]!.save()))
    // What happened before the move and was not looked at yet happened all the same.
    destination.#events = this.#events
    this.#poison = 'migrated away'
    return destination
  }

  fingerprint(): string {
    this.#alive()
    return stateHash(this.#state(), this.#memory.hash())
  }

  close(): void {
    this.#poison = 'closed'
  }
}
