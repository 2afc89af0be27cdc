/**
 * A unit that remaps and posts interrupts: the requests of devices are looked up in a table in memory, checked against
 * who sent them, and leave as the table says (VT-d 4.1, chapter 5). The invalidation queue is worked off one descriptor
 * at a step, so that an entry of the cache is used until its invalidation has had its turn.
 */
import type { Space, TargetEvent } from '../../contract/index.ts'
import {
  DESCRIPTOR,
  EVENT,
  FAULT_PRESENT,
  FAULT_RECORD,
  FAULT_STATUS,
  VTD,
  VTD_BASE,
  VTD_CAPABILITY_HIGH,
  VTD_CAPABILITY_LOW,
  VTD_COMMAND,
  VTD_EXTENDED,
} from '../../layout/vtd.ts'
import {
  ENTRY,
  POSTED,
  REMAPPING_FAULT,
  REQUEST,
  TABLE_EXTENDED,
  TABLE_SIZE_MASK,
} from '../../layout/vtd-interrupts.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import {
  compatible,
  type FaultRecord,
  flawOf,
  type Interrupt,
  type Irte,
  isPosted,
  type RemappingParts,
  type RemappingState,
  type Table,
} from './remapping-parts.ts'

const ID = 'remapping'
const RECORDS = 0x220
const CACHE_ENTRIES = 8
const REQUESTS = 0xfee
const KEPT = VTD_COMMAND.QUEUE | VTD_COMMAND.REMAP | VTD_COMMAND.COMPATIBILITY

export interface RemappingOptions {
  readonly services: BoardServices
  readonly parts: RemappingParts
  readonly facts?: Readonly<Record<string, string | number | boolean>>
  /** Where interrupts go; default: they are shown. */
  readonly send?: (message: Extract<TargetEvent, { kind: 'interrupt' }>) => void
}

const wide = (high: number, low: number): number => high * 2 ** 32 + (low >>> 0)

/** The table that the address register names. */
export const tableOf = ({ tableLow, tableHigh }: RemappingState): Table => ({
  base: wide(tableHigh, tableLow & ~0xfff),
  entries: 2 ** ((tableLow & TABLE_SIZE_MASK) + 1),
  extended: (tableLow & TABLE_EXTENDED) !== 0,
})

const fresh = (): RemappingState => ({
  status: 0,
  tableLow: 0,
  tableHigh: 0,
  table: { base: 0, entries: 2, extended: false },
  queueLow: 0,
  queueHigh: 0,
  head: 0,
  tail: 0,
  overflow: false,
  queueError: false,
  faultControl: EVENT.MASK,
  faultMessage: [0, 0, 0],
  record: undefined,
  cache: [],
})

