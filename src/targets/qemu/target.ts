/** The target contract, served by a QEMU that is driven through qtest, its RAM file and its monitor. */

import { readSync, writeSync } from 'node:fs'
import {
  type Control,
  type Description,
  type Gpa,
  type Location,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../contract/index.ts'
import { readAt, readAtLater, writeAt } from './access.ts'
import { Backend } from './backend.ts'
import { FULL_RESET, findMsix, mayDrain, RESET_PORT } from './drain.ts'
import { type Machine, MESSAGE_GPA, MESSAGE_SLOT_BYTES, messageSlots, RAM_BYTES } from './machine.ts'
import { Monitor } from './monitor.ts'
import type { QemuOptions } from './options.ts'
import type { QemuProcess } from './process.ts'
import { Qtest } from './qtest.ts'

/** Turns of the main loop that a completion needs after its request: one to finish it, one to notify. */
const TURNS = 2
/** Turns before `settle` begins to sleep in between. */
const TURNS_AWAKE = 6
const SLEEP_MS_FIRST = 0.1
const SLEEP_MS_MAX = 5
const PIECE_BYTES = 65536
/** Up to so many bytes V8 keeps the bytes of an array inside its heap. */
const SHORT_BYTES = 64
/** Not cleared: every byte of it is read into before it is given away. */
const newPiece = (): ArrayBufferLike => Buffer.allocUnsafeSlow(PIECE_BYTES).buffer

export class QemuTarget implements Target {
  readonly #process: QemuProcess
  readonly #machine: Machine
  readonly #options: QemuOptions
  readonly #qtest: Qtest
  readonly #monitor: Monitor
  readonly #backend: Backend
  readonly #page: Buffer
  readonly #empty: Buffer
  readonly #device: string
  /** Where the MSI-X capability of a PCI device is. */
  readonly #msix: number | undefined
  #events: TargetEvent[] = []
  readonly #short = Buffer.alloc(SHORT_BYTES)
  /** Where `load` puts what it reads, and how much of it is given away. */
  #piece = newPiece()
  #pieceUsed = 0

  constructor(process: QemuProcess, machine: Machine, options: QemuOptions, meanwhile?: () => void) {
    this.#process = process
    this.#machine = machine
    this.#options = options
    const { id, transport } = machine.devices(options)[0]!
    this.#device = id
    // Only a PCI device sends messages.
    this.#page = Buffer.alloc(transport.kind === 'pci' ? messageSlots(options) * MESSAGE_SLOT_BYTES : 0)
    this.#empty = Buffer.from(this.#page)
    this.#qtest = new Qtest(process.qtest, meanwhile)
    this.#monitor = new Monitor(process.monitor)
    this.#backend = new Backend(
      this.#monitor,
      { path: machine.path, queues: options.numQueues, asynchronous: options.iothread },
      process.stdoutFile,
    )
    if (transport.kind === 'pci') {
      const { bus, device } = transport
      this.#msix = findMsix(this, (bus << 20) | (device << 15) | (transport.function << 12))
    }
    if (options.lines) this.#qtest.ask('irq_intercept_in ioapic')
  }

  describe(): Description {
    return {
      name: `QEMU, ${this.#machine.summary}${this.#options.iothread ? ', iothread' : ''}`,
      version: this.#process.version,
      issues: 'https://gitlab.com/qemu-project/qemu/-/issues',
      vms: 1,
      cpus: 1,
      // Without page 0, whose address some devices take for "none", without the hole of the PC below 1 MiB, and without
      // the page before the message page, so that a buffer over the end of memory hits no message.
      memory: [
        { start: 0x100000, end: MESSAGE_GPA - 4096 },
        { start: 0x1000, end: 0xa0000 },
      ],
      devices: this.#machine.devices(this.#options),
      observes: { dma: 'none', msi: 'at-least-once', line: this.#options.lines ? 'exact' : 'none', fault: 'none' },
      can: {
        step: false,
        save: false,
        migrate: false,
        fingerprint: false,
        resets: ['system'],
        controls: [
          ...(['hold', 'release', 'release-one'] as const),
          // Requests that were joined fail together.
          ...(this.#options.merging ? [] : (['fail'] as const)),
          ...(this.#options.readonly ? [] : (['resize'] as const)),
        ],
        synchronous: false,
      },
    }
  }

  reset(kind: ResetKind): void {
    this.#alive()
    if (kind !== 'system') throw new TargetError('protocol', `qemu: expected a reset of kind system, found ${kind}`)
    this.#release()
    this.#collect()
    if (this.#machine.reset === 'port') {
      this.#qtest.post(`outb ${RESET_PORT} ${FULL_RESET}`)
      this.#qtest.drain()
    } else {
      this.#monitor.runUntil('RESET', 'system_reset')
    }
    this.#turn()
    this.#collect()
  }

  read(at: Location, width: Width): bigint {
    this.#alive()
    return readAt(this.#qtest, at, width)
  }

  readLater(at: Location, width: Width, then: (value: bigint) => void): void {
    this.#alive()
    readAtLater(this.#qtest, at, width, then)
  }

  write(at: Location, width: Width, value: bigint): void {
    this.#alive()
    if (this.#backend.holding && mayDrain(at, width, BigInt.asUintN(8 * width, value), this.#msix)) this.#release()
    writeAt(this.#qtest, at, width, value)
  }

  load(gpa: Gpa, bytes: number): Uint8Array {
    this.#settleRam(gpa, bytes)
    const data = this.#fresh(bytes)
    readSync(this.#process.ram, data, 0, bytes, gpa)
    return data
  }

  loadInto(gpa: Gpa, data: Uint8Array): void {
    this.#settleRam(gpa, data.length)
    readSync(this.#process.ram, data, 0, data.length, gpa)
  }

  store(gpa: Gpa, data: Uint8Array): void {
    this.#settleRam(gpa, data.length)
    const { length } = data
    // Memory that the engine keeps small arrays in has to be moved before the system can read it: a copy costs less.
    const short = length <= SHORT_BYTES
    if (short) this.#short.set(data)
    writeSync(this.#process.ram, short ? this.#short : data, 0, length, gpa)
  }

  events(): TargetEvent[] {
    this.#alive()
    this.#qtest.drain()
    this.#collect()
    if (this.#events.length === 0) return []
    const events = this.#events
    this.#events = []
    return events
  }

  /**
   * Gives QEMU up to `deadlineMs` to work, at least two turns of its main loop. Returns early when an interrupt has
   * arrived; silence up to the deadline is all that `quiet` says, since only the driver knows what is owed.
   */
  settle(deadlineMs: number): Settled {
    try {
      this.#alive()
      const before = this.#events.length
      const untilMs = performance.now() + deadlineMs
      let sleepMs = SLEEP_MS_FIRST
      for (let turn = 1; ; turn++) {
        this.#turn()
        this.#collect()
        if (this.#events.length > before) return 'quiet'
        if (turn < TURNS) continue
        const leftMs = untilMs - performance.now()
        if (leftMs <= 0) return 'quiet'
        if (turn < TURNS_AWAKE) continue
        sleep(Math.min(sleepMs, leftMs))
        sleepMs = Math.min(2 * sleepMs, SLEEP_MS_MAX)
      }
    } catch (error) {
      if (error instanceof TargetError && error.reason === 'dead') return 'dead'
      throw error
    }
  }

  control(device: string, control: Control): void {
    this.#alive()
    if (device !== this.#device)
      throw new TargetError('protocol', `qemu: expected device ${this.#device}, found ${device}`)
    this.#qtest.drain()
    this.#backend.control(control)
  }

  close(): void {
    if (this.#process.closed) return
    this.#backend.close()
    this.#process.close()
  }

  #release(): void {
    this.#qtest.drain()
    this.#backend.release('fifo')
  }

  /** Carries out what is queued and gives the main loop of QEMU a turn: a read of memory has no other effect. */
  #turn(): void {
    this.#qtest.ask(`readb ${MESSAGE_GPA}`)
  }

  /**
   * Takes the interrupts that have arrived. Only slots of the message page with a message in them are cleared: a device
   * may write at any moment, and what it writes into a full slot collapses with what is there.
   */
  #collect(): void {
    this.#takeEdges()
    const page = this.#page
    if (page.length === 0) return
    readSync(this.#process.ram, page, 0, page.length, MESSAGE_GPA)
    if (page.equals(this.#empty)) return
    for (let offset = 0; offset < page.length; offset += 4) {
      const data = page.readUInt32LE(offset)
      if (data === 0) continue
      writeSync(this.#process.ram, this.#empty, 0, 4, MESSAGE_GPA + offset)
      const vector = Math.floor(offset / MESSAGE_SLOT_BYTES)
      this.#events.push({ kind: 'msi', device: this.#device, address: MESSAGE_GPA + offset, data, vector })
    }
  }

  #takeEdges(): void {
    for (const edge of this.#qtest.takeEdges()) {
      const line = this.#machine.lines.find((entry) => entry.gsi === edge.gsi)
      if (line !== undefined) this.#events.push({ kind: 'line', device: line.device, pin: line.pin, level: edge.level })
    }
  }

  /** Bytes for a caller to keep, cut from a larger piece: a piece of its own for each costs more than the read. */
  #fresh(bytes: number): Uint8Array {
    if (bytes > PIECE_BYTES / 4) return new Uint8Array(bytes)
    if (this.#pieceUsed + bytes > PIECE_BYTES) {
      this.#piece = newPiece()
      this.#pieceUsed = 0
    }
    const start = this.#pieceUsed
    this.#pieceUsed += (bytes + 7) & ~7
    return new Uint8Array(this.#piece, start, bytes)
  }

  #alive(): void {
    if (this.#process.closed) throw new TargetError('poisoned', 'qemu: the target has been closed')
  }

  /** Brings the RAM file in step with what was posted, and checks a range of it. */
  #settleRam(gpa: Gpa, bytes: number): void {
    this.#alive()
    if (!Number.isSafeInteger(gpa) || gpa < 0 || gpa + bytes > RAM_BYTES) {
      throw new RangeError(`qemu: guest memory ends at ${hex(RAM_BYTES)}, found ${bytes} bytes at ${hex(gpa)}`)
    }
    this.#qtest.drain()
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
