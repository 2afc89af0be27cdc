/**
 * The target contract: what an implementation under test lets us do, and what it lets us see.
 *
 * The boundary is the one that hardware has. Whatever a guest can poke is poked as a guest pokes it; whatever a
 * guest or a bus analyser can watch is watched. A target declares what it has (see `Description`); a machine that
 * needs more is `not-applicable` to it, with the reason.
 *
 * Every call but `open` is synchronous, so that drivers and models have no function colour and a shrinker can run
 * them thousands of times a second. A target in another process is reached through blocking pipes from a worker.
 */

/** A guest-physical address, below 2^53. Wider values exist only inside guest memory, as bytes. */
export type Gpa = number

/** Width of one access in bytes. */
export type Width = 1 | 2 | 4 | 8

/** An address space that a CPU of a guest can name. `hypercall` addresses are call numbers. */
export type Space = 'port' | 'mmio' | 'config' | 'hypercall'

/** Where a CPU access goes. A `config` address is laid out as in ECAM: `bus << 20 | device << 15 | function << 12 | offset`. */
export interface Location {
  readonly space: Space
  readonly address: number
  readonly vm?: number
  readonly cpu?: number
}

/** Who masters a bus access: `bus << 8 | device << 3 | function`. */
export type RequesterId = number

/** One access of a requester to memory, by the address that it puts on the bus. */
export interface DmaAccess {
  readonly access: 'read' | 'write'
  /** An IOVA; a GPA where nothing translates. Any 64-bit value. */
  readonly iova: bigint
  /** 1 to 65,536. */
  readonly bytes: number
  /** What is written: `bytes` long. */
  readonly data?: Uint8Array
  /** The process address space that the request names, 20 bits; none by default. */
  readonly pasid?: number
  /** The requester claims to have translated the address itself (ATS). */
  readonly translated?: boolean
}

/** What became of it, as far as the target can tell; `{}` where it can tell nothing. */
export interface DmaOutcome {
  /** How many bytes moved: all of them, or fewer, the first ones, where the rest was refused. */
  readonly moved?: number
  /** A read: `bytes` bytes, of which those that did not move are anything. */
  readonly data?: Uint8Array
}

/** What a target tells about itself before anything is done to it. */
export interface Description {
  readonly name: string
  readonly version: string
  /** Where the implementation's makers take reports. */
  readonly issues?: string
  readonly vms: number
  readonly cpus: number
  /** Guest memory as `[start, end)` ranges of GPA, in bytes; at least one. */
  readonly memory: readonly { readonly start: Gpa; readonly end: Gpa }[]
  readonly devices: readonly DeviceDescription[]
  readonly observes: Observation
  readonly can: Abilities
}