export class Remapping implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #parts: RemappingParts
  readonly #send: (message: Extract<TargetEvent, { kind: 'interrupt' }>) => void
  #state = fresh()

  constructor({ services, parts, facts, send = services.emit }: RemappingOptions) {
    this.#services = services
    this.#parts = parts
    this.#send = send
    const transport = { kind: 'chip', inputs: 0, base: VTD_BASE } as const
    this.describes = [{ id: ID, kind: 'vt-d-interrupts', transport, ...(facts === undefined ? {} : { facts }) }]
  }

  read(space: Space, address: number, width: number): number | undefined {
    const at = offsetOf(space, address, width)
    if (at === undefined) return undefined
    const shift = 8 * (at & 3)
    const value = this.#register(at & ~3) >>> shift
    return width === 4 ? value : value & (2 ** (8 * width) - 1)
  }

  #register(at: number): number {
    const s = this.#state
    switch (at) {
      case VTD.version:
        return 0x10
      case VTD.capability:
        return (RECORDS / 16) << VTD_CAPABILITY_LOW.RECORDS_OFFSET_SHIFT
      case VTD.capability + 4:
        return VTD_CAPABILITY_HIGH.POSTING
      case VTD.extendedCapability:
        return VTD_EXTENDED.QUEUE | VTD_EXTENDED.REMAP | VTD_EXTENDED.EXTENDED_MODE | VTD_EXTENDED.INDEX_MASK
      case VTD.status:
        return s.status
      case VTD.faultStatus:
        return (
          (s.overflow ? FAULT_STATUS.OVERFLOW : 0) |
          (s.record === undefined ? 0 : FAULT_STATUS.PENDING) |
          (s.queueError ? FAULT_STATUS.QUEUE_ERROR : 0)
        )
      case VTD.faultControl:
        return s.faultControl
      case VTD.faultData:
      case VTD.faultAddress:
      case VTD.faultUpperAddress:
        return s.faultMessage[(at - VTD.faultData) / 4]!
      case VTD.queueHead:
        return s.head
      case VTD.queueTail:
        return s.tail
      case VTD.queueAddress:
        return s.queueLow
      case VTD.queueAddress + 4:
        return s.queueHigh
      case VTD.tableAddress:
        return s.tableLow
      case VTD.tableAddress + 4:
        return s.tableHigh
      case RECORDS + FAULT_RECORD.index:
        return (s.record?.index ?? 0) << 16
      case RECORDS + FAULT_RECORD.requester:
        return s.record?.requester ?? 0
      case RECORDS + FAULT_RECORD.reason:
        return s.record === undefined ? 0 : FAULT_PRESENT + s.record.reason
      default:
        return 0
    }
  }

  /** Registers are dwords: a narrower write is dropped. */
  write(space: Space, address: number, width: number, value: number): boolean {
    const at = offsetOf(space, address, width)
    if (at === undefined) return false
    if (width === 4 && (at & 3) === 0) this.#write(at, value >>> 0)
    return true
  }

  #write(at: number, value: number): void {
    const s = this.#state
    switch (at) {
      case VTD.command:
        this.#command(value)
        break
      case VTD.faultStatus:
        if ((value & FAULT_STATUS.OVERFLOW) !== 0) s.overflow = false
        if ((value & FAULT_STATUS.QUEUE_ERROR) !== 0) s.queueError = false
        break
      case VTD.faultControl:
        s.faultControl = value >= EVENT.MASK ? EVENT.MASK : 0
        break
      case VTD.faultData:
      case VTD.faultAddress:
      case VTD.faultUpperAddress:
        s.faultMessage[(at - VTD.faultData) / 4] = value
        break
      case VTD.queueTail:
        s.tail = value & 0x7fff0
        break
      case VTD.queueAddress:
        s.queueLow = value
        break
      case VTD.queueAddress + 4:
        s.queueHigh = value
        break
      case VTD.tableAddress:
      case VTD.tableAddress + 4:
        if (at === VTD.tableAddress) s.tableLow = value
        else s.tableHigh = value
        s.table = this.#parts.tableAfterWrite(s)
        break
      case RECORDS + FAULT_RECORD.reason:
        if (value >= FAULT_PRESENT) s.record = undefined
    }
  }

  #command(value: number): void {
    const s = this.#state
    // Switched off, the queue begins anew.
    if ((value & VTD_COMMAND.QUEUE) === 0) s.head = 0
    s.status = (s.status & ~KEPT) | (value & KEPT)
    if ((value & VTD_COMMAND.SET_TABLE) === 0) return
    s.table = tableOf(s)
    s.status |= VTD_COMMAND.SET_TABLE
  }

  message(requester: number, address: number, data: number): boolean {
    if (Math.floor(address / 2 ** 20) !== REQUESTS) return false
    const { status } = this.#state
    if ((status & VTD_COMMAND.REMAP) === 0) this.#deliver(compatible(address, data))
    else if ((address & REQUEST.REMAPPABLE) !== 0) this.#remap(requester, address, data)
    else if (this.#parts.passesCompatible(this.#state)) this.#deliver(compatible(address, data))
    else this.#block(undefined, { reason: REMAPPING_FAULT.COMPATIBILITY, requester, index: 0 })
    return true
  }

  #remap(requester: number, address: number, data: number): void {
    const { entry, reason, index } = this.#lookUp(requester, address, data)
    const fault = (why: number): FaultRecord => ({ reason: why, requester, index: index & 0xffff })
    if (reason !== undefined) this.#block(entry, fault(reason))
    else if (isPosted(entry!)) this.#post(entry!, fault)
    else this.#deliver(this.#parts.interrupt(entry!, this.#state.table.extended, data))
  }

  /** The entry that a request names, and why it is not for this request. */
  #lookUp(
    requester: number,
    address: number,
    data: number,
  ): { readonly entry?: Irte; readonly reason?: number; readonly index: number } {
    const parts = this.#parts
    if (parts.isReservedRequest(address, data)) return { reason: REMAPPING_FAULT.RESERVED_REQUEST, index: 0 }
    const index = parts.indexOf(address, data)
    if (parts.isBeyond(index, this.#state.table)) return { reason: REMAPPING_FAULT.BEYOND_TABLE, index }
    const entry = this.#entry(index)
    if (entry === undefined) return { reason: REMAPPING_FAULT.TABLE_UNREADABLE, index }
    const flaw = flawOf(entry, parts)
    if (flaw !== undefined) return { entry, reason: flaw, index }
    return parts.accepts(entry, requester) ? { entry, index } : { entry, reason: REMAPPING_FAULT.SOURCE, index }
  }

  /** From the cache or from memory; undefined where memory cannot be read. */
  #entry(index: number): Irte | undefined {
    const s = this.#state
    const cached = s.cache.find((each) => each.index === index)
    if (cached !== undefined) return cached.entry
    const entry = this.#fetch(s.table.base + ENTRY.bytes * index)
    if (entry === undefined || !this.#parts.isCacheable(entry)) return entry
    s.cache.push({ index, entry })
    if (s.cache.length > CACHE_ENTRIES) s.cache.shift()
    return entry
  }

  #fetch(gpa: number): Irte | undefined {
    const { memory } = this.#services
    if (!memory.covers(gpa, 16)) return undefined
    const data = memory.load(gpa, 16)
    const view = new DataView(data.buffer, data.byteOffset, 16)
    const dword = (at: number): number => view.getUint32(at, true)
    return [dword(0), dword(4), dword(8), dword(12)]
  }

  #deliver(interrupt: Interrupt): void {
    this.#send({ kind: 'interrupt', device: ID, ...interrupt })
  }

  /** Sets the request bit in the descriptor; the CPU that it names is told unless it was, or wants not to be. */
  #post(entry: Irte, fault: (reason: number) => FaultRecord): void {
    const { memory } = this.#services
    const gpa = wide(entry[3], entry[1] & ENTRY.DESCRIPTOR_LOW_MASK)
    if (!memory.covers(gpa, POSTED.bytes)) {
      this.#block(entry, fault(REMAPPING_FAULT.DESCRIPTOR_UNREADABLE))
      return
    }
    const vector = (entry[0] >>> ENTRY.VECTOR_SHIFT) & 0xff
    const request = gpa + (vector >>> 3)
    memory.write(ID, request, Uint8Array.of(memory.load(request, 1)[0]! | (1 << (vector & 7))))
    const control = memory.load(gpa + POSTED.control, 8)
    const outstanding = (control[0]! & POSTED.OUTSTANDING) !== 0
    if (!this.#parts.notifies(entry, outstanding, (control[0]! & POSTED.SUPPRESS) !== 0)) return
    memory.write(ID, gpa + POSTED.control, Uint8Array.of(control[0]! | POSTED.OUTSTANDING))
    const destination = this.#state.table.extended
      ? new DataView(control.buffer, control.byteOffset).getUint32(4, true)
      : control[5]!
    this.#deliver({ vector: control[2]!, destination, logical: false, delivery: 'fixed', level: false })
  }

  #block(entry: Irte | undefined, fault: FaultRecord): void {
    const s = this.#state
    const parts = this.#parts
    if (!parts.isRecorded(entry) || s.overflow) return
    if (s.record === undefined) s.record = parts.recorded(fault)
    else {
      s.record = parts.overflown(s.record, fault)
      s.overflow = true
    }
  }

  /** One descriptor of the invalidation queue. */
  step(): boolean {
    const s = this.#state
    if ((s.status & VTD_COMMAND.QUEUE) === 0 || s.head === s.tail || s.queueError) return false
    const bytes = 4096 * 2 ** (s.queueLow & 7)
    const descriptor = this.#fetch(wide(s.queueHigh, s.queueLow & ~0xfff) + s.head)
    const type = descriptor === undefined ? undefined : descriptor[0] & DESCRIPTOR.TYPE_MASK
    if (descriptor === undefined || (type !== DESCRIPTOR.ENTRIES && type !== DESCRIPTOR.WAIT)) {
      s.queueError = true
      return true
    }
    if (type === DESCRIPTOR.WAIT) this.#answer(descriptor)
    else s.cache = s.cache.filter(({ index, entry }) => !this.#parts.drops(descriptor, index, entry))
    s.head = (s.head + DESCRIPTOR.bytes) % bytes
    return true
  }

  #answer(wait: Irte): void {
    if ((wait[0] & DESCRIPTOR.WRITE_STATUS) === 0) return
    const status = new Uint8Array(4)
    new DataView(status.buffer).setUint32(0, wait[1], true)
    this.#services.memory.write(ID, wide(wait[3], wait[2] & ~3), status)
  }

  reset(): void {
    this.#state = fresh()
  }
  save(): unknown {
    return this.#state
  }
  restore(state: unknown): void {
    this.#state = state as RemappingState
  }
}

const offsetOf = (space: Space, address: number, width: number): number | undefined => {
  const at = address - VTD_BASE
  return space === 'mmio' && at >= 0 && at + width <= VTD.bytes ? at : undefined
}
