/**
 * A VT-d unit as a guest drives its DMA half (VT-d 4.1, chapters 3, 6, 7 and 11). It pokes and reads and checks nothing:
 * tables are written with `vtd-entries`, in any shape.
 */
import type { Gpa } from '../../contract/target.ts'
import {
  CONTEXT_COMMAND,
  CONTEXT_COMMAND_HIGH,
  EVENT,
  FAULT_PRESENT,
  FAULT_REASON,
  FAULT_RECORD,
  FAULT_REQUESTER,
  FAULT_STATUS,
  IOTLB_COMMAND_HIGH,
  PROTECTED,
  ROOT_ADDRESS,
  VTD,
  VTD_CAPABILITY_HIGH,
  VTD_CAPABILITY_LOW,
  VTD_COMMAND,
  VTD_EXTENDED,
  VTD_EXTENDED_HIGH,
  VTD_IOTLB,
} from '../../layout/vtd.ts'
import type { Guest } from './access.ts'
import { type ContextScope, type Drains, granularityOf, type IotlbScope, iotlbAddress } from './vtd-entries.ts'
import { VtdQueue, VtdRegisters } from './vtd-registers.ts'

/** What the unit says that it can do. */
export interface VtdCapabilities {
  /** Width of an IOVA, in bits. */
  readonly addressBits: number
  /** Numbers of levels that tables may have. */
  readonly levels: readonly number[]
  readonly large2M: boolean
  readonly large1G: boolean
  readonly records: number
  readonly cachingMode: boolean
  readonly protectedLow: boolean
  readonly passThrough: boolean
  readonly deviceTlb: boolean
  readonly snoop: boolean
  readonly queue: boolean
  readonly scalable: boolean
  readonly pasids: boolean
  /** Largest mask of an invalidation of pages; undefined: it takes none. */
  readonly maskMax: number | undefined
  readonly drains: { readonly reads: boolean; readonly writes: boolean }
}

/** A fault record, as it reads. */
export interface VtdFault {
  readonly reason: number
  readonly requester: number
  /** Number of the page of 4 KiB; of an interrupt request, its index is in the bits from 36 on. */
  readonly page: number
  readonly access: 'read' | 'write'
  readonly pasid: number | undefined
}

export interface VtdFaultStatus {
  readonly overflow: boolean
  readonly pending: boolean
  /** The invalidation queue stopped at a descriptor. */
  readonly queueError: boolean
  /** The record that was written first, while any is pending. */
  readonly index: number
}

export class VtdUnit {
  readonly queue: VtdQueue
  readonly #registers: VtdRegisters
  readonly capabilities: VtdCapabilities
  readonly #records: number
  readonly #iotlb: number

  /** `queue`: one page, or 2^`order` of them. */
  constructor(guest: Guest, base: Gpa, queue: Gpa, order = 0) {
    const registers = new VtdRegisters(guest, base)
    this.#registers = registers
    this.queue = new VtdQueue(registers, queue, order)
    const [low, high] = [registers.read(VTD.capability), registers.read(VTD.capability + 4)]
    const [more, most] = [registers.read(VTD.extendedCapability), registers.read(VTD.extendedCapability + 4)]
    this.#records =
      16 * ((low >>> VTD_CAPABILITY_LOW.RECORDS_OFFSET_SHIFT) + ((high & VTD_CAPABILITY_HIGH.RECORDS_OFFSET_MASK) << 8))
    this.#iotlb = 16 * ((more >>> VTD_EXTENDED.IOTLB_SHIFT) & VTD_EXTENDED.IOTLB_MASK)
    this.capabilities = capabilitiesOf(low, high, more, most)
  }

  /** Writes the root-table address; it is in force only after `useRoot`. `mode`: one of `ROOT_ADDRESS`. */
  setRoot(table: Gpa, mode: number = ROOT_ADDRESS.LEGACY): void {
    this.#registers.write64(VTD.rootAddress, table + mode * 2 ** ROOT_ADDRESS.MODE_SHIFT)
  }
  useRoot(): void {
    this.#registers.command(VTD_COMMAND.SET_ROOT, true)
  }
  translate(on: boolean): void {
    this.#registers.command(VTD_COMMAND.TRANSLATE, on)
  }
  status(): { readonly translates: boolean; readonly hasRoot: boolean; readonly queue: boolean } {
    const status = this.#registers.read(VTD.status)
    const has = (bit: number): boolean => (status & bit) !== 0
    return { translates: has(VTD_COMMAND.TRANSLATE), hasRoot: has(VTD_COMMAND.SET_ROOT), queue: has(VTD_COMMAND.QUEUE) }
  }

