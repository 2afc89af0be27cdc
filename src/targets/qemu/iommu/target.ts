/** A bare IOMMU of QEMU: its registers and tables are the driver's, and its devices access memory when they are told to. */

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
} from '../../../contract/index.ts'
import { readAt, writeAt } from '../access.ts'
import { FULL_RESET, RESET_PORT } from '../drain.ts'
import { RAM_BYTES } from '../machine.ts'
import type { QemuProcess } from '../process.ts'
import { Qtest } from '../qtest.ts'
import { Sources, sourceDevices } from './sources.ts'
import { VIRTIO_IOMMU_GSI } from './units.ts'

export class IommuTarget implements Target {
  readonly #process: QemuProcess
  readonly #name: string
  readonly #unit: DeviceDescription
  readonly #qtest: Qtest
  readonly #sources: Sources
  /** Something was written, or moved, since the last reset. */
  #stirred = true

  constructor(process: QemuProcess, name: string, unit: DeviceDescription, meanwhile?: () => void) {
    this.#process = process
    this.#name = name
    this.#unit = unit
    this.#qtest = new Qtest(process.qtest, meanwhile)
    this.#sources = new Sources(this.#qtest, process.stderrFile)
    if (this.#hasLine) this.#qtest.ask('irq_intercept_in ioapic')
  }

  get #hasLine(): boolean {
    return this.#unit.transport.kind === 'pci'
  }

  describe(): Description {
    return {
      name: `QEMU, ${this.#name}`,
      version: this.#process.version,
      issues: 'https://gitlab.com/qemu-project/qemu/-/issues',
      vms: 1,
      cpus: 1,
      // Without the hole of the PC below 1 MiB.
      memory: [
        { start: 0x100000, end: RAM_BYTES },
        { start: 0x1000, end: 0xa0000 },
      ],
      devices: [this.#unit, ...sourceDevices],
      observes: { dma: 'none', msi: 'none', line: this.#hasLine ? 'exact' : 'none', fault: 'none' },
      can: {
        step: false,
        save: false,
        migrate: false,
        fingerprint: false,
        resets: ['system'],
        controls: [],
        synchronous: true,
        dma: true,
      },
    }
  }

  reset(kind: ResetKind): void {
    this.#alive()
    if (kind !== 'system') throw new TargetError('protocol', `qemu: expected a reset of kind system, found ${kind}`)
    if (!this.#stirred) return
    this.#qtest.post(`outb ${RESET_PORT} ${FULL_RESET}`)
    this.#qtest.drain()
    this.#sources.restart()
    this.#stirred = false
  }

  read(at: Location, width: Width): bigint {
    this.#alive()
    return readAt(this.#qtest, at, width)
  }

  write(at: Location, width: Width, value: bigint): void {
    this.#alive()
    this.#stirred = true
    writeAt(this.#qtest, at, width, value)
  }

  dma(requester: RequesterId, access: DmaAccess): DmaOutcome {
    this.#alive()
    this.#stirred = true
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
    return this.#qtest
      .takeEdges()
      .filter(({ gsi }) => gsi === VIRTIO_IOMMU_GSI)
      .map(({ level }) => ({ kind: 'line', device: this.#unit.id, pin: 0, level }))
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
    this.#sources.close()
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
