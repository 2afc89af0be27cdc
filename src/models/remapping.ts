/** The remapping machine on a VT-d unit, with requests of any requester as inputs. */

import { PLAIN, remapping, SLOTS, SPAN_MASKS, TABLES } from '../../spec/interrupt/remapping.ts'
import {
  entriesOf,
  requestersOf,
  sourceFieldOf,
  type TableEntry,
  vectorOf,
} from '../../spec/interrupt/remapping-entries.ts'
import type { Description, DeviceDescription, Gpa, Target, TargetEvent } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import {
  COMPATIBILITY,
  DELIVERY_CODE,
  ENTRY,
  ENTRY_SOURCE,
  POSTED,
  REMAPPING_FAULT,
  REQUEST,
  SOURCE_CHECK,
} from '../layout/vtd-interrupts.ts'
import { Guest } from './guest/access.ts'
import { notesOf } from './guest/notes.ts'
import { VtdInterrupts } from './guest/vtd-interrupts.ts'

/** Guest memory, from the start of a range. The large table takes a MiB; the third table is where no memory is. */
const AREA = { queue: 0x1000, status: 0x2000, descriptor: 0x2040, small: 0x3000, large: 0x10_0000 } as const
const AREA_BYTES = 0x20_0000
const NOWHERE = 0x4000_0000
type Notices = 'sent' | 'suppressed' | 'outstanding'
/** What the posted descriptor says: vector and destination of its notifications. */
const NOTIFICATION = { vector: 0x3f, destination: 5 } as const
/** A request in compatibility format. */
const ITSELF = { vector: 0x30, destination: 7 } as const
/** Data that mean nothing, or that set a reserved bit. */
const NOISE = 0xdead_c735

type Interrupt = Extract<TargetEvent, { kind: 'interrupt' }>

class RemappingSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #unit: VtdInterrupts
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #entries: readonly TableEntry[]
  readonly #requesters: readonly number[]
  readonly #own: number
  /** The bits of the posted descriptor that say what becomes of notifications. */
  #notices = 0
  readonly #start: Gpa
  #waits = 0
  /** By number: the table in force, and the one whose address was written. */
  #table = 0
  #written = 0
  #extended = false
  #waiting = false

  constructor(target: Target, device: DeviceDescription, machine: Machine, sink: Sink) {
    const { entries = 0, posting, requesters = 0, own = 0 } = machine.scope
    this.device = device.id
    this.#guest = new Guest(target)
    this.#machine = machine
    this.#sink = sink
    this.#entries = entriesOf(entries, posting === 1)
    this.#requesters = requestersOf(requesters, own)
    this.#own = own
    this.#start = arenaOf(target.describe())!
    if (device.transport.kind !== 'chip' || device.transport.base === undefined)
      throw new ModelError(`${device.id}: expected a chip with the base of its registers`)
    this.#unit = new VtdInterrupts(this.#guest, device.transport.base, this.#start + AREA.queue)
  }

  start(): void {
    const unit = this.#unit
    this.#guest.target.reset('system')
    this.#waits = 0
    this.#waiting = false
    for (const [table, { readable, entries }] of TABLES.entries())
      for (const [slot, index] of SLOTS.entries())
        if (readable && index < entries) this.#writeEntry(table, slot, this.#entries[PLAIN]!, PLAIN)
    this.#notices = 0
    this.#clearDescriptor()
    this.#setTable(0, false)
    this.#table = 0
    unit.usePointer()
    unit.startQueue()
    unit.enable(true)
    this.#guest.target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or device`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.write': ({ slot, entry, inForce }) => {
      const table = inForce ? this.#table : this.#written
      this.#writeEntry(table, slot as number, this.#entries[entry as number]!, entry as number)
    },
    'driver.setNotices': ({ notices }) => {
      this.#notices = { sent: 0, suppressed: POSTED.SUPPRESS, outstanding: POSTED.OUTSTANDING }[notices as Notices]
      this.#clearDescriptor()
    },
    'driver.setTable': ({ table }) => this.#setTable(table as number, this.#extended),
    'driver.setMode': () => this.#setTable(this.#written, !this.#extended),
    'driver.usePointer': () => {
      this.#table = this.#written
      this.#unit.usePointer()
    },
    'driver.loseTable': () => this.#setTable(TABLES.length - 1, this.#extended),
    'driver.enable': () => this.#unit.enable(true),
    'driver.disable': () => this.#unit.enable(false),
    'driver.allowCompatible': ({ on }) => this.#unit.allowCompatible(on as boolean),
    'driver.readStatus': () => this.#tell('irqchip.answerStatus', this.#unit.status()),
    'driver.invalidate': ({ span, slot }) => {
      const mask = SPAN_MASKS[span as keyof typeof SPAN_MASKS]
      this.#invalidate({ index: SLOTS[slot as number]!, mask })
    },
    'driver.flush': () => this.#invalidate('all'),
    'device.send': ({ slot, form }) => this.#send(0, slot, form),
    'device.sendForeign': ({ requester, slot }) => this.#send(requester, slot, 'handle'),
    'device.sendOdd': ({ form, slot }) => this.#send(0, slot, form),
    'driver.readFault': () => this.#answerFault(),
    'driver.clearFault': () => this.#unit.clearFaults(),
  }

  collect(): void {
    for (const event of this.#guest.target.events()) {
      if (event.kind === 'interrupt' && event.device === this.device) this.#tellInterrupt(event)
      else if (event.kind === 'dma' && event.device === this.device) this.#tellPosted(event.gpa)
    }
    if (!this.#waiting || this.#guest.load32(this.#start + AREA.status) !== this.#waits) return
    this.#waiting = false
    this.#tell('irqchip.complete')
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf([this.#waits, this.#waiting, this.#table, this.#written, this.#extended, this.#unit.notes()])
  }

  #invalidate(entries: Parameters<VtdInterrupts['invalidate']>[0]): void {
    this.#waiting = true
    this.#unit.invalidate(entries, this.#start + AREA.status, ++this.#waits)
  }

  #send(requester: unknown, slot: unknown, form: unknown): void {
    const { address, data } = requestOf(SLOTS[slot as number]!, form as string)
    this.#guest.target.message!(this.#requesters[requester as number]!, address, data)
  }

  #setTable(table: number, extended: boolean): void {
    this.#written = table
    this.#extended = extended
    this.#unit.setTable(this.#tableAt(table), TABLES[table]!.entries, extended)
  }
  #tableAt(table: number): Gpa {
    if (!TABLES[table]!.readable) return NOWHERE
    return this.#start + (TABLES[table]!.entries > 4 ? AREA.large : AREA.small)
  }

  /** All sixteen bytes at once, as processors can. */
  #writeEntry(table: number, slot: number, entry: TableEntry, number: number): void {
    const gpa = this.#tableAt(table) + ENTRY.bytes * SLOTS[slot]!
    const bytes = new Uint8Array(ENTRY.bytes)
    const view = new DataView(bytes.buffer)
    for (const [i, dword] of dwordsOf(entry, number, this.#own, this.#start + AREA.descriptor).entries())
      view.setUint32(4 * i, dword, true)
    this.#guest.target.store(gpa, bytes)
  }

  #clearDescriptor(): void {
    const bytes = new Uint8Array(POSTED.bytes)
    const view = new DataView(bytes.buffer)
    view.setUint32(POSTED.control, (NOTIFICATION.vector << POSTED.VECTOR_SHIFT) | this.#notices, true)
    view.setUint32(POSTED.destination, NOTIFICATION.destination << 8, true)
    this.#guest.target.store(this.#start + AREA.descriptor, bytes)
  }

  #answerFault(): void {
    const { found, pending, overflow } = this.#unit.faults()
    const indexOf = (list: readonly number[], value: number): number | undefined => {
      const at = list.indexOf(value)
      return at < 0 ? undefined : at
    }
    const reason = found === undefined ? -1 : found.reason - REMAPPING_FAULT.RESERVED_REQUEST
    this.#tell(
      'irqchip.answerFault',
      {
        found: found !== undefined,
        pending,
        overflow,
        reason: reason < 0 || reason > 8 ? undefined : reason,
        requester: found && indexOf(this.#requesters, found.requester),
        slot: found && indexOf(SLOTS.slice(0, this.#machine.scope.slots), found.index),
      },
      found &&
        `reason 0x${found.reason.toString(16)}, requester 0x${found.requester.toString(16)}, index ${found.index}`,
    )
  }

  #tellInterrupt(event: Interrupt): void {
    const { vector, destination } = event
    const extended = NOTIFICATION.destination << 8
    if (vector === NOTIFICATION.vector && (destination === NOTIFICATION.destination || destination === extended)) {
      this.#tell('irqchip.notify')
      return
    }
    const note = `vector 0x${vector.toString(16)}, destination ${destination}${event.logical ? ' logical' : ''}, ${event.delivery}, ${event.level ? 'level' : 'edge'}`
    this.#tell('irqchip.interrupt', this.#recognise(event), note)
  }

  /** Which entry has all these attributes. */
  #recognise({ vector, destination, logical, delivery, level }: Interrupt): Args {
    const number = vector - vectorOf(0)
    const entry = this.#entries[number]
    const isItself = vector === ITSELF.vector && destination === ITSELF.destination && !logical && !level
    if (isItself && delivery === 'fixed') return { as: this.#entries.length, wide: false }
    const wide = destination === (entry?.destination ?? 0) << 8
    const fits =
      entry !== undefined &&
      (wide || destination === entry.destination) &&
      logical === entry.logical &&
      delivery === entry.delivery &&
      level === entry.level
    return fits ? { as: number, wide } : { as: this.#entries.length + 1, wide: false }
  }

  /** A write into the request bits of the descriptor. They are taken at once, and with them the outstanding bit. */
  #tellPosted(gpa: Gpa): void {
    const at = gpa - this.#start - AREA.descriptor
    if (at < 0 || at >= POSTED.control) return
    const bits = this.#guest.target.load(gpa, 1)[0]!
    if (bits === 0) return
    const vector = 8 * at + 31 - Math.clz32(bits)
    const control = this.#guest.target.load(this.#start + AREA.descriptor + POSTED.control, 1)[0]!
    const marked = (control & POSTED.OUTSTANDING) !== 0
    this.#clearDescriptor()
    const entry = vector - vectorOf(0)
    if (entry >= 0 && entry < this.#entries.length) this.#tell('irqchip.post', { entry, marked })
    else this.#tell('irqchip.interrupt', { as: this.#entries.length + 1, wide: false }, `posted vector ${vector}`)
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

/** Address and data of a request that names an index. */
const requestOf = (index: number, form: string): { readonly address: number; readonly data: number } => {
  if (form === 'compatible') {
    const address = REQUEST.base + ITSELF.destination * 2 ** COMPATIBILITY.CPU_SHIFT
    return { address, data: ITSELF.vector }
  }
  const withSub = form === 'subhandle' || form === 'reserved'
  const sub = withSub && index > 0 ? 1 : 0
  const handle = index - sub
  const address =
    REQUEST.base +
    (handle & 0x7fff) * 2 ** REQUEST.HANDLE_SHIFT +
    (handle >= 0x8000 ? REQUEST.HANDLE_HIGH : 0) +
    REQUEST.REMAPPABLE +
    (withSub ? REQUEST.SUBHANDLE : 0)
  return { address, data: form === 'noise' ? NOISE : form === 'reserved' ? 0x1_0000 + sub : sub }
}

const CHECKS = {
  none: SOURCE_CHECK.NONE,
  requester: SOURCE_CHECK.REQUESTER,
  bus: SOURCE_CHECK.BUS,
  reserved: 3,
} as const

/** An entry as the table holds it. */
const dwordsOf = (entry: TableEntry, number: number, own: number, descriptor: Gpa): readonly number[] => {
  const { source } = entry
  const qualifier = source.check === 'requester' ? source.qualifier : 0
  const isPosted = entry.format === 'posted'
  const first =
    (entry.present ? ENTRY.PRESENT : 0) |
    (entry.silent ? ENTRY.FAULTS_DISABLED : 0) |
    (entry.reserved === 'low' ? 1 << 12 : 0) |
    (isPosted ? ENTRY.POSTED : 0) |
    (entry.logical ? ENTRY.LOGICAL : 0) |
    (entry.level ? ENTRY.LEVEL : 0) |
    (DELIVERY_CODE[entry.delivery] << ENTRY.DELIVERY_SHIFT) |
    (vectorOf(number) << ENTRY.VECTOR_SHIFT)
  const third =
    sourceFieldOf(entry, own) |
    (qualifier << ENTRY_SOURCE.QUALIFIER_SHIFT) |
    (CHECKS[source.check] << ENTRY_SOURCE.CHECK_SHIFT) |
    (entry.reserved === 'high' ? 1 << 30 : 0)
  return [first, isPosted ? descriptor : entry.destination << 8, third, 0]
}

/** The start of a range of guest memory that has room. */
const arenaOf = (target: Description): Gpa | undefined =>
  target.memory.find(({ start, end }) => end - start >= AREA_BYTES && start % 4096 === 0)?.start

const unitOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind }) => kind === 'vt-d-interrupts')

export const remappingModel: Model = {
  machine: remapping,
  played: ['driver', 'device'],
  notApplicable(target) {
    if (unitOf(target) === undefined) return 'it has no unit that remaps interrupts (kind vt-d-interrupts)'
    if (target.can.message !== true) return 'no request of a device can be made to arrive at its remapping unit'
    if ((target.observes.interrupt ?? 'none') === 'none') return 'it does not show the interrupts that leave the unit'
    if (!target.can.resets.includes('system')) return 'its unit cannot be brought back to its initial state'
    return arenaOf(target) === undefined ? 'it has no 2 MiB of guest memory for tables' : undefined
  },
  scope: (target) => ({ scope: 'played', bounds: { posting: unitOf(target)?.facts?.posting === true ? 1 : 0 } }),
  open: (target, machine, sink) => new RemappingSession(target, unitOf(target.describe())!, machine, sink),
}