  /** By register: the granularity that was done, or undefined while it is not. */
  invalidateContexts(scope: ContextScope): number | undefined {
    const [domain, requester, functions] =
      scope === 'global' ? [0, 0, 0] : [scope.domain, ...('requester' in scope ? sourceOf(scope) : [0, 0])]
    this.#registers.write(VTD.contextCommand, (domain ?? 0) | ((requester ?? 0) << CONTEXT_COMMAND.SOURCE_SHIFT))
    const asked = granularityOf(scope) << CONTEXT_COMMAND_HIGH.ASKED_SHIFT
    this.#registers.write(VTD.contextCommand + 4, CONTEXT_COMMAND_HIGH.START | asked | (functions ?? 0))
    return this.contextsDone()
  }
  contextsDone(): number | undefined {
    const command = this.#registers.read(VTD.contextCommand + 4)
    return (command & CONTEXT_COMMAND_HIGH.START) !== 0 ? undefined : (command >>> CONTEXT_COMMAND_HIGH.DONE_SHIFT) & 3
  }

  /** By register: the granularity that was done, or undefined while it is not. */
  invalidateTranslations(scope: IotlbScope, { reads, writes }: Drains = {}): number | undefined {
    const [low = 0, high = 0] = iotlbAddress(scope)
    this.#registers.write(this.#iotlb + VTD_IOTLB.address, low)
    this.#registers.write(this.#iotlb + VTD_IOTLB.address + 4, high)
    this.#registers.write(this.#iotlb + VTD_IOTLB.command, 0)
    this.#registers.write(
      this.#iotlb + VTD_IOTLB.command + 4,
      IOTLB_COMMAND_HIGH.START |
        (granularityOf(scope) << IOTLB_COMMAND_HIGH.ASKED_SHIFT) |
        (reads === true ? IOTLB_COMMAND_HIGH.DRAIN_READS : 0) |
        (writes === true ? IOTLB_COMMAND_HIGH.DRAIN_WRITES : 0) |
        (scope === 'global' ? 0 : scope.domain),
    )
    return this.translationsDone()
  }
  translationsDone(): number | undefined {
    const command = this.#registers.read(this.#iotlb + VTD_IOTLB.command + 4)
    return (command & IOTLB_COMMAND_HIGH.START) !== 0 ? undefined : (command >>> IOTLB_COMMAND_HIGH.DONE_SHIFT) & 3
  }

  faultStatus(): VtdFaultStatus {
    const status = this.#registers.read(VTD.faultStatus)
    return {
      overflow: (status & FAULT_STATUS.OVERFLOW) !== 0,
      pending: (status & FAULT_STATUS.PENDING) !== 0,
      queueError: (status & FAULT_STATUS.QUEUE_ERROR) !== 0,
      index: (status >>> FAULT_STATUS.INDEX_SHIFT) & 0xff,
    }
  }
  /** A fault record; undefined: it is free. */
  fault(index: number): VtdFault | undefined {
    const at = this.#records + FAULT_RECORD.bytes * index
    const last = this.#registers.read(at + FAULT_RECORD.reason)
    if (last < FAULT_PRESENT) return undefined
    const source = this.#registers.read(at + FAULT_RECORD.requester)
    const [low, high] = [this.#registers.read(at + FAULT_RECORD.page), this.#registers.read(at + FAULT_RECORD.page + 4)]
    return {
      reason: last & 0xff,
      requester: source & 0xffff,
      page: high * 2 ** 20 + (low >>> 12),
      access: (last & FAULT_REASON.READ) === 0 ? 'write' : 'read',
      pasid: (source & FAULT_REQUESTER.HAS_PASID) === 0 ? undefined : (last >>> FAULT_REASON.PASID_SHIFT) & 0xf_ffff,
    }
  }
  freeFault(index: number): void {
    this.#registers.write(this.#records + FAULT_RECORD.bytes * index + FAULT_RECORD.reason, FAULT_PRESENT)
  }
  clearOverflow(): void {
    this.#registers.write(VTD.faultStatus, FAULT_STATUS.OVERFLOW)
  }
  clearQueueError(): void {
    this.#registers.write(VTD.faultStatus, FAULT_STATUS.QUEUE_ERROR)
  }
  /** What the unit sends when a fault comes to be pending. */
  setFaultMessage(address: Gpa, data: number): void {
    this.#registers.write(VTD.faultData, data)
    this.#registers.write(VTD.faultAddress, address)
    this.#registers.write(VTD.faultUpperAddress, 0)
  }
  maskFaultMessage(masked: boolean): void {
    this.#registers.write(VTD.faultControl, masked ? EVENT.MASK : 0)
  }
  /** A message is held back until it is unmasked. */
  holdsFaultMessage(): boolean {
    return (this.#registers.read(VTD.faultControl) & EVENT.PENDING) !== 0
  }

  /** The same for waits that ask for an interrupt. */
  setCompletionMessage(address: Gpa, data: number): void {
    this.#registers.write(VTD.completionData, data)
    this.#registers.write(VTD.completionAddress, address)
    this.#registers.write(VTD.completionUpperAddress, 0)
  }
  maskCompletionMessage(masked: boolean): void {
    this.#registers.write(VTD.completionControl, masked ? EVENT.MASK : 0)
  }
  completed(): boolean {
    return (this.#registers.read(VTD.completionStatus) & 1) !== 0
  }
  clearCompleted(): void {
    this.#registers.write(VTD.completionStatus, 1)
  }

  /** The region below 4 GiB that no DMA reaches: `limit` is its last byte. Its ends are rounded to what `protectedGrain` says. */
  setProtected(base: Gpa, limit: Gpa): void {
    this.#registers.write(VTD.protectedLowBase, base)
    this.#registers.write(VTD.protectedLowLimit, limit)
  }
  /** How fine the ends of the region are, in bytes. Writes its base. */
  protectedGrain(): number {
    this.#registers.write(VTD.protectedLowBase, 0xffff_ffff)
    const ones = this.#registers.read(VTD.protectedLowBase)
    this.#registers.write(VTD.protectedLowBase, 0)
    return 2 ** 32 - ones
  }
  protect(on: boolean): void {
    this.#registers.write(VTD.protectedEnable, on ? PROTECTED.ENABLE : 0)
  }
  isProtecting(): boolean {
    return (this.#registers.read(VTD.protectedEnable) & PROTECTED.STATUS) !== 0
  }
}

const sourceOf = ({
  requester,
  functions = 0,
}: {
  readonly requester: number
  readonly functions?: number
}): readonly number[] => [requester, functions]

const capabilitiesOf = (low: number, high: number, more: number, most: number): VtdCapabilities => {
  const widths = (low >>> VTD_CAPABILITY_LOW.WIDTHS_SHIFT) & VTD_CAPABILITY_LOW.WIDTHS_MASK
  return {
    addressBits: ((low >>> VTD_CAPABILITY_LOW.ADDRESS_SHIFT) & VTD_CAPABILITY_LOW.ADDRESS_MASK) + 1,
    levels: [3, 4, 5].filter((count) => ((widths >>> (count - 2)) & 1) === 1),
    large2M: (high & VTD_CAPABILITY_HIGH.LARGE_2M) !== 0,
    large1G: (high & VTD_CAPABILITY_HIGH.LARGE_1G) !== 0,
    records: ((high >>> VTD_CAPABILITY_HIGH.RECORDS_SHIFT) & VTD_CAPABILITY_HIGH.RECORDS_MASK) + 1,
    cachingMode: (low & VTD_CAPABILITY_LOW.CACHING_MODE) !== 0,
    protectedLow: (low & VTD_CAPABILITY_LOW.PROTECTED_LOW) !== 0,
    passThrough: (more & VTD_EXTENDED.PASS_THROUGH) !== 0,
    deviceTlb: (more & VTD_EXTENDED.DEVICE_TLB) !== 0,
    snoop: (more & VTD_EXTENDED.SNOOP) !== 0,
    queue: (more & VTD_EXTENDED.QUEUE) !== 0,
    scalable: (most & VTD_EXTENDED_HIGH.SCALABLE) !== 0,
    pasids: (most & VTD_EXTENDED_HIGH.PASID) !== 0,
    maskMax:
      (high & VTD_CAPABILITY_HIGH.PAGE_SELECTIVE) === 0
        ? undefined
        : (high >>> VTD_CAPABILITY_HIGH.ADDRESS_MASK_SHIFT) & VTD_CAPABILITY_HIGH.ADDRESS_MASK_MASK,
    drains: {
      reads: (high & VTD_CAPABILITY_HIGH.DRAIN_READ) !== 0,
      writes: (high & VTD_CAPABILITY_HIGH.DRAIN_WRITE) !== 0,
    },
  }
}
