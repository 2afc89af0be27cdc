/** A scripted guest: just enough of a virtio driver over PCI I/O ports to send requests through one split ring. */

import type { Gpa, Target, TargetEvent, Width } from '../../src/contract/target.ts'
import { PCI } from '../../src/layout/pci.ts'
import { avail, DESC, used } from '../../src/layout/split-ring.ts'
import { CFG_TYPE, COMMON, STATUS } from '../../src/layout/virtio.ts'

export const RINGS = { descriptors: 0x10_0000, avail: 0x10_1000, used: 0x10_2000, size: 8 } as const
export const REQUEST_GPA = 0x10_3000
export const ANSWER_GPA = 0x10_4000

export interface Descriptor {
  readonly gpa: Gpa
  readonly bytes: number
  readonly flags: number
  readonly next: number
}

export class Guest {
  readonly target: Target
  /** I/O port of each structure, by `cfg_type`. */
  readonly ports = new Map<number, number>()
  notifyMultiplier = 0
  published = 0
  readonly #ecam: number

  constructor(target: Target) {
    this.target = target
    const transport = target.describe().devices[0]!.transport
    if (transport.kind !== 'pci') throw new Error('not a PCI device')
    this.#ecam = (transport.bus << 20) | (transport.device << 15) | (transport.function << 12)
    for (let at = this.config(PCI.capabilities, 1); at !== 0; at = this.config(at + 1, 1)) {
      const type = this.config(at + 3, 1)
      if (type === CFG_TYPE.PCI) continue
      const bar = this.config(PCI.bar(this.config(at + 4, 1)), 4)
      this.ports.set(type, (bar & ~3) + this.config(at + 8, 4))
      if (type === CFG_TYPE.NOTIFY) this.notifyMultiplier = this.config(at + 16, 4)
    }
  }

  config(offset: number, width: Width): number {
    return Number(this.target.read({ space: 'config', address: this.#ecam + offset }, width))
  }

  writeConfig(offset: number, width: Width, value: number): void {
    this.target.write({ space: 'config', address: this.#ecam + offset }, width, BigInt(value))
  }

  in(type: number, offset: number, width: Width): number {
    return Number(this.target.read({ space: 'port', address: this.ports.get(type)! + offset }, width))
  }

  out(type: number, offset: number, width: Width, value: number): void {
    this.target.write({ space: 'port', address: this.ports.get(type)! + offset }, width, BigInt(value))
  }

  common(offset: number, width: Width): number {
    return this.in(CFG_TYPE.COMMON, offset, width)
  }

  setCommon(offset: number, width: Width, value: number): void {
    this.out(CFG_TYPE.COMMON, offset, width, value)
  }

  /** Offered features as one word of 64 bits. */
  features(): bigint {
    let offered = 0n
    for (const select of [0, 1]) {
      this.setCommon(COMMON.deviceFeatureSelect, 4, select)
      offered |= BigInt(this.common(COMMON.deviceFeature, 4)) << BigInt(32 * select)
    }
    return offered
  }

  /** The whole initialisation, accepting `features`; returns the status at its end. */
  start(features: bigint, queue = 0, size: number = RINGS.size): number {
    this.setCommon(COMMON.deviceStatus, 1, 0)
    this.setCommon(COMMON.deviceStatus, 1, STATUS.ACKNOWLEDGE)
    this.setCommon(COMMON.deviceStatus, 1, STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    for (const select of [0, 1]) {
      this.setCommon(COMMON.driverFeatureSelect, 4, select)
      this.setCommon(COMMON.driverFeature, 4, Number((features >> BigInt(32 * select)) & 0xffff_ffffn))
    }
    const agreed = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
    this.setCommon(COMMON.deviceStatus, 1, agreed)
    this.setCommon(COMMON.queueSelect, 2, queue)
    this.setCommon(COMMON.queueSize, 2, size)
    for (const [field, gpa] of [
      [COMMON.queueDesc, RINGS.descriptors],
      [COMMON.queueDriver, RINGS.avail],
      [COMMON.queueDevice, RINGS.used],
    ] as const) {
      this.setCommon(field, 4, gpa)
      this.setCommon(field + 4, 4, 0)
    }
    this.target.store(RINGS.avail, new Uint8Array(avail.bytes(size)))
    this.target.store(RINGS.used, new Uint8Array(used.bytes(size)))
    this.published = 0
    this.setCommon(COMMON.queueEnable, 2, 1)
    this.setCommon(COMMON.deviceStatus, 1, agreed | STATUS.DRIVER_OK)
    this.target.events()
    return this.common(COMMON.deviceStatus, 1)
  }

  describeAt(index: number, { gpa, bytes, flags, next }: Descriptor): void {
    const view = new DataView(new ArrayBuffer(DESC.bytes))
    view.setBigUint64(DESC.address, BigInt(gpa), true)
    view.setUint32(DESC.length, bytes, true)
    view.setUint16(DESC.flags, flags, true)
    view.setUint16(DESC.next, next, true)
    this.target.store(RINGS.descriptors + index * DESC.bytes, new Uint8Array(view.buffer))
  }

  publish(head: number, size: number = RINGS.size): void {
    this.target.store(RINGS.avail + avail.ring(this.published % size), halfword(head))
    this.published++
    this.target.store(RINGS.avail + avail.idx, halfword(this.published))
  }

  kick(queue = 0): TargetEvent[] {
    this.setCommon(COMMON.queueSelect, 2, queue)
    this.out(CFG_TYPE.NOTIFY, this.common(COMMON.queueNotifyOff, 2) * this.notifyMultiplier, 2, queue)
    return this.target.events()
  }

  usedIdx(): number {
    return new DataView(this.target.load(RINGS.used + used.idx, 2).buffer).getUint16(0, true)
  }

  usedEntry(slot: number): { readonly id: number; readonly len: number } {
    const view = new DataView(this.target.load(RINGS.used + used.ring(slot), 8).buffer)
    return { id: view.getUint32(0, true), len: view.getUint32(4, true) }
  }
}

export function halfword(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8)
}

/** A Tversion request of 9P. */
export function tversion(tag: number, version = '9P2000.L'): Uint8Array {
  const text = new TextEncoder().encode(version)
  const bytes = new Uint8Array(13 + text.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  bytes[4] = 100
  view.setUint16(5, tag, true)
  view.setUint32(7, 8192, true)
  view.setUint16(11, text.length, true)
  bytes.set(text, 13)
  return bytes
}