/** One device of a target and where a driver finds it. */
export interface DeviceDescription {
  /** Local name; events refer to it. */
  readonly id: string
  /** What it is, for example `virtio-blk`, `virtio-9p`, `virtio-console`. */
  readonly kind: string
  readonly transport:
    | { readonly kind: 'pci'; readonly bus: number; readonly device: number; readonly function: number }
    | { readonly kind: 'mmio'; readonly base: Gpa; readonly irq?: number }
    /** At fixed ports, as on the ISA bus; `irq` is the line of the board that it drives. */
    | { readonly kind: 'port'; readonly base: number; readonly irq?: number }
    /** An interrupt controller with `inputs` lines; `base` where its registers are not at fixed ports. */
    | { readonly kind: 'chip'; readonly inputs: number; readonly base?: Gpa }
  /** Facts that the driver cannot read from the device, for example the medium size of a back end. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/** How exactly something is seen. `at-least-once`: equal events may have collapsed into one. */
export type Precision = 'exact' | 'at-least-once' | 'none'

/** What a target shows of what its devices do. */
export interface Observation {
  /** Every single access of a device to guest memory, in order, as `dma` events. */
  readonly dma: Precision
  readonly msi: Precision
  readonly line: Precision
  /** Refused accesses (outside memory, untranslated), as `fault` events. */
  readonly fault: Precision
  /** What interrupt controllers send each other and what CPUs take: `interrupt`, `eoi`, `taken`, `wake`, `exit`. Default `none`. */
  readonly interrupt?: Precision
}

/** The optional calls that a target answers. */
export interface Abilities {
  /** `step`: the device advances one smallest step at a time, only when told to. */
  readonly step: boolean
  /** `save` and `restore`. */
  readonly save: boolean
  readonly migrate: boolean
  readonly fingerprint: boolean
  /** Kinds of `reset` that work. */
  readonly resets: readonly ResetKind[]
  /** Operations that `control` understands. */
  readonly controls: readonly Control['do'][]
  /** `true`: after a call returns nothing more happens by itself, so silence is exact and needs no waiting. */
  readonly synchronous: boolean
  /** `setLine`. Like those below: left out means no. */
  readonly lines?: boolean
  readonly message?: boolean
  readonly acknowledge?: boolean
  readonly endOfInterrupt?: boolean
  readonly execute?: boolean
  readonly schedule?: boolean
  readonly advance?: boolean
  readonly dma?: boolean
}

export type ResetKind = 'system' | 'bus' | 'function' | 'power-state' | 'device'

/** What the harness asks of a device's back end (the disk image, the network peer). */
export type Control =
  /** Requests that reach the back end from now on stay there. */
  | { readonly do: 'hold' }
  /** Held requests complete, oldest first or newest first; later ones are not held. */
  | { readonly do: 'release'; readonly order: 'fifo' | 'lifo' }
  /** One held request completes: the `index`-th oldest. */
  | { readonly do: 'release-one'; readonly index: number }
  /** The next `count` requests fail with an I/O error. */
  | { readonly do: 'fail'; readonly count: number }
  /** The medium changes its capacity, in 512-byte sectors. */
  | { readonly do: 'resize'; readonly sectors: number }

/** Something that a target shows. `device` is a `DeviceDescription.id`. */
export type TargetEvent =
  /** A message-signalled interrupt as it left the device. `vector` where the target knows the table entry. */
  | {
      readonly kind: 'msi'
      readonly device: string
      readonly address: number
      readonly data: number
      readonly vector?: number
    }
  /** An interrupt line (INTx pin 0..3, or the line of an MMIO device as 0) changed to `level`. */
  | { readonly kind: 'line'; readonly device: string; readonly pin: number; readonly level: boolean }
  /** One access of a device to guest memory. `data` is what was read or written. */
  | {
      readonly kind: 'dma'
      readonly device: string
      readonly access: 'read' | 'write'
      readonly gpa: Gpa
      readonly data: Uint8Array
    }
  /** An access that the platform refused. `iova` is hexadecimal, since it may not fit a number. */
  | {
      readonly kind: 'fault'
      readonly device: string
      readonly access: 'read' | 'write'
      readonly iova: string
      readonly bytes: number
    }
  /** An interrupt message as it left an interrupt controller, for the CPUs that `destination` names. */
  | {
      readonly kind: 'interrupt'
      readonly device: string
      readonly destination: number
      readonly logical: boolean
      readonly delivery: Delivery
      readonly level: boolean
      readonly vector: number
    }
  /** The end of a level interrupt as it left a local APIC for the IOAPICs. */
  | { readonly kind: 'eoi'; readonly device: string; readonly vector: number }
  /** A virtual CPU took an interrupt: the handler of `vector` begins. */
  | { readonly kind: 'taken'; readonly cpu: number; readonly vector: number }
  /** The hypervisor made a virtual CPU that was blocked runnable. */
  | { readonly kind: 'wake'; readonly cpu: number }
  /** The hypervisor forced a virtual CPU that was running out of its guest. */
  | { readonly kind: 'exit'; readonly cpu: number }
  /** The device hit its own bound on work for one kick. */
  | { readonly kind: 'livelock'; readonly device: string; readonly detail: string }
  | { readonly kind: 'halted'; readonly detail: string }

/** Delivery modes of interrupt messages. */
export type Delivery = 'fixed' | 'lowest' | 'smi' | 'nmi' | 'init' | 'startup' | 'extint'

/** What a guest can be made to execute, one at a time. */
export type Instruction = 'sti' | 'cli' | 'hlt' | 'nop'

/** Where the hypervisor has a virtual CPU. */
export type Schedule = 'running' | 'preempted' | 'blocked'

/** The answer of `settle`. */
export type Settled = 'quiet' | 'busy' | 'dead'

/**
 * An implementation under test. Optional members are announced in `Description.can`. A request that an adapter cannot
 * fulfil is refused by a `TargetError` with the reason `refused`; any other exception out of a call in which the device
 * works (all but `describe`, `load`, `store`, `events`, `save`, `restore`, `fingerprint` and `close`) is a crash of the device.
 */
export interface Target {
  describe(): Description
  reset(kind: ResetKind): void
  /** Reads `width` bytes, little endian. An access that nobody claims reads as all ones. */
  read(at: Location, width: Width): bigint
  /**
   * A read in its place among the accesses, whose answer what follows does not wait for: `then` is told it by the time the
   * next call returns that has an answer. It throws nothing and leaves the target alone. For targets in another process.
   */
  readLater?(at: Location, width: Width, then: (value: bigint) => void): void
  /** Writes `width` bytes. Posted: it may take effect only when something is read. */
  write(at: Location, width: Width, value: bigint): void
  load(gpa: Gpa, bytes: number): Uint8Array
  /** The same into bytes of the caller, where it is cheaper. */
  loadInto?(gpa: Gpa, data: Uint8Array): void
  /** Takes a copy of the bytes: the caller goes on to use `data`. */
  store(gpa: Gpa, data: Uint8Array): void
  /** What happened since the last call, oldest first. */
  events(): TargetEvent[]
  /** Lets the target work until nothing is left to do, or until the deadline has passed. */
  settle(deadlineMs: number): Settled
  /** One smallest step of a device; false when it had nothing to do. */
  step?(device: string): boolean
  control?(device: string, control: Control): void
  /** Drives an input of an interrupt controller. */
  setLine?(chip: string, pin: number, level: boolean): void
  /** A message-signalled interrupt by a requester, as it arrives at what translates or takes it. */
  message?(requester: RequesterId, address: number, data: number): void
  /** An interrupt-acknowledge cycle of a CPU: the vector that it is given; undefined when nothing is requested. */
  acknowledge?(cpu: number): number | undefined
  /** The end of a level interrupt, as local APICs broadcast it. */
  endOfInterrupt?(vector: number): void
  /** One instruction of a guest. */
  execute?(cpu: number, instruction: Instruction): void
  /** The hypervisor moves a virtual CPU onto a host CPU, off it, or lets it block. */
  schedule?(cpu: number, to: Schedule, host: number): void
  /** Virtual time goes on by so many nanoseconds. */
  advance?(ns: number): void
  /** An access by a requester, as it arrives at what translates it. */
  dma?(requester: RequesterId, access: DmaAccess): DmaOutcome
  /** Moves the whole state into a fresh instance and returns that; this one is poisoned afterwards. */
  migrate?(): Target
  save?(): Uint8Array
  restore?(state: Uint8Array): void
  /** Of the whole state, for walking implementations exhaustively. */
  fingerprint?(): string
  close(): void
}

/** A door opens targets of one kind. Only opening is asynchronous. */
export interface Door {
  /** The word before the colon of an address. */
  readonly scheme: string
  readonly summary: string
  open(rest: string, options: OpenOptions): Promise<Target>
}

export interface OpenOptions {
  /** Folder for files of this run (a child's stderr); exists. */
  readonly directory: string
  /** Upper bound for one blocking call. */
  readonly timeoutMs: number
  /** Called before and after each blocking call, so that a watchdog can tell a hang; see `campaign/watchdog`. */
  readonly heartbeat?: () => void
  /**
   * Other work of the caller, a few microseconds of it: called between a request and the wait for its answer. It leaves the
   * target alone and throws nothing.
   */
  readonly meanwhile?: () => void
  /** Tells the watchdog which process group to kill to end a hang. */
  readonly onProcessGroup?: (pid: number) => void
  /** Whether the watchdog has killed that process group, which turns `dead` into `hang`. */
  readonly killed?: () => boolean
}

/** A target cannot be had, cannot be reached, or its program ended. Exit code 3; for `address` 2. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  readonly reason: TargetTrouble
  /** What the target printed last (untrusted text, unescaped). */
  readonly lastWords: string

  constructor(reason: TargetTrouble, message: string, lastWords = '') {
    super(message)
    this.reason = reason
    this.lastWords = lastWords
  }
}

/**
 * `address`: what the address names is not there, or it asks for what there is not: nothing was started. `start`: did not
 * come up. `protocol`: broke the contract. `refused`: answered a request with an error.
 * `dead`: ended. `hang`: did not answer in time. `livelock`: works without end for one kick.
 * `poisoned`: used after it was migrated, broken or closed.
 */
export type TargetTrouble = 'address' | 'start' | 'protocol' | 'refused' | 'dead' | 'hang' | 'livelock' | 'poisoned'
