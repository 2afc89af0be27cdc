/**
 * A q35 of QEMU where everything happens inside the call that causes it: a bare IOMMU whose devices access memory when they
 * are told to, or a function that is looked at through its configuration space.
 */

import { readSync, writeSync } from 'node:fs'
import {
  type Description,
  type DeviceDescription,
  type DmaAccess,
  type DmaOutcome,
  type Gpa,
  type Location,
  type RequesterId,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../contract/index.ts'
import { readAt, writeAt } from './access.ts'
import { FULL_RESET, RESET_PORT } from './drain.ts'
import { Sources, sourceDevices } from './iommu/sources.ts'
import { MESSAGE_GPA, MESSAGE_SLOT_BYTES, RAM_BYTES } from './machine.ts'
import type { QemuProcess } from './process.ts'
import { Qtest } from './qtest.ts'

/** What is special about one q35. */
export interface Q35Board {
  readonly name: string
  readonly devices: readonly DeviceDescription[]
  /** The device whose line is watched, and the input of the I/O APIC that it ends at. */
  readonly line?: { readonly device: string; readonly gsi: number }
  /** The device whose messages are looked for, and how many slots of the message page it has. */
  readonly messages?: { readonly device: string; readonly slots: number }
  /** It has sources of DMA. */
  readonly sources: boolean
  /** Where configuration space is, as memory; by its ports, 256 bytes of each function, without. */
  readonly ecam?: number
  /** Writes of firmware after each reset. */
  readonly firmware?: readonly (readonly [address: number, width: Width, value: number])[]
}

export class Q35Target implements Target {
  readonly #process: QemuProcess
  readonly #board: Q35Board
  readonly #qtest: Qtest
  readonly #sources: Sources | undefined
  /** Something was written, or moved, since the last reset. */
  #stirred = true

  constructor(process: QemuProcess, board: Q35Board, meanwhile?: () => void) {
    this.#process = process
    this.#board = board
    this.#qtest = new Qtest(process.qtest, meanwhile)
    if (board.sources) this.#sources = new Sources(this.#qtest, process.stderrFile)
    if (board.line !== undefined) this.#qtest.ask('irq_intercept_in ioapic')
    this.#start()
  }

  describe(): Description {
    const { name, devices, line, messages, sources } = this.#board
    return {
      name: `QEMU, ${name}`,
      version: this.#process.version,
      issues: 'https://gitlab.com/qemu-project/qemu/-/issues',
      vms: 1,
      cpus: 1,
      // Without the hole of the PC below 1 MiB.
      memory: [
        { start: 0x100000, end: messages === undefined ? RAM_BYTES : MESSAGE_GPA },
        { start: 0x1000, end: 0xa0000 },
      ],
      devices: [...devices, ...(sources ? sourceDevices : [])],
      observes: {
        dma: 'none',
        msi: messages === undefined ? 'none' : 'at-least-once',
        line: line === undefined ? 'none' : 'exact',
        fault: 'none',
      },
      can: {
        step: false,
        save: false,
        migrate: false,
        fingerprint: false,
        resets: ['system'],
        controls: [],
        synchronous: true,
        dma: sources,
      },
    }
  }

  reset(kind: ResetKind): void {
    this.#alive()
    if (kind !== 'system') throw new TargetError('protocol', `qemu: expected a reset of kind system, found ${kind}`)
    if (!this.#stirred) return
    this.#qtest.post(`outb ${RESET_PORT} ${FULL_RESET}`)
    this.#qtest.drain()
    this.#sources?.restart()
    this.#start()
    this.#stirred = false
  }

  #start(): void {
    for (const [address, width, value] of this.#board.firmware ?? [])
      writeAt(this.#qtest, { space: 'config', address }, width, BigInt(value))
  }

  #place(at: Location): Location {
    const { ecam } = this.#board
    return at.space === 'config' && ecam !== undefined ? { ...at, space: 'mmio', address: ecam + at.address } : at
  }

  read(at: Location, width: Width): bigint {
    this.#alive()
    return readAt(this.#qtest, this.#place(at), width)
  }

  write(at: Location, width: Width, value: bigint): void {
    this.#alive()
    this.#stirred = true
    writeAt(this.#qtest, this.#place(at), width, value)
  }

  dma(requester: RequesterId, access: DmaAccess): DmaOutcome {
    this.#alive()
    this.#stirred = true
    if (this.#sources === undefined) throw new TargetError('refused', 'qemu: there are no sources of DMA here')
    return this.#sources.access(requester, access)
  }

  load(gpa: Gpa, bytes: number): Uint8Array {
    const data = new Uint8Array(bytes)
    this.loadInto(gpa, data)
    return data
  }

  loadInto(gpa: Gpa, data: Uint8Array): void {
    this.#settleRam(gpa, data.length)
    readSync(this.#process.ram, data, 0, data.length, gpa)
  }

  store(gpa: Gpa, data: Uint8Array): void {
    this.#settleRam(gpa, data.length)
    writeSync(this.#process.ram, data, 0, data.length, gpa)
  }

  events(): TargetEvent[] {
    this.#alive()
    this.#qtest.drain()
    const { line, messages } = this.#board
    const lines = this.#qtest
      .takeEdges()
      .filter(({ gsi }) => gsi === line?.gsi)
      .map(({ level }): TargetEvent => ({ kind: 'line', device: line!.device, pin: 0, level }))
    return messages === undefined ? lines : [...lines, ...this.#takeMessages(messages)]
  }

  /** A slot with data in it is a message; it is emptied for the next one. */
  #takeMessages({ device, slots }: NonNullable<Q35Board['messages']>): TargetEvent[] {
    const page = Buffer.alloc(slots * MESSAGE_SLOT_BYTES)
    readSync(this.#process.ram, page, 0, page.length, MESSAGE_GPA)
    const found: TargetEvent[] = []
    for (let vector = 0; vector < slots; vector++) {
      const address = MESSAGE_GPA + vector * MESSAGE_SLOT_BYTES
      const data = page.readUInt32LE(vector * MESSAGE_SLOT_BYTES)
      if (data === 0) continue
      writeSync(this.#process.ram, new Uint8Array(4), 0, 4, address)
      found.push({ kind: 'msi', device, address, data, vector })
    }
    return found
  }

  /** Everything happens inside the call that causes it. */
  settle(): Settled {
    try {
      this.#alive()
      this.#qtest.drain()
      return 'quiet'
    } catch (error) {
      if (error instanceof TargetError && error.reason === 'dead') return 'dead'
      throw error
    }
  }

  close(): void {
    if (this.#process.closed) return
    this.#sources?.close()
    this.#process.close()
  }

  #alive(): void {
    if (this.#process.closed) throw new TargetError('poisoned', 'qemu: the target has been closed')
  }

  /** Brings the RAM file in step with what was posted, and checks a range of it. */
  #settleRam(gpa: Gpa, bytes: number): void {
    this.#alive()
    if (!Number.isSafeInteger(gpa) || gpa < 0 || gpa + bytes > RAM_BYTES)
      throw new RangeError(`qemu: guest memory ends at ${RAM_BYTES}, found ${bytes} bytes at ${gpa}`)
    this.#qtest.drain()
  }
}
