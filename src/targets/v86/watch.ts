/**
 * What the device does, seen exactly: its accesses to guest memory and its interrupt line.
 *
 * v86's virtio code reaches guest memory only through the `cpu` property of its queues (and of the transport), and its
 * interrupt line only through the `pci` property. The watch puts a stand-in in each of those places: an object that
 * inherits everything from the original and records the few calls that matter. Other devices keep the originals, so
 * nothing that they do is taken for the virtio device's doing.
 */

import type { TargetEvent } from '../../contract/target.ts'
import type { Cpu, Pci, Virtio } from './surface.ts'

/** Accesses to guest memory in one poke after which the device is held to be in an endless loop. */
const ACCESSES_PER_POKE_MAX = 2 ** 22

/**
 * Accesses of one poke that are recorded. Work within a driver's duties stays far below; a driver that moves its index
 * by 65,535 gets there, and what comes after is not recorded, so that it cannot fill the memory of the harness.
 */
const RECORDED_PER_POKE_MAX = 2 ** 17

/** Thrown through the device's code to get out of an endless loop. */
export class EndlessWork extends Error {}

export class Watch {
  readonly #device: string
  #events: TargetEvent[] = []
  #accesses = 0
  #level = false

  constructor(device: string, virtio: Virtio) {
    this.#device = device
    const cpu = this.#watchedCpu(virtio.cpu)
    virtio.cpu = cpu
    for (const queue of virtio.queues) queue.cpu = cpu
    virtio.pci = this.#watchedPci(virtio.pci)
  }

  /** Level of the interrupt line as the device drives it. */
  get level(): boolean {
    return this.#level
  }

  beginPoke(): void {
    this.#accesses = 0
  }

  take(): TargetEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Forgets what was seen: the state was replaced from outside. */
  restart(level: boolean): void {
    this.#events = []
    this.#level = level
  }

  #access(access: 'read' | 'write', gpa: number, data: Uint8Array): void {
    this.#count()
    if (this.#accesses > RECORDED_PER_POKE_MAX) return
    this.#events.push({ kind: 'dma', device: this.#device, access, gpa, data })
  }

  #count(): void {
    if (++this.#accesses > ACCESSES_PER_POKE_MAX) {
      throw new EndlessWork(`the device made more than ${ACCESSES_PER_POKE_MAX} accesses to guest memory for one poke`)
    }
  }

  #line(level: boolean): void {
    if (level === this.#level) return
    this.#level = level
    this.#events.push({ kind: 'line', device: this.#device, pin: 0, level })
  }

  #watchedPci(pci: Pci): Pci {
    return Object.assign(Object.create(pci) as Pci, {
      raise_irq: (bdf: number) => {
        pci.raise_irq(bdf)
        this.#line(true)
      },
      lower_irq: (bdf: number) => {
        pci.lower_irq(bdf)
        this.#line(false)
      },
    })
  }

  #watchedCpu(cpu: Cpu): Cpu {
    return Object.assign(Object.create(cpu) as Cpu, {
      read16: (gpa: number) => {
        const value = cpu.read16(gpa)
        this.#access('read', gpa >>> 0, halfword(value))
        return value
      },
      read32s: (gpa: number) => {
        const value = cpu.read32s(gpa)
        this.#access('read', gpa >>> 0, word(value))
        return value
      },
      write16: (gpa: number, value: number) => {
        cpu.write16(gpa, value)
        this.#access('write', gpa >>> 0, halfword(value))
      },
      write32: (gpa: number, value: number) => {
        cpu.write32(gpa, value)
        this.#access('write', gpa >>> 0, word(value))
      },
      read_blob: (gpa: number, bytes: number) => {
        const view = cpu.read_blob(gpa, bytes)
        // The view says what was really read: it is cut at the end of memory.
        if (view.length === 0) this.#count()
        else this.#access('read', view.byteOffset - cpu.mem8.byteOffset, view.slice())
        return view
      },
      write_blob: (data: Uint8Array, gpa: number) => {
        cpu.write_blob(data, gpa)
        if (data.length === 0) this.#count()
        else this.#access('write', gpa, data.slice())
      },
      zero_memory: (gpa: number, bytes: number) => {
        cpu.zero_memory(gpa, bytes)
        const seen = Math.min(bytes >>> 0, cpu.mem8.length)
        if (seen > 0) this.#access('write', gpa >>> 0, new Uint8Array(seen))
      },
    })
  }
}

/** Not by `Uint8Array.of`, which takes several times as long: there are a hundred of these in a case. */
function halfword(value: number): Uint8Array {
  const bytes = new Uint8Array(2)
  bytes[0] = value
  bytes[1] = value >> 8
  return bytes
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  bytes[0] = value
  bytes[1] = value >> 8
  bytes[2] = value >> 16
  bytes[3] = value >> 24
  return bytes
}
